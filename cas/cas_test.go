package cas

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"pgregory.net/rapid"
)

// FIPS 180-2 gives the digests of "abc" and of the empty string.
const (
	abcID   = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
	emptyID = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
)

func TestSum(t *testing.T) {
	for plain, want := range map[string]string{"abc": abcID, "": emptyID} {
		if got := Sum([]byte(plain)).String(); got != want {
			t.Errorf("Sum(%q) = %s, want %s", plain, got, want)
		}
	}
}

func TestParseID(t *testing.T) {
	id, err := ParseID(abcID)
	if err != nil || id != Sum([]byte("abc")) {
		t.Errorf("ParseID: %v, %v", id, err)
	}
	if id.Short() != "ba7816bf" {
		t.Errorf("Short: %s", id.Short())
	}
	for _, bad := range []string{"", "ba", strings.ToUpper(abcID), abcID + "0", abcID[:63], abcID[:63] + "g", " " + abcID[1:], "0x" + abcID[2:]} {
		if _, err := ParseID(bad); err == nil {
			t.Errorf("ParseID(%q): accepted", bad)
		}
	}
	v, err := ParseVolumeID("000102030405060708090a0b0c0d0e0f")
	if err != nil || v.String() != "000102030405060708090a0b0c0d0e0f" || v.IsZero() {
		t.Errorf("ParseVolumeID: %v, %v", v, err)
	}
	if _, err := ParseVolumeID(abcID); err == nil {
		t.Error("ParseVolumeID accepted 64 digits")
	}
}

