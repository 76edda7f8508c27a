package hub

import (
	"fmt"
	"reflect"
	"slices"
	"testing"

	"dfs/cas"
	"dfs/manifest"
	"dfs/server/api"
)

func TestDisjointPushesLandInOneStepEach(t *testing.T) {
	t.Parallel()
	h := openTest(t, t.TempDir(), nil, Options{})
	v := newTestVolume(t, h)
	a, b := newClient(h, v), newClient(h, v)
	a.mustPull(t)
	b.mustPull(t)
	one, oneBlob := file("one")
	two, twoBlob := file("two")
	first := a.must(t, edits{"one": one}, oneBlob)
	if first.Merged || first.Head.Seq != 2 {
		t.Fatalf("first push: %+v", first)
	}
	second, err := b.commit(t.Context(), edits{"two": two}, twoBlob)
	if err != nil {
		t.Fatal(err)
	}
	if !second.Merged || second.Head.Seq != 3 || len(second.Conflicts) != 0 || len(second.Kept) != 0 {
		t.Fatalf("second push: %+v", second)
	}
	b.mustPull(t)
	if !manifest.Equal(b.base["one"], one) || !manifest.Equal(b.base["two"], two) {
		t.Fatalf("tree %v", b.base)
	}
	s, err := h.Snapshot(t.Context(), v, second.Head.Snapshot)
	if err != nil {
		t.Fatal(err)
	}
	want := []cas.ID{first.Head.Snapshot}
	if !slices.Equal(s.Record.Parents, want) || s.Record.Replica != b.replica || s.Record.Client != "host" {
		t.Fatalf("snapshot %+v", s.Record)
	}
	mustCheck(t, h, v)
}

// A treeCase is a row of the tree rule: two replicas start from base, theirs
// is pushed first, then ours.
type treeCase struct {
	name               string
	base, theirs, ours edits
	want               edits // the head afterwards
	conflicts, kept    []string
}

// treeCases are the rows of the tree rule.
func treeCases() []treeCase {
	return slices.Concat(restoreCases(), keepCases(), conflictCases())
}

func restoreCases() []treeCase {
	d, x, y := dir(0o700, 1), link("x"), link("y")
	child := empty(7)
	return []treeCase{
		{name: "create below a directory deleted there restores it",
			base: edits{"d": d}, theirs: edits{"d": nil}, ours: edits{"d/f": x},
			want: edits{"d": d, "d/f": x}},
		{name: "and all of its ancestors",
			base: edits{"d": d, "d/e": dir(0o711, 2), "d/e/f": x}, theirs: edits{"d": nil, "d/e": nil, "d/e/f": nil}, ours: edits{"d/e/g": y},
			want: edits{"d": d, "d/e": dir(0o711, 2), "d/e/g": y}},
		{name: "a directory that the replica never saw is made as by mkdir",
			base: edits{}, theirs: edits{}, ours: edits{"d/f": child},
			want: edits{"d": dir(0o755, 7), "d/f": child}},
		{name: "restored once for two",
			base: edits{"d": d, "d/b": x}, theirs: edits{"d": nil, "d/b": nil}, ours: edits{"d/a": x, "d/b": nil, "d/c": y},
			want: edits{"d": d, "d/a": x, "d/c": y}},
		{name: "edit below a deleted directory restores both",
			base: edits{"d": d, "d/f": x}, theirs: edits{"d": nil, "d/f": nil}, ours: edits{"d/f": y},
			want: edits{"d": d, "d/f": y}},
	}
}

