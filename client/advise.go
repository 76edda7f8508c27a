package client

import (
	"context"

	"dfs/server/api"
)

// advisor tells the hub what a pull is doing. That is information only: the pull does not
// wait for the answers, and a refusal changes nothing.
type advisor struct {
	states chan api.State
	done   chan struct{}
	cancel context.CancelFunc
}

// advisor returns the advisor of a pull, which tells nothing of a dry run.
func (r *run) advisor(ctx context.Context) *advisor {
	const most = 8 // more than there are states to tell, so nobody waits
	a := &advisor{states: make(chan api.State, most), done: make(chan struct{})}
	ctx, a.cancel = context.WithCancel(ctx)
	go func() {
		defer close(a.done)
		for state := range a.states {
			if !r.cfg.DryRun {
				r.conn.Report(ctx, r.session.Session, state)
			}
		}
	}()
	return a
}

func (a *advisor) tell(state api.State) { a.states <- state }

// end returns when all is told, or at once when the pull ended with an error.
func (a *advisor) end(err error) {
	if err != nil {
		a.cancel()
	}
	close(a.states)
	<-a.done
	a.cancel()
}
