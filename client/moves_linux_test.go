package client_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"dfs/client"
	"dfs/client/worktree"
)

const some = `mkdir -p old/sub; for i in 1 2 3 4 5; do echo "file $i" >old/$i; echo "below $i" >old/sub/$i; done; head -c 9000000 /dev/urandom | base64 >old/large; chmod 600 old/3; `

// TestMoves: what was renamed is not read, not sent, and renamed on the other side.
func TestMoves(t *testing.T) {
	for name, c := range map[string]struct {
		before, script   string
		moved, other     int64
		hashed, inodesOf int64 // files that are read and sent, and made anew; -1: not told by inodes
	}{
		"directory":         {script: "mv old new", moved: 11},
		"up":                {script: "mv old/sub sub; mv old/1 one", moved: 6},
		"below itself":      {script: "mkdir x; mv old x/old; mv x old", moved: 11},
		"with attributes":   {script: "chmod 644 old/1; chmod 200 old/2; mv old new", moved: 11},
		"swap":              {script: "mv old/1 x; mv old/2 old/1; mv x old/2", other: 2},
		"ring":              {script: "mv old/1 x; mv old/2 old/1; mv old/sub/3 old/2; mv x old/sub/3", other: 3},
		"rotation":          {script: "rm old/3; mv old/2 old/3; mv old/1 old/2; echo new >old/1", other: 3, hashed: 1, inodesOf: 1},
		"case":              {before: "echo case >old/case", script: "mv old/case old/CASE", moved: 1},
		"over another":      {script: "mv old/1 old/2", other: 2},
		"over a link":       {before: "ln -s 1 old/link", script: "mv old/1 old/link", other: 2},
		"equal files":       {before: "mkdir e; for i in 1 2 3; do mkdir e/$i; echo same >e/$i/__init__; done", script: "mv e f", moved: 3, inodesOf: -1},
		"empty files":       {before: "mkdir e; touch e/1 e/2", script: "mv e f", moved: 2, inodesOf: -1},
		"as root's file":    {script: "mv old/large large; rm old/1", moved: 1, other: 1},
		"file to directory": {script: "mv old/1 x; mkdir old/1; mv x old/1/1", other: 2, inodesOf: -1},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPair(t, some+c.before)
			before := inodesOf(t, p.b.Dir)
			pushed, pulled := p.change(c.script)
			for _, res := range []*client.Result{pushed, pulled} {
				if res.Moved != c.moved || res.Added+res.Modified+res.Deleted != c.other {
					t.Errorf("%s: moved %d, others %d+%d+%d, want %d and %d", res.Command, res.Moved, res.Added, res.Modified, res.Deleted, c.moved, c.other)
				}
			}
			if pushed.FilesHashed != c.hashed || pushed.ChunksNew != c.hashed {
				t.Errorf("the push has read %d files and sent %d chunks, want %d", pushed.FilesHashed, pushed.ChunksNew, c.hashed)
			}
			made := int64(0)
			for data, ino := range inodesOf(t, p.b.Dir) {
				if before[data] != ino {
					made++
				}
			}
			if made != c.inodesOf && c.inodesOf >= 0 {
				t.Errorf("%d files are new ones, want %d", made, c.inodesOf)
			}
			p.same()
		})
	}
}

// TestMovesDated: a file that has another time, too, is read, but neither sent nor made anew.
func TestMovesDated(t *testing.T) {
	p := newPair(t, some)
	before := inodesOf(t, p.b.Dir)
	pushed, pulled := p.change("mv old/large large; touch -d 2001-02-03 large")
	if pushed.FilesHashed != 1 || pushed.ChunksNew != 0 || pulled.BytesNew != 0 || pushed.Moved != 1 || pulled.Moved != 1 {
		t.Errorf("push: %+v\npull: %+v", pushed, pulled)
	}
	if after := inodesOf(t, p.b.Dir); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Error("a file is another")
	}
	p.same()
}

// TestMovesInodes: files of equal content keep their inodes too, each its own.
func TestMovesInodes(t *testing.T) {
	p := newPair(t, "mkdir e; for i in 1 2 3; do mkdir e/$i; echo same >e/$i/__init__; touch e/$i/empty; done")
	list := func() string {
		out, err := exec.Command("sh", "-c", "cd $0 && find . -name .dfs -prune -o -type f -printf '%P %i\n' | sort", p.b.Dir).Output()
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	before := list()
	p.change("mv e f")
	if after := list(); strings.ReplaceAll(before, "e/", "f/") != after {
		t.Errorf("before:\n%safter:\n%s", before, after)
	}
	p.same()
}

// TestMovesNotTrusted: --rehash reads what was renamed, and so does a push whose file has other
// times, or the name of one that is still there.
func TestMovesNotTrusted(t *testing.T) {
	for name, c := range map[string]struct {
		script string
		rehash bool
		hashed int64
		new    int64
	}{
		"rehash":    {"mv old/1 new", true, 11, 0},
		"touched":   {"mv old/1 new; touch new", false, 1, 0},
		"rewritten": {"mv old/1 new; touch -r new t; echo edit! >new; touch -r t new; rm t; ", false, 1, 1},
		"hard link": {"ln old/1 new", false, 2, 0},
		"copy":      {"cp -p old/1 new; rm old/1", false, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPair(t, some)
			shell(t, p.a.Dir, c.script)
			cfg := p.a
			cfg.Rehash = c.rehash
			res, err := client.Push(t.Context(), cfg)
			if err != nil || res.FilesHashed != c.hashed || res.ChunksNew != c.new {
				t.Errorf("hashed %d, chunks %d, want %d and %d: %v", res.FilesHashed, res.ChunksNew, c.hashed, c.new, err)
			}
			mustPull(t, p.b)
			p.same()
		})
	}
}

