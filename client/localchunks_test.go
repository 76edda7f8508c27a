package client

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"dfs/cas"
	"dfs/client/worktree"
	"dfs/manifest"
)

// TestLocalChunks: of files that hold a chunk one is read that is as the index has it: the first of
// small ones, so that no more than one is looked at, and of large ones the last in path order.
func TestLocalChunks(t *testing.T) {
	dir := t.TempDir()
	root, err := worktree.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	id := cas.Sum([]byte("x"))
	for _, test := range []struct {
		files string // in the index's order; a capital letter's has changed since
		size  int64
		want  string
	}{
		{"abc", 10, "a"},
		{"Abc", 10, "b"},
		{"aBC", 10, "a"},
		{"ABc", 10, "c"},
		{"Aa", 10, "a"}, // an older record of the same path
		{"aA", 10, "a"},
		{"AB", 10, ""},
		{"abc", lastFrom, "c"},
		{"abC", lastFrom, "b"},
		{"cab", lastFrom, "c"},
		{"Cab", lastFrom, "b"},
	} {
		l := &localChunks{root: root, at: map[uint64]place{}}
		for _, name := range test.files {
			path := string(name | 0x20)
			file := filepath.Join(dir, path)
			if err := os.WriteFile(file, nil, 0o644); err != nil {
				t.Fatal(err)
			}
			if err := os.Truncate(file, test.size); err != nil {
				t.Fatal(err)
			}
			mtime := time.Unix(1e9, 0)
			if err := os.Chtimes(file, mtime, mtime); err != nil {
				t.Fatal(err)
			}
			rec := worktree.Record{Path: path, Size: uint64(test.size), Mtime: manifest.Time{Sec: 1e9}}
			if name < 'a' {
				rec.Mtime.Nsec++
			}
			l.add(&rec, []manifest.Run{{ID: id, Size: 1, Count: 1}})
		}
		got := ""
		if l.has(id) {
			got = l.sources[l.at[prefix(id)].source].path
		}
		if got != test.want {
			t.Errorf("%s of %d bytes: %q is read, want %q", test.files, test.size, got, test.want)
		}
	}
}
