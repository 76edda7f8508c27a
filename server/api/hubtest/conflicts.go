package hubtest

import (
	"errors"
	"maps"
	"strings"
	"testing"

	"dfs/cas"
	"dfs/manifest"
	"dfs/server/api"
)

// A clash is a volume in which one replica changed paths and another, from the same base,
// changed them differently.
type clash struct {
	f                  *fixture
	base, ours, theirs *manifest.Manifest // at every path
	first, other       *replica           // theirs is of the first, ours of the other
	conflicts          []api.Conflict     // as the hub told the other
}

func newClash(t *testing.T, f *fixture, paths ...string) *clash {
	t.Helper()
	c := &clash{f: f, base: link("base"), ours: link("ours"), theirs: link("theirs"), first: f.replica(), other: f.replica()}
	c.first.pushed(t, c.tree(paths, c.base))
	c.other.seen, c.other.base = c.first.seen, maps.Clone(c.first.base)
	c.first.pushed(t, c.tree(paths, c.theirs))
	answer := c.other.push(t, c.tree(paths, c.ours))
	if len(answer.Conflicts) != len(paths) || !answer.Merged {
		t.Fatalf("%+v", answer)
	}
	c.conflicts = answer.Conflicts
	return c
}

// tree has m at the paths, and the directories above them.
func (c *clash) tree(paths []string, m *manifest.Manifest) tree {
	tr := tree{}
	for _, path := range paths {
		for i := range path {
			if path[i] == '/' {
				tr[path[:i]] = directory()
			}
		}
		tr[path] = m
	}
	return tr
}

// listed returns the conflicts of the volume that a request asks for. Those that are open are as many as its status says.
func (f *fixture) listed(t *testing.T, replica api.ReplicaID, all bool) []api.Conflict {
	t.Helper()
	list := f.asked(t, api.ConflictsRequest{Replica: replica, All: all})
	if replica.IsZero() && !all {
		status, err := f.Status(f.ctx, f.volume.ID)
		must(t, err)
		equal(t, "open conflicts by the status", status.Conflicts, len(list))
	}
	return list
}

// asked returns the conflicts of the volume that another request asks for.
func (f *fixture) asked(t *testing.T, req api.ConflictsRequest) []api.Conflict {
	t.Helper()
	var list []api.Conflict
	req.Volume = f.volume.ID
	for c, err := range f.Conflicts(f.ctx, req) {
		must(t, err)
		list = append(list, c)
	}
	return list
}

// settlement closes the conflict as it is.
func settlement(c api.Conflict, take string) api.Settlement {
	return api.Settlement{Conflict: c.ID, Ours: c.Ours.Hash(), Theirs: c.Theirs.Hash(), Take: take}
}

// settles returns the request of a replica that knows nothing to settle a conflict, and to
// make its path new.
func (c *clash) settles(t *testing.T, conflict api.Conflict, take string, edits ...api.Edit) api.CommitRequest {
	t.Helper()
	return api.CommitRequest{Session: c.f.replica().start(t, random()).Session, Key: random(), Edits: edits,
		Settle: []api.Settlement{settlement(conflict, take)}}
}

// settledAs is the conflict as it is listed once it is the number'th that is settled.
func settledAs(c api.Conflict, take string, number uint64) api.Conflict {
	c.Open, c.Take, c.Number = false, take, number
	return c
}

