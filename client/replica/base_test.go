package replica

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"dfs/cas"
	"dfs/merkle"
)

func newRoot(t testing.TB) string {
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, Dir), 0o700); err != nil {
		t.Fatal(err)
	}
	return root
}

// writeBase makes recs the base of root, with a snapshot of their tree.
func writeBase(t testing.TB, root string, recs []Record) Seen {
	w, err := NewWriter(root)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	for _, rec := range recs {
		if err := w.Add(rec); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Finish(); err != nil {
		t.Fatal(err)
	}
	seen := Seen{Snapshot: cas.Sum([]byte("snapshot")), Seq: 7, Root: w.Root}
	if err := w.Commit(seen); err != nil {
		t.Fatal(err)
	}
	return seen
}

func readBase(root string) (recs []Record, sum Summary, err error) {
	r, err := OpenBase(root)
	if err != nil {
		return nil, Summary{}, err
	}
	defer r.Close()
	for {
		rec, ok, err := r.Next()
		if err != nil || !ok {
			return recs, r.Summary, err
		}
		recs = append(recs, Record{rec.Path, bytes.Clone(rec.Base), bytes.Clone(rec.Remote), rec.Ignored})
	}
}

func drawRecords(t *rapid.T) []Record {
	value := rapid.Custom(func(t *rapid.T) []byte {
		if rapid.Bool().Draw(t, "absent") {
			return nil
		}
		return rapid.SliceOfN(rapid.Byte(), 1, 300).Draw(t, "value")
	})
	byPath := rapid.MapOfN(rapid.StringMatching(`[a-c]{1,3}(/[a-c.\-]{1,4}){0,3}`), value, 0, 200).Draw(t, "base")
	var recs []Record
	for path, base := range byPath {
		rec := Record{Path: path, Base: base, Remote: base, Ignored: rapid.Bool().Draw(t, "ignored")}
		if base == nil || rapid.Bool().Draw(t, "differs") {
			rec.Remote = value.Draw(t, "remote")
		}
		if rec.Base != nil || rec.Remote != nil {
			recs = append(recs, rec)
		}
	}
	slices.SortFunc(recs, func(a, b Record) int { return merkle.Compare(a.Path, b.Path) })
	return recs
}

func TestBaseKeepsBothTrees(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		root := newRoot(t)
		want := drawRecords(rt)
		seen := writeBase(t, root, want)
		got, sum, err := readBase(root)
		if err != nil {
			rt.Fatal(err)
		}
		pending, ignored := uint64(0), uint64(0)
		tree := merkle.NewBuilder(nil)
		for _, rec := range want {
			if rec.Pending() {
				pending++
			}
			if rec.Ignored {
				ignored++
			}
			if rec.Remote != nil {
				if err := tree.Add(merkle.Entry{Path: rec.Path, Value: rec.Remote}); err != nil {
					rt.Fatal(err)
				}
			}
		}
		rootID, err := tree.Finish()
		if err != nil {
			rt.Fatal(err)
		}
		if sum.Seen != seen || sum.Root != rootID || sum.Pending != pending || sum.Ignored != ignored || sum.Records != uint64(len(want)) {
			rt.Fatalf("summary %+v, want seen %+v with root %v, %d pending of %d", sum, seen, rootID, pending, len(want))
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			rt.Fatalf("read %v, want %v", got, want)
		}
		for i := range got {
			if (got[i].Remote == nil) != (want[i].Remote == nil) || (got[i].Base == nil) != (want[i].Base == nil) {
				rt.Fatalf("%q: presence differs", got[i].Path)
			}
		}
	})
}

func TestNoBaseIsEmpty(t *testing.T) {
	recs, sum, err := readBase(newRoot(t))
	if err != nil || len(recs) != 0 || !sum.Snapshot.IsZero() || sum.Root != merkle.EmptyRoot() {
		t.Fatalf("OpenBase without a file = %v, %+v, %v", recs, sum, err)
	}
}

