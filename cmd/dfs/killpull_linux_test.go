package main

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	asDir  = fs.ModeDir
	asLink = fs.ModeSymlink
)

// treeBefore and treeAfter are what a pull finds and brings: everything is created,
// replaced, deleted and changed into everything.
var (
	treeBefore = []node{
		{"attr", 0o644, "only attributes", 1},
		{"attrs", asDir | 0o755, "", 1},
		{"dir-file", asDir | 0o755, "", 1},
		{"dir-file/in", 0o644, "goes", 1},
		{"dir-link", asDir | 0o755, "", 1},
		{"dir-link/in", 0o644, "goes", 1},
		{"empty", 0o644, "not yet", 1},
		{"file-dir", 0o644, "goes", 1},
		{"file-link", 0o644, "goes", 1},
		{"gone", 0o644, "goes", 1},
		{"gone-dir", asDir | 0o755, "", 1},
		{"gone-dir/in", 0o644, "goes", 1},
		{"gone-dir/ro", asDir | 0o555, "", 1},
		{"gone-dir/ro/in", 0o444, "goes", 1},
		{"kept", 0o644, "edited here, deleted there", 1},
		{"link", asLink | 0o777, "old", 1},
		{"link-dir", asLink | 0o777, "file-dir", 1},
		{"link-file", asLink | 0o777, "file-dir", 1},
		{"mine", 0o644, "edited on both sides", 1},
		{"ro", asDir | 0o555, "", 1},
		{"ro/attr", 0o444, "only attributes", 1},
		{"ro/file", 0o444, "old", 1},
		{"ro/gone", 0o444, "goes", 1},
		{"ro/same", 0o444, "stays", 1},
		{"same", 0o600, "stays", 1},
		{"swap", 0o644, "old", 1},
		{"solo", 0o644, "edited here alone", 1},
		{"stay-dir", asDir | 0o755, "", 1},
		{"stay-dir/in", 0o644, "goes, but not the directory", 1},
		{"wall", asDir | 0o755, "", 1},
		{"wall/in", 0o644, "goes, but not the directory", 1},
	}
	treeAfter = []node{
		{"attr", 0o600, "only attributes", 2},
		{"attrs", asDir | 0o700, "", 2},
		{"dir-file", 0o644, "came", 2},
		{"dir-link", asLink | 0o777, "same", 2},
		{"empty", 0o644, "", 2},
		{"file-dir", asDir | 0o750, "", 2},
		{"file-dir/in", 0o644, "came", 2},
		{"file-link", asLink | 0o777, "same", 2},
		{"link", asLink | 0o777, "new", 2},
		{"link-dir", asDir | 0o755, "", 2},
		{"link-dir/in", 0o644, "came", 2},
		{"link-file", 0o644, "came", 2},
		{"mine", 0o644, "edited there too", 2},
		{"new", 0o640, noisy(150 << 10), 2},
		{"new-dir", asDir | 0o555, "", 2},
		{"new-dir/below", asDir | 0o755, "", 2},
		{"new-dir/below/in", 0o444, "came", 2},
		{"new-link", asLink | 0o777, "same", 2},
		{"ro", asDir | 0o555, "", 2},
		{"ro/attr", 0o644, "only attributes", 2},
		{"ro/file", 0o444, "new", 2},
		{"ro/new", 0o444, "came", 2},
		{"ro/same", 0o444, "stays", 1},
		{"same", 0o600, "stays", 1},
		{"solo", 0o644, "edited here alone", 1},
		{"sparse", 0o644, "island" + strings.Repeat("\x00", 6*48<<10-6), 2}, // ends with a hole
		{"swap", 0o644, noisy(150<<10) + "!", 2},
		{"wall", 0o644, "came", 2},
	}
	// neverPushed is what was done here since.
	neverPushed = []node{
		{"fresh", 0o644, "made here", 3},
		{"kept", 0o644, "edited here, deleted there, and kept", 3},
		{"mine", 0o644, "edited here too", 3},
		{"solo", 0o600, "edited here alone, indeed", 3},
		{"stay-dir/fresh", 0o644, "made here", 3},
		{"wall/fresh", 0o644, "made here", 3},
	}
)

// noisy returns bytes that are cut at places which the content decides.
func noisy(n int) string {
	b := make([]byte, n)
	x := uint32(1)
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = byte(x >> 24)
	}
	return string(b)
}

