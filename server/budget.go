package server

import (
	"context"
	"fmt"
	"sync"
	"time"

	"dfs/server/api"
)

// A budget bounds the bytes that all requests hold in memory together: bodies, what they
// decode to, and answers on their way. A client has half of them at most. Who holds least
// is served first.
type budget struct {
	size int64
	wait time.Duration // the longest that a request waits for its part

	mu    sync.Mutex
	free  int64
	held  map[string]int64 // by client
	queue []*waiter        // the longest waiting first
}

// A waiter is a request that waits for its part.
type waiter struct {
	client string
	n      int64
	got    chan struct{} // closed when it has it
}

// A holding is what a request has of a budget.
type holding struct {
	b      *budget
	client string
	n      int64
	conn   *conn // of the request, if it is known
}

func newBudget(size int64, wait time.Duration) *budget {
	return &budget{size: size, free: size, wait: wait, held: make(map[string]int64)}
}

// most returns what a client may hold. The nameless one stands for many.
func (b *budget) most(client string) int64 {
	if client == "" {
		return b.size
	}
	return max(b.size/2, 1)
}

// acquire waits for n bytes, or for all that the client may have when that is less.
// ErrTooMany when they do not come free in time, ErrBusy when the server stops.
func (b *budget) acquire(ctx context.Context, client string, n int64) (*holding, error) {
	h := &holding{b: b, client: client, n: min(n, b.most(client))}
	w := &waiter{client, h.n, make(chan struct{})}
	b.mu.Lock()
	b.queue = append(b.queue, w)
	b.grant()
	b.mu.Unlock()
	select {
	case <-w.got:
		return h, nil
	default:
	}
	ctx, cancel := untilStop(ctx)
	defer cancel()
	late := time.NewTimer(b.wait)
	defer late.Stop()
	tick := time.NewTicker(patience / 2)
	defer tick.Stop()
	var refused error
	for refused == nil {
		select {
		case <-w.got:
			return h, nil
		case <-tick.C:
			relieve(ctx, b)
		case <-late.C:
			refused = invalid(api.ErrTooMany, "the hub's memory for requests, %d bytes, is taken; try again", b.size)
		case <-ctx.Done():
			refused = invalid(api.ErrBusy, "the request ended, or the hub is stopping; try again")
		}
	}
	if !b.leave(w) {
		h.release()
	}
	return nil, refused
}

// leave takes a waiter off the queue, and reports false when it has got its part.
func (b *budget) leave(w *waiter) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, q := range b.queue {
		if q == w {
			b.queue = append(b.queue[:i], b.queue[i+1:]...)
			b.grant()
			return true
		}
	}
	return false
}

// grant gives those that wait their parts, as far as there is enough: first who holds
// least, then who came first. One that needs more than is free is waited for. The caller holds mu.
func (b *budget) grant() {
	for {
		next := -1
		for i, w := range b.queue {
			if b.held[w.client]+w.n <= b.most(w.client) && (next < 0 || b.held[w.client] < b.held[b.queue[next].client]) {
				next = i
			}
		}
		if next < 0 || b.queue[next].n > b.free {
			return
		}
		w := b.queue[next]
		b.queue = append(b.queue[:next], b.queue[next+1:]...)
		b.take(w.client, w.n)
		close(w.got)
	}
}

func (b *budget) take(client string, n int64) {
	b.free -= n
	if b.held[client] += n; b.held[client] == 0 {
		delete(b.held, client)
	}
}

// grow takes n bytes more at once, or returns ErrTooMany: who holds some waits for no others.
func (h *holding) grow(n int64) error {
	b := h.b
	b.mu.Lock()
	defer b.mu.Unlock()
	if n > b.free || b.held[h.client]+n > b.most(h.client) {
		return fmt.Errorf("%w: %d bytes more are above the hub's memory for requests", api.ErrTooMany, n)
	}
	b.take(h.client, n)
	h.n += n
	return nil
}

// release gives all back. It may be called again.
func (h *holding) release() {
	h.conn.hold(nil)
	h.b.mu.Lock()
	defer h.b.mu.Unlock()
	h.b.take(h.client, -h.n)
	h.n = 0
	h.b.grant()
}