func keepCases() []treeCase {
	d, d2, x, y := dir(0o700, 1), dir(0o700, 9), link("x"), link("y")
	return []treeCase{
		{name: "delete of a directory with something new keeps it",
			base: edits{"d": d, "d/f": x}, theirs: edits{"d/g": y}, ours: edits{"d": nil, "d/f": nil},
			want: edits{"d": d, "d/g": y}, kept: []string{"d"}},
		{name: "whose mtime moved too",
			base: edits{"d": d, "d/f": x}, theirs: edits{"d": d2, "d/g": y}, ours: edits{"d": nil, "d/f": nil},
			want: edits{"d": d2, "d/g": y}, kept: []string{"d"}},
		{name: "something new before, between and deep",
			base:   edits{"d": d, "d/b": d, "d/b/c": x, "d/e": x},
			theirs: edits{"d/b/a": y}, ours: edits{"d": nil, "d/b": nil, "d/b/c": nil, "d/e": nil},
			want: edits{"d": d, "d/b": d, "d/b/a": y}, kept: []string{"d", "d/b"}},
		{name: "a sibling directory without survivors goes",
			base: edits{"a": d, "a/x": x, "b": d, "b/x": x}, theirs: edits{"b/y": y},
			ours: edits{"a": nil, "a/x": nil, "b": nil, "b/x": nil},
			want: edits{"b": d, "b/y": y}, kept: []string{"b"}},
		{name: "delete of a directory whose mtime alone moved",
			base: edits{"d": d, "d/f": x}, theirs: edits{"d": d2}, ours: edits{"d": nil, "d/f": nil},
			want: edits{}},
		{name: "delete of a directory whose mode changed",
			base: edits{"d": d}, theirs: edits{"d": dir(0o750, 1)}, ours: edits{"d": nil},
			want: edits{"d": dir(0o750, 1)}, kept: []string{"d"}},
		{name: "delete meets edit",
			base: edits{"f": x}, theirs: edits{"f": y}, ours: edits{"f": nil},
			want: edits{"f": y}, kept: []string{"f"}},
		{name: "delete meets edit below a deleted directory",
			base: edits{"d": d, "d/f": x}, theirs: edits{"d/f": y}, ours: edits{"d": nil, "d/f": nil},
			want: edits{"d": d, "d/f": y}, kept: []string{"d", "d/f"}},
		{name: "edit meets delete",
			base: edits{"f": x}, theirs: edits{"f": nil}, ours: edits{"f": y},
			want: edits{"f": y}},
		{name: "delete meets delete",
			base: edits{"f": x}, theirs: edits{"f": nil}, ours: edits{"f": nil}, want: edits{}},
	}
}

func conflictCases() []treeCase {
	d, d2, x, y := dir(0o700, 1), dir(0o700, 9), link("x"), link("y")
	return []treeCase{
		{name: "both edit",
			base: edits{"f": x}, theirs: edits{"f": y}, ours: edits{"f": link("z")},
			want: edits{"f": y}, conflicts: []string{"f"}},
		{name: "both edit alike",
			base: edits{"f": x}, theirs: edits{"f": y}, ours: edits{"f": y}, want: edits{"f": y}},
		{name: "create below what is a file there",
			base: edits{"d": d}, theirs: edits{"d": x}, ours: edits{"d/f": y},
			want: edits{"d": x}, conflicts: []string{"d/f"}},
		{name: "and deep below",
			base: edits{"d": d}, theirs: edits{"d": x}, ours: edits{"d/e": d, "d/e/f": y},
			want: edits{"d": x}, conflicts: []string{"d/e", "d/e/f"}},
		{name: "edit below what is a file there",
			base: edits{"d": d, "d/f": x}, theirs: edits{"d": x, "d/f": nil}, ours: edits{"d/f": y},
			want: edits{"d": x}, conflicts: []string{"d/f"}},
		{name: "both create, a file there and a directory here",
			base: edits{}, theirs: edits{"d": x}, ours: edits{"d": d, "d/f": y},
			want: edits{"d": x}, conflicts: []string{"d", "d/f"}},
		{name: "directory to file with something new below",
			base: edits{"d": d, "d/f": x}, theirs: edits{"d/g": y}, ours: edits{"d": x, "d/f": nil},
			want: edits{"d": d, "d/g": y}, conflicts: []string{"d"}},
		{name: "directory to file in a deleted directory with something new below",
			base: edits{"c": d, "c/d": d}, theirs: edits{"c/d/g": y}, ours: edits{"c/d": x},
			want: edits{"c": d, "c/d": d, "c/d/g": y}, conflicts: []string{"c/d"}},
		{name: "directory to file",
			base: edits{"d": d, "d/f": x}, theirs: edits{"e": y}, ours: edits{"d": x, "d/f": nil},
			want: edits{"d": x, "e": y}},
		{name: "file to directory",
			base: edits{"d": x}, theirs: edits{"e": y}, ours: edits{"d": d, "d/f": x},
			want: edits{"d": d, "d/f": x, "e": y}},
		{name: "names that sort around a slash",
			base: edits{"d": d, "d/f": x, "d!": x, "d\x01": x}, theirs: edits{"d/g": y}, ours: edits{"d": nil, "d/f": nil, "d!": nil, "d\x01": nil},
			want: edits{"d": d, "d/g": y}, kept: []string{"d"}},
		{name: "the later mtime of a directory",
			base: edits{"d": d}, theirs: edits{"d": dir(0o700, 5)}, ours: edits{"d": d2},
			want: edits{"d": d2}},
		{name: "mtime here and mode there",
			base: edits{"d": d}, theirs: edits{"d": dir(0o711, 1)}, ours: edits{"d": d2},
			want: edits{"d": dir(0o711, 9)}},
	}
}

