package merkle

import (
	"bytes"
	"context"
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
