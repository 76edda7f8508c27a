package hubtest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"dfs/cas"
	"dfs/manifest"
	"dfs/server/api"
)

// conflictModel is what a hub should know of the conflicts at one path, whose entries are symlinks.
type conflictModel struct {
	f       *fixture
	head    *manifest.Manifest
	records map[cas.ID]*api.Conflict
	open    map[api.ReplicaID]*api.Conflict
	settled uint64 // settlements
	dropped int    // edits that were settled without their replica having heard of it
	again   int    // conflicts that are equal to a settled one
}

// push is what becomes of an edit of a replica that has heard of so many settlements: the conflict, if it is one.
func (m *conflictModel) push(replica api.ReplicaID, heard uint64, e api.Edit) *api.Conflict {
	if manifest.Equal(e.New, m.head) {
		m.close(replica, "edit")
		return nil
	}
	from, known := e.Base, (*manifest.Manifest)(nil)
	for _, c := range m.unheard(replica, heard) {
		if c.From == from && c.Take != "edit" {
			from, known = c.Ours.Hash(), c.Ours
		}
	}
	if known != nil && manifest.Equal(known, e.New) {
		m.dropped++
		return nil
	}
	if m.head == nil || from == m.head.Hash() {
		m.close(replica, "edit")
		m.head = e.New
		return nil
	}
	id := api.ConflictID(m.f.volume.ID, replica, e.Path, from)
	for ; m.records[id] != nil; id = api.NextConflictID(id) {
		r := m.records[id]
		if known == nil {
			known = r.Base
		}
		if r.Open {
			break
		}
		if manifest.Equal(r.Ours, e.New) {
			m.again++
		}
	}
	if o := m.open[replica]; o != nil && o.ID != id {
		m.close(replica, "edit")
	}
	m.records[id] = &api.Conflict{ID: id, Path: e.Path, Replica: replica, From: from, Base: known, Ours: e.New, Theirs: m.head, Open: true}
	m.open[replica] = m.records[id]
	return m.records[id]
}

// unheard returns a replica's settled conflicts with a higher number, by these.
func (m *conflictModel) unheard(replica api.ReplicaID, heard uint64) (list []*api.Conflict) {
	for _, c := range m.records {
		if c.Replica == replica && c.Number > heard {
			list = append(list, c)
		}
	}
	slices.SortFunc(list, func(a, b *api.Conflict) int { return int(a.Number) - int(b.Number) })
	return list
}

func (m *conflictModel) close(replica api.ReplicaID, take string) {
	if o := m.open[replica]; o != nil {
		m.settled++
		o.Open, o.Take, o.Theirs, o.Number = false, take, m.head, m.settled
		delete(m.open, replica)
	}
}

// list returns the conflicts that a request asks for, by their IDs.
func (m *conflictModel) list(req api.ConflictsRequest) (map[cas.ID]api.Conflict, error) {
	req.Volume = m.f.volume.ID
	list := map[cas.ID]api.Conflict{}
	for c, err := range m.f.Conflicts(m.f.ctx, req) {
		if err != nil {
			return nil, err
		}
		list[c.ID] = c
	}
	return list, nil
}

// check compares what the hub lists to a request with the model.
func (m *conflictModel) check(req api.ConflictsRequest) error {
	got, err := m.list(req)
	if err != nil {
		return err
	}
	wanted := 0
	for id, want := range m.records {
		listed := want.Open || req.All && want.Number > req.After
		if !req.Replica.IsZero() && req.Replica != want.Replica || !listed {
			continue
		}
		wanted++
		theirs := want.Theirs
		if want.Open {
			theirs = m.head
		}
		c := got[id]
		if c.Open != want.Open || c.Take != want.Take || c.Number != want.Number || c.Replica != want.Replica || c.From != want.From ||
			!manifest.Equal(c.Base, want.Base) || !manifest.Equal(c.Ours, want.Ours) || !manifest.Equal(c.Theirs, theirs) {
			return fmt.Errorf("%+v: conflict %+v, not %+v", req, c, *want)
		}
	}
	if len(got) != wanted {
		return fmt.Errorf("%+v: %d conflicts, not %d", req, len(got), wanted)
	}
	return nil
}

