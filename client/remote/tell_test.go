package remote_test

import (
	"context"
	"iter"
	"testing"
	"time"

	"dfs/cas"
	"dfs/client/remote"
	"dfs/server"
	"dfs/server/api"
)

// pulled is a hub that takes note of the sessions that are named to it, and answers a report, or
// a start, only when it is let.
type pulled struct {
	*double
	sessions chan api.SessionID
	let      chan struct{}
}

func newPulled() *pulled {
	return &pulled{newDouble(), make(chan api.SessionID, 8), make(chan struct{})}
}

func (p *pulled) Report(_ context.Context, session api.SessionID, _ api.State) error {
	p.sessions <- session
	<-p.let
	return nil
}
func (p *pulled) Start(context.Context, api.StartRequest) (api.StartAnswer, error) {
	p.sessions <- api.SessionID{}
	return api.StartAnswer{Limits: api.DefaultLimits()}, nil
}
func (p *pulled) Blobs(_ context.Context, req api.BlobsRequest, _ func(cas.Blob) error) error {
	p.sessions <- req.Session
	return nil
}
func (p *pulled) Changes(_ context.Context, req api.ChangesRequest) iter.Seq2[api.Change, error] {
	p.sessions <- req.Session
	return func(func(api.Change, error) bool) {}
}

// TestSessionCrosses names the session of a pull where it is asked for what the pull applies.
func TestSessionCrosses(t *testing.T) {
	p := newPulled()
	h := dial(t, serve(t, server.New(p, server.Options{})), remote.Options{})
	for _, session := range []api.SessionID{random(), {}} {
		if err := h.Blobs(t.Context(), api.BlobsRequest{Session: session}, keep); err != nil {
			t.Fatal(err)
		}
		for _, err := range h.Changes(t.Context(), api.ChangesRequest{To: cas.ID{1}, Session: session}) {
			t.Fatal(err)
		}
		for range 2 {
			if got := <-p.sessions; got != session {
				t.Errorf("session %v arrives as %v", session, got)
			}
		}
	}
}

// TestTell does not wait for the answer, is delivered even if the client goes away at once, and
// comes before what is started next.
func TestTell(t *testing.T) {
	p := newPulled()
	h := dial(t, serve(t, server.New(p, server.Options{})), remote.Options{})
	session := random()
	ctx, cancel := context.WithCancel(t.Context())
	h.Tell(ctx, session, api.Complete)
	cancel() // which cuts the connection
	if got := <-p.sessions; got != session {
		t.Errorf("session %v arrives as %v", session, got)
	}

	h.Tell(t.Context(), session, api.Complete)
	<-p.sessions
	started := make(chan error)
	go func() {
		_, err := h.Start(t.Context(), api.StartRequest{})
		started <- err
	}()
	select {
	case <-p.sessions:
		t.Error("a start came before the answer to what was told")
	case <-time.After(50 * time.Millisecond):
	}
	close(p.let)
	if err := <-started; err != nil {
		t.Fatal(err)
	}
}

// TestTellSendsAll: what a process that ends then leaves behind is the whole report, on a slow link too.
func TestTellSendsAll(t *testing.T) {
	p := newPulled()
	close(p.let)
	h := dial(t, serve(t, server.New(p, server.Options{})), remote.Options{Rate: 4000})
	for range 3 {
		before := h.Traffic().Sent
		h.Tell(t.Context(), random(), api.Complete)
		sent := h.Traffic().Sent - before
		<-p.sessions // it came whole
		if all := h.Traffic().Sent - before; sent != all {
			t.Fatalf("%d of %d bytes were sent", sent, all)
		}
	}
}

// TestTellGivesUp: where nothing listens, nobody is held up for long.
func TestTellGivesUp(t *testing.T) {
	h, err := remote.New("http://127.0.0.1:1", remote.Options{First: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	h.Tell(t.Context(), random(), api.Complete)
}