// scene is a volume that goes from one tree to another, while a replica of the first
// has edits of its own.
type scene struct {
	*site
	src           string
	place         string // where the replicas are
	before, after []node
	never         []node
	old, new      map[string]string // the replica before a pull and after it
	state         []string          // the names in its .dfs then
	edits         []string          // what a push has to send then
	first         ended             // of the pull
	ready         []string          // replicas that wait for their turn
	copies        int               // replicas made
}

// newScene lets a pull run undisturbed, which is how each other has to end.
func newScene(s *site, before, after, never []node) *scene {
	s.t.Helper()
	return newSceneAt(s, s.dir, before, after, never)
}

func newSceneAt(s *site, place string, before, after, never []node) *scene {
	s.t.Helper()
	c := &scene{site: s, src: filepath.Join(s.dir, "src"), place: place, before: before, after: after, never: never}
	plant(s.t, c.src, before)
	s.must(0, s.dfs("push", c.src))
	r := c.replica()
	c.old = look(s.t, r)
	c.first = s.dfs("pull", r)
	c.new = look(s.t, r)
	c.state = stateNames(s.t, r)
	c.edits = c.unsent(r)
	return c
}

// replica returns a new replica of the tree before, with edits of its own, whose
// next pull brings the tree after. They are made some at a time.
func (c *scene) replica() string {
	c.t.Helper()
	if len(c.ready) == 0 {
		plant(c.t, c.src, c.before)
		c.must(0, c.dfs("push", c.src))
		for range 8 {
			c.copies++
			r := filepath.Join(c.place, fmt.Sprint("replica", c.copies))
			c.must(0, c.dfs("pull", r, "--volume", "src"))
			edit(c.t, r, c.never)
			c.ready = append(c.ready, r)
		}
		plant(c.t, c.src, c.after)
		c.must(0, c.dfs("push", c.src))
	}
	r := c.ready[0]
	c.ready = c.ready[1:]
	return r
}

// remove makes room.
func (c *scene) remove(r string) {
	openUp(r)
	if err := os.RemoveAll(r); err != nil {
		c.t.Error(err)
	}
}

// stateNames lists what is in a replica's .dfs.
func stateNames(t *testing.T, r string) (names []string) {
	t.Helper()
	state, err := describe(filepath.Join(r, ".dfs"))
	if err != nil {
		t.Fatal(err)
	}
	return slices.Sorted(maps.Keys(state))
}

// unsent returns what a push would send.
func (c *scene) unsent(r string) []string {
	c.t.Helper()
	return c.must(0, c.dfs("push", r, "--dry-run")).of("change")
}

// settled pulls again, now that nothing is in the way, and requires what an
// undisturbed pull would have come to.
func (c *scene) settled(when, r string) {
	c.t.Helper()
	c.must(c.first.code, c.dfs("pull", r))
	compareStates(c.t, when+", after a further pull", look(c.t, r), c.new)
	if got := stateNames(c.t, r); !slices.Equal(got, c.state) {
		c.t.Errorf("%s: .dfs holds %q, want %q", when, got, c.state)
	}
	if got := c.unsent(r); !slices.Equal(got, c.edits) {
		c.t.Errorf("%s: a push would send %q, want %q", when, got, c.edits)
	}
}

// inDirectories are options of strace: only calls that name an entry of one of
// the tree's directories.
func (c *scene) inDirectories(r string) (options []string) {
	options = append(options, "-P", r)
	for path := range union(c.old, c.new) {
		if strings.HasPrefix(c.old[path], "d") || strings.HasPrefix(c.new[path], "d") {
			options = append(options, "-P", r+path)
		}
	}
	return options
}

// killed kills a pull at the nth call of a kind, and looks at what is there then and
// after a further pull. It reports whether there was such a call.
func (c *scene) killed(call string, directories bool, n int) bool {
	c.t.Helper()
	r := c.replica()
	defer c.remove(r)
	options := []string{"-e", "trace=" + call, "-e", fmt.Sprintf("inject=%s:signal=SIGKILL:when=%d", call, n)}
	if directories {
		options = append(options, c.inDirectories(r)...)
	}
	o := c.traced(options, "pull", r)
	if o.code >= 0 {
		c.must(c.first.code, o)
		return false
	}
	when := fmt.Sprintf("killed at %s %d", call, n)
	c.t.Logf("%s: %s", when, o.at())
	checkWhole(c.t, when, look(c.t, r), c.old, c.new)
	c.settled(when, r)
	return true
}

