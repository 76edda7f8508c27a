package workload

import (
	"bytes"
	"compress/flate"
	"os"
	"path/filepath"
	"testing"

	"dfs/cas"
	"dfs/cas/chunker"
)

// TestCompressibility holds contents to what they say of themselves.
func TestCompressibility(t *testing.T) {
	for name, c := range map[string]struct {
		content  content
		min, max float64
	}{
		"random": {random{}, 0.999, 1.01},
		"half":   {newHalf(), 0.48, 0.56},
		"prose":  {newProse(), 0.2, 0.45},
	} {
		b := make([]byte, 256<<10)
		c.content.fill(b, newStream(1))
		var out bytes.Buffer
		w, err := flate.NewWriter(&out, flate.DefaultCompression)
		if err != nil {
			t.Fatal(err)
		}
		w.Write(b)
		w.Close()
		if r := float64(out.Len()) / float64(len(b)); r < c.min || r > c.max {
			t.Errorf("%s: compressed to %.3f, want %.2f to %.2f", name, r, c.min, c.max)
		}
	}
}

// TestFillLengths holds contents to fill all of any length.
func TestFillLengths(t *testing.T) {
	for _, c := range []content{random{}, newHalf(), newProse()} {
		for n := range 300 {
			b := make([]byte, n+1)
			b[n] = 0xee
			c.fill(b[:n], newStream(uint64(n)))
			if b[n] != 0xee {
				t.Fatalf("%T wrote behind %d bytes", c, n)
			}
			if n >= 24 && bytes.HasSuffix(b[:n], make([]byte, 8)) {
				t.Fatalf("%T left the end of %d bytes as it was", c, n)
			}
		}
	}
}

// TestDuplicates cuts the files of the workload and looks how much is repeated.
func TestDuplicates(t *testing.T) {
	dir, size := create1(t, "duplicates", 1, 0.02)
	seen := make(map[cas.ID]bool)
	var unique int64
	files, err := list(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		for c := chunker.New(bytes.NewReader(data)); ; {
			chunk, err := c.Next(nil)
			if err != nil {
				break
			}
			if id := cas.Sum(chunk); !seen[id] {
				seen[id] = true
				unique += int64(len(chunk))
			}
		}
	}
	if share := float64(unique) / float64(size.Bytes); share < 0.45 || share > 0.6 {
		t.Errorf("%.2f of the data is unique, want about half", share)
	}
}

func TestSizes(t *testing.T) {
	var sum int64
	for _, n := range sizes(7, 1000, 1<<30, 1.5) {
		if n < 1 {
			t.Fatalf("a size of %d", n)
		}
		sum += n
	}
	if sum != 1<<30 {
		t.Errorf("%d bytes in all", sum)
	}
}

func BenchmarkFill(b *testing.B) {
	for name, c := range map[string]content{"random": random{}, "half": newHalf(), "prose": newProse()} {
		b.Run(name, func(b *testing.B) {
			buf := make([]byte, segment)
			b.SetBytes(segment)
			s := newStream(1)
			for b.Loop() {
				c.fill(buf, s)
			}
		})
	}
}
