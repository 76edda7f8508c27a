package server

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/gin-gonic/gin"

	"dfs/cas"
	"dfs/server/api"
)

const (
	writeBuffer = 256 << 10 // of a streamed answer
	changesRun  = 64 << 10  // bytes of changes in a frame, about
)

// stream has fill write a streamed answer. Until something is written an error
// is an ordinary refusal.
func (s *server) stream(c *gin.Context, contentType string, fill func(w *bufio.Writer) error) error {
	w := s.writers.Get().(*bufio.Writer)
	w.Reset(c.Writer)
	defer func() {
		w.Reset(nil)
		s.writers.Put(w)
	}()
	c.Header("Content-Type", contentType)
	if err := fill(w); err != nil {
		return err
	}
	// A peer that is gone needs no answer.
	_ = w.Flush()
	return nil
}

// frames is stream for frames; end ends them after fill returned err.
func (s *server) frames(c *gin.Context, fill func(fw *api.FrameWriter) error) error {
	return s.stream(c, api.Binary, func(w *bufio.Writer) error {
		fw := api.NewFrameWriter(w)
		err := fill(fw)
		if err != nil && fw.Frames() == 0 {
			return err
		}
		_ = fw.End(api.AsError(err))
		return nil
	})
}

func (s *server) blobs(c *gin.Context) (any, error) {
	msg, err := s.list(c)
	if err != nil {
		return nil, err
	}
	req, err := api.DecodeBlobsRequest(msg)
	if err == nil {
		err = s.checkList(len(req.Refs))
	}
	if err != nil {
		return nil, err
	}
	return nil, s.frames(c, func(fw *api.FrameWriter) error {
		return s.hub.Blobs(c.Request.Context(), req.Volume, req.Refs, fw.Blob)
	})
}

func (s *server) nodes(c *gin.Context) (any, error) {
	msg, err := s.list(c)
	if err != nil {
		return nil, err
	}
	req, err := api.DecodeNodesRequest(msg)
	if err == nil {
		err = s.checkList(len(req.IDs))
	}
	if err != nil {
		return nil, err
	}
	return nil, s.frames(c, func(fw *api.FrameWriter) error {
		return s.hub.Nodes(c.Request.Context(), req.Volume, req.IDs, fw.Blob)
	})
}

// list reads the message of a request for blobs or nodes, whose length the
// limit on their number bounds.
func (s *server) list(c *gin.Context) ([]byte, error) {
	release, err := s.hold(c)
	if err != nil {
		return nil, err
	}
	defer release()
	return s.readMessage(c.Request)
}

func (s *server) checkList(n int) error {
	if n > s.opts.Limits.Blobs {
		return invalid(api.ErrTooLarge, "list of %d blobs, above %d", n, s.opts.Limits.Blobs)
	}
	return nil
}

func (s *server) changes(c *gin.Context) (any, error) {
	req, skip, err := s.changesRequest(c)
	if err != nil {
		return nil, err
	}
	c.Header(api.HeaderSnapshot, req.To.String())
	ctx := c.Request.Context()
	if binary(c.Request) {
		return nil, s.frames(c, func(fw *api.FrameWriter) error { return s.changesBinary(ctx, fw, req, skip) })
	}
	return nil, s.stream(c, api.JSON, func(w *bufio.Writer) error { return s.changesJSON(ctx, w, req, skip) })
}

// changesRequest reads the query; a To that is left out becomes the head's ID.
func (s *server) changesRequest(c *gin.Context) (req api.ChangesRequest, skip uint64, err error) {
	if req.Volume, err = queryVolume(c); err != nil {
		return req, 0, err
	}
	if req.From, err = queryID(c, "from"); err != nil {
		return req, 0, err
	}
	if req.To, err = queryID(c, "to"); err != nil {
		return req, 0, err
	}
	if n := c.Query("skip"); n != "" {
		if skip, err = strconv.ParseUint(n, 10, 63); err != nil {
			return req, 0, invalid(api.ErrInvalid, "query: skip: %v", err)
		}
	}
	if req.To.IsZero() {
		head, err := s.hub.Snapshot(c.Request.Context(), req.Volume, cas.ID{})
		if err != nil {
			return req, 0, err
		}
		req.To = head.ID
	}
	return req, skip, nil
}

func (s *server) changesBinary(ctx context.Context, fw *api.FrameWriter, req api.ChangesRequest, skip uint64) error {
	var run []byte
	for change, err := range s.hub.Changes(ctx, req) {
		if err == nil && skip > 0 {
			skip--
			continue
		}
		if err == nil {
			run, err = change.Append(run)
		}
		if err != nil {
			return errors.Join(flush(fw, run), err)
		}
		if len(run) >= changesRun {
			if err := flush(fw, run); err != nil {
				return err
			}
			run = run[:0]
		}
	}
	return flush(fw, run)
}

// flush writes a run of changes, unless it is empty.
func flush(fw *api.FrameWriter, run []byte) error {
	if len(run) == 0 {
		return nil
	}
	return fw.Message(run)
}

func (s *server) changesJSON(ctx context.Context, w *bufio.Writer, req api.ChangesRequest, skip uint64) error {
	n, failed := uint64(0), error(nil)
	for change, err := range s.hub.Changes(ctx, req) {
		if failed = err; err != nil {
			break
		}
		if skip > 0 {
			skip--
			continue
		}
		if err := writeJSON(w, before(n), change); err != nil {
			return nil
		}
		n++
	}
	switch {
	case failed != nil && n == 0:
		return failed
	case failed != nil:
		_ = writeJSON(w, "],\"error\":", api.AsError(failed))
	case n == 0:
		_ = writeJSON(w, before(n)+"],\"count\":", n)
	default:
		_ = writeJSON(w, "],\"count\":", n)
	}
	_, _ = io.WriteString(w, "}\n")
	return nil
}

// before returns what stands before change number n.
func before(n uint64) string {
	if n == 0 {
		return "{\"changes\":[\n"
	}
	return ",\n"
}

func writeJSON(w io.Writer, before string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s%s", before, data)
	return err
}
