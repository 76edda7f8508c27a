package hubtest

import (
	"context"
	"errors"
	"testing"
	"time"

	"dfs/cas"
	"dfs/server/api"
)

// await collects the changes after a snapshot, with a wait, and says how long it took.
func (f *fixture) await(ctx context.Context, from cas.ID, wait time.Duration) (all []api.Change, took time.Duration, err error) {
	began := time.Now()
	for c, err := range f.Changes(ctx, api.ChangesRequest{Volume: f.volume.ID, From: from, Wait: wait}) {
		if err != nil {
			return nil, time.Since(began), err
		}
		all = append(all, c)
	}
	return all, time.Since(began), nil
}

// testWait has several wait for a head, which a commit makes.
func testWait(t *testing.T, f *fixture) {
	type result struct {
		all []api.Change
		err error
	}
	const waiting = 4
	results := make(chan result, waiting)
	for range waiting {
		go func() {
			all, _, err := f.await(f.ctx, f.volume.Head.Snapshot, api.MaxWait)
			results <- result{all, err}
		}()
	}
	r := f.replica()
	r.push(t, tree{}) // a commit of nothing wakes nobody up
	r.pushed(t, tree{"a": link("x")})
	committed := time.Now()
	for range waiting {
		got := <-results
		must(t, got.err)
		equal(t, "changes", got.all, []api.Change{{Path: "a", New: link("x")}})
	}
	if late := time.Since(committed); late > time.Second {
		t.Errorf("they learn of it after %v", late)
	}
	all, _, err := f.await(f.ctx, f.volume.Head.Snapshot, api.MaxWait)
	must(t, err)
	equal(t, "changes of a head that moved before", len(all), 1)
	all, took, err := f.await(f.ctx, cas.ID{}, api.MaxWait)
	must(t, err)
	if len(all) != 1 || took > api.MaxWait/2 {
		t.Errorf("from the empty tree: %+v after %v", all, took)
	}
}

// testWaitForSettlement has somebody wait for a head or a settlement. What is settled without a snapshot ends that, and
// not the wait of who wants a head alone.
func testWaitForSettlement(t *testing.T, f *fixture) {
	c := newClash(t, f, "a", "b")
	from := f.head(t).Snapshot
	await := func(heard uint64) (took time.Duration) {
		began := time.Now()
		for change, err := range f.Changes(f.ctx, api.ChangesRequest{Volume: f.volume.ID, From: from, Wait: api.MaxWait, Heard: &heard}) {
			t.Errorf("%+v, %v", change, err)
		}
		return time.Since(began)
	}
	settle := func(conflict api.Conflict) {
		t.Helper()
		_, err := f.Commit(f.ctx, c.settles(t, conflict, "theirs"))
		must(t, err)
	}
	headAlone := make(chan error, 1)
	ctx, cancel := context.WithCancel(f.ctx)
	go func() {
		_, _, err := f.await(ctx, from, api.MaxWait)
		headAlone <- err
	}()
	waited := make(chan time.Duration)
	go func() { waited <- await(0) }()
	settle(c.conflicts[0])
	if took := <-waited; took > api.MaxWait/2 {
		t.Errorf("the first is learnt of after %v", took)
	}
	if took := await(0); took > api.MaxWait/2 {
		t.Errorf("what was settled before is learnt of after %v", took)
	}
	go func() { waited <- await(1) }()
	settle(c.conflicts[1])
	if took := <-waited; took > api.MaxWait/2 {
		t.Errorf("the second is learnt of after %v", took)
	}
	cancel()
	if err := <-headAlone; !errors.Is(err, context.Canceled) {
		t.Errorf("the head alone: %v", err)
	}
}

func testWaitInVain(t *testing.T, f *fixture) {
	const wait = 50 * time.Millisecond
	all, took, err := f.await(f.ctx, f.volume.Head.Snapshot, wait)
	must(t, err)
	if len(all) != 0 || took < wait || took > api.MaxWait/2 {
		t.Errorf("%+v after %v", all, took)
	}
	ctx, cancel := context.WithTimeout(f.ctx, wait)
	defer cancel()
	_, took, err = f.await(ctx, f.volume.Head.Snapshot, api.MaxWait)
	if !errors.Is(err, context.DeadlineExceeded) || took > api.MaxWait/2 {
		t.Errorf("a context that ends: %v after %v", err, took)
	}
	for _, err := range f.Changes(f.ctx, api.ChangesRequest{Volume: f.volume.ID, From: cas.ID{1}, Wait: api.MaxWait}) {
		want(t, err, api.ErrNotFound)
	}
}
