package server

import (
	"errors"
	"io"
	"math"
	"net/http"

	"github.com/gin-gonic/gin"

	"dfs/cas"
	"dfs/server/api"
)

func (s *server) health(*gin.Context) (any, error) { return struct{}{}, nil }

// ready answers 503 whatever the reason, of which it tells strangers no more than the kind.
func (s *server) ready(c *gin.Context) (any, error) {
	err := s.hub.Ready(c.Request.Context())
	if err == nil {
		return struct{}{}, nil
	}
	told := api.ErrInternal
	for _, kind := range []*api.Error{api.ErrPoisoned, api.ErrNoSpace, api.ErrBusy} {
		if refusal(err).Code == kind.Code {
			told = kind
		}
	}
	s.refuse(c, http.StatusServiceUnavailable, told, "cause", err)
	return nil, nil
}

func (s *server) info(c *gin.Context) (any, error) {
	return s.hub.Info(c.Request.Context(), c.Query("name"))
}

func (s *server) openAPI(c *gin.Context) (any, error) {
	document, err := s.document()
	if err == nil {
		write(c.Writer, http.StatusOK, api.JSON, document)
	}
	return nil, err
}

func (s *server) volumes(c *gin.Context) (any, error) {
	list, err := s.hub.Volumes(c.Request.Context(), c.Query("name"))
	if list == nil {
		list = []api.Volume{}
	}
	return api.VolumeList{Volumes: list}, err
}

func (s *server) createVolume(c *gin.Context) (any, error) {
	var req api.NewVolume
	if err := s.readJSON(c, &req); err != nil {
		return nil, err
	}
	return s.hub.CreateVolume(c.Request.Context(), req.Name, req.ID)
}

func (s *server) start(c *gin.Context) (any, error) {
	var req api.StartRequest
	if err := s.readJSON(c, &req); err != nil {
		return nil, err
	}
	return s.hub.Start(c.Request.Context(), req)
}

func (s *server) report(c *gin.Context) (any, error) {
	var req api.Progress
	if err := s.readJSON(c, &req); err != nil {
		return nil, err
	}
	if req.Bytes != nil {
		if err := s.hub.Expect(c.Request.Context(), req.Session, *req.Bytes); err != nil || req.State == "" {
			return struct{}{}, err
		}
	}
	return struct{}{}, s.hub.Report(c.Request.Context(), req.Session, req.State)
}

func (s *server) status(c *gin.Context) (any, error) {
	v, err := s.queryVolume(c)
	if err != nil {
		return nil, err
	}
	status, err := s.hub.Status(c.Request.Context(), v)
	if err == nil && s.opts.Observe != nil {
		s.opts.Observe(&status)
	}
	return status, err
}

func (s *server) overview(c *gin.Context) (any, error) {
	o, err := s.hub.Overview(c.Request.Context())
	if err == nil && s.opts.Oversee != nil {
		s.opts.Oversee(&o)
	}
	return o, err
}

func (s *server) quotas(c *gin.Context) (any, error) {
	list, err := s.hub.Quotas(c.Request.Context())
	return api.QuotaList{Quotas: append([]api.Quota{}, list...)}, err
}

func (s *server) setQuota(c *gin.Context) (any, error) {
	var req api.QuotaBounds
	if err := s.readJSON(c, &req); err != nil {
		return nil, err
	}
	q := api.Quota{Volume: req.Volume, Client: req.Client, Bytes: req.Bytes, Files: req.Files}
	return struct{}{}, s.hub.SetQuota(c.Request.Context(), q)
}

func (s *server) snapshot(c *gin.Context) (any, error) {
	v, err := s.queryVolume(c)
	if err != nil {
		return nil, err
	}
	id, err := queryID(c, "id")
	if err != nil {
		return nil, err
	}
	return s.hub.Snapshot(c.Request.Context(), v, id)
}