// checkUndisturbed requires of the undisturbed pull what the trees ask for.
func (c *scene) checkUndisturbed() {
	c.t.Helper()
	want := look(c.t, c.src)
	for _, n := range c.never {
		want["/"+n.path] = c.old["/"+n.path]
	}
	want["/stay-dir"], want["/wall"] = c.old["/stay-dir"], c.old["/wall"]
	compareStates(c.t, "undisturbed", c.new, want)
	edits := []string{"addedfresh", "addedkept", "modifiedmine", "modifiedsolo", "addedstay-dir/fresh", "addedwall/fresh"}
	got := slices.DeleteFunc(slices.Clone(c.edits), func(edit string) bool { return edit == "addedstay-dir" }) // it goes with what is in it
	if !slices.Equal(got, edits) {
		c.t.Errorf("undisturbed: a push would send %q, want %q", got, edits)
	}
	for kind, want := range map[string][]string{"conflict": {"mine", "wall"}, "kept": {"kept", "stay-dir"}, "problem": nil} {
		if got := c.first.of(kind); !slices.Equal(got, want) {
			c.t.Errorf("undisturbed: %s of %q, want %q", kind, got, want)
		}
	}
}

// TestKilledPull kills a pull at each call by which it changes something. Then each
// path has its state of before or of after, what was edited here is there, and a
// further pull makes everything as if nothing had been.
func TestKilledPull(t *testing.T) {
	s := newSite(t)
	s.without = rootsPowers
	c := newScene(s, treeBefore, treeAfter, neverPushed)
	c.checkUndisturbed()
	kills := 0
	for _, k := range []struct {
		call        string
		directories bool
	}{
		{"openat", true}, {"pwrite64", false}, {"ftruncate", false}, {"fchmod", false}, {"utimensat", false}, {"fsync", false},
		{"renameat2", true}, {"unlinkat", true}, {"mkdirat", true}, {"symlinkat", true}, {"renameat", false}, {"write", false},
	} {
		n := s.each(3, func(n int) bool { return c.killed(k.call, k.directories, n) })
		if n == 0 {
			t.Errorf("no pull was killed at %s", k.call)
		}
		kills += n
	}
	t.Logf("%d kills", kills)
}

// TestKilledPullOfMany does so where the whole file system is synced, and of
// a file that is written back early.
func TestKilledPullOfMany(t *testing.T) {
	s := newSite(t)
	many := []node{{"big", 0o644, noisy(9 << 20), 2}}
	for i := range 70 {
		many = append(many, node{fmt.Sprint("file", i), 0o644, fmt.Sprint("content ", i), 2})
	}
	c := newScene(s, []node{{"file3", 0o644, "old", 1}}, many, []node{{"fresh", 0o644, "made here", 3}})
	for _, call := range []string{"syncfs", "sync_file_range"} {
		if s.each(1, func(n int) bool { return c.killed(call, false, n) }) == 0 {
			t.Errorf("no pull was killed at %s", call)
		}
	}
}

// TestEditInLeftover kills a pull after an exchange, while what came out lies under a temporary
// name, and writes into that, as a program does that has had the file open. A further pull
// keeps it beside its path, and says so.
func TestEditInLeftover(t *testing.T) {
	s := newSite(t)
	c := newScene(s, []node{{"a", 0o644, "old", 1}, {"b", 0o644, "old", 1}}, []node{{"a", 0o644, "new", 2}, {"b", 0o644, "new", 2}}, nil)
	r := c.replica()
	o := c.traced(append(c.inDirectories(r), "-e", "trace=unlinkat", "-e", "inject=unlinkat:signal=SIGKILL"), "pull", r)
	left, err := filepath.Glob(filepath.Join(r, ".dfs-tmp-O*"))
	if err != nil || len(left) != 1 || o.code >= 0 {
		t.Fatalf("%d: %q is left, %v: %s", o.code, left, err, o.at())
	}
	const text = "written when nobody looked"
	if err := os.WriteFile(left[0], []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	o = s.must(exitIncomplete, s.dfs("pull", r))
	s.idle(s.must(0, s.dfs("pull", r)))
	kept, err := filepath.Glob(filepath.Join(r, "[ab].dfs-kept-*"))
	if err != nil || len(kept) != 1 {
		t.Fatalf("%q is kept, %v: %s", kept, err, o.output)
	}
	if got, err := os.ReadFile(kept[0]); err != nil || string(got) != text {
		t.Errorf("kept is %q, %v", got, err)
	}
	if want := []string{filepath.Base(kept[0])}; !slices.Equal(o.of("problem"), want) {
		t.Errorf("problems of %q, want %q", o.of("problem"), want)
	}
	now := look(t, r)
	delete(now, "/"+filepath.Base(kept[0]))
	compareStates(t, "after further pulls", now, c.new)
}
