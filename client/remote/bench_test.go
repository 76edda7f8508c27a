package remote_test

import (
	"crypto/rand"
	"fmt"
	"testing"

	"dfs/cas"
	"dfs/client/remote"
	"dfs/server"
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
	d := newDouble()
	d.blobs = randomBlobs(8<<20, 64<<10)
	h := dial(b, serve(b, server.New(d, server.Options{})), remote.Options{})
	all := refs(d.blobs...)
	b.SetBytes(8 << 20)
	b.ReportAllocs()
	for b.Loop() {
		if err := h.Blobs(b.Context(), cas.VolumeID{}, all, keep); err != nil {
			b.Fatal(err)
		}
	}
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
