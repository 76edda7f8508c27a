package replica

import (
	"bytes"
	"fmt"
	"testing"
)

const benchCount = 100_000

// benchRecords are records of small files, one in a hundred of them pending.
func benchRecords() []Record {
	value, other := bytes.Repeat([]byte{7}, 60), bytes.Repeat([]byte{8}, 60)
	recs := make([]Record, benchCount)
	for i := range recs {
		recs[i] = Record{Path: fmt.Sprintf("some/directory%05d/file number %02d", i/20, i%20), Base: value, Remote: value}
		if i%100 == 0 {
			recs[i].Remote = other
		}
	}
	return recs
}

func perRecord(b *testing.B) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchCount, "ns/record")
}

// BenchmarkRead reads a base of 100,000 records.
func BenchmarkRead(b *testing.B) {
	root := newRoot(b)
	writeBase(b, root, benchRecords())
	b.ReportAllocs()
	for b.Loop() {
		r, err := OpenBase(root)
		if err != nil {
			b.Fatal(err)
		}
		n := 0
		for {
			_, ok, err := r.Next()
			if err != nil {
				b.Fatal(err)
			}
			if !ok {
				break
			}
			n++
		}
		if r.Close(); n != benchCount {
			b.Fatalf("%d records", n)
		}
	}
	perRecord(b)
}

// BenchmarkWrite writes a base of 100,000 records, with the tree that proves it, and a spool,
// without making either durable.
func BenchmarkWrite(b *testing.B) {
	recs := benchRecords()
	for _, kind := range []struct {
		name string
		make func(root string) (*Writer, error)
	}{{"base", NewWriter}, {"spool", NewSpool}} {
		b.Run(kind.name, func(b *testing.B) {
			root := newRoot(b)
			b.ReportAllocs()
			for b.Loop() {
				w, err := kind.make(root)
				if err != nil {
					b.Fatal(err)
				}
				for _, rec := range recs {
					if err := w.Add(rec); err != nil {
						b.Fatal(err)
					}
				}
				if err := w.Finish(); err != nil {
					b.Fatal(err)
				}
				w.Abort()
			}
			perRecord(b)
		})
	}
}
