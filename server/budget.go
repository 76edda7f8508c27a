package server

import (
	"context"
	"time"

	"golang.org/x/sync/semaphore"

	"dfs/server/api"
)

// A budget bounds the bytes that request bodies hold in memory together.
type budget struct {
	*semaphore.Weighted
	size int64
	wait time.Duration // the longest that a request waits for its share
}

func newBudget(size int64, wait time.Duration) *budget {
	return &budget{semaphore.NewWeighted(size), size, wait / 2}
}

// acquire waits for n bytes, or for all when there are fewer, and returns what
// gives them back. ErrBusy when they do not come free in time.
func (b *budget) acquire(ctx context.Context, n int64) (release func(), err error) {
	n = min(n, b.size)
	ctx, cancel := context.WithTimeout(ctx, b.wait)
	defer cancel()
	if b.Acquire(ctx, n) != nil {
		return nil, api.ErrBusy
	}
	return func() { b.Release(n) }, nil
}
