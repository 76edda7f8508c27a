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
	release, err := s.hold(c)
	if err != nil {
		return nil, err
	}
	defer release()
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
	release, err := s.hold(c)
	if err != nil {
		return nil, err
	}
	defer release()
	req, free, err := s.readCommit(c.Request)
	defer free()
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

// readCommit reads a commit with its blobs. What the blobs take beyond the
// body's length is counted too, and given back by free.
func (s *server) readCommit(r *http.Request) (req *api.CommitRequest, free func(), err error) {
	var held int64
	free = func() { s.budget.Release(held) }
	var msg []byte
	var next api.Header
	var frames *api.FrameReader
	if contentType(r) == api.JSON {
		if msg, err = io.ReadAll(r.Body); err == nil {
			req, err = api.DecodeCommitRequestJSON(msg)
		}
	} else {
		frames = api.NewFrameReader(r.Body)
		msg, next, err = api.ReadMessage(frames, s.opts.Limits.Body)
		if err == nil || err == io.EOF {
			end := err
			if req, err = api.DecodeCommitRequest(msg); err == nil {
				err = end
			}
		}
	}
	if err == nil && frames != nil {
		held, err = s.readBlobs(frames, next, req)
	}
	if err != nil && err != io.EOF {
		return nil, free, err
	}
	if l := s.opts.Limits; len(req.Edits) > l.Edits || len(req.Message) > l.Message {
		return nil, free, invalid(api.ErrTooLarge, "commit of %d edits, above %d, or a message of %d bytes, above %d",
			len(req.Edits), l.Edits, len(req.Message), l.Message)
	}
	return req, free, nil
}

// readBlobs reads the blobs of a commit, of which h is the first, and returns
// how many bytes of the budget they hold beyond the body's.
func (s *server) readBlobs(frames *api.FrameReader, h api.Header, req *api.CommitRequest) (held int64, err error) {
	plain := int64(0)
	for ; err == nil; h, err = frames.Next() {
		if h.IsMessage() {
			return held, invalid(api.ErrInvalid, "commit: message among the blobs")
		}
		if plain += int64(h.Plain); plain > s.opts.Limits.Body {
			return held, invalid(api.ErrTooLarge, "commit: blobs of more than %d bytes", s.opts.Limits.Body)
		}
		if h.Encoding != cas.Raw {
			if !s.budget.TryAcquire(int64(h.Plain)) {
				return held, api.ErrBusy
			}
			held += int64(h.Plain)
		}
		b, err := frames.Blob(h, nil, nil)
		if err != nil {
			return held, err
		}
		req.Blobs = append(req.Blobs, b)
	}
	return held, err
}

// hold waits until the body's bytes fit in the budget.
func (s *server) hold(c *gin.Context) (release func(), err error) {
	n := c.Request.ContentLength
	if n < 0 {
		n = s.opts.Limits.Body
	}
	return s.budget.acquire(c.Request.Context(), n)
}

// readJSON reads a small JSON body.
func (s *server) readJSON(c *gin.Context, v any) error {
	release, err := s.hold(c)
	if err != nil {
		return err
	}
	defer release()
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
