//go:build linux

package worktree

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"pgregory.net/rapid"

	"dfs/cas"
	"dfs/manifest"
)

// record makes a record that can be told from others by its path and salt.
func record(path string, salt int) Record {
	return Record{
		Path: path, Size: uint64(salt) * 1000, Mtime: manifest.Time{Sec: -int64(salt), Nsec: 999999999},
		Ctime: manifest.Time{Sec: int64(salt) << 33}, Ino: uint64(salt), Racy: salt%3 == 0,
		Value: fmt.Appendf(nil, "value of %s, %d", path, salt),
	}
}

func withRuns(rec Record, n int) Record {
	for i := range n {
		rec.Runs.Append(manifest.Run{ID: cas.Sum(fmt.Append(nil, rec.Path, i)), Size: uint32(i + 1), Count: uint64(i)<<20 + 1})
	}
	return rec
}

func runsOf(t testing.TB, r *Runs) (runs []manifest.Run) {
	t.Helper()
	for run, err := range r.All() {
		must(t, err)
		runs = append(runs, run)
	}
	return runs
}

func openIndex(t testing.TB, dir string) *Index {
	t.Helper()
	ix, err := OpenIndex(dir)
	must(t, err)
	t.Cleanup(func() { ix.Close() })
	return ix
}

func sameRecord(t testing.TB, got, want *Record) {
	t.Helper()
	g, w := *got, *want
	g.Value, w.Value, g.Runs, w.Runs = nil, nil, Runs{}, Runs{}
	if fmt.Sprint(g) != fmt.Sprint(w) || !bytes.Equal(got.Value, want.Value) {
		t.Fatalf("record = %+v, want %+v", *got, *want)
	}
	if g, w := runsOf(t, &got.Runs), runsOf(t, &want.Runs); !slices.Equal(g, w) {
		t.Fatalf("record %q has %d runs, want %d, or others", got.Path, len(g), len(w))
	}
}

// checkIndex compares what a cursor finds with want.
func checkIndex(t testing.TB, ix *Index, want map[string]Record, absent ...string) *IndexCursor {
	t.Helper()
	paths := absent
	for p := range want {
		paths = append(paths, p)
	}
	slices.SortFunc(paths, byComponents)
	c := ix.Cursor()
	for _, p := range paths {
		got, ok := c.Find(p)
		rec, expected := want[p]
		if ok != expected {
			t.Fatalf("Find(%q) = %v, want %v", p, ok, expected)
		}
		if ok {
			sameRecord(t, got, &rec)
		}
	}
	return c
}

// TestIndexModel adds, saves, merges and reopens at random.
func TestIndexModel(t *testing.T) {
	t.Parallel()
	path := rapid.StringMatching(`[abc\xff\-]{1,2}(/[abc\-]{1,2}){0,3}`)
	rapid.Check(t, func(rt *rapid.T) {
		dir := memoryDir(t)
		ix := openIndex(t, dir)
		stored, added := map[string]Record{}, map[string]Record{}
		salt := 0
		settle := func() {
			maps.Copy(stored, added)
			clear(added)
		}
		rt.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				salt++
				rec := record(path.Draw(t, "path"), salt)
				if salt%5 == 0 {
					rec = withRuns(rec, salt)
				}
				added[rec.Path] = rec
				if err := ix.Add(rec); err != nil {
					t.Fatal(err)
				}
			},
			"merge": func(t *rapid.T) {
				ix.mu.Lock()
				defer ix.mu.Unlock()
				if err := ix.merge(); err != nil {
					t.Fatal(err)
				}
				settle()
			},
			"reopen": func(rt *rapid.T) {
				must(t, ix.Close())
				ix = openIndex(t, dir)
				settle()
			},
			"complete": func(rt *rapid.T) {
				if len(ix.recent) > 0 {
					rt.Skip("what the journal has is kept")
				}
				c := ix.Cursor()
				for _, p := range slices.SortedFunc(maps.Keys(stored), byComponents) {
					if len(p)%2 == 0 {
						c.Find(p)
					} else {
						delete(stored, p)
					}
				}
				c.Complete()
				ix.mu.Lock()
				defer ix.mu.Unlock()
				must(t, ix.merge())
				settle()
			},
			"": func(*rapid.T) { checkIndex(t, ix, stored, "absent", "a/b/absent", "~") },
		})
		must(t, ix.Close())
	})
}