func TestTreeRule(t *testing.T) {
	t.Parallel()
	for _, c := range treeCases() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := openTest(t, t.TempDir(), nil, Options{})
			v := newTestVolume(t, h)
			a, b := newClient(h, v), newClient(h, v)
			a.mustPull(t)
			a.must(t, c.base)
			b.mustPull(t)
			a.must(t, c.theirs)
			answer, err := b.commit(t.Context(), c.ours)
			if err != nil {
				t.Fatal(err)
			}
			mustCheck(t, h, v)
			b.mustPull(t)
			if got, want := describe(b.base), describe(c.want); got != want {
				t.Errorf("head\n%s\nnot\n%s", got, want)
			}
			var conflicts []string
			for _, conflict := range answer.Conflicts {
				conflicts = append(conflicts, conflict.Path)
				checkConflict(t, h, v, b, c, conflict)
			}
			if !slices.Equal(conflicts, c.conflicts) || !slices.Equal(answer.Kept, c.kept) {
				t.Errorf("conflicts %q and kept %q, not %q and %q", conflicts, answer.Kept, c.conflicts, c.kept)
			}
		})
	}
}

// checkConflict compares a conflict with its row and with what the hub has recorded.
func checkConflict(t *testing.T, h *Hub, v cas.VolumeID, b *client, c treeCase, got api.Conflict) {
	t.Helper()
	theirs, changed := c.theirs[got.Path]
	if !changed {
		theirs = c.base[got.Path]
	}
	if !manifest.Equal(got.Base, c.base[got.Path]) || !manifest.Equal(got.Ours, c.ours[got.Path]) ||
		!manifest.Equal(got.Theirs, theirs) || !got.Open || got.Replica != b.replica {
		t.Errorf("conflict %+v", got)
	}
	stored, err := h.loadConflict(v, conflictName{got.Path, b.replica, api.ConflictID(v, b.replica, got.Path, c.base[got.Path].Hash())})
	if err != nil || stored == nil || !reflect.DeepEqual(*stored, got) {
		t.Errorf("recorded conflict %+v, not %+v: %v", stored, got, err)
	}
}

func describe(tree map[string]*manifest.Manifest) string {
	var lines []string
	for p, m := range tree {
		lines = append(lines, fmt.Sprintf("%q %v %o %d %s %v", p, m.Kind, m.Mode, m.Mtime.Sec, m.Target, m.Runs))
	}
	slices.Sort(lines)
	return fmt.Sprint(lines)
}

