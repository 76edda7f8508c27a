package chunker

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

	rabin "github.com/restic/chunker"
	"pgregory.net/rapid"

	"dfs/cas"
)

// random returns n bytes that depend only on seed: the blocks
// SHA-256(seed ‖ counter), both as 8 bytes big-endian.
func random(seed uint64, n int) []byte {
	out := make([]byte, 0, n+32)
	var in [16]byte
	binary.BigEndian.PutUint64(in[:], seed)
	for i := uint64(0); len(out) < n; i++ {
		binary.BigEndian.PutUint64(in[8:], i)
		sum := sha256.Sum256(in[:])
		out = append(out, sum[:]...)
	}
	return out[:n]
}

// text returns n bytes of lines that look like a log.
func text(n int) []byte {
	var b bytes.Buffer
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, "%08d GET /files/%d HTTP/1.1 status %d in %d ms\n", i, i*7919%1000, 200+i%3, i*i%977)
	}
	return b.Bytes()[:n]
}

// mixed returns random bytes, zeros, text and a repetition, of n bytes each.
func mixed(n int) []byte {
	return bytes.Join([][]byte{random(1, n), make([]byte, n), text(n), bytes.Repeat([]byte("abcdefg"), n/7), random(2, n)}, nil)
}

// lengths cuts what r gives with c and returns the chunks' lengths and their concatenation.
func lengths(t testing.TB, c *Chunker, r io.Reader) (list []int, all []byte) {
	t.Helper()
	c.Reset(r)
	var buf []byte
	for {
		chunk, err := c.Next(buf)
		if err == io.EOF {
			return list, all
		}
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, len(chunk))
		all = append(all, chunk...)
		buf = chunk
	}
}

// reference cuts data with restic/chunker's own serial chunker.
func reference(t testing.TB, data []byte) (list []int) {
	t.Helper()
	c := rabin.New(bytes.NewReader(data), polynomial, rabin.WithBoundaries(Min, Max), rabin.WithAverageBits(splitBits))
	for {
		chunk, err := c.Next(nil)
		if err == io.EOF {
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, int(chunk.Length))
	}
}

// samples are contents by name, with every size around the bounds.
func samples() map[string][]byte {
	s := map[string][]byte{
		"random": random(3, 5<<20),
		"text":   text(3 << 20),
		"zeros":  make([]byte, 2<<20),
		"mixed":  mixed(1 << 20),
	}
	zeros, rnd, period := make([]byte, 2*Max), random(4, 2*Max), bytes.Repeat([]byte{1, 2, 3}, Max)
	for _, around := range []int{0, 64, Min - 64, Min, Min + step, 2 * Min, Max - step, Max, Max + Min, 2*Max - 2} {
		for n := max(0, around-2); n <= around+2; n++ {
			s[fmt.Sprintf("zeros%d", n)] = zeros[:n]
			s[fmt.Sprintf("random%d", n)] = rnd[:n]
			s[fmt.Sprintf("period%d", n)] = period[:n]
		}
	}
	return s
}

func TestPolynomial(t *testing.T) {
	if !polynomial.Irreducible() || polynomial.Deg() != 53 {
		t.Errorf("%v is not irreducible of degree 53", polynomial)
	}
	var draws bytes.Buffer
	for i := range uint64(1000) {
		sum := sha256.Sum256(binary.BigEndian.AppendUint64([]byte("dfs chunking profile 1"), i))
		draws.Write(sum[:8])
	}
	if got, err := rabin.DerivePolynomial(&draws); err != nil || got != polynomial {
		t.Errorf("derivation gives %v, %v; want %v", got, err, polynomial)
	}
}

func TestCheckProfile(t *testing.T) {
	for n := range 256 {
		if err := CheckProfile(uint8(n)); (err == nil) != (n == Profile1) {
			t.Errorf("profile %d: %v", n, err)
		}
	}
}

func TestSameCutsAsRestic(t *testing.T) {
	t.Parallel()
	c := New(nil)
	for name, data := range samples() {
		want := reference(t, data)
		got, all := lengths(t, c, bytes.NewReader(data))
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: cuts %v, want %v", name, got, want)
		}
		if !bytes.Equal(all, data) {
			t.Errorf("%s: the chunks are not the content", name)
		}
	}
}

