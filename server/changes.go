package server

import (
	"context"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"dfs/cas"
	"dfs/server/api"
)

func (s *server) changes(c *gin.Context) (any, error) {
	req, skip, err := s.changesRequest(c)
	if err != nil {
		return nil, err
	}
	if req.To.IsZero() {
		if req.To, err = s.head(c.Request.Context(), req); err != nil {
			if err == errGiveWay {
				c.Header("Connection", "close")
			}
			return nil, err
		}
	}
	if req.Heard != nil {
		status, err := s.hub.Status(c.Request.Context(), req.Volume)
		if err != nil {
			return nil, err
		}
		c.Header(api.HeaderSettled, strconv.FormatUint(status.Settled, 10))
	}
	req.Wait = 0
	c.Header(api.HeaderSnapshot, req.To.String())
	rest := without(s.hub.Changes(c.Request.Context(), req), func(*api.Change) bool {
		if skip == 0 {
			return false
		}
		skip--
		return true
	})
	return nil, sequence(s, c, "changes", rest, (*api.Change).Append)
}

// changesRequest reads the query.
func (s *server) changesRequest(c *gin.Context) (req api.ChangesRequest, skip uint64, err error) {
	if req.Volume, err = s.queryVolume(c); err != nil {
		return req, 0, err
	}
	if req.From, err = queryID(c, "from"); err != nil {
		return req, 0, err
	}
	if req.To, err = queryID(c, "to"); err != nil {
		return req, 0, err
	}
	if req.Session, err = queryPull(c); err != nil {
		return req, 0, err
	}
	if n := c.Query("skip"); n != "" {
		if skip, err = strconv.ParseUint(n, 10, 63); err != nil {
			return req, 0, invalid(api.ErrInvalid, "query: skip: %v", err)
		}
	}
	if wait := c.Query("wait"); wait != "" {
		if req.Wait, err = time.ParseDuration(wait); err != nil || req.Wait < 0 {
			return req, 0, invalid(api.ErrInvalid, "query: wait %.64q is not a time such as 30s", wait)
		}
	}
	if heard := c.Query("heard"); heard != "" {
		n, err := strconv.ParseUint(heard, 10, 64)
		if err != nil {
			return req, 0, invalid(api.ErrInvalid, "query: heard: %v", err)
		}
		req.Heard = &n
	}
	return req, skip, nil
}

// head returns the ID of the head, after the wait that the request asks for.
func (s *server) head(ctx context.Context, req api.ChangesRequest) (cas.ID, error) {
	head, err := s.hub.Snapshot(ctx, req.Volume, cas.ID{})
	if err != nil || head.ID != req.From || req.Wait == 0 {
		return head.ID, err
	}
	waiting, done, err := s.linger(ctx)
	if err != nil {
		return cas.ID{}, err
	}
	for _, failed := range s.hub.Changes(waiting, req) {
		err = failed
		break
	}
	done()
	if cause := context.Cause(waiting); err != nil && cause == errGiveWay {
		err = cause
	}
	if err != nil {
		return cas.ID{}, err
	}
	head, err = s.hub.Snapshot(ctx, req.Volume, cas.ID{})
	return head.ID, err
}
