package server

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/gin-gonic/gin"

	"dfs/cas"
	"dfs/server/api"
)

const (
	writeBuffer = 256 << 10 // of a streamed answer
	listRun     = 64 << 10  // bytes of a list in a frame, about
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

// answerMemory is what a streamed answer holds at a time.
const answerMemory = writeBuffer + cas.MaxSize

func (s *server) blobs(c *gin.Context) (any, error) {
	held, err := s.hold(c, s.decoded(c.Request)+answerMemory)
	if err != nil {
		return nil, err
	}
	defer held.release()
	msg, err := s.readMessage(c.Request)
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
	if req.Session, err = queryPull(c); err != nil {
		return nil, err
	}
	return nil, s.frames(c, func(fw *api.FrameWriter) error {
		return s.hub.Blobs(c.Request.Context(), *req, fw.Blob)
	})
}

func (s *server) nodes(c *gin.Context) (any, error) {
	held, err := s.hold(c, s.decoded(c.Request)+answerMemory)
	if err != nil {
		return nil, err
	}
	defer held.release()
	msg, err := s.readMessage(c.Request)
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

func (s *server) checkList(n int) error {
	if n > s.opts.Limits.Blobs {
		return invalid(api.ErrTooLarge, "list of %d blobs, above %d", n, s.opts.Limits.Blobs)
	}
	return nil
}

// sequence answers with the elements of a list, in binary by means of encode or as JSON: an
// object with the list, of that name, and their count or the error that ended it.
func sequence[T any](s *server, c *gin.Context, name string, seq iter.Seq2[T, error], encode func(*T, []byte) ([]byte, error)) error {
	held, err := s.hold(c, answerMemory)
	if err != nil {
		return err
	}
	defer held.release()
	if binary(c.Request) {
		return s.frames(c, func(fw *api.FrameWriter) error { return sequenceBinary(fw, seq, encode) })
	}
	return s.stream(c, api.JSON, func(w *bufio.Writer) error { return sequenceJSON(w, name, seq) })
}

func sequenceBinary[T any](fw *api.FrameWriter, seq iter.Seq2[T, error], encode func(*T, []byte) ([]byte, error)) error {
	var run []byte
	for v, err := range seq {
		if err == nil {
			run, err = encode(&v, run)
		}
		if err != nil {
			return errors.Join(flush(fw, run), err)
		}
		if len(run) >= listRun {
			if err := flush(fw, run); err != nil {
				return err
			}
			run = run[:0]
		}
	}
	return flush(fw, run)
}

// flush writes a run of elements, unless it is empty.
func flush(fw *api.FrameWriter, run []byte) error {
	if len(run) == 0 {
		return nil
	}
	return fw.Message(run)
}

func sequenceJSON[T any](w *bufio.Writer, name string, seq iter.Seq2[T, error]) error {
	n, failed := uint64(0), error(nil)
	before := fmt.Sprintf("{%q:[\n", name)
	for v, err := range seq {
		if failed = err; err != nil {
			break
		}
		if err := writeJSON(w, before, v); err != nil {
			return nil
		}
		before = ",\n"
		n++
	}
	switch {
	case failed != nil && n == 0:
		return failed
	case failed != nil:
		_ = writeJSON(w, "],\"error\":", api.AsError(failed))
	case n == 0:
		_ = writeJSON(w, before+"],\"count\":", n)
	default:
		_ = writeJSON(w, "],\"count\":", n)
	}
	_, _ = io.WriteString(w, "}\n")
	return nil
}

func writeJSON(w io.Writer, before string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s%s", before, data)
	return err
}

// without is seq less the elements that drop says, errors never.
func without[T any](seq iter.Seq2[T, error], drop func(*T) bool) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for v, err := range seq {
			if err == nil && drop(&v) {
				continue
			}
			if !yield(v, err) {
				return
			}
		}
	}
}
