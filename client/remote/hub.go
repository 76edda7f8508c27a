package remote

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"sync"
	"unicode/utf8"

	"dfs/cas"
	"dfs/server/api"
)

// Info implements [api.Hub]. ErrVersion when the hub speaks another protocol.
func (h *Hub) Info(ctx context.Context, volume string) (info api.Info, err error) {
	if err := h.call(ctx, api.OpInfo, nameQuery(volume), nil, &info); err != nil {
		return info, err
	}
	if info.Protocol != api.ProtocolVersion {
		return info, fmt.Errorf("%s: %w", h.base, api.VersionError(api.ProtocolVersion, info.Protocol))
	}
	h.limits.Store(&info.Limits)
	return info, nil
}

// Volumes implements [api.Hub].
func (h *Hub) Volumes(ctx context.Context, name string) ([]api.Volume, error) {
	var list api.VolumeList
	err := h.call(ctx, api.OpVolumes, nameQuery(name), nil, &list)
	return list.Volumes, err
}

// CreateVolume implements [api.Hub].
func (h *Hub) CreateVolume(ctx context.Context, name string, id cas.VolumeID) (v api.Volume, err error) {
	if err := checkText(name); err != nil {
		return v, err
	}
	err = h.call(ctx, api.OpCreateVolume, nil, api.NewVolume{Name: name, ID: id}, &v)
	return v, err
}

// Start implements [api.Hub].
func (h *Hub) Start(ctx context.Context, req api.StartRequest) (answer api.StartAnswer, err error) {
	if err := checkText(req.Client, req.Command); err != nil {
		return answer, err
	}
	h.told.Wait()
	if err := h.call(ctx, api.OpStart, nil, req, &answer); err != nil {
		return answer, err
	}
	h.limits.Store(&answer.Limits)
	return answer, nil
}

// Diff implements [api.Hub].
func (h *Hub) Diff(ctx context.Context, req api.DiffRequest) (api.DiffAnswer, error) {
	msg, err := req.Append(nil)
	if err != nil {
		return api.DiffAnswer{}, invalid(err)
	}
	msg, err = h.message(ctx, api.OpDiff, framesPayload(msg, nil))
	if err != nil {
		return api.DiffAnswer{}, err
	}
	return api.DecodeDiffAnswer(msg, len(req.Names()))
}

// Upload implements [api.Hub]. More than a request may hold goes in several.
func (h *Hub) Upload(ctx context.Context, session api.SessionID, blobs []cas.Blob) error {
	query := url.Values{"session": {session.String()}}
	limits := h.limits.Load()
	for first := true; first || len(blobs) > 0; first = false {
		n, size := 0, int64(4*api.HeaderSize)
		for n < len(blobs) && (n == 0 || n < limits.Blobs && size+frameSize(blobs[n]) <= limits.Body) {
			size += frameSize(blobs[n])
			n++
		}
		p := framesPayload(nil, blobs[:n])
		err := h.persist(ctx, func() (bool, error) { return false, h.attempt(ctx, api.OpUpload, query, p, nil) })
		if err != nil {
			return err
		}
		blobs = blobs[n:]
	}
	return nil
}

func frameSize(b cas.Blob) int64 { return api.HeaderSize + int64(len(b.Data())) }

// Commit implements [api.Hub]. ErrTooLarge when edits and blobs are more than a request may hold.
func (h *Hub) Commit(ctx context.Context, req api.CommitRequest) (api.CommitAnswer, error) {
	msg, err := req.Append(nil)
	if err != nil {
		return api.CommitAnswer{}, invalid(err)
	}
	msg, err = h.message(ctx, api.OpCommit, framesPayload(msg, req.Blobs))
	if err != nil {
		return api.CommitAnswer{}, err
	}
	return api.DecodeCommitAnswer(msg)
}

// Report implements [api.Hub].
func (h *Hub) Report(ctx context.Context, session api.SessionID, state api.State) error {
	return h.call(ctx, api.OpReport, nil, api.Progress{Session: session, State: state}, nil)
}

// Expect implements [api.Hub].
func (h *Hub) Expect(ctx context.Context, session api.SessionID, bytes int64) error {
	return h.call(ctx, api.OpReport, nil, api.Progress{Session: session, Bytes: &bytes}, nil)
}

