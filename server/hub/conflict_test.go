package hub

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"testing"
	"time"

	"pgregory.net/rapid"

	"dfs/cas"
	"dfs/manifest"
	"dfs/merkle"
	"dfs/server/api"
)

// TestConflictKeys checks that the keys of conflicts are in path order and can be taken apart.
func TestConflictKeys(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringOfN(rapid.SampledFrom([]rune("\x01!/ab")), 1, 6, -1).Filter(func(p string) bool { return manifest.CheckPath(p) == nil })
		a, b := name.Draw(t, "a"), name.Draw(t, "b")
		v, one, two := randomID(), conflictName{a, randomID(), cas.Sum([]byte(a))}, conflictName{b, randomID(), cas.Sum([]byte(b))}
		got, want := bytes.Compare(conflictKey(v, one), conflictKey(v, two)), merkle.Compare(a, b)
		if got != want && want != 0 {
			t.Fatalf("keys of %q and %q: %d, not %d", a, b, got, want)
		}
		if name, err := parseConflictKey(conflictKey(v, one)); name != one || err != nil {
			t.Fatalf("%+v becomes %+v, %v", one, name, err)
		}
		if name, err := parseOpen(openKey(v, one.replica, a), one.id[:]); name != one || err != nil {
			t.Fatalf("%+v becomes %+v, %v", one, name, err)
		}
		if name, err := parseNamed(namedKey(v, one.id[:]), namedValue(one)); name != one || err != nil {
			t.Fatalf("%+v becomes %+v, %v", one, name, err)
		}
		number, later := rapid.Uint64().Draw(t, "number"), rapid.Uint64().Draw(t, "later")
		if name, err := parseSettled(settledKey(v, one.replica, number), settledValue(one)); name != one || err != nil {
			t.Fatalf("%+v becomes %+v, %v", one, name, err)
		}
		if got := bytes.Compare(settledKey(v, one.replica, number), settledKey(v, one.replica, later)); got != cmp.Compare(number, later) {
			t.Fatalf("keys of the settlements %d and %d: %d", number, later, got)
		}
	})
	if _, err := parseConflictKey(conflictKey(cas.VolumeID{}, conflictName{})); err == nil {
		t.Error("the key of no path passes")
	}
	if _, err := parseSettled(settledKey(cas.VolumeID{}, api.ReplicaID{}, 1), settledValue(conflictName{})); err == nil {
		t.Error("a settlement of no path passes")
	}
}

