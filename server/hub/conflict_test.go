package hub

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
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
	})
	if _, err := parseConflictKey(conflictKey(cas.VolumeID{}, conflictName{})); err == nil {
		t.Error("the key of no path passes")
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

// conflictModel is what a hub should know of the conflicts at one path, whose entries are symlinks.
type conflictModel struct {
	h       *Hub
	v       cas.VolumeID
	head    *manifest.Manifest
	records map[cas.ID]*api.Conflict
	open    map[api.ReplicaID]*api.Conflict
	dropped int
}

// push is what becomes of an edit: the conflict, if it is one.
func (m *conflictModel) push(replica api.ReplicaID, e api.Edit) *api.Conflict {
	if m.head == nil || e.Base == m.head.Hash() || manifest.Equal(e.New, m.head) {
		m.close(replica, "edit")
		m.head = e.New
		return nil
	}
	base, known := e.Base, (*manifest.Manifest)(nil)
	for passed := make(map[cas.ID]bool); ; {
		id := api.ConflictID(m.v, replica, e.Path, base)
		r := m.records[id]
		if r != nil && known == nil {
			known = r.Base
		}
		settled := r != nil && !r.Open && !passed[id]
		if settled && manifest.Equal(r.Ours, e.New) && r.Take != "edit" {
			m.dropped++
			return nil
		}
		if settled && !manifest.Equal(r.Ours, e.New) {
			base, known, passed[id] = r.Ours.Hash(), r.Ours, true
			continue
		}
		if o := m.open[replica]; o != nil && o.ID != id {
			m.close(replica, "edit")
		}
		m.records[id] = &api.Conflict{ID: id, Path: e.Path, Replica: replica, Base: known, Ours: e.New, Theirs: m.head, Open: true}
		m.open[replica] = m.records[id]
		return m.records[id]
	}
}

func (m *conflictModel) close(replica api.ReplicaID, take string) {
	if o := m.open[replica]; o != nil {
		o.Open, o.Take, o.Theirs = false, take, m.head
		delete(m.open, replica)
	}
}

// check compares what the hub lists with the model.
func (m *conflictModel) check() error {
	all, err := collect(m.h.Conflicts(context.Background(), api.ConflictsRequest{Volume: m.v, All: true}))
	if err != nil {
		return err
	}
	open, err := collect(m.h.Conflicts(context.Background(), api.ConflictsRequest{Volume: m.v}))
	if err != nil {
		return err
	}
	if len(all) != len(m.records) || len(open) != len(m.open) {
		return fmt.Errorf("%d conflicts, %d open, not %d and %d", len(all), len(open), len(m.records), len(m.open))
	}
	for _, got := range slices.Concat(all, open) {
		want := m.records[got.ID]
		if want == nil {
			return fmt.Errorf("conflict %+v", got)
		}
		theirs := want.Theirs
		if want.Open {
			theirs = m.head
		}
		if got.Open != want.Open || got.Take != want.Take || got.Replica != want.Replica || !manifest.Equal(got.Base, want.Base) ||
			!manifest.Equal(got.Ours, want.Ours) || !manifest.Equal(got.Theirs, theirs) {
			return fmt.Errorf("conflict %+v, not %+v", got, want)
		}
	}
	return nil
}

// TestConflictModel has replicas that know nothing send edits from any base, and conflicts
// settled, and compares with the model after each step.
func TestConflictModel(t *testing.T) {
	t.Parallel()
	h := openTest(t, t.TempDir(), nil, Options{})
	links := make(map[cas.ID]*manifest.Manifest)
	var hashes []cas.ID
	for _, target := range []string{"1", "2", "3", "4"} {
		links[link(target).Hash()] = link(target)
		hashes = append(hashes, link(target).Hash())
	}
	dropped := 0
	rapid.Check(t, func(t *rapid.T) {
		v := randomID()
		if _, err := h.CreateVolume(context.Background(), v.String(), v); err != nil {
			t.Fatal(err)
		}
		m := &conflictModel{h: h, v: v, records: make(map[cas.ID]*api.Conflict), open: make(map[api.ReplicaID]*api.Conflict)}
		clients := [2]*client{newClient(h, v), newClient(h, v)}
		var sent [2]api.Edit
		for range rapid.IntRange(1, 20).Draw(t, "steps") {
			if len(m.open) > 0 && rapid.IntRange(0, 2).Draw(t, "settle") == 0 {
				drawSettlement(t, m)
			} else {
				n := rapid.IntRange(0, 1).Draw(t, "replica")
				e, again := sent[n], rapid.Bool().Draw(t, "again")
				if !again || e.New == nil {
					e = api.Edit{Path: "f", New: links[rapid.SampledFrom(hashes).Draw(t, "new")],
						Base: rapid.SampledFrom(append(slices.Clone(hashes), cas.ID{})).Draw(t, "base")}
				}
				sent[n] = e
				push(t, m, clients[n], e)
			}
			if err := m.check(); err != nil {
				t.Fatal(err)
			}
		}
		dropped += m.dropped
	})
	if dropped == 0 {
		t.Error("no edit was dropped")
	}
}

func push(t *rapid.T, m *conflictModel, c *client, e api.Edit) {
	s, err := c.start(context.Background(), randomID())
	if err != nil {
		t.Fatal(err)
	}
	answer, err := m.h.Commit(context.Background(), api.CommitRequest{Session: s.Session, Key: randomID(), Edits: []api.Edit{e}})
	if err != nil {
		t.Fatal(err)
	}
	want := m.push(c.replica, e)
	if len(answer.Kept) != 0 || (want == nil) != (len(answer.Conflicts) == 0) || want != nil && answer.Conflicts[0].ID != want.ID {
		t.Fatalf("answer %+v, conflict %+v", answer, want)
	}
}

// drawSettlement settles an open conflict, perhaps as it is not.
func drawSettlement(t *rapid.T, m *conflictModel) {
	open := make([]*api.Conflict, 0, len(m.open))
	for _, c := range m.open {
		open = append(open, c)
	}
	slices.SortFunc(open, func(a, b *api.Conflict) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	c := *rapid.SampledFrom(open).Draw(t, "conflict")
	c.Theirs = m.head
	take := rapid.SampledFrom([]string{"ours", "theirs", "base"}).Draw(t, "take")
	if rapid.IntRange(0, 4).Draw(t, "moved") == 0 {
		c.Ours, c.Theirs = c.Theirs, c.Ours
	}
	moved := !manifest.Equal(c.Theirs, m.head)
	var list []api.Edit
	result := c.Theirs
	switch take {
	case "ours":
		result = c.Ours
	case "base":
		result = c.Base
	}
	if take != "theirs" {
		list = append(list, api.Edit{Path: c.Path, Base: c.Theirs.Hash(), New: result})
	}
	_, err := settled(m.h, m.v, c, take, list...)
	if moved != errors.Is(err, api.ErrMoved) || !moved && err != nil {
		t.Fatalf("settled as it is: %v; %v", !moved, err)
	}
	if !moved {
		m.close(c.Replica, take)
		m.head = result
	}
}
