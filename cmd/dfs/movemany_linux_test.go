package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestMoveMany moves a directory of many files: no byte is read or hashed, no chunk sent or
// fetched, and on the other replica each file stays the same one. What it costs is told.
// DFS_FILES sets how many files.
func TestMoveMany(t *testing.T) {
	files := 1000
	if n, err := strconv.Atoi(os.Getenv("DFS_FILES")); err == nil {
		files = n
	}
	s := newSite(t)
	a, b := filepath.Join(s.dir, "a"), filepath.Join(s.dir, "b")
	writeMany(t, filepath.Join(a, "old"), files)
	check(t, os.WriteFile(filepath.Join(a, "other"), []byte("beside"), 0o644))
	s.must(0, s.dfs("push", a))
	s.must(0, s.dfs("pull", b, "--volume", "a"))
	before := fileInodes(t, filepath.Join(b, "old"))
	check(t, os.Rename(filepath.Join(a, "old"), filepath.Join(a, "new")))

	for _, c := range []struct {
		args  []string
		bytes string
	}{{[]string{"push", a}, "bytes_sent"}, {[]string{"pull", b}, "bytes_received"}} {
		began := time.Now()
		o := s.must(0, s.dfs(c.args...))
		took := time.Since(began)
		var sum map[string]any
		check(t, json.Unmarshal([]byte(o.output), &sum))
		for name, want := range map[string]float64{"moved": float64(files), "added": 0, "deleted": 0, "files_hashed": 0, "bytes_hashed": 0, "chunks_new": 0, "bytes_new": 0} {
			if got := sum[name].(float64); got != want {
				t.Errorf("%s: %s is %v, want %v", c.args[0], name, got, want)
			}
		}
		wire := sum[c.bytes].(float64)
		t.Logf("%s of a move of %d files: %.2f s, %s %.0f (%.0f a file), %v requests", c.args[0], files, took.Seconds(), c.bytes, wire, wire/float64(files), sum["requests"])
		if most := 64<<10 + 400*float64(files); wire > most {
			t.Errorf("%s: %s is %.0f, more than %.0f", c.args[0], c.bytes, wire, most)
		}
	}
	if after := fileInodes(t, filepath.Join(b, "new")); after != before {
		t.Error("a file of the other replica is another one")
	}
	if left, err := os.ReadDir(b); err != nil || len(left) != 3 {
		t.Errorf("left in the other replica: %v, %v", left, err)
	}
}

// fileInodes lists the files below dir with their inodes.
func fileInodes(t *testing.T, dir string) string {
	t.Helper()
	var list strings.Builder
	check(t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		var st unix.Stat_t
		err = unix.Lstat(path, &st)
		rel, _ := filepath.Rel(dir, path)
		fmt.Fprintln(&list, rel, st.Ino)
		return err
	}))
	return list.String()
}