func TestReadersSplitAnyhow(t *testing.T) {
	t.Parallel()
	data := mixed(200_000)
	want := reference(t, data)
	rng := rand.New(rand.NewPCG(1, 2))
	readers := map[string]func(io.Reader) io.Reader{
		"one byte":       iotest.OneByteReader,
		"half":           iotest.HalfReader,
		"data and error": iotest.DataErrReader,
		"one byte, data and error": func(r io.Reader) io.Reader {
			return iotest.DataErrReader(iotest.OneByteReader(r))
		},
		"random": func(r io.Reader) io.Reader { return &randomReader{r, rng} },
	}
	c := New(nil)
	for name, wrap := range readers {
		for _, n := range []int{0, 1, Min - 1, Min, Min + 1, Min + step, Max, len(data)} {
			got, all := lengths(t, c, wrap(bytes.NewReader(data[:n])))
			wantN := want
			if n < len(data) {
				wantN = reference(t, data[:n])
			}
			if fmt.Sprint(got) != fmt.Sprint(wantN) || !bytes.Equal(all, data[:n]) {
				t.Errorf("%s: %d bytes cut at %v, want %v", name, n, got, wantN)
			}
		}
	}
}

// randomReader reads up to 40,000 bytes at a time, sometimes none.
type randomReader struct {
	r   io.Reader
	rng *rand.Rand
}

func (r *randomReader) Read(p []byte) (int, error) {
	return r.r.Read(p[:min(len(p), r.rng.IntN(40_000))])
}

func TestNextProperties(t *testing.T) {
	t.Parallel()
	pool := mixed(300_000)
	c := New(nil)
	rapid.Check(t, func(t *rapid.T) {
		from := rapid.IntRange(0, len(pool)).Draw(t, "from")
		data := pool[from:rapid.IntRange(from, len(pool)).Draw(t, "to")]
		size := rapid.IntRange(0, 2*Max).Draw(t, "buffer")
		c.Reset(bytes.NewReader(data))
		var all []byte
		buf, last := make([]byte, 0, size), Max
		for {
			chunk, err := c.Next(buf)
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if last < Min || len(chunk) == 0 || len(chunk) > Max {
				t.Fatalf("chunk of %d bytes after one of %d", len(chunk), last)
			}
			all, last = append(all, chunk...), len(chunk)
		}
		if !bytes.Equal(all, data) {
			t.Fatal("the chunks are not the content")
		}
	})
}

func TestReaderErrors(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	c := New(nil)
	for _, n := range []int{0, 100, Min, Min + step, 5 * Max} {
		c.Reset(io.MultiReader(bytes.NewReader(random(5, n)), iotest.ErrReader(broken)))
		got, err := 0, error(nil)
		for err == nil {
			var chunk []byte
			chunk, err = c.Next(nil)
			got += len(chunk)
		}
		if err != broken || got > n {
			t.Errorf("after %d bytes: %d bytes, error %v", n, got, err)
		}
		if _, again := c.Next(nil); again != broken {
			t.Errorf("then %v", again)
		}
	}
	c.Reset(stuck{})
	if _, err := c.Next(nil); err != io.ErrNoProgress {
		t.Errorf("a reader without progress: %v", err)
	}
	data := random(5, 2*Max)
	c.Reset(io.MultiReader(bytes.NewReader(data[:Min+step]), iotest.ErrReader(broken)))
	if chunk, err := c.Next(nil); err != broken {
		t.Fatalf("chunk of %d bytes, %v; the test wants a reader to fail within a chunk", len(chunk), err)
	}
	if got, _ := lengths(t, c, bytes.NewReader(data)); fmt.Sprint(got) != fmt.Sprint(reference(t, data)) {
		t.Errorf("after Reset: %v", got)
	}
}

type stuck struct{}

func (stuck) Read([]byte) (int, error) { return 0, nil }

func TestZerosCutAtMin(t *testing.T) {
	t.Parallel()
	list, _ := lengths(t, New(nil), bytes.NewReader(make([]byte, 10*Min+5)))
	if want := strings.Repeat(" "+strconv.Itoa(Min), 10) + " 5"; " "+strings.Trim(fmt.Sprint(list), "[]") != want {
		t.Errorf("zeros are cut %v", list)
	}
	if want := cas.Sum(make([]byte, Min)); ZeroID() != want {
		t.Errorf("ZeroID is %v, want %v", ZeroID(), want)
	}
}

// TestInsertion states how far an insertion reaches: of the 1,000-odd chunks of
// 64 MiB, no single inserted byte changes more than 16.
func TestInsertion(t *testing.T) {
	t.Parallel()
	data := random(6, 64<<20)
	before := ids(t, bytes.NewReader(data))
	for _, at := range []int{0, 33<<20 + 7, len(data) - 1} {
		after := ids(t, io.MultiReader(bytes.NewReader(data[:at]), strings.NewReader("x"), bytes.NewReader(data[at:])))
		fresh := 0
		for id := range after {
			if !before[id] {
				fresh++
			}
		}
		if fresh < 1 || fresh > 16 {
			t.Errorf("a byte at %d changes %d of %d chunks", at, fresh, len(before))
		}
	}
}

