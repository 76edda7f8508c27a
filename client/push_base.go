package client

import (
	"context"

	"dfs/client/replica"
)

// outgoing returns the base file with what was decided about this replica's conflicts: absorbed, or with DryRun
// in a temporary file, and what the replica has seen. done releases it.
func (r *run) outgoing(ctx context.Context) (base *replica.Reader, seen replica.Seen, done func(), err error) {
	var spool *replica.Writer
	if r.cfg.DryRun {
		spool, err = r.decided(ctx)
	} else {
		err = r.absorb(ctx)
	}
	if err != nil {
		return nil, seen, nil, err
	}
	old, err := replica.OpenBase(r.cfg.Dir)
	if err != nil {
		return nil, seen, nil, err
	}
	if spool == nil {
		return old, old.Seen, func() { old.Close() }, nil
	}
	defer old.Close()
	defer spool.Abort()
	fresh, err := r.previewOf(ctx, old, spool)
	if err != nil {
		return nil, seen, nil, err
	}
	if base, err = fresh.Reread(); err != nil {
		fresh.Abort()
		return nil, seen, nil, err
	}
	return base, old.Seen, func() { base.Close(); fresh.Abort() }, nil
}