func (s *server) snapshots(c *gin.Context) (any, error) {
	v, err := s.queryVolume(c)
	if err != nil {
		return nil, err
	}
	before, err := queryNumber(c, "before", math.MaxInt64)
	if err != nil {
		return nil, err
	}
	limit, err := queryNumber(c, "limit", api.MaxSnapshots)
	if err != nil {
		return nil, err
	}
	list, err := s.hub.Snapshots(c.Request.Context(), api.SnapshotsRequest{Volume: v, Before: before, Limit: int(limit)})
	if err != nil {
		return nil, err
	}
	answer := api.SnapshotList{Snapshots: append([]api.Snapshot{}, list...)}
	if n := len(list); n > 0 && list[n-1].Record.Seq > 1 {
		answer.Next = list[n-1].Record.Seq
	}
	return answer, nil
}

func (s *server) sessions(c *gin.Context) (any, error) {
	var v cas.VolumeID
	if c.Query("volume") != "" {
		var err error
		if v, err = s.queryVolume(c); err != nil {
			return nil, err
		}
	}
	list, err := s.hub.Sessions(c.Request.Context(), v)
	return api.SessionList{Sessions: append([]api.SessionInfo{}, list...)}, err
}

func (s *server) abortSession(c *gin.Context) (any, error) {
	session, err := querySession(c)
	if err != nil {
		return nil, err
	}
	return struct{}{}, s.hub.AbortSession(c.Request.Context(), session)
}

func (s *server) diff(c *gin.Context) (any, error) {
	held, err := s.hold(c, s.decoded(c.Request))
	if err != nil {
		return nil, err
	}
	defer held.release()
	req, err := s.readDiff(c.Request)
	if err != nil {
		return nil, err
	}
	answer, err := s.hub.Diff(c.Request.Context(), *req)
	if err != nil {
		return nil, err
	}
	if !binary(c.Request) {
		return answer.JSON(req.Names()), nil
	}
	write(c.Writer, http.StatusOK, api.Binary, api.AppendStream(nil, answer.Append(nil)))
	return nil, nil
}

func (s *server) readDiff(r *http.Request) (req *api.DiffRequest, err error) {
	var data []byte
	if contentType(r) == api.JSON {
		if data, err = io.ReadAll(r.Body); err == nil {
			req, err = api.DecodeDiffRequestJSON(data)
		}
	} else if data, err = s.readMessage(r); err == nil {
		req, err = api.DecodeDiffRequest(data)
	}
	if err != nil {
		return nil, err
	}
	if l := s.opts.Limits; len(req.Edits) > l.Edits || len(req.Ask) > l.Blobs {
		return nil, invalid(api.ErrTooLarge, "diff of %d edits, above %d, or %d further blobs, above %d",
			len(req.Edits), l.Edits, len(req.Ask), l.Blobs)
	}
	return req, nil
}

func (s *server) commit(c *gin.Context) (any, error) {
	held, err := s.hold(c, s.length(c.Request))
	if err != nil {
		return nil, err
	}
	defer held.release()
	req, err := s.readCommit(c.Request, held)
	if err != nil {
		return nil, err
	}
	answer, err := s.hub.Commit(c.Request.Context(), *req)
	if err != nil || !binary(c.Request) {
		return answer, err
	}
	msg, err := answer.Append(nil)
	if err == nil {
		write(c.Writer, http.StatusOK, api.Binary, api.AppendStream(nil, msg))
	}
	return nil, err
}

// readCommit reads a commit with its blobs. held is for the body's length, and grows by what
// the message and the blobs take beyond it.
func (s *server) readCommit(r *http.Request, held *holding) (req *api.CommitRequest, err error) {
	var msg []byte
	var next api.Header
	var frames *api.FrameReader
	if contentType(r) == api.JSON {
		if err = held.grow((inJSON - 1) * s.length(r)); err == nil {
			msg, err = io.ReadAll(r.Body)
		}
		if err == nil {
			req, err = api.DecodeCommitRequestJSON(msg)
		}
	} else {
		body := s.heard(r, api.SessionID{})
		frames = api.NewFrameReader(body)
		msg, next, err = api.ReadMessage(frames, s.opts.Limits.Body)
		if err == nil || err == io.EOF {
			end := err
			if err = held.grow((inBinary - 1) * int64(len(msg))); err == nil {
				req, err = api.DecodeCommitRequest(msg)
			}
			if err == nil {
				body.session, err = req.Session, end
			}
		}
	}
	if err == nil && frames != nil {
		err = s.readBlobs(frames, next, req, held)
	}
	if err != nil && err != io.EOF {
		return nil, err
	}
	if l := s.opts.Limits; len(req.Edits) > l.Edits || len(req.Message) > l.Message {
		return nil, invalid(api.ErrTooLarge, "commit of %d edits, above %d, or a message of %d bytes, above %d",
			len(req.Edits), l.Edits, len(req.Message), l.Message)
	}
	return req, nil
}

