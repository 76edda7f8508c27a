package api_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"dfs/cas"
	"dfs/manifest"
	"dfs/server/api"
)

const benchItems = 1000

func perItem(b *testing.B, unit string) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchItems, unit)
}

// benchBlobs are chunks of small files, of which S2 shrinks none and all.
func benchBlobs() map[string][]cas.Blob {
	rng := rand.NewChaCha8([32]byte{2})
	codec := cas.NewCodec(cas.CompressBulk)
	blobs := make(map[string][]cas.Blob)
	for range benchItems {
		data := make([]byte, 3<<10)
		rng.Read(data)
		blobs["raw"] = append(blobs["raw"], cas.Seal(cas.Chunk, data))
		half := bytes.Repeat(data[:1<<10], 3)
		for i := range half {
			half[i] &= 0x1f
		}
		blobs["s2"] = append(blobs["s2"], codec.Compress(cas.Seal(cas.Chunk, half), nil))
	}
	return blobs
}

// BenchmarkSmallFrames is a stream of a thousand chunks of 3 KiB.
func BenchmarkSmallFrames(b *testing.B) {
	for name, blobs := range benchBlobs() {
		sent := stream(b, nil, nil, blobs...)
		b.Run("encode/"+name, func(b *testing.B) {
			b.SetBytes(int64(len(sent)))
			b.ReportAllocs()
			for b.Loop() {
				w := api.NewFrameWriter(io.Discard)
				for _, blob := range blobs {
					if err := w.Blob(blob); err != nil {
						b.Fatal(err)
					}
				}
				if err := w.End(nil); err != nil {
					b.Fatal(err)
				}
			}
			perItem(b, "ns/frame")
		})
		b.Run("decode/"+name, func(b *testing.B) {
			data, plain := make([]byte, 64<<10), make([]byte, 64<<10)
			b.SetBytes(int64(len(sent)))
			b.ReportAllocs()
			for b.Loop() {
				f := api.NewFrameReader(bytes.NewReader(sent))
				for range blobs {
					h, err := f.Next()
					if err == nil {
						_, err = f.Blob(h, data[:h.Size], plain)
					}
					if err != nil {
						b.Fatal(err)
					}
				}
				if _, err := f.Next(); err != io.EOF {
					b.Fatal(err)
				}
			}
			perItem(b, "ns/frame")
		})
	}
}

func BenchmarkMerge(b *testing.B) {
	base, other := file("base"), file("other")
	chmod, touched := file("base"), file("base")
	chmod.Mode, touched.Mtime.Sec = 0o600, touched.Mtime.Sec+1
	for _, c := range []struct {
		name               string
		base, ours, theirs *manifest.Manifest
		want               api.Verdict
	}{
		{"same", base, file("base"), file("base"), api.TakeSame},
		{"ours", base, other, file("base"), api.TakeOurs},
		{"theirs", base, file("base"), other, api.TakeTheirs},
		{"both", base, chmod, touched, api.TakeBoth},
		{"none", base, other, file("third"), api.TakeNone},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, got := api.Merge(c.base, c.ours, c.theirs); got != c.want {
					b.Fatal(got)
				}
			}
		})
	}
}

func benchEdits() []api.Edit {
	edits := make([]api.Edit, benchItems)
	for i := range edits {
		edits[i] = api.Edit{Path: fmt.Sprintf("some/directory/file-%06d", i), Base: id(byte(i)), New: file(fmt.Sprint(i))}
	}
	return edits
}

// benchMessages is messages of a thousand items: how each is made and read.
func benchMessages() map[string][2]func([]byte) ([]byte, error) {
	edits := benchEdits()
	part := &api.DiffRequest{Edits: edits}
	commit := &api.CommitRequest{Edits: edits}
	answer := &api.DiffAnswer{Missing: make([]bool, benchItems)}
	names := &api.BlobsRequest{Refs: part.Names()}
	return map[string][2]func([]byte) ([]byte, error){
		"diff request": {part.Append, func(msg []byte) ([]byte, error) { _, err := api.DecodeDiffRequest(msg); return nil, err }},
		"diff answer": {
			func(dst []byte) ([]byte, error) { return answer.Append(dst), nil },
			func(msg []byte) ([]byte, error) { _, err := api.DecodeDiffAnswer(msg, benchItems); return nil, err },
		},
		"commit request": {commit.Append, func(msg []byte) ([]byte, error) { _, err := api.DecodeCommitRequest(msg); return nil, err }},
		"blobs request": {
			func(dst []byte) ([]byte, error) { return names.Append(dst), nil },
			func(msg []byte) ([]byte, error) { _, err := api.DecodeBlobsRequest(msg); return nil, err },
		},
		"changes": {
			func(dst []byte) (_ []byte, err error) {
				for _, e := range edits {
					c := api.Change{Path: e.Path, New: e.New}
					if dst, err = c.Append(dst); err != nil {
						return nil, err
					}
				}
				return dst, nil
			},
			func(msg []byte) ([]byte, error) { _, err := api.DecodeChanges(msg); return nil, err },
		},
	}
}

// BenchmarkMessages is of messages that have a thousand edits, changes or names each.
func BenchmarkMessages(b *testing.B) {
	for name, do := range benchMessages() {
		msg, err := do[0](nil)
		if err != nil {
			b.Fatal(err)
		}
		for i, way := range []string{"encode", "decode"} {
			b.Run(name+"/"+way, func(b *testing.B) {
				b.SetBytes(int64(len(msg)))
				b.ReportAllocs()
				for b.Loop() {
					if _, err := do[i](msg[:len(msg)*i]); err != nil {
						b.Fatal(err)
					}
				}
				perItem(b, "ns/item")
			})
		}
	}
}

// BenchmarkDiffNames lists what the hub looks up for a part.
func BenchmarkDiffNames(b *testing.B) {
	part := &api.DiffRequest{Edits: benchEdits()}
	b.ReportAllocs()
	for b.Loop() {
		part.Names()
	}
	perItem(b, "ns/edit")
}
