//go:build linux

package worktree

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"dfs/manifest"
)

// moving is a directory with files whose content is their first name, none racy.
type moving struct {
	t    *testing.T
	dir  string
	r    *Root
	a    *Applier
	here map[string]*Entry
}

func newMoving(t *testing.T, names ...string) *moving {
	m := &moving{t: t, dir: memoryDir(t), here: map[string]*Entry{}}
	m.r = openTest(t, m.dir)
	for _, name := range names {
		write(t, m.dir, name, name)
	}
	for _, name := range names {
		m.here[name] = stat(t, m.r, name)
		for m.here[name].Racy(probe(t, m.r)) {
		}
	}
	m.a = m.r.Apply()
	return m
}

// like is the manifest of the file at name as it is.
func (m *moving) like(name string) *manifest.Manifest {
	return fileOf(name, m.here[name].Mode, m.here[name].Mtime)
}

func (m *moving) onward(from, to string) { m.a.Onward(from, to, m.like(from), m.here[to]) }

// is checks what the directory holds: the content of each path, which must be the same file as before.
func (m *moving) is(want map[string]string) {
	m.t.Helper()
	for _, path := range everything(m.t, m.dir) {
		e := stat(m.t, m.r, path)
		if e.Kind == manifest.Directory {
			continue
		}
		got, was := content(m.t, m.dir, path), want[path]
		if got != was {
			m.t.Errorf("%s has %q, want %q", path, got, was)
		}
		if from := m.here[got]; from != nil && e.Ino != from.Ino {
			m.t.Errorf("%s is another file than %s was", path, got)
		}
		delete(want, path)
	}
	if len(want) > 0 {
		m.t.Errorf("missing: %v", want)
	}
	noTemps(m.t, m.dir)
}

// TestOnward renames: after a removal, along a chain that a new file begins, and round a ring.
func TestOnward(t *testing.T) {
	t.Parallel()
	t.Run("removed", func(t *testing.T) {
		m := newMoving(t, "d/a")
		must(t, m.a.Directory("new", &manifest.Manifest{Kind: manifest.Directory, Mode: 0o755}, nil))
		m.onward("d/a", "new/b")
		must(t, m.a.Remove("d/a", m.here["d/a"]))
		applied := finish(t, m.a)
		m.is(map[string]string{"new/b": "d/a"})
		i := slices.IndexFunc(applied, func(done Applied) bool { return done.Path == "new/b" })
		if i < 0 || applied[i].Racy || applied[i].Entry != *stat(t, m.r, "new/b") {
			t.Errorf("applied: %+v", applied)
		}
	})
	t.Run("replaced", func(t *testing.T) { // as logs are rotated
		m := newMoving(t, "log", "log.1", "log.2")
		m.onward("log", "log.1")
		m.onward("log.1", "log.2")
		putFile(t, m.a, "log", "new", fileOf("new", 0o644, moments[2]), m.here["log"])
		finish(t, m.a)
		m.is(map[string]string{"log": "new", "log.1": "log", "log.2": "log.1"})
	})
	t.Run("ring", func(t *testing.T) {
		m := newMoving(t, "a", "b", "d/c")
		m.onward("a", "b")
		m.onward("b", "d/c")
		m.a.Onward("d/c", "a", m.like("d/c"), nil)
		must(t, m.a.Remove("a", m.here["a"]))
		finish(t, m.a)
		m.is(map[string]string{"a": "d/c", "b": "a", "d/c": "b"})
	})
	t.Run("long", func(t *testing.T) { // far more names than there are descriptors
		var names []string
		for i := range 3000 {
			names = append(names, fmt.Sprintf("d%d/n%04d", i%2, i))
		}
		m := newMoving(t, names...)
		want := map[string]string{}
		for i, from := range names[1:] {
			m.onward(names[i], from)
			want[from] = names[i]
		}
		m.r.OnStep(func(s Step, path string) {
			f, err := os.Open(m.dir)
			must(t, err)
			if f.Fd() > 1000 {
				t.Errorf("%d descriptors are open at %s", f.Fd(), path)
			}
			f.Close()
		})
		must(t, m.a.Remove(names[0], m.here[names[0]]))
		finish(t, m.a)
		m.is(want)
	})
}

