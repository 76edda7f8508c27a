package client

import (
	"context"
	"sync"
	"sync/atomic"

	"dfs/cas/chunker"
)

const (
	slabSize = 1 << 20
	minSlabs = 40 // the least budget for chunk bytes that wait to be asked about and sent, in slabs
)

// slabPool bounds the memory of chunks between hashing and sending. Small files
// share a slab; a slab is free again when all its chunks are released.
type slabPool struct {
	free    chan *slab
	starved func() // called before get waits: it gets slabs on their way back
}

type slab struct {
	buf  []byte
	refs atomic.Int32
	pool *slabPool
}

// newSlabPool returns a pool for so many workers, each of which keeps a slab while
// it fills another.
func newSlabPool(workers int, starved func()) *slabPool {
	n := max(minSlabs, 2*workers+8)
	p := &slabPool{free: make(chan *slab, n), starved: starved}
	for range n {
		p.free <- &slab{pool: p}
	}
	return p
}

func (p *slabPool) get(ctx context.Context) (*slab, error) {
	if len(p.free) == 0 {
		p.starved()
	}
	select {
	case s := <-p.free:
		if s.buf == nil {
			s.buf = make([]byte, 0, slabSize)
		}
		s.buf = s.buf[:0]
		s.refs.Store(1)
		return s, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (s *slab) release() {
	if s != nil && s.refs.Add(-1) == 0 {
		s.pool.free <- s
	}
}

// slabWriter hands out pieces of slabs. It is safe for concurrent use unless
// room is used.
type slabWriter struct {
	pool *slabPool
	mu   sync.Mutex
	cur  *slab
}

// room returns an empty slice with at least n ≤ slabSize bytes of capacity, which
// becomes a piece with take; nobody else may use the writer in between.
func (w *slabWriter) room(ctx context.Context, n int) ([]byte, error) {
	if w.cur == nil || cap(w.cur.buf)-len(w.cur.buf) < n {
		w.close()
		var err error
		if w.cur, err = w.pool.get(ctx); err != nil {
			return nil, err
		}
	}
	return w.cur.buf[len(w.cur.buf):], nil
}

// take makes the first n bytes of what room returned a piece with its own hold
// on the slab.
func (w *slabWriter) take(n int) ([]byte, *slab) {
	s := w.cur
	at := len(s.buf)
	s.buf = s.buf[:at+n]
	s.refs.Add(1)
	return s.buf[at : at+n : at+n], s
}

// copy makes a piece that holds data.
func (w *slabWriter) copy(ctx context.Context, data []byte) ([]byte, *slab, error) {
	w.mu.Lock()
	_, err := w.room(ctx, max(len(data), 1))
	if err != nil {
		w.mu.Unlock()
		return nil, nil, err
	}
	piece, s := w.take(len(data))
	w.mu.Unlock()
	copy(piece, data)
	return piece, s, nil
}

// close gives up the writer's own hold on its slab.
func (w *slabWriter) close() {
	w.cur.release()
	w.cur = nil
}

// A chunk never needs more than a slab.
var _ [slabSize - chunker.Max]struct{}