func testConflicts(t *testing.T, f *fixture) {
	equal(t, "conflicts of a new volume", len(f.listed(t, api.ReplicaID{}, true)), 0)
	c := newClash(t, f, "a!", "a/x\xff\n", "b")
	equal(t, "conflicts", f.listed(t, api.ReplicaID{}, false), c.conflicts)
	if c.conflicts[0].Path != "a/x\xff\n" || c.conflicts[1].Path != "a!" || c.conflicts[2].Path != "b" {
		t.Errorf("not in path order: %+v", c.conflicts)
	}
	for _, got := range c.conflicts {
		if got.ID != api.ConflictID(f.volume.ID, c.other.id, got.Path, c.base.Hash()) || !got.BaseKnown() || got.Client != "host" || got.Take != "" {
			t.Errorf("%+v", got)
		}
	}
	third := f.replica()
	third.seen, third.base = c.other.seen, c.other.base
	to := maps.Clone(third.base)
	to["a!"] = link("of the third")
	answer := third.push(t, to)
	equal(t, "both at one path, by time", f.listed(t, api.ReplicaID{}, true),
		[]api.Conflict{c.conflicts[0], c.conflicts[1], answer.Conflicts[0], c.conflicts[2]})
	equal(t, "of one replica", f.listed(t, third.id, false), answer.Conflicts)
	equal(t, "of no replica", len(f.listed(t, random(), true)), 0)
	to = maps.Clone(c.first.base)
	to["b"] = link("of later")
	c.first.pushed(t, to)
	list := f.listed(t, c.other.id, false)
	equal(t, "theirs is the head's version now", list[2].Theirs, to["b"])
	delete(to, "b")
	c.first.pushed(t, to)
	list = f.listed(t, c.other.id, false)
	equal(t, "theirs of what is gone", list[2].Theirs, (*manifest.Manifest)(nil))
	for i, named := range list {
		id := named.ID.String()
		equal(t, "that an ID names", f.asked(t, api.ConflictsRequest{ID: id}), list[i:i+1])
		equal(t, "that its first digits name", f.asked(t, api.ConflictsRequest{ID: id[:15], All: true}), list[i:i+1])
		other := "0"
		if id[14:15] == other {
			other = "1"
		}
		equal(t, "with another digit at the end", len(f.asked(t, api.ConflictsRequest{ID: id[:14] + other})), 0)
		equal(t, "of another replica", len(f.asked(t, api.ConflictsRequest{ID: id, Replica: third.id})), 0)
	}
	equal(t, "that no ID begins with", len(f.asked(t, api.ConflictsRequest{ID: random().String()})), 0)
	for _, none := range []string{"A", "0x", strings.Repeat("0", 65), "é"} {
		for _, err := range f.Conflicts(f.ctx, api.ConflictsRequest{Volume: f.volume.ID, ID: none}) {
			want(t, err, api.ErrInvalid)
		}
	}
	for range f.Conflicts(f.ctx, api.ConflictsRequest{Volume: f.volume.ID}) {
		break
	}
	for _, err := range f.Conflicts(f.ctx, api.ConflictsRequest{Volume: random()}) {
		want(t, err, api.ErrNotFound)
	}
}

func testSettleTheirs(t *testing.T, f *fixture) {
	c := newClash(t, f, "a", "b")
	before := f.head(t)
	req := c.settles(t, c.conflicts[0], "theirs")
	first, err := f.Commit(f.ctx, req)
	must(t, err)
	equal(t, "head", first.Head, before)
	equal(t, "head as listed", f.head(t), before)
	again, err := f.Commit(f.ctx, req)
	must(t, err)
	equal(t, "the answer again", again, first)
	equal(t, "open ones", f.listed(t, api.ReplicaID{}, false), c.conflicts[1:])
	equal(t, "all", f.listed(t, c.other.id, true), []api.Conflict{settledAs(c.conflicts[0], "theirs", 1), c.conflicts[1]})
	id := c.conflicts[0].ID.String()
	equal(t, "a settled one by its ID", f.asked(t, api.ConflictsRequest{ID: id, All: true}), []api.Conflict{settledAs(c.conflicts[0], "theirs", 1)})
	equal(t, "open ones by that", len(f.asked(t, api.ConflictsRequest{ID: id})), 0)
	equal(t, "those after it", len(f.asked(t, api.ConflictsRequest{ID: id, All: true, After: 1})), 0)
	_, err = f.Commit(f.ctx, c.settles(t, c.conflicts[0], "theirs"))
	want(t, err, api.ErrMoved)
}