// Tell is Report that does not wait for the answer and is not repeated: it returns when the whole report
// is on its way, and is there even if the process ends then. Start waits for what is left of it.
func (h *Hub) Tell(ctx context.Context, session api.SessionID, state api.State) {
	ctx, cancel := context.WithTimeout(ctx, h.opts.First)
	sent := make(chan struct{})
	leave := sync.OnceFunc(func() { close(sent) })
	var of *conn // nil with TLS: then the answer is waited for
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) { of, _ = info.Conn.(*conn) },
		// A small body is in the buffer with its head then, and the next write is the only one.
		WroteRequest: func(info httptrace.WroteRequestInfo) {
			if of != nil && info.Err == nil {
				of.wrote.Store(&leave)
			}
		},
	})
	h.told.Go(func() {
		defer cancel()
		defer leave()
		data, err := json.Marshal(api.Progress{Session: session, State: state})
		if err == nil {
			h.attempt(ctx, api.OpReport, nil, newPayload(api.JSON, data), nil)
		}
	})
	<-sent
}

// Snapshot implements [api.Hub].
func (h *Hub) Snapshot(ctx context.Context, v cas.VolumeID, id cas.ID) (s api.Snapshot, err error) {
	query := volumeQuery(v)
	if !id.IsZero() {
		query.Set("id", id.String())
	}
	err = h.call(ctx, api.OpSnapshot, query, nil, &s)
	return s, err
}

// Snapshots implements [api.Hub].
func (h *Hub) Snapshots(ctx context.Context, req api.SnapshotsRequest) ([]api.Snapshot, error) {
	query := volumeQuery(req.Volume)
	if req.Before != 0 {
		query.Set("before", strconv.FormatUint(req.Before, 10))
	}
	if req.Limit != 0 {
		query.Set("limit", strconv.Itoa(req.Limit))
	}
	var list api.SnapshotList
	err := h.call(ctx, api.OpSnapshots, query, nil, &list)
	return list.Snapshots, err
}

// Sessions implements [api.Hub].
func (h *Hub) Sessions(ctx context.Context, v cas.VolumeID) ([]api.SessionInfo, error) {
	var query url.Values
	if !v.IsZero() {
		query = volumeQuery(v)
	}
	var list api.SessionList
	err := h.call(ctx, api.OpSessions, query, nil, &list)
	return list.Sessions, err
}

// AbortSession implements [api.Hub].
func (h *Hub) AbortSession(ctx context.Context, id api.SessionID) error {
	return h.call(ctx, api.OpAbortSession, url.Values{"session": {id.String()}}, nil, nil)
}

// Quotas implements [api.Hub].
func (h *Hub) Quotas(ctx context.Context) ([]api.Quota, error) {
	var list api.QuotaList
	err := h.call(ctx, api.OpQuotas, nil, nil, &list)
	return list.Quotas, err
}

// SetQuota implements [api.Hub].
func (h *Hub) SetQuota(ctx context.Context, q api.Quota) error {
	return h.call(ctx, api.OpSetQuota, nil, api.QuotaBounds{Volume: q.Volume, Client: q.Client, Bytes: q.Bytes, Files: q.Files}, nil)
}

// Overview implements [api.Hub].
func (h *Hub) Overview(ctx context.Context) (o api.Overview, err error) {
	err = h.call(ctx, api.OpOverview, nil, nil, &o)
	return o, err
}

// Ready implements [api.Hub].
func (h *Hub) Ready(ctx context.Context) error { return h.call(ctx, api.OpReady, nil, nil, nil) }

// Status implements [api.Hub].
func (h *Hub) Status(ctx context.Context, v cas.VolumeID) (status api.Status, err error) {
	err = h.call(ctx, api.OpStatus, volumeQuery(v), nil, &status)
	return status, err
}

// nameQuery is the query that names a volume, unless the name is empty.
func nameQuery(volume string) url.Values {
	if volume == "" {
		return nil
	}
	return url.Values{"name": {volume}}
}

// checkText refuses what JSON would silently change.
func checkText(texts ...string) error {
	for _, text := range texts {
		if !utf8.ValidString(text) {
			return invalid(fmt.Errorf("%q is not UTF-8", text))
		}
	}
	return nil
}

func invalid(err error) error {
	return &api.Error{Code: api.ErrInvalid.Code, Message: err.Error()}
}
