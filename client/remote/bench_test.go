package remote_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"testing"

	"dfs/cas"
	"dfs/client/remote"
	"dfs/manifest"
	"dfs/server"
	"dfs/server/api"
)

// BenchmarkUpload sends 8 MiB at a time over the loopback to a hub that verifies and drops it.
func BenchmarkUpload(b *testing.B) {
	for _, size := range []int{4 << 10, 64 << 10} {
		for _, conns := range []int{1, 4} {
			b.Run(fmt.Sprintf("%dKiB/conns=%d", size>>10, conns), func(b *testing.B) {
				d := newDouble()
				d.upload = func([]cas.Blob) error { return nil }
				h := dial(b, serve(b, server.New(d, server.Options{})), remote.Options{})
				blobs := randomBlobs(8<<20, size)
				b.SetBytes(8 << 20)
				b.SetParallelism(max(conns/2, 1))
				b.ReportAllocs()
				b.ResetTimer()
				if conns == 1 {
					for b.Loop() {
						if err := h.Upload(b.Context(), cas.VolumeID{}, blobs); err != nil {
							b.Fatal(err)
						}
					}
					return
				}
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						if err := h.Upload(b.Context(), cas.VolumeID{}, blobs); err != nil {
							b.Error(err)
						}
					}
				})
			})
		}
	}
}

// BenchmarkBlobs fetches 8 MiB at a time over the loopback and verifies it.
func BenchmarkBlobs(b *testing.B) {
	for _, size := range []int{4 << 10, 64 << 10} {
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			d := newDouble()
			d.blobs = randomBlobs(8<<20, size)
			h := dial(b, serve(b, server.New(d, server.Options{})), remote.Options{})
			all := refs(d.blobs...)
			b.SetBytes(8 << 20)
			b.ReportAllocs()
			for b.Loop() {
				if err := h.Blobs(b.Context(), api.BlobsRequest{Refs: all}, keep); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(all)), "ns/blob")
		})
	}
}

// answering is a double that answers a part: all of its names are missing.
type answering struct{ *double }

func (answering) Diff(_ context.Context, req api.DiffRequest) (api.DiffAnswer, error) {
	missing := make([]bool, len(req.Names()))
	for i := range missing {
		missing[i] = true
	}
	return api.DiffAnswer{Missing: missing}, nil
}

// BenchmarkDiff sends a part of 8192 edits of small files over the loopback; a request of one
// edit is the cost of a round trip.
func BenchmarkDiff(b *testing.B) {
	h := dial(b, serve(b, server.New(answering{newDouble()}, server.Options{})), remote.Options{})
	for _, n := range []int{1, 8192} {
		edits := make([]api.Edit, n)
		for i := range edits {
			c := chunk(fmt.Sprint(i))
			edits[i] = api.Edit{Path: fmt.Sprintf("dir/file%05d", i), New: &manifest.Manifest{
				Kind: manifest.File, Mode: 0o644, Profile: 1, Size: uint64(c.Size()),
				Runs: []manifest.Run{{ID: c.ID(), Size: uint32(c.Size()), Count: 1}},
			}}
		}
		b.Run(fmt.Sprint("edits=", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if answer, err := h.Diff(b.Context(), api.DiffRequest{Edits: edits}); err != nil || len(answer.Missing) != n {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/edit")
		})
	}
}

// BenchmarkChanges reads 10,000 changes over the loopback.
func BenchmarkChanges(b *testing.B) {
	const n = 10_000
	d := newDouble()
	for i := range n {
		d.change = append(d.change, api.Change{Path: fmt.Sprintf("dir/file%05d", i), New: &manifest.Manifest{
			Kind: manifest.File, Mode: 0o644, Profile: 1, Size: 1, Runs: []manifest.Run{{ID: chunk(fmt.Sprint(i)).ID(), Size: 1, Count: 1}},
		}})
	}
	h := dial(b, serve(b, server.New(d, server.Options{})), remote.Options{})
	b.ReportAllocs()
	for b.Loop() {
		got := 0
		for _, err := range h.Changes(b.Context(), api.ChangesRequest{To: cas.ID{1}}) {
			if err != nil {
				b.Fatal(err)
			}
			got++
		}
		if got != n {
			b.Fatalf("%d changes", got)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/change")
}

func randomBlobs(total, size int) []cas.Blob {
	data := make([]byte, total)
	_, _ = rand.Read(data)
	var blobs []cas.Blob
	for i := 0; i < total; i += size {
		blobs = append(blobs, cas.Seal(cas.Chunk, data[i:i+size]))
	}
	return blobs
}