func collect[T any](seq iter.Seq2[T, error]) (all []T, err error) {
	for v, err := range seq {
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, nil
}

// TestOneOfTwoSettlements has many settle one conflict at once: one does.
func TestOneOfTwoSettlements(t *testing.T) {
	t.Parallel()
	h := openTest(t, t.TempDir(), nil, Options{})
	v := newTestVolume(t, h)
	a, b := newClient(h, v), newClient(h, v)
	a.must(t, edits{"f": link("theirs")})
	answer, err := b.commit(t.Context(), edits{"f": link("ours")})
	if err != nil || len(answer.Conflicts) != 1 {
		t.Fatalf("%+v: %v", answer, err)
	}
	const settlers = 8
	errs := make(chan error, settlers)
	for i := range settlers {
		go func() {
			_, err := settled(h, v, answer.Conflicts[0], "file", api.Edit{Path: "f", Base: link("theirs").Hash(), New: link(fmt.Sprint(i))})
			errs <- err
		}()
	}
	settled := 0
	for range settlers {
		if err := <-errs; err == nil {
			settled++
		} else if !errors.Is(err, api.ErrMoved) {
			t.Error(err)
		}
	}
	a.mustPull(t)
	if settled != 1 || a.seen.Seq != 3 {
		t.Errorf("%d have settled it, the head is number %d", settled, a.seen.Seq)
	}
	wantConflicts(t, h, v, 0)
}

// settled settles a conflict as it is given, in a session of a replica of its own.
func settled(h api.Hub, v cas.VolumeID, c api.Conflict, take string, list ...api.Edit) (api.CommitAnswer, error) {
	s, err := newClient(h, v).start(context.Background(), randomID())
	if err != nil {
		return api.CommitAnswer{}, err
	}
	return h.Commit(context.Background(), api.CommitRequest{Session: s.Session, Key: randomID(), Edits: list,
		Settle: []api.Settlement{{Conflict: c.ID, Ours: c.Ours.Hash(), Theirs: c.Theirs.Hash(), Take: take}}})
}

// TestCloseEndsWaiting closes a hub whose head is waited for.
func TestCloseEndsWaiting(t *testing.T) {
	t.Parallel()
	h := openTest(t, t.TempDir(), nil, Options{})
	v := newTestVolume(t, h)
	c := newClient(h, v)
	c.mustPull(t)
	ended := make(chan error, 1)
	go func() {
		_, err := collect(h.Changes(context.Background(), api.ChangesRequest{Volume: v, From: c.seen.Snapshot, Wait: time.Hour}))
		ended <- err
	}()
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	wantError(t, <-ended, api.ErrBusy)
}

// TestSettledAfter settles one conflict after the other: those with higher numbers are found by these, also by a
// hub that was opened again.
func TestSettledAfter(t *testing.T) {
	t.Parallel()
	dir, mem := t.TempDir(), &cas.Mem{}
	h := openTest(t, dir, mem, Options{})
	v := newTestVolume(t, h)
	a, b := newClient(h, v), newClient(h, v)
	a.must(t, edits{"f": link("theirs")})
	check := func(n uint64) {
		t.Helper()
		for after := range n + 1 {
			names, err := h.settledConflicts(v, b.replica, after)
			if err != nil || uint64(len(names)) != n-after {
				t.Fatalf("after %d of %d: %+v, %v", after, n, names, err)
			}
		}
		s, err := b.start(t.Context(), randomID())
		if err != nil || s.Settled != n {
			t.Fatalf("after %d settlements: %+v, %v", n, s, err)
		}
	}
	for n := range uint64(5) {
		check(n)
		answer, err := b.commit(t.Context(), edits{"f": link(fmt.Sprint(n))})
		if err != nil || len(answer.Conflicts) != 1 {
			t.Fatalf("%+v: %v", answer, err)
		}
		if _, err := settled(h, v, answer.Conflicts[0], "theirs"); err != nil {
			t.Fatal(err)
		}
		if err := h.Close(); err != nil {
			t.Fatal(err)
		}
		h = openTest(t, dir, mem, Options{})
		a.hub, b.hub = h, h
		check(n + 1)
	}
}

// TestCutSettlements opens hubs that were killed between the transactions of a commit that settles: before that of the
// head it was not made, after it it was.
func TestCutSettlements(t *testing.T) {
	t.Parallel()
	dir, mem := t.TempDir(), &cas.Mem{}
	h := openTest(t, dir, mem, Options{})
	v := newTestVolume(t, h)
	a, b := newClient(h, v), newClient(h, v)
	a.must(t, edits{"made": link("theirs"), "not": link("theirs")})
	answer, err := b.commit(t.Context(), edits{"made": link("ours"), "not": link("ours")})
	if err != nil || len(answer.Conflicts) != 2 {
		t.Fatalf("%+v: %v", answer, err)
	}
	made, not := answer.Conflicts[0], answer.Conflicts[1]
	if _, err := settled(h, v, made, "theirs"); err != nil {
		t.Fatal(err)
	}
	cut := settledAs(not, not.Theirs, "theirs")
	cut.Number = 2
	rec, err := conflictWrite(v, &cut.Conflict)
	if err != nil {
		t.Fatal(err)
	}
	err = h.meta.write(rec, kv{settledKey(v, b.replica, cut.Number), settledValue(conflictName{not.Path, b.replica, not.ID})},
		kv{openKey(v, b.replica, made.Path), made.ID[:]})
	if err == nil {
		err = h.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	h = openTest(t, dir, mem, Options{})
	open, err := collect(h.Conflicts(t.Context(), api.ConflictsRequest{Volume: v}))
	if err != nil || len(open) != 1 || open[0].ID != not.ID || open[0].Take != "" || open[0].Number != 0 {
		t.Errorf("open are %+v: %v", open, err)
	}
	wantConflicts(t, h, v, 1)
	if names, err := h.settledConflicts(v, b.replica, 0); err != nil || len(names) != 1 || names[0].id != made.ID {
		t.Errorf("settled are %+v: %v", names, err)
	}
	if _, err := settled(h, v, not, "theirs"); err != nil {
		t.Error(err)
	}
	wantConflicts(t, h, v, 0)
}

// TestListingEndsWithItsCaller: a list of settled conflicts, for which nothing else is looked up, too.
func TestListingEndsWithItsCaller(t *testing.T) {
	t.Parallel()
	h := openTest(t, t.TempDir(), nil, Options{})
	v := newTestVolume(t, h)
	a, b := newClient(h, v), newClient(h, v)
	theirs, ours := edits{"f": link("theirs"), "g": link("theirs"), "h": link("theirs")}, edits{"f": link("ours"), "g": link("ours"), "h": link("ours")}
	a.must(t, theirs)
	answer, err := b.commit(t.Context(), ours)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range answer.Conflicts {
		if _, err := settled(h, v, c, "theirs"); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	n := 0
	for _, err = range h.Conflicts(ctx, api.ConflictsRequest{Volume: v, All: true}) {
		if err == nil {
			n++
		}
		cancel()
	}
	if n != 1 || !errors.Is(err, context.Canceled) {
		t.Errorf("%d of %d conflicts, then %v", n, len(answer.Conflicts), err)
	}
}