func testSettleOurs(t *testing.T, f *fixture) {
	c := newClash(t, f, "a", "d/b")
	ours := c.settles(t, c.conflicts[0], "ours", api.Edit{Path: "a", Base: c.theirs.Hash(), New: c.ours})
	ours.Settle = append(ours.Settle, settlement(c.conflicts[1], "file"))
	m, blob := file("of both")
	ours.Edits = append(ours.Edits, api.Edit{Path: "d/b", Base: c.theirs.Hash(), New: m}, api.Edit{Path: "e", New: link("more")})
	ours.Blobs = []cas.Blob{blob}
	answer, err := f.Commit(f.ctx, ours)
	must(t, err)
	if answer.Conflicts != nil || answer.Kept != nil || answer.Head.Seq != c.first.seen.Seq+1 {
		t.Fatalf("%+v", answer)
	}
	equal(t, "tree", f.tree(t), tree{"a": c.ours, "d": directory(), "d/b": m, "e": link("more")})
	equal(t, "open ones", len(f.listed(t, api.ReplicaID{}, false)), 0)
	equal(t, "all", f.listed(t, api.ReplicaID{}, true), []api.Conflict{settledAs(c.conflicts[0], "ours", 1), settledAs(c.conflicts[1], "file", 2)})
}

// testSettleOwn has a replica settle its own conflict as a strategy does: that is what is recorded, and no edit of its own.
func testSettleOwn(t *testing.T, f *fixture) {
	c := newClash(t, f, "a")
	merged := link("merged")
	answer, err := f.Commit(f.ctx, api.CommitRequest{Session: c.other.start(t, random()).Session, Key: random(),
		Edits: []api.Edit{{Path: "a", Base: c.theirs.Hash(), New: merged}}, Settle: []api.Settlement{settlement(c.conflicts[0], "merge")}})
	must(t, err)
	equal(t, "conflicts of the answer", len(answer.Conflicts), 0)
	equal(t, "all", f.listed(t, c.other.id, true), []api.Conflict{settledAs(c.conflicts[0], "merge", 1)})
	equal(t, "open ones", len(f.listed(t, c.other.id, false)), 0)
	equal(t, "tree", f.tree(t), tree{"a": merged})
}

