package remote

import (
	"context"

	"golang.org/x/time/rate"
)

// A pacer lets so many bytes pass a second, over all connections of a hub. A nil one lets all pass.
type pacer struct {
	*rate.Limiter
	piece int // bytes that pass at a time: a sixteenth of a second's, so that connections take turns
}

// newPacer returns the pacer of so many bytes a second; nil for 0.
func newPacer(bytes int64) *pacer {
	if bytes == 0 {
		return nil
	}
	n := int(min(max(bytes/16, 1), piece))
	return &pacer{rate.NewLimiter(rate.Limit(bytes), n), n}
}

// most returns how many of n bytes may pass at a time.
func (p *pacer) most(n int) int {
	if p == nil {
		return n
	}
	return min(n, p.piece)
}

// pass waits until n bytes, at most those of most, may pass. The error is that of ctx.
func (p *pacer) pass(ctx context.Context, n int) error {
	if p == nil {
		return nil
	}
	return p.WaitN(ctx, n)
}