// TestMovesTwice: a file that was seen at one path, then at another, and changed there with the size and time that it had,
// is at a third what it was last.
func TestMovesTwice(t *testing.T) {
	p := newPair(t, "mkdir z; echo text >f")
	look := func() {
		t.Helper()
		if _, err := client.Inspect(t.Context(), p.a, true, func(client.Change) error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
	shell(t, p.a.Dir, "mv f z/f")
	look()
	shell(t, p.a.Dir, "touch -r z/f t; echo edit >z/f; touch -r t z/f; rm t")
	look()
	p.change("mv z y")
	p.same()
}

// TestMovesRestored: files that come out of a backup, of equal sizes and times, have inodes that others
// of them had before. None is taken for another.
func TestMovesRestored(t *testing.T) {
	for _, to := range []string{"old", "new"} {
		t.Run(to, func(t *testing.T) {
			p := newPair(t, "mkdir old; for i in $(seq 10 99); do echo $i >old/$i; done; touch -d 2001-02-03 old/*")
			p.change("cp -a old .dfs/saved; rm -r old; mkdir " + to + "; for f in $(ls -r .dfs/saved); do cp -a .dfs/saved/$f " + to + "; done; rm -r .dfs/saved")
			p.same()
		})
	}
}

// TestMovesUnsent: of what only the index knows the hub is asked; of what the base has it is not.
func TestMovesUnsent(t *testing.T) {
	h := openHub(t)
	cfg := config(h, t.TempDir())
	shell(t, cfg.Dir, some)
	mustPush(t, cfg)
	shell(t, cfg.Dir, "echo unsent >unsent")
	if _, err := client.Inspect(t.Context(), cfg, true, func(client.Change) error { return nil }); err != nil {
		t.Fatal(err)
	}
	shell(t, cfg.Dir, "mv unsent sent; mv old new")
	res, err := client.Push(t.Context(), cfg)
	if err != nil || res.FilesHashed != 0 || res.ChunksNew != 1 || res.Moved != 11 || res.Added != 1 {
		t.Errorf("push: %+v, %v", res, err)
	}
	other := config(h, t.TempDir())
	mustPull(t, other)
	p := pair{t, cfg, other}
	p.same()
}

// TestMovesElsewhereEdited: what the other side has edited, or linked, is not renamed.
func TestMovesElsewhereEdited(t *testing.T) {
	p := newPair(t, some)
	shell(t, p.b.Dir, "echo edited >old/1; ln old/2 other; echo mine >old/new")
	before := inodesOf(t, p.b.Dir)
	_, pulled := p.change("mv old new")
	got := content(t, p.b.Dir)
	for path, want := range map[string]string{"old/1": "edited\n", "new/1": "file 1\n", "other": "file 2\n", "new/2": "file 2\n", "old/new": "mine\n", "new/3": "file 3\n"} {
		if data, _ := fileData(got[path]); data != want {
			t.Errorf("%s has %q, want %q", path, data, want)
		}
	}
	if ino := inodesOf(t, p.b.Dir); ino["file 3\n"] != before["file 3\n"] {
		t.Error("an untouched file is another")
	}
	if info, err := os.Stat(filepath.Join(p.b.Dir, "other")); err != nil || info.Sys().(*syscall.Stat_t).Nlink != 1 {
		t.Errorf("other names: %v", err)
	}
	if pulled.ChunksNew != 1 { // new/1; new/2 is a copy
		t.Errorf("%d chunks were fetched", pulled.ChunksNew)
	}
	if want := []string{"old", "old/1"}; !slices.Equal(sorted(pulled.Kept), want) || len(pulled.Problems)+len(pulled.Conflicts) > 0 {
		t.Errorf("pull: kept %q, want %q; %+v", pulled.Kept, want, pulled)
	}
}

// TestMovesIndexed: the index has a large file that a pull renamed with all its chunks, under the new name.
func TestMovesIndexed(t *testing.T) {
	p := newPair(t, some)
	p.change("mv old new")
	ix, err := worktree.OpenIndex(filepath.Join(p.b.Dir, ".dfs"))
	if err != nil {
		t.Fatal(err)
	}
	defer ix.Close()
	root, err := worktree.Open(p.b.Dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	e, err := root.Stat("new/large")
	if err != nil {
		t.Fatal(err)
	}
	if rec, ok := ix.Cursor().Find("new/large"); !ok || !rec.Clean(e) || rec.Runs.Empty() {
		t.Errorf("the index has %+v, %v", rec, ok)
	}
}

// TestMovesMeanwhile: a file that is edited right before it would be renamed stays, and what it was to
// become comes from the hub.
func TestMovesMeanwhile(t *testing.T) {
	p := newPair(t, some)
	p.b.OnStep(func(s worktree.Step, path string) {
		if s == worktree.StepRemove && path == "old/1" {
			shell(t, p.b.Dir, "echo edited >old/1")
		}
	})
	_, pulled := p.change("mv old/1 one; mv old/2 two")
	got := content(t, p.b.Dir)
	for path, want := range map[string]string{"old/1": "edited\n", "one": "file 1\n", "two": "file 2\n"} {
		if data, _ := fileData(got[path]); data != want {
			t.Errorf("%s has %q, want %q", path, data, want)
		}
	}
	if len(pulled.Problems) != 1 || pulled.Problems[0].Path != "old/1" || pulled.ChunksNew != 1 || pulled.Moved != 1 || pulled.Added != 1 {
		t.Errorf("pull: %+v", pulled)
	}
}

func sorted(list []string) []string {
	list = slices.Clone(list)
	slices.Sort(list)
	return list
}

// TestMovesListed: dry runs and status name each move with both its paths.
func TestMovesListed(t *testing.T) {
	p := newPair(t, "mkdir old; echo 1 >old/1; echo 2 >old/2; echo 3 >gone; echo 4 >x")
	shell(t, p.a.Dir, "mv old/1 old/one; mv old/2 two; rm gone; echo 5 >new; mv x old/x")
	want := func(side client.Side) []client.Change {
		return []client.Change{
			{Side: side, Op: client.Deleted, Path: "gone"},
			{Side: side, Op: client.Added, Path: "new"},
			{Side: side, Op: client.Moved, Path: "old/one", From: "old/1"},
			{Side: side, Op: client.Moved, Path: "old/x", From: "x"},
			{Side: side, Op: client.Moved, Path: "two", From: "old/2"},
		}
	}
	status := func(cfg client.Config) (*client.Status, []client.Change) {
		var list []client.Change
		st, err := client.Inspect(t.Context(), cfg, false, func(c client.Change) error {
			list = append(list, c)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return st, list
	}
	check := func(what string, res client.Counts, got, want []client.Change) {
		t.Helper()
		if i := slices.IndexFunc(got, func(c client.Change) bool { return c.Path == "old" }); i >= 0 { // its time came along
			got, res.Modified = slices.Delete(got, i, i+1), 0
		}
		if !slices.Equal(got, want) || res != (client.Counts{Added: 1, Moved: 3, Deleted: 1}) {
			t.Errorf("%s: %+v, %+v, want %+v", what, res, got, want)
		}
	}
	dry := func(do func(client.Config) (*client.Result, error), cfg client.Config) (client.Counts, []client.Change) {
		cfg.DryRun = true
		res, err := do(cfg)
		if err != nil {
			t.Fatal(err)
		}
		return client.Counts{Added: res.Added, Modified: res.Modified, Moved: res.Moved, Deleted: res.Deleted}, res.Changes
	}
	st, list := status(p.a)
	check("status", st.Local, list, want(client.Local))
	counts, list := dry(func(cfg client.Config) (*client.Result, error) { return client.Push(t.Context(), cfg) }, p.a)
	check("push", counts, list, want(client.Local))
	mustPush(t, p.a)
	st, list = status(p.b)
	check("status", st.Remote, list, want(client.Remote))
	counts, list = dry(func(cfg client.Config) (*client.Result, error) { return client.Pull(t.Context(), cfg) }, p.b)
	check("pull", counts, list, want(client.Remote))
	mustPull(t, p.b)
	p.same()
}

// TestMovesRejected: a move of which the hub takes a part only is counted as what is left of it.
func TestMovesRejected(t *testing.T) {
	p := newPair(t, "echo 1 >one; echo 2 >two")
	shell(t, p.b.Dir, "echo other >new")
	mustPush(t, p.b)
	shell(t, p.a.Dir, "mv one new; mv two 2")
	res, err := client.Push(t.Context(), p.a)
	if err != nil || res.Moved != 1 || res.Added != 0 || res.Deleted != 1 || !slices.Equal(res.Conflicts, []string{"new"}) {
		t.Errorf("push: %+v, %v", res, err)
	}
}