// TestDamageShows flips each byte of a base and truncates it at each length: nothing but
// the original records or ErrDamaged may come of it.
func TestDamageShows(t *testing.T) {
	root := newRoot(t)
	var recs []Record
	for i := range 20 {
		value := []byte(fmt.Sprintf("manifest %d", i))
		recs = append(recs, Record{Path: fmt.Sprintf("dir/file%02d", i), Base: value, Remote: value})
	}
	writeBase(t, root, recs)
	path := filepath.Join(root, Dir, "base")
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	try := func(what string, data []byte) {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := readBase(root); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: error %v, want ErrDamaged", what, err)
		}
	}
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 0x10
		try(fmt.Sprintf("byte %d flipped", i), bad)
		try(fmt.Sprintf("cut to %d bytes", i), good[:i])
	}
}

func TestWriterRefusesDisorder(t *testing.T) {
	w, err := NewWriter(newRoot(t))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	if err := w.Add(Record{Path: "a/b", Base: []byte{1}}); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"a/b", "a", "A"} {
		if err := w.Add(Record{Path: path, Base: []byte{1}}); err == nil {
			t.Errorf("Add(%q) after a/b succeeded", path)
		}
	}
}

// TestCommitRefusesAnotherRoot: a base never claims a snapshot whose tree it does not have.
func TestCommitRefusesAnotherRoot(t *testing.T) {
	root := newRoot(t)
	w, err := NewWriter(root)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Finish(); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(Seen{Snapshot: cas.Sum(nil), Seq: 1, Root: cas.Sum([]byte("other"))}); err == nil {
		t.Error("Commit with another root succeeded")
	}
	w.Abort()
	left, err := os.ReadDir(filepath.Join(root, Dir))
	if err != nil || len(left) != 0 {
		t.Errorf("left in .dfs: %v, %v", left, err)
	}
}

func TestIdentityAndBinding(t *testing.T) {
	root := newRoot(t)
	if _, _, err := LoadIdentity(root); !errors.Is(err, ErrNone) {
		t.Fatalf("LoadIdentity of no replica: %v", err)
	}
	id, err := Create(root)
	if err != nil {
		t.Fatal(err)
	}
	want := Binding{Version: version, HubID: NewID(), VolumeID: NewID(), Volume: "a \"b\" c", Location: "http://127.0.0.1:8420"}
	if err := Bind(root, want); err != nil {
		t.Fatal(err)
	}
	gotID, same, err := LoadIdentity(root)
	if err != nil || gotID != id || !same {
		t.Errorf("LoadIdentity = %v, %v, %v, want %v", gotID, same, err, id)
	}
	got, err := LoadBinding(root)
	if err != nil || got != want {
		t.Errorf("LoadBinding = %+v, %v, want %+v", got, err, want)
	}
	newer := filepath.Join(root, Dir, "binding")
	if err := os.WriteFile(newer, []byte(`{"version": 99}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadBinding(root); err == nil {
		t.Error("a binding of version 99 was read")
	}
}

func TestSweepRemovesInterruptedWriters(t *testing.T) {
	root := filepath.Join(newRoot(t), "[a]*?")
	if err := os.MkdirAll(filepath.Join(root, Dir), 0o700); err != nil {
		t.Fatal(err)
	}
	seen := writeBase(t, root, []Record{{Path: "a", Base: []byte{1}, Remote: []byte{1}}})
	if _, err := NewWriter(root); err != nil {
		t.Fatal(err)
	}
	if _, err := NewSpool(root); err != nil {
		t.Fatal(err)
	}
	if err := Sweep(root); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(filepath.Join(root, Dir))
	if err != nil || len(left) != 1 || left[0].Name() != "base" {
		t.Errorf("left after Sweep: %v, %v", left, err)
	}
	if _, sum, err := readBase(root); err != nil || sum.Seen != seen {
		t.Errorf("base after Sweep: %+v, %v", sum, err)
	}
}

func BenchmarkWriteAndRead(b *testing.B) {
	root := newRoot(b)
	value := bytes.Repeat([]byte{7}, 60)
	const n = 100_000
	var path []byte
	b.ReportAllocs()
	for b.Loop() {
		w, err := NewWriter(root)
		if err != nil {
			b.Fatal(err)
		}
		for i := range n {
			path = fmt.Appendf(path[:0], "some/directory/file%06d", i)
			if err := w.Add(Record{Path: string(path), Base: value, Remote: value}); err != nil {
				b.Fatal(err)
			}
		}
		if err := w.Finish(); err != nil {
			b.Fatal(err)
		}
		if err := w.Commit(Seen{Root: w.Root}); err != nil {
			b.Fatal(err)
		}
		if _, _, err := readBase(root); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/record")
}
