package hub

import (
	"context"
	"fmt"
	"testing"

	"dfs/cas"
	"dfs/server/api"
)

// benchEdits returns n creates of small files in directories of a thousand, and their chunks.
func benchEdits(n int) (list []api.Edit, blobs []cas.Blob) {
	for i := range n {
		if i%1000 == 0 {
			list = append(list, api.Edit{Path: fmt.Sprintf("dir%05d", i/1000), New: dir(0o755, 1)})
		}
		m, b := file(fmt.Sprint("content of file ", i))
		list = append(list, api.Edit{Path: fmt.Sprintf("dir%05d/file%03d", i/1000, i%1000), New: m})
		blobs = append(blobs, b)
	}
	return list, blobs
}

// stageAll stages the edits in parts and sends the blobs, and returns the commit to make.
func stageAll(b *testing.B, h *Hub, v cas.VolumeID, list []api.Edit, blobs []cas.Blob) api.CommitRequest {
	b.Helper()
	ctx := context.Background()
	c := newClient(h, v)
	s, err := c.start(ctx, randomID())
	if err != nil {
		b.Fatal(err)
	}
	req := api.CommitRequest{Session: s.Session, Key: randomID()}
	for ; len(list) > 0; req.Parts++ {
		n := min(8192, len(list))
		if _, err := h.Diff(ctx, api.DiffRequest{Session: s.Session, Part: req.Parts, Edits: list[:n]}); err != nil {
			b.Fatal(err)
		}
		list = list[n:]
	}
	for len(blobs) > 0 {
		n := min(8192, len(blobs))
		if err := h.Upload(ctx, s.Session, blobs[:n]); err != nil {
			b.Fatal(err)
		}
		blobs = blobs[n:]
	}
	return req
}

func newBenchVolume(b *testing.B, h *Hub) cas.VolumeID {
	b.Helper()
	id := randomID()
	if _, err := h.CreateVolume(context.Background(), id.String(), id); err != nil {
		b.Fatal(err)
	}
	return id
}

// BenchmarkFirstPush is the commit of a first push whose parts are staged and whose blobs are there.
func BenchmarkFirstPush(b *testing.B) {
	for _, n := range []int{100_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			h := open(b, b.TempDir(), Options{})
			list, blobs := benchEdits(n)
			for b.Loop() {
				b.StopTimer()
				req := stageAll(b, h, newBenchVolume(b, h), list, blobs)
				b.StartTimer()
				if _, err := h.Commit(context.Background(), req); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "edits/s")
		})
	}
}

// BenchmarkOneEdit is a whole push of one new file, from Start to the answer of Commit, to a head of 100,000 files.
func BenchmarkOneEdit(b *testing.B) {
	ctx := context.Background()
	h := open(b, b.TempDir(), Options{})
	v := newBenchVolume(b, h)
	list, blobs := benchEdits(100_000)
	if _, err := h.Commit(ctx, stageAll(b, h, v, list, blobs)); err != nil {
		b.Fatal(err)
	}
	c := newClient(h, v)
	for n := 0; b.Loop(); n++ {
		s, err := c.start(ctx, randomID())
		if err != nil {
			b.Fatal(err)
		}
		m, blob := file(fmt.Sprint("new content ", n))
		if _, err := h.Commit(ctx, api.CommitRequest{Session: s.Session, Key: randomID(), Blobs: []cas.Blob{blob},
			Edits: []api.Edit{{Path: fmt.Sprintf("dir%05d/new%d", n%100, n), New: m}}}); err != nil {
			b.Fatal(err)
		}
	}
}