func TestConflictIsCountedAndSettled(t *testing.T) {
	t.Parallel()
	store := t.TempDir()
	mem := &cas.Mem{}
	h := openTest(t, store, mem, Options{})
	v := newTestVolume(t, h)
	a, b := newClient(h, v), newClient(h, v)
	a.must(t, edits{"f": link("x"), "g": link("x")})
	b.mustPull(t)
	a.must(t, edits{"f": link("theirs"), "g": link("theirs")})
	for range 2 { // the second answer replaces the first's conflicts
		answer, err := b.commit(t.Context(), edits{"f": link("ours"), "g": link("ours")})
		if err != nil || len(answer.Conflicts) != 2 || !answer.Merged {
			t.Fatalf("%+v: %v", answer, err)
		}
		wantConflicts(t, h, v, 2)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	h = openTest(t, store, mem, Options{})
	wantConflicts(t, h, v, 2)
	a.hub, b.hub = h, h
	a.must(t, edits{"f": link("unrelated")}) // another replica's edit does not settle it
	wantConflicts(t, h, v, 2)
	b.mustPull(t)
	b.must(t, edits{"f": link("solved")})
	wantConflicts(t, h, v, 1)
	answer := b.must(t, edits{"g": link("theirs")}) // the replica has what the head has
	if answer.Head.Seq != b.seen.Seq {
		t.Fatalf("a commit without changes made snapshot %d", answer.Head.Seq)
	}
	wantConflicts(t, h, v, 0)
}

func wantConflicts(t *testing.T, h *Hub, v cas.VolumeID, want int) {
	t.Helper()
	s, err := h.Status(t.Context(), v)
	if err != nil || s.Conflicts != want {
		t.Fatalf("%d open conflicts, not %d: %v", s.Conflicts, want, err)
	}
}

func TestSameKeySameAnswer(t *testing.T) {
	t.Parallel()
	store := t.TempDir()
	mem := &cas.Mem{}
	h := openTest(t, store, mem, Options{})
	v := newTestVolume(t, h)
	c := newClient(h, v)
	c.mustPull(t)
	s, err := c.start(t.Context(), randomID())
	if err != nil {
		t.Fatal(err)
	}
	req := api.CommitRequest{Session: s.Session, Key: randomID(), Edits: c.build(edits{"f": link("x")}), Seen: c.seen.Snapshot}
	first, err := h.Commit(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	again := func() {
		t.Helper()
		answer, err := h.Commit(t.Context(), req)
		if err != nil || answer.Head != first.Head {
			t.Fatalf("%+v, not %+v: %v", answer, first, err)
		}
	}
	again()
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	h = openTest(t, store, mem, Options{})
	c.hub = h
	again()
	c.must(t, edits{"g": link("y")})
	again()
	other, err := c.start(t.Context(), randomID())
	if err != nil {
		t.Fatal(err)
	}
	req.Session = other.Session
	_, err = h.Commit(t.Context(), req)
	wantError(t, err, api.ErrInvalid)
	for range maxAnswers {
		c.must(t, edits{"g": link(randomID().String())})
	}
	req.Session = s.Session
	_, err = h.Commit(t.Context(), req)
	wantError(t, err, api.ErrNoSession)
}

// TestLargeAnswer has an answer of several slices and more writes than a transaction takes.
func TestLargeAnswer(t *testing.T) {
	t.Parallel()
	h := openTest(t, t.TempDir(), nil, Options{})
	v := newTestVolume(t, h)
	a, b := newClient(h, v), newClient(h, v)
	theirs, ours := make(edits), make(edits)
	for i := range 12000 {
		p := fmt.Sprintf("f%05d", i)
		theirs[p], ours[p] = link("theirs"), link("ours")
	}
	a.must(t, theirs)
	s, err := b.start(t.Context(), randomID())
	if err != nil {
		t.Fatal(err)
	}
	req := api.CommitRequest{Session: s.Session, Key: randomID(), Edits: b.build(ours)}
	for range 2 {
		answer, err := h.Commit(t.Context(), req)
		if err != nil || len(answer.Conflicts) != len(ours) {
			t.Fatalf("%d conflicts: %v", len(answer.Conflicts), err)
		}
	}
	wantConflicts(t, h, v, len(ours))
	b.mustPull(t)
	b.must(t, ours)
	wantConflicts(t, h, v, 0)
}

func TestMissingBlobsAreRefused(t *testing.T) {
	t.Parallel()
	h := openTest(t, t.TempDir(), nil, Options{})
	v := newTestVolume(t, h)
	c := newClient(h, v)
	c.mustPull(t)
	m, blob := file("content")
	s, err := c.start(t.Context(), randomID())
	if err != nil {
		t.Fatal(err)
	}
	req := api.CommitRequest{Session: s.Session, Key: randomID(), Edits: c.build(edits{"f": m}), Seen: c.seen.Snapshot}
	_, err = h.Commit(t.Context(), req)
	wantError(t, err, api.ErrIncomplete)
	if e := api.AsError(err); !slices.Equal(e.Missing, []cas.Ref{blob.Ref()}) {
		t.Fatalf("missing %v", e.Missing)
	}
	if vs, _ := h.Volumes(t.Context(), ""); vs[0].Head.Seq != 1 {
		t.Fatalf("head %+v", vs[0].Head)
	}
	// The session stays.
	if err := h.Upload(t.Context(), s.Session, []cas.Blob{blob}); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Commit(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	mustCheck(t, h, v)
}

// TestMissingBlobsOfParts: what a part lacked when it was staged must have come by the
// commit, also after the hub was restarted and remembers nothing of it.
func TestMissingBlobsOfParts(t *testing.T) {
	t.Parallel()
	for _, restart := range []bool{false, true} {
		dir, mem := t.TempDir(), &cas.Mem{}
		h := openTest(t, dir, mem, Options{})
		v := newTestVolume(t, h)
		c := newClient(h, v)
		had, hadBlob := file("had")
		lacked, lackedBlob := file("lacked")
		c.must(t, edits{"a": had}, hadBlob)
		s, err := c.start(t.Context(), randomID())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := h.Diff(t.Context(), api.DiffRequest{Session: s.Session, Edits: c.build(edits{"b": had, "c": lacked})}); err != nil {
			t.Fatal(err)
		}
		if restart {
			if err := h.Close(); err != nil {
				t.Fatal(err)
			}
			h = openTest(t, dir, mem, Options{})
		}
		req := api.CommitRequest{Session: s.Session, Key: randomID(), Parts: 1}
		_, err = h.Commit(t.Context(), req)
		wantError(t, err, api.ErrIncomplete)
		if e := api.AsError(err); !slices.Equal(e.Missing, []cas.Ref{lackedBlob.Ref()}) {
			t.Fatalf("missing %v", e.Missing)
		}
		if err := h.Upload(t.Context(), s.Session, []cas.Blob{lackedBlob}); err != nil {
			t.Fatal(err)
		}
		if _, err := h.Commit(t.Context(), req); err != nil {
			t.Fatal(err)
		}
		mustCheck(t, h, v)
	}
}

func TestUnexpectedRootIsRefused(t *testing.T) {
	t.Parallel()
	h := openTest(t, t.TempDir(), nil, Options{})
	v := newTestVolume(t, h)
	c := newClient(h, v)
	c.mustPull(t)
	s, err := c.start(t.Context(), randomID())
	if err != nil {
		t.Fatal(err)
	}
	req := api.CommitRequest{Session: s.Session, Key: randomID(), Edits: c.build(edits{"f": link("x")}),
		Seen: c.seen.Snapshot, Expect: cas.Sum([]byte("another root"))}
	_, err = h.Commit(t.Context(), req)
	wantError(t, err, api.ErrRoot)
	if vs, _ := h.Volumes(t.Context(), ""); vs[0].Head != c.seen {
		t.Fatalf("head %+v, not %+v", vs[0].Head, c.seen)
	}
	// When the head has moved on, the expectation is of no account.
	newClient(h, v).must(t, edits{"g": link("y")})
	if _, err := h.Commit(t.Context(), req); err != nil {
		t.Fatal(err)
	}
}

func TestBadCommitsAreRefused(t *testing.T) {
	t.Parallel()
	h := openTest(t, t.TempDir(), nil, Options{})
	v := newTestVolume(t, h)
	c := newClient(h, v)
	x := link("x")
	bad := *x
	bad.Target = ""
	s, err := c.start(t.Context(), randomID())
	if err != nil {
		t.Fatal(err)
	}
	for name, req := range map[string]api.CommitRequest{
		"unsorted":      {Edits: []api.Edit{{Path: "b", New: x}, {Path: "a", New: x}}},
		"twice":         {Edits: []api.Edit{{Path: "a", New: x}, {Path: "a", New: x}}},
		"byte order":    {Edits: []api.Edit{{Path: "a", New: x}, {Path: "a!", New: x}, {Path: "a/b", New: x}}},
		"reserved name": {Edits: []api.Edit{{Path: ".DFS/x", New: x}}},
		"escape":        {Edits: []api.Edit{{Path: "../x", New: x}}},
		"invalid":       {Edits: []api.Edit{{Path: "a", New: &bad}}},
		"no key":        {},
		"parts":         {Parts: 1},
	} {
		req.Session = s.Session
		if name != "no key" {
			req.Key = randomID()
		}
		if _, err := h.Commit(t.Context(), req); !isError(err, api.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	node := cas.Seal(cas.Node, []byte{1, 0})
	_, err = h.Commit(t.Context(), api.CommitRequest{Session: s.Session, Key: randomID(), Blobs: []cas.Blob{node}})
	wantError(t, err, api.ErrInvalid)
	_, err = h.Commit(t.Context(), api.CommitRequest{Session: s.Session, Key: randomID(), Message: string(make([]byte, 5000))})
	wantError(t, err, api.ErrTooLarge)
}

func isError(err error, kind *api.Error) bool {
	e := api.AsError(err)
	return e != nil && e.Code == kind.Code
}

func TestUnsortedPartsAreRefused(t *testing.T) {
	t.Parallel()
	h := openTest(t, t.TempDir(), nil, Options{})
	v := newTestVolume(t, h)
	c := newClient(h, v)
	s, err := c.start(t.Context(), randomID())
	if err != nil {
		t.Fatal(err)
	}
	stage := func(part int, paths ...string) {
		t.Helper()
		want := make(edits)
		for _, p := range paths {
			want[p] = link("x")
		}
		if _, err := h.Diff(t.Context(), api.DiffRequest{Session: s.Session, Part: part, Edits: c.build(want)}); err != nil {
			t.Fatal(err)
		}
	}
	commit := func(edits []api.Edit) error {
		_, err := h.Commit(t.Context(), api.CommitRequest{Session: s.Session, Key: randomID(), Parts: 2, Edits: edits})
		return err
	}
	stage(0, "b", "c")
	stage(1, "a")
	wantError(t, commit(nil), api.ErrInvalid)
	stage(1, "c", "d")
	wantError(t, commit(nil), api.ErrInvalid)
	stage(1, "d", "e")
	wantError(t, commit(c.build(edits{"e": link("x")})), api.ErrInvalid)
	if err := commit(c.build(edits{"f": link("x")})); err != nil {
		t.Fatal(err)
	}
	c.mustPull(t)
	if len(c.base) != 5 {
		t.Fatalf("tree %v", c.base)
	}
}