// TestIndexGolden holds the example of the format's description.
func TestIndexGolden(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f, err := os.Create(filepath.Join(dir, indexName))
	must(t, err)
	w := newFrameWriter(f, 0)
	must(t, w.header())
	must(t, w.add(&Record{Path: "a", Mtime: manifest.Time{Sec: 1}, Ctime: manifest.Time{Sec: 2}, Ino: 7, Value: []byte{0xff}}))
	must(t, w.end())
	must(t, f.Close())
	source, err := os.ReadFile("frame.go")
	must(t, err)
	got := fmt.Sprintf("% x", content(t, dir, indexName))
	flat := strings.Join(strings.Fields(strings.ReplaceAll(string(source), "//", "")), " ")
	for _, part := range []string{got[:29], got[30:56], got[57:92], got[93:]} {
		if !strings.Contains(flat, part) {
			t.Errorf("the description lacks %s, of\n%s", part, hex.Dump([]byte(content(t, dir, indexName))))
		}
	}
}

// TestIndexLongRuns has a list of several frames, through journal and merge.
func TestIndexLongRuns(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ix := openIndex(t, dir)
	want := map[string]Record{"a": record("a", 1), "big": withRuns(record("big", 2), 20000), "c": record("c", 3)}
	for _, rec := range want {
		must(t, ix.Add(rec))
	}
	must(t, ix.Close())
	ix = openIndex(t, dir)
	checkIndex(t, ix, want)
	must(t, ix.Save()) // the journal is above its floor
	if _, err := os.Stat(filepath.Join(dir, journalName)); err == nil {
		t.Error("the journal was not merged")
	}
	checkIndex(t, ix, want)
	n := 0
	for rec, err := range ix.All() {
		must(t, err)
		w := want[rec.Path]
		sameRecord(t, &rec, &w)
		n++
	}
	if n != 3 {
		t.Errorf("All has %d records, want 3", n)
	}
}

// TestIndexDamage flips a bit of each byte of small files, and cuts them off
// anywhere: a record is found as it was written, or not at all.
func TestIndexDamage(t *testing.T) {
	t.Parallel()
	for _, name := range []string{indexName, journalName} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := memoryDir(t)
			ix := openIndex(t, dir)
			want := map[string]Record{}
			for i, p := range []string{"a", "a/b", "a/c", "b"} {
				want[p] = withRuns(record(p, i), i)
				must(t, ix.Add(want[p]))
			}
			if name == indexName {
				ix.mu.Lock()
				must(t, ix.merge())
				ix.mu.Unlock()
			}
			must(t, ix.Close())
			file := filepath.Join(dir, name)
			good, err := os.ReadFile(file)
			must(t, err)
			for i := range good {
				bad := bytes.Clone(good)
				bad[i] ^= 1 << (i % 8)
				checkDamaged(t, dir, file, bad, want)
			}
			for n := range good {
				checkDamaged(t, dir, file, good[:n], want)
			}
		})
	}
}

func checkDamaged(t *testing.T, dir, file string, bad []byte, want map[string]Record) {
	t.Helper()
	must(t, os.WriteFile(file, bad, 0o600))
	ix, err := OpenIndex(dir)
	must(t, err)
	c := ix.Cursor()
	for _, p := range []string{"a", "a/b", "a/c", "b"} {
		got, ok := c.Find(p)
		if !ok {
			continue
		}
		w := want[p]
		whole := true
		for _, err := range got.Runs.All() {
			whole = whole && err == nil
		}
		if !whole {
			got.Runs, w.Runs = Runs{}, Runs{}
		}
		sameRecord(t, got, &w)
	}
	must(t, ix.Add(record("new", 9)))
	must(t, ix.Close())
	ix, err = OpenIndex(dir)
	must(t, err)
	if _, ok := ix.Cursor().Find("new"); !ok {
		t.Fatal("a record that was added to a damaged index is not found")
	}
	must(t, ix.Close())
	if file != filepath.Join(dir, journalName) {
		os.Remove(filepath.Join(dir, journalName))
	}
}

