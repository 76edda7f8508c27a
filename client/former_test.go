package client

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"

	"dfs/cas"
	"dfs/cas/chunker"
	"dfs/manifest"
)

// cutAlone cuts data as if it were new.
func cutAlone(t *testing.T, data []byte) (runs []manifest.Run) {
	t.Helper()
	c := chunker.New(bytes.NewReader(data))
	for {
		chunk, err := c.Next(nil)
		if err == io.EOF {
			return runs
		}
		if err != nil {
			t.Fatal(err)
		}
		runs = appendRun(runs, manifest.Run{ID: cas.Sum(chunk), Size: uint32(len(chunk)), Count: 1})
	}
}

// cutReusing cuts data as the next version of was. It returns also how many bytes were cut.
func cutReusing(t *testing.T, was []manifest.Run, data []byte) (runs []manifest.Run, bytesCut int64) {
	t.Helper()
	var cut atomic.Int64
	h := &hasher{r: &run{meter: newMeter(nil)}, workers: 2}
	h.cut = chunker.NewParallel(2, func(_ int64, data []byte) (manifest.Run, error) {
		cut.Add(int64(len(data)))
		return manifest.Run{ID: cas.Sum(data), Size: uint32(len(data)), Count: 1}, nil
	})
	f := found{reuse: true}
	for _, run := range was {
		f.old.Append(run)
	}
	old, err := f.former()
	if err != nil {
		t.Fatal(err)
	}
	size := int64(len(data))
	u := reuse{h: h, was: old, span: chunker.Span{R: bytes.NewReader(data), Size: size, To: size}, step: 1 << 20,
		add: func(run manifest.Run) error { runs = appendRun(runs, run); return nil }}
	if end, err := u.cut(context.Background()); err != nil || end != size {
		t.Fatalf("ends at %d of %d, %v", end, size, err)
	}
	return runs, cut.Load()
}

// random returns bytes from a seed, with a long run of zeros and a repeated part.
func random(seed uint64, size int) []byte {
	data := make([]byte, size)
	rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)}).Read(data)
	clear(data[size/5 : size/4])
	copy(data[size/2:], data[:size/8])
	return data
}

// TestReuse edits content in many ways: the chunks are those of a cut from scratch.
func TestReuse(t *testing.T) {
	const size = 5 << 20
	for seed := range uint64(40) {
		rng := rand.New(rand.NewPCG(seed, 1))
		old := random(seed, size)
		was := cutAlone(t, old)
		now := slices.Clone(old)
		for range 1 + rng.IntN(3) {
			at, n := rng.IntN(len(now)), rng.IntN(200_000)
			end := min(at+n, len(now))
			switch rng.IntN(6) {
			case 0:
				now[at]++
			case 1:
				now = slices.Insert(now, at, random(seed+1000, n+16)...)
			case 2:
				now = slices.Delete(now, at, end)
			case 3:
				now = append(now, now[at:end]...)
			case 4:
				now = now[:at]
			case 5:
				now = append(slices.Clone(now[at:]), now[:at]...)
			}
			if len(now) == 0 {
				now = []byte{1}
			}
		}
		got, _ := cutReusing(t, was, now)
		if !slices.Equal(got, cutAlone(t, now)) {
			t.Fatalf("seed %d: %d bytes become %d, and the chunks are not those of a cut from scratch", seed, len(old), len(now))
		}
	}
}

// TestReuseCutsLittle: what is cut again is near the edits, also where all after them has moved.
func TestReuseCutsLittle(t *testing.T) {
	old := make([]byte, 16<<20)
	rand.NewChaCha8([32]byte{7}).Read(old)
	was := cutAlone(t, old)
	for name, c := range map[string]struct {
		now  []byte
		most int64
	}{
		"nothing":   {old, 0},
		"overwrite": {append(append(slices.Clone(old[:9<<20]), old[9<<20]+1), old[9<<20+1:]...), 1 << 20},
		"insert":    {slices.Insert(slices.Clone(old), 5<<20, 1, 2, 3), 3 << 20},
		"delete":    {slices.Delete(slices.Clone(old), 5<<20, 5<<20+100_000), 3 << 20},
		"append":    {append(slices.Clone(old), 1, 2, 3), 1 << 20},
		"truncate":  {old[:11<<20+5], 1 << 20},
	} {
		if _, cut := cutReusing(t, was, c.now); cut > c.most {
			t.Errorf("%s: %d bytes were cut, not at most %d", name, cut, c.most)
		}
	}
}