// readBlobs reads the blobs of a commit, of which h is the first.
func (s *server) readBlobs(frames *api.FrameReader, h api.Header, req *api.CommitRequest, held *holding) (err error) {
	plain := int64(0)
	for ; err == nil; h, err = frames.Next() {
		if h.IsMessage() {
			return invalid(api.ErrInvalid, "commit: message among the blobs")
		}
		if plain += int64(h.Plain); plain > s.opts.Limits.Body {
			return invalid(api.ErrTooLarge, "commit: blobs of more than %d bytes", s.opts.Limits.Body)
		}
		if len(req.Blobs) == s.opts.Limits.Blobs {
			return invalid(api.ErrTooLarge, "commit: more than %d blobs", s.opts.Limits.Blobs)
		}
		more := int64(blobMemory)
		if h.Encoding != cas.Raw {
			more += int64(h.Plain)
		}
		if err := held.grow(more); err != nil {
			return err
		}
		b, err := frames.Blob(h, nil, nil)
		if err != nil {
			return err
		}
		req.Blobs = append(req.Blobs, b)
	}
	return err
}

// How many bytes a request holds for a byte of its body, with what that decodes to.
const (
	inJSON   = 6
	inBinary = 3
)

// blobMemory is what a blob takes beside its data.
const blobMemory = 128

// hold waits until n bytes of memory are the request's. Whoever holds some must not wait for more.
// Nobody gets any before the first bytes of the body are there.
func (s *server) hold(c *gin.Context, n int64) (*holding, error) { return s.holdOf(s.budget, c, n) }

func (s *server) holdOf(b *budget, c *gin.Context, n int64) (*holding, error) {
	ctx := c.Request.Context()
	x, ok := ctx.Value(exchangeKey{}).(*exchange)
	if ok {
		x.prime()
	}
	held, err := b.acquire(ctx, clientOf(c.Request), n)
	if err == nil && ok {
		held.conn = x.conn
		held.conn.hold(b)
	}
	return held, err
}

// length returns the length of a body, its limit where none is declared.
func (s *server) length(r *http.Request) int64 {
	switch {
	case r.ContentLength >= 0:
		return r.ContentLength
	case contentType(r) == api.JSON:
		return min(s.opts.Limits.Body, s.opts.Limits.JSON)
	}
	return s.opts.Limits.Body
}

// decoded returns what a body holds with what it decodes to.
func (s *server) decoded(r *http.Request) int64 {
	if contentType(r) == api.JSON {
		return inJSON * s.length(r)
	}
	return inBinary * s.length(r)
}

// readJSON reads a small JSON body.
func (s *server) readJSON(c *gin.Context, v any) error {
	held, err := s.hold(c, s.decoded(c.Request))
	if err != nil {
		return err
	}
	defer held.release()
	data, err := io.ReadAll(c.Request.Body)
	if err != nil {
		return err
	}
	return api.DecodeJSON(data, v)
}

// readMessage reads a binary body that is one message.
func (s *server) readMessage(r *http.Request) ([]byte, error) {
	msg, _, err := api.ReadMessage(api.NewFrameReader(r.Body), s.opts.Limits.Body)
	if err == nil {
		err = invalid(api.ErrInvalid, "blobs after the message")
	}
	if !errors.Is(err, io.EOF) {
		return nil, err
	}
	return msg, nil
}
