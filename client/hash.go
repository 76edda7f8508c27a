package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"dfs/cas"
	"dfs/cas/chunker"
	"dfs/client/worktree"
	"dfs/manifest"
)

const (
	// parallelFrom is the size from which a file is cut on all workers together.
	parallelFrom = 32 << 20
	// minHole is the size from which a hole of such a file is not read.
	minHole = 1 << 20
	// attempts is how often a file that changes while it is read is read.
	attempts = 3
)

// content is what reading a file found.
type content struct {
	entry    worktree.Entry // as it was while it was read
	manifest *manifest.Manifest
	runs     []manifest.Run // the whole list, also where the manifest has pages
}

// hasher reads files into manifests and hands their chunks and pages to out.
// It is safe for concurrent use by workers of its own.
type hasher struct {
	r       *run
	slabs   *slabPool
	workers int
	out     func(piece) error // takes the piece's slab over; nil: nobody wants pieces
	big     sync.Mutex        // only one file is cut on all workers at a time
	cut     *chunker.Parallel[manifest.Run]
	job     bigJob
	expects *expectation // of a push; nil: of nobody
}

// bigJob is the file that is being cut on all workers.
type bigJob struct {
	ctx   context.Context
	was   *former
	slabs slabWriter
}

// newHasher returns a hasher; flush makes whoever takes the pieces let go of what it can.
func newHasher(r *run, out func(piece) error, flush func()) *hasher {
	h := &hasher{r: r, slabs: newSlabPool(r.cfg.Jobs, flush), workers: r.cfg.Jobs, out: out}
	h.cut = chunker.NewParallel(r.cfg.Jobs, h.bigChunk)
	return h
}

// worker is one goroutine's part of a hasher.
type worker struct {
	h     *hasher
	slabs slabWriter
	cut   chunker.Chunker
	list  *manifest.Builder
}

func (h *hasher) worker() *worker {
	return &worker{h: h, slabs: slabWriter{pool: h.slabs}, list: manifest.NewBuilder(h.page)}
}

func (w *worker) close() { w.slabs.close() }

// read reads the file of e. What changes meanwhile is read again, with the entry it
// has then; worktree.ErrChanged when it does not come to rest. Chunks
// that was had are not handed out.
func (w *worker) read(ctx context.Context, e worktree.Entry, was *former) (c content, err error) {
	for range attempts {
		if err = ctx.Err(); err != nil {
			return content{}, err
		}
		if err = w.h.r.clock.settle(e); err != nil {
			return content{}, err
		}
		c, err = w.readOnce(ctx, e, was)
		if !errors.Is(err, worktree.ErrChanged) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return c, err
		}
		now, serr := w.h.r.root.Stat(e.Path)
		if serr != nil {
			return content{}, serr
		}
		if now.Kind != manifest.File {
			break
		}
		e = now
	}
	return content{}, fmt.Errorf("%w while it was read, %d times", worktree.ErrChanged, attempts)
}

func (w *worker) readOnce(ctx context.Context, e worktree.Entry, was *former) (content, error) {
	f, err := w.h.r.root.OpenFile(e)
	if err != nil {
		return content{}, err
	}
	defer f.Close()
	c := content{entry: e}
	w.list.Reset()
	add := func(run manifest.Run) error {
		c.runs = appendRun(c.runs, run)
		return w.list.Add(run)
	}
	switch {
	case e.Size == 0:
	case e.Size >= parallelFrom:
		err = w.h.readBig(ctx, f, e, was, add)
	default:
		err = w.readSerial(ctx, f, e, was, add)
	}
	if err != nil {
		return content{}, err
	}
	if err := f.Check(); err != nil {
		return content{}, err
	}
	c.manifest, err = fileManifest(e, w.list)
	return c, err
}

// readSerial cuts a file into the worker's slabs, without another copy.
func (w *worker) readSerial(ctx context.Context, f *worktree.File, e worktree.Entry, was *former, add func(manifest.Run) error) error {
	left := e.Size
	w.cut.Reset(io.LimitReader(f, int64(e.Size)))
	for left > 0 {
		room, err := w.slabs.room(ctx, int(min(left, chunker.Max)))
		if err != nil {
			return err
		}
		data, err := w.cut.Next(room[:0])
		if err == io.EOF {
			return io.ErrUnexpectedEOF
		}
		if err != nil {
			return err
		}
		left -= uint64(len(data))
		piece, slab := w.slabs.take(len(data))
		run, err := w.h.chunk(piece, slab, was)
		if err != nil {
			return err
		}
		if err := add(run); err != nil {
			return err
		}
	}
	return nil
}

