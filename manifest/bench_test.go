package manifest

import (
	"testing"

	"dfs/cas"
)

// benchShapes are the manifests whose cost differs: a small file, one with as many runs as
// fit, one with pages, a directory and a symlink.
var benchShapes = []string{"typical-mtime", "max-inline", "paged", "directory", "symlink"}

func eachShape(b *testing.B, run func(b *testing.B, m *Manifest)) {
	for _, name := range benchShapes {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			run(b, samples()[name])
		})
	}
}

func BenchmarkEncodeShapes(b *testing.B) {
	eachShape(b, func(b *testing.B, m *Manifest) {
		buf := make([]byte, 0, MaxEncoded)
		for b.Loop() {
			if _, err := m.Append(buf); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkDecodeShapes(b *testing.B) {
	eachShape(b, func(b *testing.B, m *Manifest) {
		buf := encode(b, m)
		b.SetBytes(int64(len(buf)))
		for b.Loop() {
			if _, err := Decode(buf); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkHash is what names an edit's base.
func BenchmarkHash(b *testing.B) {
	eachShape(b, func(b *testing.B, m *Manifest) {
		for b.Loop() {
			m.Hash()
		}
	})
}

func BenchmarkEqual(b *testing.B) {
	eachShape(b, func(b *testing.B, m *Manifest) {
		other, err := Decode(encode(b, m))
		if err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			if !Equal(m, other) {
				b.Fatal("differ")
			}
		}
	})
}

func BenchmarkKindOf(b *testing.B) {
	buf := encode(b, samples()["typical-mtime"])
	b.ReportAllocs()
	for b.Loop() {
		if _, err := KindOf(buf); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCheckPath(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if err := CheckPath("home/src/007/23/pkg-19/file_123456.txt"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncodePage(b *testing.B) {
	p := &Page{Runs: numberedRuns(100)}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Encode(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(p.Runs)), "ns/run")
}

// BenchmarkSmallFile makes the manifest of a file of one chunk as a push does.
func BenchmarkSmallFile(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		builder := NewBuilder(func(cas.Blob) error { return nil })
		m := &Manifest{Kind: File, Mode: 0o644, Mtime: Time{1795372800, 123456789}}
		if err := builder.Add(hello); err != nil {
			b.Fatal(err)
		}
		if err := builder.Finish(m); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSnapshot(b *testing.B) {
	s := snapshots()["full"]
	buf, err := s.Encode()
	if err != nil {
		b.Fatal(err)
	}
	b.Run("encode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := s.Encode(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := DecodeSnapshot(buf); err != nil {
				b.Fatal(err)
			}
		}
	})
}