// testSettleMoved has settlements that are not about what is: nothing is done, and the session goes on.
func testSettleMoved(t *testing.T, f *fixture) {
	c := newClash(t, f, "a", "d")
	edit := api.Edit{Path: "a", Base: c.theirs.Hash(), New: c.ours}
	req := c.settles(t, c.conflicts[0], "ours", edit)
	req.Settle = append(req.Settle, settlement(c.conflicts[1], "theirs"))
	good := req.Settle
	for name, change := range map[string]func(*api.Settlement){
		"unknown":       func(s *api.Settlement) { s.Conflict = cas.ID{1} },
		"other ours":    func(s *api.Settlement) { s.Ours = c.theirs.Hash() },
		"other theirs":  func(s *api.Settlement) { s.Theirs = c.ours.Hash() },
		"absent theirs": func(s *api.Settlement) { s.Theirs = cas.ID{} },
	} {
		for i := range good {
			req.Settle = append([]api.Settlement{}, good...)
			change(&req.Settle[i])
			if _, err := f.Commit(f.ctx, req); !errors.Is(err, api.ErrMoved) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	for name, bad := range map[string][]api.Settlement{
		"no take":   {{Conflict: good[0].Conflict, Ours: good[0].Ours, Theirs: good[0].Theirs}},
		"long take": {{Conflict: good[0].Conflict, Ours: good[0].Ours, Theirs: good[0].Theirs, Take: strings.Repeat("t", api.MaxTake+1)}},
		"edit":      {{Conflict: good[0].Conflict, Ours: good[0].Ours, Theirs: good[0].Theirs, Take: "edit"}},
		"twice":     {good[0], good[0]},
	} {
		req.Settle = bad
		if _, err := f.Commit(f.ctx, req); !errors.Is(err, api.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	equal(t, "head", f.head(t), c.first.seen)
	equal(t, "conflicts", f.listed(t, api.ReplicaID{}, true), c.conflicts)
	req.Settle = good
	_, err := f.Commit(f.ctx, req)
	must(t, err)
	equal(t, "tree", f.tree(t), tree{"a": c.ours, "d": c.theirs})
}

// testSettleUnfit has the head's tree refuse what a conflict is to become.
func testSettleUnfit(t *testing.T, f *fixture) {
	r, other := f.replica(), f.replica()
	r.pushed(t, tree{"d": link("base")})
	other.seen, other.base = r.seen, r.base
	r.pushed(t, tree{"d": directory(), "d/x": link("x")})
	conflict := other.push(t, tree{"d": link("ours")}).Conflicts[0]
	c := &clash{f: f}
	req := c.settles(t, conflict, "ours", api.Edit{Path: "d", Base: directory().Hash(), New: link("ours")})
	_, err := f.Commit(f.ctx, req)
	want(t, err, api.ErrMoved)
	equal(t, "head", f.head(t), r.seen)
	equal(t, "conflicts", f.listed(t, api.ReplicaID{}, true), []api.Conflict{conflict})
	req.Edits = append(req.Edits, api.Edit{Path: "d/x", Base: link("x").Hash()})
	_, err = f.Commit(f.ctx, req)
	must(t, err)
	equal(t, "tree", f.tree(t), tree{"d": link("ours")})
}

func testOursUpdated(t *testing.T, f *fixture) {
	c := newClash(t, f, "a")
	newer := link("newer ours")
	answer := c.other.push(t, tree{"a": newer})
	updated := c.conflicts[0]
	updated.Ours = newer
	equal(t, "conflicts of the answer", answer.Conflicts, []api.Conflict{updated})
	equal(t, "conflicts", f.listed(t, api.ReplicaID{}, true), []api.Conflict{updated})
	_, err := f.Commit(f.ctx, c.settles(t, c.conflicts[0], "theirs"))
	want(t, err, api.ErrMoved)
	_, err = f.Commit(f.ctx, c.settles(t, updated, "theirs"))
	must(t, err)
}

// testOwnEditSettles has the replica of a conflict itself take the head's version, and change it.
func testOwnEditSettles(t *testing.T, f *fixture) {
	c := newClash(t, f, "a", "b")
	c.other.seen, c.other.base = c.first.seen, maps.Clone(c.first.base)
	solved := link("solved")
	c.other.pushed(t, tree{"a": solved, "b": c.theirs})
	equal(t, "open ones", f.listed(t, api.ReplicaID{}, false), c.conflicts[1:])
	equal(t, "all", f.listed(t, api.ReplicaID{}, true), []api.Conflict{settledAs(c.conflicts[0], "edit", 1), c.conflicts[1]})
}

// testConflictAgain has a replica's edit settle a conflict, and conflict again: only what another
// decided is dropped.
func testConflictAgain(t *testing.T, f *fixture) {
	c := newClash(t, f, "a")
	c.first.pushed(t, tree{"a": c.base})
	answer := c.other.push(t, tree{"a": c.ours})
	equal(t, "conflicts with a head that is the base", len(answer.Conflicts), 0)
	equal(t, "open ones", len(f.listed(t, c.other.id, false)), 0)
	c.first.seen, c.first.base = answer.Head, tree{"a": c.ours}
	c.first.pushed(t, tree{"a": c.theirs})
	answer = c.other.push(t, tree{"a": c.ours})
	if len(answer.Conflicts) != 1 || answer.Conflicts[0].ID != api.NextConflictID(c.conflicts[0].ID) {
		t.Fatalf("%+v", answer)
	}
	equal(t, "open ones again", f.listed(t, c.other.id, false), answer.Conflicts)
}

// testOtherBase has a replica lose its base, and so another conflict take the place of the first.
func testOtherBase(t *testing.T, f *fixture) {
	c := newClash(t, f, "a")
	c.other.seen, c.other.base = f.volume.Head, tree{}
	now := c.other.push(t, tree{"a": c.ours}).Conflicts[0]
	if now.ID != api.ConflictID(f.volume.ID, c.other.id, "a", cas.ID{}) || now.Base != nil || !now.BaseKnown() {
		t.Errorf("%+v", now)
	}
	equal(t, "open ones", f.listed(t, api.ReplicaID{}, false), []api.Conflict{now})
	equal(t, "all", f.listed(t, api.ReplicaID{}, true), []api.Conflict{settledAs(c.conflicts[0], "edit", 1), now})
	_, err := f.Commit(f.ctx, c.settles(t, now, "theirs"))
	must(t, err)
}

// testSettledIsNotHeard has a replica send its version of a conflict that was settled meanwhile, and then a newer one.
func testSettledIsNotHeard(t *testing.T, f *fixture) {
	c := newClash(t, f, "a")
	settled, err := f.Commit(f.ctx, c.settles(t, c.conflicts[0], "theirs"))
	must(t, err)
	answer := c.other.push(t, tree{"a": c.ours})
	if !answer.Merged || answer.Conflicts != nil || answer.Kept != nil || answer.Head != settled.Head {
		t.Errorf("the settled version again: %+v", answer)
	}
	first := settledAs(c.conflicts[0], "theirs", 1)
	equal(t, "all", f.listed(t, api.ReplicaID{}, true), []api.Conflict{first})
	newer := link("newer")
	answer = c.other.push(t, tree{"a": newer})
	equal(t, "conflicts of the newer version", len(answer.Conflicts), 1)
	now := answer.Conflicts[0]
	if now.ID != api.ConflictID(f.volume.ID, c.other.id, "a", c.ours.Hash()) || !manifest.Equal(now.Base, c.ours) ||
		!manifest.Equal(now.Ours, newer) || !manifest.Equal(now.Theirs, c.theirs) || !now.Open {
		t.Errorf("%+v", now)
	}
	equal(t, "all after the newer version", f.listed(t, api.ReplicaID{}, true), []api.Conflict{first, now})
	_, err = f.Commit(f.ctx, c.settles(t, now, "ours", api.Edit{Path: "a", Base: c.theirs.Hash(), New: newer}))
	must(t, err)
	equal(t, "tree", f.tree(t), tree{"a": newer})
}

// testSettledIsHeard has a replica that has heard of a settlement come to the same conflict once more: it is one of
// its own, and is settled by itself.
func testSettledIsHeard(t *testing.T, f *fixture) {
	c := newClash(t, f, "a")
	_, err := f.Commit(f.ctx, c.settles(t, c.conflicts[0], "theirs"))
	must(t, err)
	c.other.heard = c.other.start(t, random()).Settled
	first := settledAs(c.conflicts[0], "theirs", 1)
	answer := c.other.push(t, tree{"a": c.ours})
	if len(answer.Conflicts) != 1 {
		t.Fatalf("%+v", answer)
	}
	again := answer.Conflicts[0]
	if again.ID != api.NextConflictID(first.ID) || again.From != c.base.Hash() || !again.BaseKnown() || !manifest.Equal(again.Ours, c.ours) {
		t.Errorf("%+v", again)
	}
	equal(t, "open ones", f.listed(t, c.other.id, false), answer.Conflicts)
	_, err = f.Commit(f.ctx, c.settles(t, again, "theirs"))
	must(t, err)
	second := settledAs(again, "theirs", 2)
	equal(t, "all", f.listed(t, api.ReplicaID{}, true), []api.Conflict{first, second})
	var after []api.Conflict
	for c, err := range f.Conflicts(f.ctx, api.ConflictsRequest{Volume: f.volume.ID, Replica: c.other.id, All: true, After: 1}) {
		must(t, err)
		after = append(after, c)
	}
	equal(t, "after the first", after, []api.Conflict{second})
	answer = c.other.push(t, tree{"a": c.ours})
	equal(t, "conflicts of what is settled again", len(answer.Conflicts), 0)
	equal(t, "tree", f.tree(t), tree{"a": c.theirs})
}

// testBaseStands has a conflict settled with its base while its replica, which has not heard of that, sends its version
// once more, and then a newer one.
func testBaseStands(t *testing.T, f *fixture) {
	c := newClash(t, f, "a")
	settled, err := f.Commit(f.ctx, c.settles(t, c.conflicts[0], "base", api.Edit{Path: "a", Base: c.theirs.Hash(), New: c.base}))
	must(t, err)
	answer := c.other.push(t, tree{"a": c.ours})
	if !answer.Merged || answer.Conflicts != nil || answer.Kept != nil || answer.Head != settled.Head {
		t.Errorf("the settled version again: %+v", answer)
	}
	equal(t, "tree", f.tree(t), tree{"a": c.base})
	newer := link("newer")
	answer = c.other.push(t, tree{"a": newer})
	if len(answer.Conflicts) != 1 || answer.Conflicts[0].From != c.ours.Hash() || !manifest.Equal(answer.Conflicts[0].Theirs, c.base) {
		t.Errorf("a newer version: %+v", answer)
	}
	equal(t, "tree after the newer version", f.tree(t), tree{"a": c.base})
}
