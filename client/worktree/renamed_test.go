//go:build linux

package worktree

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestRenamed knows a file by its record under another name, but not another that was given its inode.
func TestRenamed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := openTest(t, dir)
	make := func(path string) Record {
		write(t, dir, path, path)
		must(t, os.Chtimes(filepath.Join(dir, path), time.Unix(1e9, 0), time.Unix(1e9, 0)))
		e := stat(t, r, path)
		for e.Racy(probe(t, r)) {
		}
		return NewRecord(*e, probe(t, r), nil)
	}
	one := make("one")
	if r.Renamed(&one, *stat(t, r, "one")) {
		t.Error("a file that has not moved is renamed")
	}
	must(t, os.Rename(filepath.Join(dir, "one"), filepath.Join(dir, "two")))
	if !r.Renamed(&one, *stat(t, r, "two")) {
		t.Error("a renamed file is none")
	}
	racy := one
	racy.Racy = true
	if r.Renamed(&racy, *stat(t, r, "two")) {
		t.Error("a racy record is trusted")
	}
	moment := func() { // lets more time pass than a rename takes
		for from := probe(t, r); since(probe(t, r), from) <= 2*renameSlack; {
		}
	}
	must(t, os.Mkdir(filepath.Join(dir, "in"), 0o755))
	must(t, os.Rename(filepath.Join(dir, "two"), filepath.Join(dir, "in", "two")))
	moment()
	must(t, os.Rename(filepath.Join(dir, "in"), filepath.Join(dir, "moved")))
	if !r.Renamed(&one, *stat(t, r, "moved/two")) {
		t.Error("a file is not known in a directory that was renamed later")
	}
	moment()
	write(t, dir, "moved/two", "ONE")
	must(t, os.Chtimes(filepath.Join(dir, "moved", "two"), time.Unix(1e9, 0), time.Unix(1e9, 0)))
	if r.Renamed(&one, *stat(t, r, "moved/two")) {
		t.Error("a file that was written to after it was renamed is taken for what it was")
	}
	must(t, os.Rename(filepath.Join(dir, "moved", "two"), filepath.Join(dir, "two")))
	was := *stat(t, r, "two")
	must(t, os.Chmod(filepath.Join(dir, "two"), 0o600))
	if r.Renamed(&one, was) {
		t.Error("a file that changed since the scan is taken for what it was")
	}
	must(t, os.Remove(filepath.Join(dir, "two")))
	for range 100 {
		next := make("new")
		if next.Ino == one.Ino {
			if r.Renamed(&one, *stat(t, r, "new")) {
				t.Error("another file with the inode is taken for the renamed one")
			}
			return
		}
		must(t, os.Remove(filepath.Join(dir, "new")))
	}
	t.Log("the file system has not given out the inode again")
}

// TestLeft: a file has left a path when that is vacant, or another's, on the same file system.
func TestLeft(t *testing.T) {
	t.Parallel()
	dir, r := scopeTree(t)
	must(t, os.Rename(filepath.Join(dir, "a"), filepath.Join(dir, "moved")))
	e := *stat(t, r, "moved/h")
	elsewhere := e
	elsewhere.Dev++
	for path, want := range map[string]bool{"a/h": true, "a/b/c/f": true, "moved/none": true, "z": true, "z/below": true, "moved/h": false} {
		if r.left(path, e) != want {
			t.Errorf("the file has left %q: %v", path, !want)
		}
		if r.left(path, elsewhere) {
			t.Errorf("a file of another file system has left %q", path)
		}
	}
}
