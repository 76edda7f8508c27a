//go:build linux

package worktree

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// scopeTree is a directory with some depth, rules and a nested replica.
func scopeTree(t *testing.T) (string, *Root) {
	dir := t.TempDir()
	for _, path := range []string{"a/b/c/f", "a/b/g", "a/b.x/f", "a/h", "k/f", "k/skip", "k/.dfsignore", "n/.dfs/id", "n/f", "z"} {
		write(t, dir, path, path)
	}
	write(t, dir, "k/.dfsignore", "skip\n")
	return dir, openTest(t, dir)
}

func scanOnly(t *testing.T, r *Root, paths ...string) (entries, odd []string) {
	t.Helper()
	opts := ScanOptions{Jobs: 1, Only: r.Scope(paths)}
	opts.Skip = func(p string) { odd = append(odd, "skip "+p) }
	opts.Ignored = func(p string) { odd = append(odd, "ignored "+p) }
	for e, err := range r.Scan(t.Context(), opts) {
		must(t, err)
		entries = append(entries, e.Path)
	}
	return entries, odd
}

// TestScanScope looks at some paths only, with what lies below them and the directories above.
func TestScanScope(t *testing.T) {
	t.Parallel()
	_, r := scopeTree(t)
	for _, c := range []struct {
		only, want, odd []string
	}{
		{[]string{"z"}, []string{"z"}, nil},
		{[]string{"a/b"}, []string{"a", "a/b", "a/b/c", "a/b/c/f", "a/b/g"}, nil},
		{[]string{"a/b/c/f", "a/h"}, []string{"a", "a/b", "a/b/c", "a/b/c/f", "a/h"}, nil},
		{[]string{"a/b.x", "a/b", "a/b/g"}, []string{"a", "a/b", "a/b/c", "a/b/c/f", "a/b/g", "a/b.x", "a/b.x/f"}, nil},
		{[]string{"k/skip", "k/f"}, []string{"k", "k/f"}, []string{"ignored k/skip"}},
		{[]string{"k/.dfsignore"}, []string{"k", "k/.dfsignore", "k/f"}, []string{"ignored k/skip"}},
		{[]string{"n/f"}, nil, []string{"skip n"}},
		{[]string{"a/none", "none/below"}, []string{"a"}, nil},
		{[]string{"z/below"}, []string{"z"}, nil},
	} {
		got, odd := scanOnly(t, r, c.only...)
		if !slices.Equal(got, c.want) || !slices.Equal(odd, c.odd) {
			t.Errorf("%q: %q, %q, want %q, %q", c.only, got, odd, c.want, c.odd)
		}
	}
}

// TestScopeCovers: a path whose directory is gone, or is none, stands for all of that.
func TestScopeCovers(t *testing.T) {
	t.Parallel()
	dir, r := scopeTree(t)
	must(t, os.RemoveAll(filepath.Join(dir, "a/b")))
	s := r.Scope([]string{"a/b/c/f", "z/below", "k/f"})
	for path, want := range map[string]bool{
		"a": false, "a/b": true, "a/b/g": true, "a/b.x": false, "a/h": false,
		"k": false, "k/f": true, "k/f2": false, "z": true, "z/other": true, "n": false,
	} {
		if s.Covers(path) != want {
			t.Errorf("%q is covered: %v", path, !want)
		}
	}
	for _, paths := range [][]string{nil, {".dfsignore", "z"}} {
		if s := r.Scope(paths); s != nil || !s.Covers("anything") {
			t.Errorf("the scope of %q: %v", paths, s)
		}
	}
}
