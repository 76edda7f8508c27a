package merkle

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"dfs/cas"
)

// shapes are where n files lie; values have 60 bytes.
var shapes = []struct {
	name string
	path func(i int) string
}{
	{"deep", func(i int) string {
		return fmt.Sprintf("home/src/%03d/%02d/pkg-%02d/file_%06d.txt", i/20000, i/400%50, i/20%20, i)
	}},
	{"flat", func(i int) string {
		return fmt.Sprintf("mail/cur/%010d.M%06dP%05d.host", i*977, i*7919%1000000, i%32768)
	}},
}

func benchEntries(n int, path func(int) string) []Entry {
	es := make([]Entry, n)
	for i := range es {
		es[i] = Entry{path(i), []byte(fileValue(i))}
	}
	slices.SortFunc(es, func(a, b Entry) int { return Compare(a.Path, b.Path) })
	return es
}

type benchTree struct {
	entries []Entry
	mem     *sealed
	root    cas.ID
}

// sealed is a Source that costs next to nothing.
type sealed struct {
	blobs        map[cas.ID]cas.Blob
	reads, calls int
}

func (s *sealed) Nodes(_ context.Context, ids []cas.ID, fn func(cas.Blob) error) error {
	s.calls++
	s.reads += len(ids)
	for _, id := range ids {
		if err := fn(s.blobs[id]); err != nil {
			return err
		}
	}
	return nil
}

func (s *sealed) put(b cas.Blob) error {
	s.blobs[b.ID()] = cas.Seal(cas.Node, bytes.Clone(b.Plain()))
	return nil
}

func (s *sealed) reset() { s.reads, s.calls = 0, 0 }

func eachTree(b *testing.B, run func(b *testing.B, t benchTree)) {
	for _, shape := range shapes {
		for _, n := range []int{1e4, 1e5, 1e6} {
			b.Run(fmt.Sprintf("%s/%d", shape.name, n), func(b *testing.B) {
				t := benchTree{benchEntries(n, shape.path), &sealed{blobs: map[cas.ID]cas.Blob{}}, cas.ID{}}
				var err error
				if t.root, err = Build(seq(t.entries), t.mem.put); err != nil {
					b.Fatal(err)
				}
				b.ReportAllocs()
				b.ResetTimer()
				run(b, t)
			})
		}
	}
}

func perEntry(b *testing.B, n int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/entry")
}

func BenchmarkBuild(b *testing.B) {
	eachTree(b, func(b *testing.B, t benchTree) {
		nodes, size := 0, 0
		for b.Loop() {
			nodes, size = 0, 0
			put := func(blob cas.Blob) error { nodes++; size += blob.Size(); return nil }
			if _, err := Build(seq(t.entries), put); err != nil {
				b.Fatal(err)
			}
		}
		perEntry(b, len(t.entries))
		b.ReportMetric(float64(nodes), "nodes")
		b.ReportMetric(float64(size)/float64(nodes), "B/node")
		b.ReportMetric(float64(size)/float64(len(t.entries)), "B/entry")
	})
}

// edits sets k of the values.
func (t benchTree) edits(k int) []Change {
	rng := rand.New(rand.NewPCG(6, 6))
	chosen := rng.Perm(len(t.entries))[:k]
	slices.Sort(chosen) // the entries ascend
	cs := make([]Change, k)
	for n, i := range chosen {
		cs[n] = Change{Path: t.entries[i].Path, New: []byte(fileValue(-i - 1))}
	}
	return cs
}

func BenchmarkEdit(b *testing.B) {
	for _, k := range []struct {
		name string
		of   func(n int) int
	}{{"1", func(int) int { return 1 }}, {"100", func(int) int { return 100 }}, {"1pct", func(n int) int { return n / 100 }}, {"all", func(n int) int { return n }}} {
		b.Run(k.name, func(b *testing.B) {
			eachTree(b, func(b *testing.B, t benchTree) {
				edits := t.edits(k.of(len(t.entries)))
				puts := 0
				b.ResetTimer()
				for b.Loop() {
					t.mem.reset()
					puts = 0
					put := func(cas.Blob) error { puts++; return nil }
					if _, err := Edit(ctx, t.mem, t.root, seq(edits), put); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(t.mem.reads), "reads")
				b.ReportMetric(float64(puts), "puts")
			})
		})
	}
}