func ids(t *testing.T, r io.Reader) map[cas.ID]bool {
	set := make(map[cas.ID]bool)
	c := New(r)
	var buf []byte
	for {
		chunk, err := c.Next(buf)
		if err == io.EOF {
			return set
		}
		if err != nil {
			t.Fatal(err)
		}
		set[cas.Sum(chunk)] = true
		buf = chunk
	}
}

// vectors are the contents of the frozen cut points by name.
func vectors() map[string][]byte {
	return map[string][]byte{
		"random":          random(0, 4<<20),
		"zeros":           make([]byte, 200_000),
		"random-in-zeros": bytes.Join([][]byte{make([]byte, 100_000), random(7, 100_000), make([]byte, 300_000)}, nil),
		"period-7":        bytes.Repeat([]byte{0, 1, 2, 3, 4, 5, 6}, 100_000),
	}
}

// TestVectors holds the format to its frozen cut points: a line is a name, the
// SHA-256 of the content (see random), and where each chunk ends.
func TestVectors(t *testing.T) {
	t.Parallel()
	file, err := os.ReadFile("../../testdata/vectors/chunker/profile1.txt")
	if err != nil {
		t.Fatal(err)
	}
	contents := vectors()
	for line := range strings.Lines(string(file)) {
		fields := strings.Fields(line)
		if fields[0] == "#" {
			continue
		}
		data, ok := contents[fields[0]]
		delete(contents, fields[0])
		if !ok || cas.Sum(data).String() != fields[1] {
			t.Fatalf("%s: the test's content is not the vector's", fields[0])
		}
		if got := vectorLine(t, fields[0], data); got != strings.TrimSuffix(line, "\n") {
			t.Errorf("got  %s\nwant %s", got, line)
		}
	}
	for name, data := range contents {
		t.Errorf("no vector: %s", vectorLine(t, name, data))
	}
}

func vectorLine(t *testing.T, name string, data []byte) string {
	line, end := name+" "+cas.Sum(data).String(), 0
	list, _ := lengths(t, New(nil), bytes.NewReader(data))
	for _, n := range list {
		end += n
		line += " " + strconv.Itoa(end)
	}
	return line
}

func TestSmallFilesCostNoMemory(t *testing.T) {
	data := random(8, 3<<10)
	r := bytes.NewReader(data)
	c, buf := New(r), make([]byte, 0, len(data))
	if n := testing.AllocsPerRun(100, func() {
		r.Reset(data)
		c.Reset(r)
		if chunk, err := c.Next(buf); len(chunk) != len(data) || err != nil {
			t.Fatal(len(chunk), err)
		}
		if _, err := c.Next(buf); err != io.EOF {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations a file", n)
	}
	if c.cutter.rabin != nil {
		t.Error("a small file passed through Rabin")
	}
}

func BenchmarkSerial(b *testing.B) {
	for _, content := range []struct {
		name string
		data []byte
	}{{"random", random(9, 64<<20)}, {"zeros", make([]byte, 64<<20)}} {
		b.Run(content.name, func(b *testing.B) {
			c, buf := New(nil), make([]byte, 0, Max)
			b.SetBytes(int64(len(content.data)))
			b.ReportAllocs()
			for b.Loop() {
				c.Reset(bytes.NewReader(content.data))
				var err error
				for err == nil {
					_, err = c.Next(buf)
				}
			}
		})
	}
}

func BenchmarkSerialHashed(b *testing.B) {
	data := random(9, 64<<20)
	c, buf := New(nil), make([]byte, 0, Max)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		c.Reset(bytes.NewReader(data))
		for {
			chunk, err := c.Next(buf)
			if err != nil {
				break
			}
			cas.Sum(chunk)
		}
	}
}

func BenchmarkParallelHashed(b *testing.B) {
	data := random(9, 64<<20)
	span := Span{R: bytes.NewReader(data), Size: int64(len(data)), To: int64(len(data))}
	for _, workers := range []int{1, 2, 4} {
		b.Run(strconv.Itoa(workers), func(b *testing.B) {
			p := NewParallel(workers, func(_ int64, data []byte) (cas.ID, error) { return cas.Sum(data), nil })
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				if _, err := p.Cut(context.Background(), span, func(cas.ID) error { return nil }); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkSmallFiles(b *testing.B) {
	data := random(9, 3<<10)
	r := bytes.NewReader(data)
	c, buf := New(r), make([]byte, 0, Max)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		r.Reset(data)
		c.Reset(r)
		for {
			if _, err := c.Next(buf); err != nil {
				break
			}
		}
	}
}
