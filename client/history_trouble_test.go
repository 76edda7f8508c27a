package client_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"dfs/cas"
	"dfs/client"
	"dfs/client/reconcile"
	"dfs/client/worktree"
	"dfs/server/api"
	"dfs/server/hub"
)

// box is a hub in process that can be stopped and started again on the same repository.
type box struct {
	dir  string
	blob cas.Mem
	mu   sync.Mutex // of reopen
	now  atomic.Pointer[hub.Hub]
}

func newBox(dir string) *box {
	b := &box{dir: dir}
	b.open()
	return b
}

func (b *box) open() {
	h, err := hub.Open(b.dir, hub.Options{Store: func(string) (cas.Store, error) { return &b.blob, nil }})
	if err != nil {
		panic(err)
	}
	b.now.Store(h)
}

func (b *box) hub() *hub.Hub { return b.now.Load() }

// reopen stops the hub, which ends the calls under way, and starts it again.
func (b *box) reopen() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.hub().Close(); err != nil {
		panic(err)
	}
	b.open()
}

// trouble is what goes wrong during a command, at its at'th call of the hub or step.
type trouble struct {
	kind kind
	at   int64
	did  []string // the edits that a user made meanwhile
}

type kind string

const (
	lostRequest kind = "request lost"
	lostAnswer  kind = "answer lost"
	cut         kind = "hub out of reach" // from then on
	doubled     kind = "request doubled"
	restarted   kind = "hub restarted"
	hubDied     kind = "hub killed after request"
	clientDied  kind = "client killed"
	edited      kind = "edited meanwhile"
)

func (h *history) drawTrouble(c command) *trouble {
	kinds := []kind{lostRequest, lostAnswer, lostAnswer, cut, doubled, restarted, hubDied, clientDied, clientDied, clientDied}
	if c != push && h.rng.IntN(3) == 0 { // a push changes nothing in the directory
		return &trouble{kind: edited, at: 1 + h.rng.Int64N(3)}
	}
	return &trouble{kind: kinds[h.rng.IntN(len(kinds))], at: 1 + h.rng.Int64N(8)}
}

var errCutOff = errors.New("connection lost")

// wire is a connection on which the trouble comes.
type wire struct {
	api.Hub // nil: what no command of the cycle calls
	box     *box
	trouble trouble
	calls   atomic.Int64
	moments atomic.Int64 // calls and steps
	died    atomic.Bool  // the client: nothing gets through any more

	mu    sync.Mutex
	names []string
}

func (w *wire) named() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.names)
}

func (w *wire) Traffic() client.Traffic { return client.Traffic{Requests: w.calls.Load()} }
func (w *wire) Close() error            { return nil }

// call makes one call of the hub. first is do where its result is of no interest.
func (w *wire) call(name string, first, do func(*hub.Hub) error) error {
	w.mu.Lock()
	w.names = append(w.names, name)
	w.mu.Unlock()
	n, kind := w.calls.Add(1), w.trouble.kind
	if kind == clientDied && w.moments.Add(1) == w.trouble.at && !w.died.Swap(true) && n%2 == 0 {
		first(w.box.hub())
	}
	switch {
	case w.died.Load(), kind == cut && n >= w.trouble.at:
		return errCutOff
	case n != w.trouble.at:
		return do(w.box.hub())
	}
	switch kind {
	case lostRequest:
		return errCutOff
	case lostAnswer:
		first(w.box.hub())
		return errCutOff
	case doubled:
		first(w.box.hub())
	case restarted:
		w.box.reopen()
	case hubDied:
		first(w.box.hub())
		w.box.reopen()
		return errCutOff
	}
	return do(w.box.hub())
}

// ask is call for a call with an answer.
func ask[T any](w *wire, name string, do func(*hub.Hub) (T, error)) (answer T, err error) {
	err = w.call(name,
		func(h *hub.Hub) error { _, err := do(h); return err },
		func(h *hub.Hub) (err error) { answer, err = do(h); return err })
	return answer, err
}

func (w *wire) Info(ctx context.Context, volume string) (api.Info, error) {
	return ask(w, "info", func(h *hub.Hub) (api.Info, error) { return h.Info(ctx, volume) })
}

func (w *wire) Volumes(ctx context.Context, name string) ([]api.Volume, error) {
	return ask(w, "volumes", func(h *hub.Hub) ([]api.Volume, error) { return h.Volumes(ctx, name) })
}

func (w *wire) CreateVolume(ctx context.Context, name string, id cas.VolumeID) (api.Volume, error) {
	return ask(w, "create volume", func(h *hub.Hub) (api.Volume, error) { return h.CreateVolume(ctx, name, id) })
}

func (w *wire) Start(ctx context.Context, req api.StartRequest) (api.StartAnswer, error) {
	return ask(w, "start", func(h *hub.Hub) (api.StartAnswer, error) { return h.Start(ctx, req) })
}

func (w *wire) Diff(ctx context.Context, req api.DiffRequest) (api.DiffAnswer, error) {
	return ask(w, "diff", func(h *hub.Hub) (api.DiffAnswer, error) { return h.Diff(ctx, req) })
}

func (w *wire) Upload(ctx context.Context, session api.SessionID, blobs []cas.Blob) error {
	do := func(h *hub.Hub) error { return h.Upload(ctx, session, blobs) }
	return w.call("upload", do, do)
}

