package server

import (
	"bufio"
	"context"
	"io"

	"github.com/gin-gonic/gin"

	"dfs/cas"
	"dfs/server/api"
)

// A batch is the blobs of an upload that are stored together: at most 1 MiB as
// sent and 1 MiB decoded.
type batch struct {
	blobs []cas.Blob
	sent  []byte // of capacity cas.MaxSize; the blobs' data
	plain []byte // the same for decoded bytes; nil until the first encoded blob
	size  int    // plain bytes of the blobs
}

// batchMemory is what a batch may hold.
const batchMemory = 2*cas.MaxSize + batchBlobs*blobMemory

// readBuffer is for the headers of frames; data is mostly read past it.
const readBuffer = 64 << 10

func (b *batch) reset() {
	clear(b.blobs)
	b.blobs, b.sent, b.plain, b.size = b.blobs[:0], b.sent[:0], b.plain[:0], 0
}

// batchBlobs is how many blobs a batch may have.
const batchBlobs = 4096

// fits reports whether the blob of h has room. An empty batch has room for any.
func (b *batch) fits(h api.Header) bool {
	return b.size+h.Plain <= cas.MaxSize && len(b.blobs) < batchBlobs
}

// read reads and verifies the blob of h.
func (b *batch) read(frames *api.FrameReader, h api.Header) error {
	sent := len(b.sent)
	var scratch []byte
	if h.Encoding != cas.Raw {
		if b.plain == nil {
			b.plain = make([]byte, 0, cas.MaxSize)
		}
		n := len(b.plain)
		scratch = b.plain[n : n : n+h.Plain]
	}
	blob, err := frames.Blob(h, b.sent[sent:sent:sent+h.Size], scratch)
	if err != nil {
		return err
	}
	b.sent = b.sent[:sent+h.Size]
	b.plain = b.plain[:len(b.plain)+cap(scratch)]
	b.size += h.Plain
	b.blobs = append(b.blobs, blob)
	return nil
}

// An uploader stores one batch while the next is read.
type uploader struct {
	hub     api.Hub
	ctx     context.Context
	session api.SessionID
	reading *batch
	storing *batch
	stored  chan error // the result of storing; nil when nothing is being stored
}

// wait waits until nothing is being stored.
func (u *uploader) wait() error {
	if u.stored == nil {
		return nil
	}
	err := <-u.stored
	u.stored = nil
	return err
}

// store begins to store what was read, once the batch before is stored.
func (u *uploader) store() error {
	if err := u.wait(); err != nil {
		return err
	}
	u.reading, u.storing = u.storing, u.reading
	u.reading.reset()
	stored, blobs := make(chan error, 1), u.storing.blobs
	u.stored = stored
	go func() { stored <- u.hub.Upload(u.ctx, u.session, blobs) }()
	return nil
}

// upload stores the blobs of a body. When the body is cut, stalls or turns
// wrong, what came before is stored all the same.
func (s *server) upload(c *gin.Context) (any, error) {
	session, err := querySession(c)
	if err != nil {
		return nil, err
	}
	held, err := s.hold(c, 2*batchMemory+readBuffer)
	if err != nil {
		return nil, err
	}
	defer held.release()
	r := s.readers.Get().(*bufio.Reader)
	r.Reset(s.heard(c.Request, session))
	defer func() {
		r.Reset(nil)
		s.readers.Put(r)
	}()
	u := &uploader{hub: s.hub, session: session, reading: s.batches.Get().(*batch), storing: s.batches.Get().(*batch),
		// The end of the request, which may be a cut, does not undo what came whole.
		ctx: context.WithoutCancel(c.Request.Context())}
	n, err := u.run(api.NewFrameReader(r), s.opts.Limits.Blobs)
	for _, b := range []*batch{u.reading, u.storing} {
		b.reset()
		s.batches.Put(b)
	}
	return api.Stored{Blobs: n}, err
}

// run reads and stores to the end of the frames, most of them at most, and returns how many blobs are
// stored. Nothing is being stored any more when it returns.
func (u *uploader) run(frames *api.FrameReader, most int) (n int, err error) {
	var h api.Header
	for {
		if h, err = frames.Next(); err != nil {
			break
		}
		if h.IsMessage() {
			err = invalid(api.ErrInvalid, "upload: message among the blobs")
			break
		}
		if n == most {
			err = invalid(api.ErrTooLarge, "upload: more than %d blobs", most)
			break
		}
		if !u.reading.fits(h) {
			if err := u.store(); err != nil {
				return 0, err
			}
		}
		if err = u.reading.read(frames, h); err != nil {
			break
		}
		n++
	}
	failed := u.store()
	if failed == nil {
		failed = u.wait()
	}
	if failed != nil || err == io.EOF {
		return n, failed
	}
	return n, err
}
