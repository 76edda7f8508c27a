package link

import (
	"context"
	"time"
)

// sleepUntil sleeps until due, or until ctx ends. The last two milliseconds are
// slept by the thread: the runtime's timers are exact to one only.
func sleepUntil(ctx context.Context, due time.Time) error {
	const last = 2 * time.Millisecond
	if wait := time.Until(due) - last; wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
		}
	}
	for wait := time.Until(due); wait > 0; wait = time.Until(due) {
		nap(wait)
	}
	return ctx.Err()
}
