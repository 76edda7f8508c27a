package hub

import (
	"bytes"
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
	if _, err := h.CreateVolume(context.Background(), "of "+id.String(), id); err != nil {
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
			b.ReportAllocs()
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
	h, v, _ := headOf100k(b)
	c := newClient(h, v)
	b.ReportAllocs()
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

// headOf100k returns a hub with a volume whose head has 100,000 files, and how it was made.
func headOf100k(b *testing.B) (h *Hub, v cas.VolumeID, list []api.Edit) {
	b.Helper()
	h = open(b, b.TempDir(), Options{})
	v = newBenchVolume(b, h)
	list, blobs := benchEdits(100_000)
	if _, err := h.Commit(context.Background(), stageAll(b, h, v, list, blobs)); err != nil {
		b.Fatal(err)
	}
	return h, v, list
}

const diffPart = 8192

// BenchmarkDiff is one part of 8192 edits of a session, staged again and again: files that
// the hub has none of, and files that its head has already.
func BenchmarkDiff(b *testing.B) {
	ctx := context.Background()
	h, v, known := headOf100k(b)
	fresh := make([]api.Edit, diffPart)
	for i := range fresh {
		m, _ := file(fmt.Sprint("fresh ", i))
		fresh[i] = api.Edit{Path: fmt.Sprintf("fresh/file%05d", i), New: m}
	}
	for _, c := range []struct {
		name  string
		edits []api.Edit
	}{{"fresh", fresh}, {"known", known[:diffPart]}} {
		b.Run(c.name, func(b *testing.B) {
			s, err := newClient(h, v).start(ctx, randomID())
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := h.Diff(ctx, api.DiffRequest{Session: s.Session, Edits: c.edits}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/diffPart, "ns/edit")
		})
	}
}

// BenchmarkDecide decides edits of all files of a head, and of one in a hundred.
func BenchmarkDecide(b *testing.B) {
	ctx := context.Background()
	h, v, list := headOf100k(b)
	vol, err := h.volume(v)
	if err != nil {
		b.Fatal(err)
	}
	root := h.headOf(vol).Root
	for _, every := range []int{1, 100} {
		var edits []api.Edit
		for i := 0; i < len(list); i += every {
			m := *list[i].New
			m.Mode = 0o700
			edits = append(edits, api.Edit{Path: list[i].Path, Base: list[i].New.Hash(), New: &m})
		}
		b.Run(fmt.Sprint("every=", every), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				d := newDecider(ctx, h.nodes(v), root, nil)
				for _, e := range edits {
					if err := d.add(e); err != nil {
						b.Fatal(err)
					}
				}
				if err := d.finish(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(edits)), "ns/edit")
		})
	}
}

// BenchmarkChanges lists all of a head of 100,000 files, as a first pull asks for it.
func BenchmarkChanges(b *testing.B) {
	ctx := context.Background()
	h, v, list := headOf100k(b)
	head, err := h.Snapshot(ctx, v, cas.ID{})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		for _, err := range h.Changes(ctx, api.ChangesRequest{Volume: v, To: head.ID}) {
			if err != nil {
				b.Fatal(err)
			}
			n++
		}
		if n != len(list) {
			b.Fatalf("%d changes of %d", n, len(list))
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(list)), "ns/change")
}

// BenchmarkUpload stores batches of 8 MiB of small files' chunks that are new, without the hashing.
func BenchmarkUpload(b *testing.B) {
	ctx := context.Background()
	h := open(b, b.TempDir(), Options{})
	s, err := newClient(h, newBenchVolume(b, h)).start(ctx, randomID())
	if err != nil {
		b.Fatal(err)
	}
	const size, count = 3 << 10, 8 << 20 / (3 << 10)
	filler := bytes.Repeat([]byte("0123456789abcdef"), size/16)
	b.SetBytes(size * count)
	b.ReportAllocs()
	for n := 0; b.Loop(); {
		b.StopTimer()
		blobs := make([]cas.Blob, count)
		for i := range blobs {
			blobs[i] = cas.Seal(cas.Chunk, fmt.Appendf(nil, "%016d%s", n, filler[16:]))
			n++
		}
		b.StartTimer()
		if err := h.Upload(ctx, s.Session, blobs); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/count, "ns/blob")
}
