//go:build linux

package worktree

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"dfs/manifest"
)

// TestParentMoved moves a directory away while files are placed in it, and a symlink to
// another one to its place: what comes later than keepParent is placed nowhere.
func TestParentMoved(t *testing.T) {
	t.Parallel()
	dir, outside := t.TempDir(), t.TempDir()
	r := openTest(t, dir)
	write(t, dir, "d/file", "content")
	r.OnStep(func(step Step, path string) {
		if step != StepPlace || path != "d/1" {
			return
		}
		must(t, os.Rename(filepath.Join(dir, "d"), filepath.Join(dir, "moved")))
		must(t, os.Symlink(outside, filepath.Join(dir, "d")))
		for begin := time.Now(); time.Since(begin) <= keepParent; {
		}
	})
	a := r.Apply()
	for _, path := range []string{"d/1", "d/2", "d/3"} {
		putFile(t, a, path, "new", fileOf("new", 0o644, moments[2]), nil)
	}
	applied, problems, err := a.Finish(t.Context())
	must(t, err)
	if len(applied) != 1 || applied[0].Path != "d/1" {
		t.Errorf("applied %+v", applied)
	}
	if len(problems) != 2 || !errors.Is(problems[0].Err, ErrChanged) || !errors.Is(problems[1].Err, ErrChanged) {
		t.Errorf("problems = %v", problems)
	}
	if got := everything(t, outside); len(got) > 0 {
		t.Errorf("outside are %q", got)
	}
	if got := scan(t, r, 1).paths(); !slices.Equal(got, []string{"d", "moved", "moved/1", "moved/file"}) {
		t.Errorf("there are %q", got)
	}
}

// TestApplyLongPath makes a file whose temporary has a path that is too long for the system.
func TestApplyLongPath(t *testing.T) {
	t.Parallel()
	r := openTest(t, t.TempDir())
	a := r.Apply()
	path := ""
	for range 16 {
		path = join(path, strings.Repeat("d", 254))
		must(t, a.Directory(path, &manifest.Manifest{Kind: manifest.Directory, Mode: 0o755, Mtime: moments[2]}, nil))
	}
	path = join(path, "a file")
	putFile(t, a, path, "content", fileOf("content", 0o640, moments[2]), nil)
	finish(t, a)
	if e := stat(t, r, path); e.Size != 7 || e.Mode != 0o640 || e.Mtime != moments[2] {
		t.Errorf("the file is %+v", *e)
	}
}