// TestOnwardAttributes: the file takes mode and mtime of its new path, readable or not.
func TestOnwardAttributes(t *testing.T) {
	t.Parallel()
	m := newMoving(t, "a", "b")
	for i, from := range []string{"a", "b"} {
		to := from + "2"
		m.a.Onward(from, to, fileOf(from, []uint16{0o200, 0o751}[i], moments[i]), nil)
		must(t, m.a.Remove(from, m.here[from]))
	}
	finish(t, m.a)
	for i, to := range []string{"a2", "b2"} {
		if e := stat(t, m.r, to); e.Mode != []uint16{0o200, 0o751}[i] || e.Mtime != moments[i] {
			t.Errorf("%s: %+v", to, e)
		}
	}
}

// TestOnwardStranded: where a file does not come to its new path, its own path is changed all the
// same, and what stands in its way is left alone.
func TestOnwardStranded(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		before func(m *moving) error
		want   map[string]string
	}{
		"occupied": {func(m *moving) error { return os.WriteFile(filepath.Join(m.dir, "b"), []byte("edit"), 0o666) },
			map[string]string{"b": "edit"}},
		"linked": {func(m *moving) error { return os.Link(filepath.Join(m.dir, "a"), filepath.Join(m.dir, "other")) },
			map[string]string{"other": "a"}},
		"chmod": {func(m *moving) error {
			write(m.t, m.dir, "b", "b")
			m.here["b"] = stat(m.t, m.r, "b")
			m.onward("a", "b")
			return os.Chmod(filepath.Join(m.dir, "b"), 0o604)
		}, map[string]string{"b": "b"}},
		"nowhere": {func(m *moving) error { m.a.Onward("a", "none/b", m.like("a"), nil); return nil },
			map[string]string{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMoving(t, "a")
			m.onward("a", "b")
			must(t, c.before(m))
			m.here["a"] = stat(t, m.r, "a")
			must(t, m.a.Remove("a", m.here["a"]))
			if got := m.a.Stranded(); len(got) != 1 || m.a.Stranded() != nil {
				t.Errorf("stranded: %q", got)
			}
			finish(t, m.a)
			m.is(c.want)
		})
	}
	t.Run("edited", func(t *testing.T) {
		m := newMoving(t, "a")
		m.onward("a", "b")
		m.r.OnStep(func(s Step, path string) {
			if s == StepGone {
				f, err := os.OpenFile(glob(t, m.dir, ".dfs-tmp-O*"), os.O_WRONLY|os.O_APPEND, 0)
				must(t, err)
				_, err = f.WriteString(", edited")
				must(t, errors.Join(err, f.Close()))
			}
		})
		if err := m.a.Remove("a", m.here["a"]); !errors.Is(err, ErrChanged) {
			t.Errorf("Remove: %v", err)
		}
		if got := m.a.Stranded(); !slices.Equal(got, []string{"b"}) {
			t.Errorf("stranded: %q", got)
		}
		finish(t, m.a)
		m.is(map[string]string{"a": "a, edited"})
	})
}

func glob(t *testing.T, dir, pattern string) string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(names) != 1 {
		t.Fatalf("%s: %q, %v", pattern, names, err)
	}
	return names[0]
}

// TestReplaceKeeping is a replacement whose former file goes on, on a file system that cannot
// exchange: the file stays under a temporary name, or comes back when it is another.
func TestReplaceKeeping(t *testing.T) {
	t.Parallel()
	for _, edited := range []bool{false, true} {
		m := newMoving(t, "old", "new")
		d, err := m.r.dir.sub("")
		must(t, err)
		defer d.close()
		if edited {
			must(t, byRename(filepath.Join(m.dir, "old")))
		}
		s := &staged{path: "old", temp: "new", entry: *m.here["new"], expect: m.here["old"], keep: true}
		err = s.replace(d, "old")
		if edited != errors.Is(err, ErrChanged) {
			t.Errorf("edited %v: %v", edited, err)
		}
		if edited {
			m.is(map[string]string{"old": "edit", "new": "new"})
			continue
		}
		must(t, err)
		if got := content(t, m.dir, s.temp); got != "old" {
			t.Errorf("%s has %q", s.temp, got)
		}
		must(t, d.unlink(s.temp))
		m.is(map[string]string{"old": "new"})
	}
}