// FuzzIndex reads arbitrary frames behind a good header.
func FuzzIndex(f *testing.F) {
	f.Add([]byte("R\x0c\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		d := decoder{b: b}
		var rec Record
		d.record(bytes.NewReader(b), &rec)
		cutRun(b)
		r := newRecordReader(bytes.NewReader(append([]byte(fileHeader), b...)))
		for r.next() {
			for _, err := range r.Runs.All() {
				if err != nil {
					break
				}
			}
		}
	})
}

func TestIndexConcurrentAdd(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ix := openIndex(t, dir)
	var group sync.WaitGroup
	want := map[string]Record{}
	for g := range 4 {
		for i := range 2000 {
			p := fmt.Sprintf("%d/%d", g, i)
			want[p] = record(p, i)
		}
		group.Go(func() {
			for i := range 2000 {
				if err := ix.Add(record(fmt.Sprintf("%d/%d", g, i), i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	must(t, ix.Close())
	checkIndex(t, openIndex(t, dir), want)
}

// TestIndexMergesItself adds more than the journal holds, under a cursor.
func TestIndexMergesItself(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ix := openIndex(t, dir)
	must(t, ix.Add(record("0", 1)))
	ix.mu.Lock()
	must(t, ix.merge())
	ix.mu.Unlock()
	must(t, ix.Close())
	ix = openIndex(t, dir)
	c := ix.Cursor()
	big := make([]byte, 60<<10)
	for i := range 1200 {
		must(t, ix.Add(Record{Path: fmt.Sprint("p", i), Value: big, Ino: uint64(i)}))
	}
	if info, err := os.Stat(filepath.Join(dir, indexName)); err != nil || info.Size() < journalLimit {
		t.Errorf("the journal was not merged: %v", err)
	}
	if _, ok := c.Find("0"); !ok {
		t.Error("a cursor lost its records by the merge")
	}
	c.Complete() // of a former file: nothing may be dropped
	must(t, ix.Save())
	must(t, ix.Close())
	c = openIndex(t, dir).Cursor()
	paths := []string{"0"}
	for i := range 1200 {
		paths = append(paths, fmt.Sprint("p", i))
	}
	slices.Sort(paths)
	for _, p := range paths {
		if rec, ok := c.Find(p); !ok || p != "0" && p != fmt.Sprint("p", rec.Ino) {
			t.Fatalf("Find(%q) = %v", p, ok)
		}
	}
}

// TestIndexKilled adds records in a process that dies without closing.
func TestIndexKilled(t *testing.T) {
	if dir := os.Getenv("DFS_TEST_INDEX"); dir != "" {
		ix, err := OpenIndex(dir)
		must(t, err)
		for i := 0; ; i++ {
			must(t, ix.Add(record(fmt.Sprint(i), i)))
		}
	}
	t.Parallel()
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0], "-test.run=^TestIndexKilled$")
	cmd.Env = append(os.Environ(), "DFS_TEST_INDEX="+dir)
	must(t, cmd.Start())
	for {
		info, err := os.Stat(filepath.Join(dir, journalName))
		if err == nil && info.Size() > 1<<20 {
			break
		}
	}
	must(t, cmd.Process.Signal(syscall.SIGKILL))
	cmd.Wait()
	ix := openIndex(t, dir)
	if len(ix.recent) < 1000 {
		t.Errorf("%d records survived", len(ix.recent))
	}
	for i := range ix.recent {
		want := record(ix.recent[i].Path, int(ix.recent[i].Ino))
		sameRecord(t, &ix.recent[i], &want)
	}
}

// TestIndexFlushes waits until a single record is in the file.
func TestIndexFlushes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	must(t, openIndex(t, dir).Add(record("a", 1)))
	for {
		other, err := OpenIndex(dir)
		must(t, err)
		_, ok := other.Cursor().Find("a")
		must(t, other.Close())
		if ok {
			return
		}
	}
}
