package client_test

import (
	"context"
	"errors"
	"iter"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"dfs/client"
	"dfs/server/api"
)

// watched is a hub that knows which sessions are open.
type watched struct {
	api.Hub
	mu   *sync.Mutex
	open map[api.SessionID]bool
}

func (w watched) note(id api.SessionID, open bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.open[id] = open
	if !open {
		delete(w.open, id)
	}
}

func (w watched) Start(ctx context.Context, req api.StartRequest) (api.StartAnswer, error) {
	answer, err := w.Hub.Start(ctx, req)
	w.note(answer.Session, err == nil)
	return answer, err
}

func (w watched) Report(ctx context.Context, id api.SessionID, state api.State) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	err := w.Hub.Report(ctx, id, state)
	if err == nil && state.Ended() {
		w.note(id, false)
	}
	return err
}

func (w watched) Commit(ctx context.Context, req api.CommitRequest) (api.CommitAnswer, error) {
	answer, err := w.Hub.Commit(ctx, req)
	if err == nil {
		w.note(req.Session, false)
	}
	return answer, err
}

// TestLookingLeavesNoSession: what only looks, and what settles nothing, ends its session.
func TestLookingLeavesNoSession(t *testing.T) {
	h := openHub(t)
	a, b := t.TempDir(), t.TempDir()
	write := func(dir, text string) {
		if err := os.WriteFile(filepath.Join(dir, "f"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(a, "base")
	succeed(t, client.Push, config(h, a))
	succeed(t, client.Pull, config(h, b))
	write(a, "from a")
	write(b, "from b, longer")
	succeed(t, client.Push, config(h, a))
	w := watched{h, new(sync.Mutex), map[api.SessionID]bool{}}
	dry := config(w, b)
	dry.DryRun = true
	for name, look := range map[string]func() error{
		"push": func() error { _, err := client.Push(t.Context(), dry); return err },
		"pull": func() error { _, err := client.Pull(t.Context(), dry); return err },
		"sync": func() error { _, err := client.Sync(t.Context(), dry); return err },
		"interrupted": func() error {
			ctx, cancel := context.WithCancel(t.Context())
			cfg := config(canceling{w, cancel}, b)
			cfg.DryRun = true
			client.Sync(ctx, cfg) // it may come to its end
			return nil
		},
		"status": func() error {
			_, err := client.Inspect(t.Context(), dry, false, func(client.Change) error { return nil })
			return err
		},
		"conflicts": func() error {
			desk, err := client.OpenConflicts(t.Context(), config(w, b))
			if err == nil {
				desk.Close()
			}
			return err
		},
		"resolve": func() error {
			_, err := client.Resolve(t.Context(), config(w, b), client.Resolution{Names: []string{"nosuch"}, Take: "ours"})
			if err == nil {
				t.Error("resolve found nosuch")
			}
			return nil
		},
	} {
		if err := look(); err != nil || len(w.open) > 0 {
			t.Errorf("%s: %v, %d sessions are open", name, err, len(w.open))
		}
		clear(w.open)
	}
}

// canceling is a hub that is interrupted when it is asked what changed.
type canceling struct {
	watched
	cancel func()
}

func (c canceling) Changes(ctx context.Context, req api.ChangesRequest) iter.Seq2[api.Change, error] {
	c.cancel()
	return c.Hub.Changes(ctx, req)
}

// failing is a hub that refuses every commit.
type failing struct {
	watched
	err   error
	first func() // called before
}

func (f failing) Commit(context.Context, api.CommitRequest) (api.CommitAnswer, error) {
	f.first()
	return api.CommitAnswer{}, f.err
}

// TestRunsEndTheirSessions: a run that is over has told the hub how, but where it could not reach the hub.
func TestRunsEndTheirSessions(t *testing.T) {
	type run = func(context.Context, client.Config) (*client.Result, error)
	h, dir := openHub(t), t.TempDir()
	w := watched{h, new(sync.Mutex), map[api.SessionID]bool{}}
	write := func(text string) {
		if err := os.WriteFile(filepath.Join(dir, "f"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("first")
	for _, c := range []struct {
		name string
		do   run
	}{
		{"first push", client.Push}, {"push of nothing", client.Push}, {"pull of nothing", client.Pull}, {"sync of nothing", client.Sync},
	} {
		if _, err := c.do(t.Context(), config(w, dir)); err != nil || len(w.open) > 0 {
			t.Errorf("%s: %v, %d sessions are open", c.name, err, len(w.open))
		}
	}
	write("second, longer")
	for _, do := range []run{client.Push, client.Sync} {
		if _, err := do(t.Context(), config(failing{w, api.ErrQuota, func() {}}, dir)); !errors.Is(err, api.ErrQuota) || len(w.open) > 0 {
			t.Errorf("refused: %v, %d sessions are open", err, len(w.open))
		}
		if _, err := do(t.Context(), config(failing{w, api.ErrUnreachable, func() {}}, dir)); !errors.Is(err, api.ErrUnreachable) || len(w.open) != 1 {
			t.Errorf("unreachable: %v, %d sessions are open", err, len(w.open))
		}
		clear(w.open)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := client.Push(ctx, config(failing{w, context.Canceled, cancel}, dir)); err == nil || len(w.open) > 0 {
		t.Errorf("interrupted: %v, %d sessions are open", err, len(w.open))
	}
}