func BenchmarkDiff(b *testing.B) {
	for _, k := range []string{"1", "1pct", "all"} {
		b.Run(k, func(b *testing.B) {
			eachTree(b, func(b *testing.B, t benchTree) {
				n := map[string]int{"1": 1, "1pct": len(t.entries) / 100, "all": len(t.entries)}[k]
				next, err := Edit(ctx, t.mem, t.root, seq(t.edits(n)), t.mem.put)
				if err != nil {
					b.Fatal(err)
				}
				b.ResetTimer()
				for b.Loop() {
					t.mem.reset()
					got := 0
					for range Diff(ctx, t.mem, t.root, next) {
						got++
					}
					if got != n {
						b.Fatalf("%d changes of %d", got, n)
					}
				}
				b.ReportMetric(float64(t.mem.reads), "reads")
				b.ReportMetric(float64(t.mem.calls), "calls")
			})
		})
	}
}

func BenchmarkWalk(b *testing.B) {
	eachTree(b, func(b *testing.B, t benchTree) {
		for b.Loop() {
			t.mem.reset()
			for _, err := range Walk(ctx, t.mem, t.root, "") {
				if err != nil {
					b.Fatal(err)
				}
			}
		}
		perEntry(b, len(t.entries))
		b.ReportMetric(float64(t.mem.calls), "calls")
	})
}

func BenchmarkCursorGet(b *testing.B) {
	for _, order := range []string{"ascending", "random"} {
		b.Run(order, func(b *testing.B) {
			eachTree(b, func(b *testing.B, t benchTree) {
				if order == "random" {
					rng := rand.New(rand.NewPCG(7, 7))
					rng.Shuffle(len(t.entries), func(i, j int) { t.entries[i], t.entries[j] = t.entries[j], t.entries[i] })
				}
				c := NewCursor(ctx, t.mem, t.root)
				i := 0
				b.ResetTimer()
				for b.Loop() {
					if _, ok, err := c.Get(t.entries[i%len(t.entries)].Path); !ok || err != nil {
						b.Fatal(ok, err)
					}
					i++
				}
			})
		})
	}
}

func BenchmarkCompare(b *testing.B) {
	x, y := filePath(123456), filePath(123457)
	for b.Loop() {
		Compare(x, y)
	}
}

// benchNodes are the nodes of a level of a tree of 10,000 entries.
func benchNodes(b *testing.B, level byte) (nodes [][]byte, size, entries int) {
	var dec decoder
	put := func(blob cas.Blob) error {
		if blob.Plain()[1] != level {
			return nil
		}
		nodes = append(nodes, bytes.Clone(blob.Plain()))
		size += blob.Size()
		n, _, err := dec.check(blob.Plain())
		entries += n
		return err
	}
	if _, err := Build(seq(benchEntries(10_000, shapes[0].path)), put); err != nil {
		b.Fatal(err)
	}
	return nodes, size, entries
}

func eachLevel(b *testing.B, run func(b *testing.B, nodes [][]byte) (entries int)) {
	for level, name := range []string{"leaf", "inner"} {
		b.Run(name, func(b *testing.B) {
			nodes, size, entries := benchNodes(b, byte(level))
			b.SetBytes(int64(size))
			b.ReportAllocs()
			b.ResetTimer()
			if got := run(b, nodes); got != entries {
				b.Fatalf("%d entries, not %d", got, entries)
			}
			perEntry(b, entries)
		})
	}
}

// BenchmarkCheckNode verifies the form of nodes that come from a hub.
func BenchmarkCheckNode(b *testing.B) {
	eachLevel(b, func(b *testing.B, nodes [][]byte) (entries int) {
		var dec decoder
		for b.Loop() {
			entries = 0
			for _, data := range nodes {
				n, _, err := dec.check(data)
				if err != nil {
					b.Fatal(err)
				}
				entries += n
			}
		}
		return entries
	})
}

// BenchmarkDecodeNode reads the entries of nodes that were verified.
func BenchmarkDecodeNode(b *testing.B) {
	eachLevel(b, func(b *testing.B, nodes [][]byte) (entries int) {
		var dec decoder
		for b.Loop() {
			entries = 0
			for _, data := range nodes {
				for dec.reset(data, ""); dec.next(); {
					entries++
				}
			}
		}
		return entries
	})
}

// BenchmarkEncodeNode writes leaves alone: Build without hashing and without levels above.
func BenchmarkEncodeNode(b *testing.B) {
	entries := benchEntries(100, shapes[0].path)
	keys := make([][]byte, len(entries))
	for i, e := range entries {
		keys[i] = []byte(e.Path)
	}
	var lv level
	b.ReportAllocs()
	for b.Loop() {
		lv.n, lv.key = 0, lv.key[:0]
		for i, e := range entries {
			lv.begin(0)
			if err := lv.addKey(keys[i]); err != nil {
				b.Fatal(err)
			}
			lv.buf = append(binary.AppendUvarint(lv.buf, uint64(len(e.Value))), e.Value...)
			lv.n++
		}
	}
	b.SetBytes(int64(len(lv.buf)))
	perEntry(b, len(entries))
}
