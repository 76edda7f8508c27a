package client

import (
	"context"
	"errors"
	"time"

	"dfs/server/api"
)

// tellWithin is how long the hub's answer is waited for when it is told that a session is over.
const tellWithin = 2 * time.Second

// leave ends the session of a run that sends nothing more.
func (r *run) leave(ctx context.Context) { r.end(ctx, api.Aborted) }

// over tells the hub how the run ended, unless a commit has told it. Where the hub cannot be reached nobody
// tries again.
func (r *run) over(ctx context.Context, err error) {
	_, braked := errors.AsType[*BrakeError](err)
	switch {
	case r.cfg.DryRun:
		r.end(ctx, api.Aborted)
	case err == nil:
		r.conclude(ctx)
	case braked:
		r.end(ctx, api.Braked)
	case ctx.Err() != nil:
		r.end(ctx, api.Aborted)
	case !errors.Is(err, api.ErrUnreachable):
		r.end(ctx, api.Failed)
	}
}

// conclude tells the hub that the run is complete, and does not wait for the answer. What became of it before
// the hub knows from what was asked for.
func (r *run) conclude(ctx context.Context) {
	if r.live() {
		r.conn.Tell(ctx, r.session.Session, api.Complete)
		r.ended = true
	}
}

// end ends the session, also when the run is to stop. That is information: should the hub not hear of it, the
// session expires.
func (r *run) end(ctx context.Context, state api.State) {
	if !r.live() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tellWithin)
	defer cancel()
	r.conn.Report(ctx, r.session.Session, state)
	r.ended = true
}

// live reports whether there is a session that has not ended.
func (r *run) live() bool { return !r.ended && !r.session.Session.IsZero() }
