//go:build linux

package worktree

import (
	"fmt"
	"runtime"
	"testing"

	"dfs/manifest"
)

// entryFor is a file elsewhere with what a rename keeps of the record's.
func entryFor(rec Record) Entry {
	return Entry{Path: "elsewhere", Kind: manifest.File, Ino: rec.Ino, Size: rec.Size, Mtime: rec.Mtime}
}

// TestInodes finds records by inode: of the sorted file in many frames and of the journal, of
// which the newer counts, and no racy ones.
func TestInodes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ix := openIndex(t, dir)
	const records = 5000 // several frames
	path := func(i int) string { return fmt.Sprintf("dir%02d/file with a name of some length %04d", i%50, i) }
	for i := 1; i <= records; i++ {
		must(t, ix.Add(record(path(i), i)))
	}
	must(t, ix.merge())
	newer := record(path(1), records+1)
	newer.Racy = false
	must(t, ix.Add(newer))
	must(t, ix.Close())

	ix = openIndex(t, dir)
	last := ""
	n, err := ix.Inodes(func(path string, value []byte) (bool, error) {
		if last != "" && byComponents(last, path) >= 0 {
			t.Fatalf("%q comes after %q", path, last)
		}
		last = path
		return len(value)%2 == 0, nil
	})
	must(t, err)
	for i := 2; i <= records; i += 7 {
		want := record(path(i), i)
		got, marked, ok := n.Find(entryFor(want))
		if ok == want.Racy {
			t.Fatalf("record %d (racy %v) is found: %v", i, want.Racy, ok)
		}
		if ok {
			sameRecord(t, &got, &want)
		}
		if ok && marked != (len(want.Value)%2 == 0) {
			t.Fatalf("record %d is marked: %v", i, marked)
		}
	}
	if got, _, ok := n.Find(entryFor(newer)); !ok || got.Path != newer.Path {
		t.Errorf("the journal's record: %+v, %v", got, ok)
	}
	if got, _, ok := n.Find(entryFor(record(path(1), 1))); ok {
		t.Errorf("a superseded record is found: %+v", got)
	}
	moved := record("moved", records+2)
	moved.Racy, moved.Ino, moved.Ctime.Sec = false, newer.Ino, newer.Ctime.Sec+1
	for _, at := range []string{"a/before", "moved", "zzz/before"} {
		rec := moved
		if rec.Path = at; at != "moved" {
			rec.Value, rec.Ctime.Sec = []byte(at), moved.Ctime.Sec-1
		}
		must(t, ix.Add(rec))
	}
	must(t, ix.Close())
	ix = openIndex(t, dir)
	if n, err = ix.Inodes(func(string, []byte) (bool, error) { return false, nil }); err != nil {
		t.Fatal(err)
	}
	if got, _, ok := n.Find(entryFor(moved)); !ok {
		t.Error("the newest record of an inode is not found")
	} else {
		sameRecord(t, &got, &moved)
	}
	if got, _, ok := n.Find(entryFor(newer)); ok {
		t.Errorf("a file is taken for what it was before its newest record: %+v", got)
	}
	moved.Racy, moved.Ctime.Sec = true, moved.Ctime.Sec+1
	must(t, ix.Add(moved))
	must(t, ix.Close())
	ix = openIndex(t, dir)
	if n, err = ix.Inodes(func(string, []byte) (bool, error) { return false, nil }); err != nil {
		t.Fatal(err)
	}
	if got, _, ok := n.Find(entryFor(moved)); ok {
		t.Errorf("a file whose newest record is racy is taken for %+v", got)
	}
}

// TestInodesDiffer: what differs from the record is not it.
func TestInodesDiffer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ix := openIndex(t, dir)
	newer := record("path", 1)
	newer.Racy = false
	must(t, ix.Add(newer))
	must(t, ix.Close())
	ix = openIndex(t, dir)
	n, err := ix.Inodes(func(string, []byte) (bool, error) { return false, nil })
	must(t, err)
	if _, _, ok := n.Find(entryFor(newer)); !ok {
		t.Error("the record itself is not found")
	}
	for name, change := range map[string]func(*Entry){
		"its own path": func(e *Entry) { e.Path = newer.Path },
		"inode":        func(e *Entry) { e.Ino++ },
		"size":         func(e *Entry) { e.Size++ },
		"mtime":        func(e *Entry) { e.Mtime.Nsec-- },
	} {
		e := entryFor(newer)
		change(&e)
		if got, _, ok := n.Find(e); ok {
			t.Errorf("another %s finds %+v", name, got)
		}
	}
}

// TestInodesMemory: what is kept of a record is far below the 67 bytes that 1,000,000 of them may
// take in 64 MiB.
func TestInodesMemory(t *testing.T) {
	const records = 200_000
	ix := openIndex(t, memoryDir(t))
	for i := range records {
		must(t, ix.Add(Record{Path: fmt.Sprintf("d%03d/f%06d", i/1000, i), Ino: uint64(i + 1), Value: make([]byte, 60)}))
	}
	must(t, ix.merge())
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	n, err := ix.Inodes(func(string, []byte) (bool, error) { return false, nil })
	must(t, err)
	if _, _, ok := n.Find(Entry{Path: "new", Ino: records / 2}); !ok {
		t.Error("a record is not found")
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	each := float64(after.HeapAlloc-before.HeapAlloc) / records
	t.Logf("%.1f bytes a record", each)
	if each > 24 {
		t.Errorf("%.1f bytes a record", each)
	}
	runtime.KeepAlive(n)
}
