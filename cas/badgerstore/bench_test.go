package badgerstore

import (
	"encoding/binary"
	"fmt"
	"os"
	"strings"
	"testing"

	"dfs/cas"
	"dfs/cas/castest"
)

// batch returns some 4 MiB of blobs of size bytes, all new: their numbers begin
// at from.
func batch(from, size int) []cas.Blob {
	blobs := make([]cas.Blob, max(1, 4<<20/size))
	base := castest.Bytes(1, 2*size)[:size]
	for i := range blobs {
		plain := append([]byte(nil), base...)
		binary.BigEndian.PutUint64(plain, uint64(from+i))
		blobs[i] = cas.Seal(cas.Chunk, plain)
	}
	return blobs
}

// anonymous returns the anonymous memory of the process in MiB, 0 if unknown.
func anonymous() float64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	var kib float64
	for _, line := range strings.Split(string(status), "\n") {
		if _, err := fmt.Sscanf(line, "RssAnon: %f kB", &kib); err == nil {
			return kib / 1024
		}
	}
	return 0
}

func openBench(b *testing.B) *Store {
	s, err := Open(b.TempDir(), Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	return s
}

// perBlob reports the time of each of n blobs that every round of a benchmark has.
func perBlob(b *testing.B, n int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/blob")
}

// BenchmarkPut is Puts of some 4 MiB of new blobs each, not the hashing, and one Barrier
// after them all.
func BenchmarkPut(b *testing.B) {
	for _, size := range []int{200, 3 << 10, 64 << 10} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			s := openBench(b)
			count := len(batch(0, size))
			b.SetBytes(int64(size * count))
			b.ReportAllocs()
			peak := 0.0
			for n := 0; b.Loop(); n += count {
				b.StopTimer()
				blobs := batch(n, size)
				peak = max(peak, anonymous())
				b.StartTimer()
				if err := s.Put(b.Context(), castest.Volume(1), blobs); err != nil {
					b.Fatal(err)
				}
			}
			b.StartTimer()
			if err := s.Barrier(b.Context()); err != nil {
				b.Fatal(err)
			}
			b.StopTimer()
			perBlob(b, count)
			b.ReportMetric(peak, "peak-anon-MiB")
		})
	}
}

// BenchmarkPutAgain is Puts of blobs that the store has.
func BenchmarkPutAgain(b *testing.B) {
	s := openBench(b)
	blobs := batch(0, 3<<10)
	if err := s.Put(b.Context(), castest.Volume(1), blobs); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Put(b.Context(), castest.Volume(1), blobs); err != nil {
			b.Fatal(err)
		}
	}
	perBlob(b, len(blobs))
}

func fill(b *testing.B, s *Store, size, total int) []cas.Ref {
	b.Helper()
	var refs []cas.Ref
	for len(refs) < total {
		blobs := batch(len(refs), size)
		if err := s.Put(b.Context(), castest.Volume(1), blobs); err != nil {
			b.Fatal(err)
		}
		refs = append(refs, castest.Refs(blobs)...)
	}
	return refs
}

func BenchmarkSizes(b *testing.B) {
	s := openBench(b)
	refs := fill(b, s, 3<<10, 300000)
	for _, c := range []struct {
		name string
		flip byte
	}{{"present", 0}, {"absent", 1}} {
		b.Run(c.name, func(b *testing.B) {
			ask := make([]cas.Ref, 1000)
			b.ReportAllocs()
			for n := 0; b.Loop(); n += len(ask) {
				for i := range ask {
					ask[i] = refs[(n+i)*7919%len(refs)]
					ask[i].ID[31] ^= c.flip
				}
				if _, err := s.Sizes(b.Context(), castest.Volume(1), cas.Everything(), ask); err != nil {
					b.Fatal(err)
				}
			}
			perBlob(b, len(ask))
		})
	}
}

func BenchmarkGet(b *testing.B) {
	for _, size := range []int{3 << 10, 64 << 10} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			s := openBench(b)
			refs := fill(b, s, size, 256<<20/size)
			const count = 64
			b.SetBytes(int64(size * count))
			b.ReportAllocs()
			for n := 0; b.Loop(); n = (n + count) % (len(refs) - count) {
				if err := s.Get(b.Context(), cas.Everything(), refs[n:n+count], func(cas.Blob) error { return nil }); err != nil {
					b.Fatal(err)
				}
			}
			perBlob(b, count)
		})
	}
}

// BenchmarkBarrier is one small Put and its Barrier, as in a small push.
func BenchmarkBarrier(b *testing.B) {
	s := openBench(b)
	b.ReportAllocs()
	for n := uint64(0); b.Loop(); n++ {
		plain := make([]byte, 8<<10)
		binary.BigEndian.PutUint64(plain, n)
		if err := s.Put(b.Context(), castest.Volume(1), []cas.Blob{cas.Seal(cas.Chunk, plain)}); err != nil {
			b.Fatal(err)
		}
		if err := s.Barrier(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