// chunk seals a chunk that lies in a slab and hands it out.
func (h *hasher) chunk(data []byte, slab *slab, was *former) (manifest.Run, error) {
	p := sealed(cas.Chunk, data, slab)
	h.count(int64(len(data)))
	run := manifest.Run{ID: p.ref.ID, Size: uint32(len(data)), Count: 1}
	if was.has(p.ref.ID) {
		h.expects.skip(int64(len(data)))
		slab.release()
		return run, nil
	}
	return run, h.hand(p)
}

// count counts bytes that were hashed.
func (h *hasher) count(bytes int64) {
	h.r.meter.bytesHashed.Add(bytes)
	h.r.meter.tick()
}

// page hands out a page of a file's chunk list.
func (h *hasher) page(page cas.Blob) error {
	return h.hand(piece{ref: page.Ref(), size: page.Size(), blob: page})
}

func (h *hasher) hand(p piece) error {
	if h.out == nil {
		p.slab.release()
		return nil
	}
	return h.out(p)
}

// readBig cuts a file on all workers, without reading its large holes.
func (h *hasher) readBig(ctx context.Context, f *worktree.File, e worktree.Entry, was *former, add func(manifest.Run) error) error {
	h.big.Lock()
	defer h.big.Unlock()
	h.job.ctx, h.job.was, h.job.slabs.pool = ctx, was, h.slabs
	defer h.job.slabs.close()
	span := chunker.Span{R: f, Size: int64(e.Size)}
	for span.From < span.Size {
		from, to, err := nextData(f, span.From)
		if err != nil {
			return err
		}
		if zeros := (from - span.From) / chunker.Min; zeros > 0 {
			if err := h.hole(zeros, add); err != nil {
				return err
			}
			span.From += zeros * chunker.Min
		}
		if span.To = to; span.From == span.Size {
			break
		}
		if span.From, err = h.cutSpan(ctx, span, was, add); err != nil {
			return err
		}
	}
	return nil
}

// cutSpan cuts a span, with the help of what the file was. It returns where the last chunk ends.
func (h *hasher) cutSpan(ctx context.Context, span chunker.Span, was *former, add func(manifest.Run) error) (int64, error) {
	if was == nil {
		return h.cut.Cut(ctx, span, add)
	}
	u := reuse{h: h, was: was, span: span, add: add, step: reuseStep}
	return u.cut(ctx)
}

// nextData is f.NextData with small holes taken for data. What follows the last data is a hole.
func nextData(f *worktree.File, off int64) (from, to int64, err error) {
	from, to, err = f.NextData(off)
	for err == nil && to < f.Size() {
		next, end, err := f.NextData(to)
		if err != nil || next-to >= minHole {
			return from, to, err
		}
		to = end
	}
	return from, to, err
}

// hole adds so many chunks of zeros.
func (h *hasher) hole(count int64, add func(manifest.Run) error) error {
	zero := cas.Seal(cas.Chunk, make([]byte, chunker.Min))
	if err := h.hand(piece{ref: zero.Ref(), size: zero.Size(), blob: zero}); err != nil {
		return err
	}
	return add(manifest.Run{ID: zero.ID(), Size: chunker.Min, Count: uint64(count)})
}

func (h *hasher) bigChunk(_ int64, data []byte) (manifest.Run, error) {
	own, slab, err := h.job.slabs.copy(h.job.ctx, data)
	if err != nil {
		return manifest.Run{}, err
	}
	return h.chunk(own, slab, h.job.was)
}

// resend hands out the chunks and pages of a file that the index knows, without reading it.
func (h *hasher) resend(e *worktree.Entry, runs []manifest.Run) error {
	list := manifest.NewBuilder(h.page)
	off := int64(0)
	for _, run := range runs {
		if err := h.hand(piece{ref: cas.Ref{Kind: cas.Chunk, ID: run.ID}, size: int(run.Size), file: e, off: off}); err != nil {
			return err
		}
		if err := list.Add(run); err != nil {
			return err
		}
		off += int64(run.Bytes())
	}
	_, err := fileManifest(*e, list)
	return err
}

// fileManifest completes the manifest of a file with the attributes of e.
func fileManifest(e worktree.Entry, list *manifest.Builder) (*manifest.Manifest, error) {
	m := &manifest.Manifest{Kind: manifest.File, Mode: e.Mode & modeBits, Mtime: e.Mtime}
	if err := list.Finish(m); err != nil {
		return nil, err
	}
	if m.Size != e.Size {
		return nil, io.ErrUnexpectedEOF
	}
	return m, nil
}

// appendRun adds a run to a list, merged into the last where the chunk is the same.
func appendRun(list []manifest.Run, run manifest.Run) []manifest.Run {
	if n := len(list); n > 0 && list[n-1].ID == run.ID {
		list[n-1].Count += run.Count
		return list
	}
	return append(list, run)
}