func (w *wire) Commit(ctx context.Context, req api.CommitRequest) (api.CommitAnswer, error) {
	return ask(w, "commit", func(h *hub.Hub) (api.CommitAnswer, error) { return h.Commit(ctx, req) })
}

func (w *wire) Report(ctx context.Context, session api.SessionID, state api.State) error {
	if w.died.Load() {
		return errCutOff
	}
	return w.box.hub().Report(ctx, session, state)
}

// Tell is no call that counts: a pull does not wait for its answer.
func (w *wire) Tell(ctx context.Context, session api.SessionID, state api.State) {
	w.Report(ctx, session, state)
}

func (w *wire) Changes(ctx context.Context, req api.ChangesRequest) iter.Seq2[api.Change, error] {
	return stream(w, "changes", func(h *hub.Hub) iter.Seq2[api.Change, error] { return h.Changes(ctx, req) })
}

func (w *wire) Conflicts(ctx context.Context, req api.ConflictsRequest) iter.Seq2[api.Conflict, error] {
	return stream(w, "conflicts", func(h *hub.Hub) iter.Seq2[api.Conflict, error] { return h.Conflicts(ctx, req) })
}

// stream is call for a sequence: when the answer is lost, half of it came.
func stream[T any](w *wire, name string, do func(*hub.Hub) iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var all []T
		read := func(h *hub.Hub) error {
			all = nil
			for v, err := range do(h) {
				if err != nil {
					return err
				}
				all = append(all, v)
			}
			return nil
		}
		err := w.call(name, read, read)
		if err != nil {
			all = all[:len(all)/2]
		}
		for _, v := range all {
			if !yield(v, nil) {
				return
			}
		}
		if err != nil {
			var none T
			yield(none, err)
		}
	}
}

func (w *wire) Blobs(ctx context.Context, req api.BlobsRequest, fn func(cas.Blob) error) error {
	return w.call("blobs",
		func(h *hub.Hub) error { return h.Blobs(ctx, req, func(cas.Blob) error { return nil }) },
		func(h *hub.Hub) error { return h.Blobs(ctx, req, fn) })
}

func (w *wire) Nodes(ctx context.Context, v cas.VolumeID, ids []cas.ID, fn func(cas.Blob) error) error {
	return w.call("nodes",
		func(h *hub.Hub) error { return h.Nodes(ctx, v, ids, func(cas.Blob) error { return nil }) },
		func(h *hub.Hub) error { return h.Nodes(ctx, v, ids, fn) })
}

func (w *wire) Snapshot(ctx context.Context, v cas.VolumeID, id cas.ID) (api.Snapshot, error) {
	return ask(w, "snapshot", func(h *hub.Hub) (api.Snapshot, error) { return h.Snapshot(ctx, v, id) })
}

func (w *wire) Status(ctx context.Context, v cas.VolumeID) (api.Status, error) {
	return ask(w, "status", func(h *hub.Hub) (api.Status, error) { return h.Status(ctx, v) })
}

// command runs dfs with trouble.
func (h *history) command(m *member, c command, strategy reconcile.Strategy, t *trouble) (res *client.Result, err error) {
	w := &wire{box: h.box, trouble: *t}
	cfg := h.config(m, w, strategy)
	ctx, cancel := context.WithCancel(background)
	defer cancel()
	var mu sync.Mutex
	steps := int64(0)
	cfg.OnStep(func(s worktree.Step, path string) {
		mu.Lock()
		defer mu.Unlock()
		if s == worktree.StepTemp { // what comes before makes no difference
			return
		}
		steps++
		switch {
		case w.died.Load() || t.kind == clientDied && w.moments.Add(1) == t.at:
			// Its goroutines end here, those that go on have no hub, and none passes another step.
			w.died.Store(true)
			cancel()
			runtime.Goexit()
		case t.kind == edited && steps%t.at == 0 && path != "":
			h.editDuring(m, s, path, t)
		}
	})
	err = errors.New("killed")
	done := make(chan struct{})
	go func() {
		defer close(done)
		res, err = c.run(ctx, cfg)
	}()
	select {
	case <-done:
		return res, err
	case <-time.After(time.Minute):
		stacks := make([]byte, 1<<20)
		h.fail("%s %s hangs:\n%s", m.name, c, stacks[:runtime.Stack(stacks, true)])
		return nil, nil
	}
}

// editDuring has the user write to a path right at a step of the change to it.
func (h *history) editDuring(m *member, s worktree.Step, path string, t *trouble) {
	name := filepath.Join(m.dir, path)
	before, err := read(name)
	if err != nil || before.value == "" && before.what != "" { // it lies below what is no directory, or is one
		return
	}
	temp := filepath.Join(m.dir, "new")
	if h.rng.IntN(2) == 0 && !strings.HasPrefix(before.what, "link") { // through which it would go elsewhere
		err = os.WriteFile(name, h.text(), 0o644)
	} else if err = os.WriteFile(temp, h.text(), 0o644); err == nil {
		if err = os.Rename(temp, name); err != nil {
			os.Remove(temp)
		}
	}
	after, rerr := read(name)
	if err != nil || rerr != nil || after.value == "" || before == after {
		return
	}
	what := fmt.Sprintf("%s: write %s [%s] at step %s", m.name, path, after.value, s)
	h.count("write at step " + string(s))
	t.did = append(t.did, what)
	h.written[after.value], m.touched[after.value] = what, true
	if before.value != "" {
		h.released[before.value] = what
	}
}
