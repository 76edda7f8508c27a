package cas

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
)

// benchContents are plain bytes of the sizes of a small file and of a chunk: text, which S2
// brings to about half, and random bytes, which nothing shrinks.
func benchContents() map[string][]byte {
	rng := rand.NewChaCha8([32]byte{1})
	words := make([][]byte, 512)
	for i := range words {
		words[i] = fmt.Appendf(nil, "%x ", rng.Uint64())[:2+i%8]
	}
	var text []byte
	for len(text) < 64<<10 {
		text = append(text, words[rng.Uint64()%uint64(len(words))]...)
	}
	random := make([]byte, 64<<10)
	rng.Read(random)
	return map[string][]byte{
		"text/3KiB": text[:3<<10], "text/64KiB": text[:64<<10],
		"random/3KiB": random[:3<<10], "random/64KiB": random,
	}
}

func eachContent(b *testing.B, names []string, run func(b *testing.B, plain []byte)) {
	contents := benchContents()
	for _, name := range names {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(contents[name])))
			b.ReportAllocs()
			run(b, contents[name])
		})
	}
}

func BenchmarkSeal(b *testing.B) {
	eachContent(b, []string{"random/3KiB", "random/64KiB"}, func(b *testing.B, plain []byte) {
		for b.Loop() {
			Seal(Chunk, plain)
		}
	})
}

var benchLevels = []struct {
	name  string
	level Compression
}{{"s2", CompressBulk}, {"zstd", CompressMax}, {"raw", CompressOff}}

// BenchmarkCompress is what a sender does with a sealed chunk, into memory that it has.
func BenchmarkCompress(b *testing.B) {
	for _, l := range benchLevels[:2] {
		b.Run(l.name, func(b *testing.B) {
			codec := NewCodec(l.level)
			eachContent(b, []string{"text/3KiB", "text/64KiB", "random/3KiB", "random/64KiB"}, func(b *testing.B, plain []byte) {
				blob, dst := Seal(Chunk, plain), make([]byte, 0, 2*MaxSize)
				sent := 0
				for b.Loop() {
					sent = len(codec.Compress(blob, dst).Data())
				}
				b.ReportMetric(float64(sent)/float64(len(plain)), "sent/plain")
			})
		})
	}
}

// BenchmarkDecode decodes into memory that it has; BenchmarkCheck also verifies.
func BenchmarkDecode(b *testing.B) {
	for _, l := range benchLevels[:2] {
		b.Run(l.name, func(b *testing.B) {
			codec := NewCodec(l.level)
			eachContent(b, []string{"text/3KiB", "text/64KiB"}, func(b *testing.B, plain []byte) {
				blob := codec.Compress(Seal(Chunk, plain), nil)
				if blob.Encoding() == Raw {
					b.Fatal("the text does not shrink")
				}
				scratch := make([]byte, len(plain))
				for b.Loop() {
					out, err := decode(blob.Encoding(), len(plain), blob.Data(), scratch)
					if err != nil || !bytes.Equal(out[:1], plain[:1]) {
						b.Fatal(err)
					}
				}
			})
		})
	}
}

// BenchmarkCheckSmall verifies blobs as they arrive from a hub that holds small files.
func BenchmarkCheckSmall(b *testing.B) {
	for _, l := range benchLevels {
		b.Run(l.name, func(b *testing.B) {
			eachContent(b, []string{"text/3KiB"}, func(b *testing.B, plain []byte) {
				blob := NewCodec(l.level).Compress(Seal(Chunk, plain), nil)
				scratch := make([]byte, len(plain))
				for b.Loop() {
					if _, err := Check(blob.Ref(), blob.Encoding(), blob.Size(), blob.Data(), scratch); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}