// testConflictModel has replicas that know nothing send edits from any base, and hear of settlements or not, has
// conflicts settled, and compares with the model after each step.
func testConflictModel(t *testing.T, f *fixture) {
	links := make(map[cas.ID]*manifest.Manifest)
	hashes := []cas.ID{{}}
	for _, target := range []string{"1", "2", "3"} {
		links[link(target).Hash()] = link(target)
		hashes = append(hashes, link(target).Hash())
	}
	dropped, again := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		v := random()
		volume, err := f.CreateVolume(f.ctx, "of "+v.String(), v)
		must(t, err)
		m := &conflictModel{f: &fixture{Hub: f.Hub, ctx: f.ctx, volume: volume},
			records: make(map[cas.ID]*api.Conflict), open: make(map[api.ReplicaID]*api.Conflict)}
		replicas := [2]*replica{m.f.replica(), m.f.replica()}
		var sent [2]api.Edit
		for range rapid.IntRange(1, 16).Draw(rt, "steps") {
			n := rapid.IntRange(0, 1).Draw(rt, "replica")
			switch step := rapid.IntRange(0, 5).Draw(rt, "step"); {
			case step == 0:
				replicas[n].heard = m.settled
			case step < 3 && len(m.open) > 0:
				drawSettlement(t, rt, m)
			default:
				if sent[n].New == nil || rapid.IntRange(0, 2).Draw(rt, "other") == 0 {
					sent[n] = api.Edit{Path: "f", New: links[rapid.SampledFrom(hashes[1:]).Draw(rt, "new")],
						Base: rapid.SampledFrom(hashes).Draw(rt, "base")}
				}
				m.send(t, replicas[n], sent[n])
			}
			must(t, m.check(api.ConflictsRequest{All: true, After: uint64(rapid.IntRange(0, 3).Draw(rt, "after"))}))
			must(t, m.check(api.ConflictsRequest{All: true, After: replicas[n].heard, Replica: replicas[n].id}))
			must(t, m.check(api.ConflictsRequest{}))
		}
		dropped, again = dropped+m.dropped, again+m.again
	})
	t.Logf("%d edits were dropped, %d conflicts came again", dropped, again)
}

// send has a replica send an edit.
func (m *conflictModel) send(t *testing.T, r *replica, e api.Edit) {
	s := r.start(t, random())
	if s.Settled != m.settled || (s.Open > 0) != (m.open[r.id] != nil) {
		t.Fatalf("%+v after %d settlements, open %v", s, m.settled, m.open[r.id])
	}
	answer, err := m.f.Commit(m.f.ctx, api.CommitRequest{Session: s.Session, Key: random(), Edits: []api.Edit{e}})
	must(t, err)
	want := m.push(r.id, r.heard, e)
	if len(answer.Kept) != 0 || (want == nil) != (len(answer.Conflicts) == 0) || want != nil && answer.Conflicts[0].ID != want.ID {
		t.Fatalf("answer %+v, conflict %+v", answer, want)
	}
	equal(t, "head", m.f.tree(t)["f"], m.head)
}

// drawSettlement settles an open conflict, perhaps as it is not.
func drawSettlement(t *testing.T, rt *rapid.T, m *conflictModel) {
	open := make([]*api.Conflict, 0, len(m.open))
	for _, c := range m.open {
		open = append(open, c)
	}
	slices.SortFunc(open, func(a, b *api.Conflict) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	c := *rapid.SampledFrom(open).Draw(rt, "conflict")
	c.Theirs = m.head
	take := rapid.SampledFrom([]string{"ours", "theirs", "base"}).Draw(rt, "take")
	if rapid.IntRange(0, 4).Draw(rt, "moved") == 0 {
		c.Ours, c.Theirs = c.Theirs, c.Ours
	}
	result := map[string]*manifest.Manifest{"ours": c.Ours, "theirs": c.Theirs, "base": c.Base}[take]
	req := api.CommitRequest{Session: m.f.replica().start(t, random()).Session, Key: random(), Settle: []api.Settlement{settlement(c, take)}}
	if take != "theirs" {
		req.Edits = []api.Edit{{Path: c.Path, Base: c.Theirs.Hash(), New: result}}
	}
	moved := !manifest.Equal(c.Theirs, m.head)
	_, err := m.f.Commit(m.f.ctx, req)
	if moved != errors.Is(err, api.ErrMoved) || !moved && err != nil {
		t.Fatalf("settled as it is: %v; %v", !moved, err)
	}
	if !moved {
		m.close(c.Replica, take)
		m.head = result
	}
}
