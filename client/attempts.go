package client

import (
	"context"
	"errors"

	"dfs/server/api"
)

// pushAgain pushes, and repeats what was outdated.
func (r *run) pushAgain(ctx context.Context) error {
	err := r.push(ctx, true)
	for range attempts - 1 {
		if !outdated(err) {
			break
		}
		if err = r.start(ctx); err == nil {
			err = r.push(ctx, false)
		}
	}
	return err
}

// outdated reports whether a push failed because of something it took for granted: that
// the hub has what the base has, that a file is what the index says, or that the
// session is still there. The next attempt takes nothing for granted.
func outdated(err error) bool {
	var stale *staleError
	return errors.Is(err, api.ErrIncomplete) || errors.Is(err, api.ErrNoSession) || errors.As(err, &stale)
}