func TestIDText(t *testing.T) {
	type record struct {
		ID     ID
		Volume VolumeID
	}
	for _, want := range []record{{}, {ID: Sum([]byte("abc")), Volume: VolumeID{15: 1}}} {
		text, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got record
		if err := json.Unmarshal(text, &got); err != nil || got != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	var id ID
	if err := json.Unmarshal([]byte(`"xyz"`), &id); err == nil {
		t.Error("ID xyz accepted")
	}
	if a, b := (ID{1}), (ID{2}); a.Compare(b) >= 0 || b.Compare(a) <= 0 || a.Compare(a) != 0 {
		t.Error("Compare does not order by bytes")
	}
}

func TestKind(t *testing.T) {
	for kind, name := range map[Kind]string{Chunk: "chunk", Page: "page", Node: "node", Snapshot: "snapshot"} {
		if !kind.Valid() || kind.String() != name {
			t.Errorf("%q: valid %v, name %s", byte(kind), kind.Valid(), kind)
		}
	}
	if Kind('x').Valid() || Kind(0).Valid() {
		t.Error("an unknown kind is valid")
	}
}

// golden holds encodings that every release must go on reading: 100 bytes "dfs " repeated.
var golden = []struct {
	enc  Encoding
	data string
}{
	{Raw, hex.EncodeToString([]byte(strings.Repeat("dfs ", 25)))},
	{S2, "640c646673201104150050"},
	{Zstd, "28b52ffd00005d0000206466732001540402297d"},
}

func TestGolden(t *testing.T) {
	plain := []byte(strings.Repeat("dfs ", 25))
	if got := Sum(plain).String(); got != "dc01534429eb68b714bf857c7d5eee05cac39ea9fc0e7c31bf4d6e7426a15b59" {
		t.Errorf("ID %s", got)
	}
	for _, g := range golden {
		data, err := hex.DecodeString(g.data)
		if err != nil {
			t.Fatal(err)
		}
		b, err := Check(Ref{Chunk, Sum(plain)}, g.enc, len(plain), data, nil)
		if err != nil || !bytes.Equal(b.Plain(), plain) {
			t.Errorf("encoding %d: %v", g.enc, err)
		}
	}
}

func TestCheckRefuses(t *testing.T) {
	plain := bytes.Repeat([]byte("some plain bytes, "), 500)
	ref := Seal(Chunk, plain).Ref()
	flip := func(b []byte, i int) []byte {
		b = bytes.Clone(b)
		b[i] ^= 1
		return b
	}
	fast, hard := NewCodec(CompressBulk).Compress(Seal(Chunk, plain), nil), NewCodec(CompressMax).Compress(Seal(Chunk, plain), nil)
	if fast.Encoding() != S2 || hard.Encoding() != Zstd {
		t.Fatalf("encodings %d, %d", fast.Encoding(), hard.Encoding())
	}
	other := s2.Encode(nil, flip(plain, 7))
	cases := map[string]struct {
		enc  Encoding
		size int
		data []byte
	}{
		"altered":           {Raw, len(plain), flip(plain, 100)},
		"truncated":         {Raw, len(plain), plain[:100]},
		"another size":      {Raw, 100, plain},
		"empty":             {Raw, 0, nil},
		"negative size":     {Raw, -1, nil},
		"oversized":         {Raw, MaxSize + 1, make([]byte, MaxSize+1)},
		"unknown encoding":  {3, len(plain), plain},
		"s2 of other bytes": {S2, len(plain), other},
		"s2 truncated":      {S2, len(plain), fast.Data()[:len(fast.Data())/2]},
		"s2 empty":          {S2, len(plain), nil},
		"s2 wrong size":     {S2, len(plain) + 1, fast.Data()},
		"zstd truncated":    {Zstd, len(plain), hard.Data()[:len(hard.Data())/2]},
		"zstd empty":        {Zstd, len(plain), nil},
		"zstd too large":    {Zstd, len(plain) - 1, hard.Data()},
		"zstd too small":    {Zstd, len(plain) + 1, hard.Data()},
		"zstd twice":        {Zstd, len(plain), append(bytes.Clone(hard.Data()), hard.Data()...)},
		"grown":             {Zstd, 10, hard.Data()},
	}
	for name, c := range cases {
		_, err := Check(ref, c.enc, c.size, c.data, make([]byte, 0, 1<<15))
		var corrupt *CorruptError
		if !errors.As(err, &corrupt) || !errors.Is(err, ErrCorrupt) || corrupt.Ref != ref {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Check(Ref{Chunk, Sum(nil)}, Raw, 0, nil, nil); err != nil {
		t.Errorf("the empty blob: %v", err)
	}
}

// TestCheckBombs decodes small inputs that claim or hold much, and counts memory.
func TestCheckBombs(t *testing.T) {
	enc, err := zstd.NewWriter(nil, zstd.WithWindowSize(MaxSize))
	if err != nil {
		t.Fatal(err)
	}
	var stream bytes.Buffer // without a content size in its header
	w, err := zstd.NewWriter(&stream, zstd.WithWindowSize(MaxSize))
	if err != nil {
		t.Fatal(err)
	}
	zeros := make([]byte, 64<<20)
	if _, err := w.Write(zeros); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	one := enc.EncodeAll(zeros[:MaxSize], nil)
	bombs := map[string]struct {
		enc  Encoding
		data []byte
	}{
		"zstd":             {Zstd, enc.EncodeAll(zeros, nil)},
		"zstd stream":      {Zstd, stream.Bytes()},
		"zstd many frames": {Zstd, bytes.Repeat(one, 64)},
		"s2":               {S2, s2.Encode(nil, zeros)},
		"s2 length alone":  {S2, []byte{0xff, 0xff, 0xff, 0xff, 0x0f, 0}},
	}
	for name, bomb := range bombs {
		for _, size := range []int{4096, MaxSize} {
			if _, err := Check(Ref{}, bomb.enc, size, bomb.data, nil); err == nil { // warm the pools
				t.Errorf("%s: accepted", name)
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			if _, err := Check(Ref{}, bomb.enc, size, bomb.data, nil); err == nil {
				t.Errorf("%s: accepted", name)
			}
			runtime.ReadMemStats(&after)
			if got := after.TotalAlloc - before.TotalAlloc; got > 3*uint64(size)+256<<10 {
				t.Errorf("%s as %d bytes: allocated %d", name, size, got)
			}
		}
	}
}

func drawPlain(t *rapid.T) []byte {
	plain := rapid.SliceOfN(rapid.Byte(), 0, 2000).Draw(t, "plain")
	return bytes.Repeat(plain, rapid.IntRange(1, 100).Draw(t, "times"))
}

func TestCompressCheckRoundTrip(t *testing.T) {
	codecs := []*Codec{NewCodec(CompressFast), NewCodec(CompressBulk), NewCodec(CompressMax), NewCodec(CompressOff)}
	rapid.Check(t, func(t *rapid.T) {
		plain := drawPlain(t)
		b := Seal(Node, plain)
		c := rapid.SampledFrom(codecs).Draw(t, "codec").Compress(b, make([]byte, 0, rapid.IntRange(0, 5000).Draw(t, "cap")))
		if c.Ref() != b.Ref() || c.Size() != len(plain) || !bytes.Equal(c.Plain(), plain) {
			t.Fatal("Compress changed the blob")
		}
		if c.Encoding() != Raw && 10*len(c.Data()) > 9*len(plain)+10 {
			t.Fatalf("%d bytes compressed to %d", len(plain), len(c.Data()))
		}
		got, err := Check(c.Ref(), c.Encoding(), c.Size(), c.Data(), make([]byte, rapid.IntRange(0, 5000).Draw(t, "scratch")))
		if err != nil || !bytes.Equal(got.Plain(), plain) || got.Encoding() != c.Encoding() || !bytes.Equal(got.Data(), c.Data()) {
			t.Fatalf("Check: %v", err)
		}
	})
}

// TestCompressDense: the fast codec compresses so much densely and the rest fast.
func TestCompressDense(t *testing.T) {
	c := NewCodec(CompressFast)
	plain := bytes.Repeat([]byte("a line of text\n"), 1<<20/15)
	for n := 0; n < 2*denseBytes; n += len(plain) {
		want := Zstd
		if n+len(plain) > denseBytes {
			want = S2
		}
		if b := c.Compress(Seal(Chunk, plain), nil); b.Encoding() != want {
			t.Fatalf("after %d bytes: encoding %d, not %d", n, b.Encoding(), want)
		}
	}
}

// TestCompressAll: blobs that share memory do not overwrite each other, whether it suffices or not.
func TestCompressAll(t *testing.T) {
	for _, level := range []Compression{CompressFast, CompressBulk, CompressMax, CompressOff} {
		for _, room := range []int{0, 100, 3000, 1 << 20} {
			var blobs []Blob
			for n := range 40 {
				plain := bytes.Repeat([]byte(fmt.Sprintf("line %d of a text\n", n)), 1+7*n)
				blobs = append(blobs, Seal(Chunk, plain))
			}
			want := slices.Clone(blobs)
			NewCodec(level).CompressAll(blobs, make([]byte, 0, room))
			for n, b := range blobs {
				if _, err := Check(want[n].Ref(), b.Encoding(), want[n].Size(), b.Data(), nil); err != nil {
					t.Errorf("level %d, %d bytes of room, blob %d: %v", level, room, n, err)
				}
				if shrinks := want[n].Size() > 64 && level != CompressOff; shrinks != (b.Encoding() != Raw) {
					t.Errorf("level %d, blob %d of %d bytes: encoding %d", level, n, want[n].Size(), b.Encoding())
				}
			}
		}
	}
}

func TestCompressChooses(t *testing.T) {
	text := bytes.Repeat([]byte("func (s *Store) Get(ctx context.Context) error {\n"), 1300)
	random := make([]byte, 64<<10)
	for i, id := 0, Sum(nil); i < len(random); i, id = i+len(id), Sum(id[:]) {
		copy(random[i:], id[:])
	}
	for _, level := range []Compression{CompressFast, CompressBulk, CompressMax} {
		c := NewCodec(level)
		if b := c.Compress(Seal(Chunk, text), nil); b.Encoding() == Raw {
			t.Errorf("level %d: text stays raw", level)
		} else if again := c.Compress(b, nil); again.Encoding() != b.Encoding() || !bytes.Equal(again.Data(), b.Data()) {
			t.Errorf("level %d: compressed twice", level)
		}
		if promising(random) {
			t.Error("random bytes look promising")
		}
		if b := c.Compress(Seal(Chunk, random), nil); b.Encoding() != Raw {
			t.Errorf("level %d: random bytes are compressed", level)
		}
		if b := c.Compress(Seal(Chunk, text[:40]), nil); b.Encoding() != Raw {
			t.Errorf("level %d: 40 bytes are compressed", level)
		}
	}
}

func FuzzCheck(f *testing.F) {
	for _, g := range golden {
		data, err := hex.DecodeString(g.data)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(byte(g.enc), 100, data)
	}
	f.Fuzz(func(t *testing.T, enc byte, size int, data []byte) {
		plain, err := decode(Encoding(enc), min(max(size, 0), MaxSize), data, nil)
		if err != nil {
			if _, err := Check(Ref{}, Encoding(enc), size, data, nil); err == nil {
				t.Fatal("accepted what does not decode")
			}
			return
		}
		b, err := Check(Ref{Chunk, Sum(plain)}, Encoding(enc), len(plain), data, nil)
		if err != nil || !bytes.Equal(b.Plain(), plain) {
			t.Fatalf("refused its own bytes: %v", err)
		}
		if _, err := Check(Ref{Chunk, Sum([]byte("other"))}, Encoding(enc), len(plain), data, nil); err == nil {
			t.Fatal("accepted under another ID")
		}
	})
}

func benchmarkPlain() []byte { return bytes.Repeat([]byte("0123456789abcdefghijklmnopqrstuv"), 2<<10) }

func BenchmarkCheck(b *testing.B) {
	for name, level := range map[string]Compression{"raw": CompressOff, "s2": CompressBulk, "zstd": CompressMax} {
		b.Run(name, func(b *testing.B) {
			blob := NewCodec(level).Compress(Seal(Chunk, benchmarkPlain()), nil)
			scratch := make([]byte, blob.Size())
			b.SetBytes(int64(blob.Size()))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Check(blob.Ref(), blob.Encoding(), blob.Size(), blob.Data(), scratch); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkPromising(b *testing.B) {
	plain := benchmarkPlain()
	for b.Loop() {
		promising(plain)
	}
}
