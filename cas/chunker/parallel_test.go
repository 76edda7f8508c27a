package chunker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"dfs/cas"
)

// piece is a chunk as the work of a test's Parallel reports it.
type piece struct {
	off  int64
	size int
	id   cas.ID
}

func measure(off int64, data []byte) (piece, error) {
	return piece{off, len(data), cas.Sum(data)}, nil
}

// cut returns what p makes of the span, after checking that the pieces are
// those of the content, without a gap.
func cut(t *testing.T, p *Parallel[piece], data []byte, from, to int64) (list []int, end int64) {
	t.Helper()
	at := from
	end, err := p.Cut(context.Background(), Span{bytes.NewReader(data), int64(len(data)), from, to}, func(c piece) error {
		if c.off != at || c.id != cas.Sum(data[at:at+int64(c.size)]) {
			t.Fatalf("piece at %d, want %d, or its bytes differ", c.off, at)
		}
		at += int64(c.size)
		list = append(list, c.size)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if end != at {
		t.Fatalf("end is %d, the last piece ends at %d", end, at)
	}
	return list, end
}

func TestParallelEqualsSerial(t *testing.T) {
	t.Parallel()
	long := map[string][]byte{
		"random":        random(10, 4*segmentSize+12345),
		"zeros":         make([]byte, 3*segmentSize+1),
		"zeros shifted": append(random(11, 70_001), make([]byte, 3*segmentSize)...),
		"period":        append(random(12, 1000), bytes.Repeat(random(13, 100_003), 100)...),
		"short period":  append(random(14, 1000), bytes.Repeat([]byte{1, 2, 3, 4, 5}, 2_000_000)...),
		"mixed":         mixed(segmentSize/2 + 1),
		"one segment":   random(15, segmentSize),
		"segment + 1":   random(15, segmentSize+1),
		"tail":          random(15, 2*segmentSize+Max-1),
	}
	for name, data := range long {
		want, all := lengths(t, New(nil), bytes.NewReader(data))
		if !bytes.Equal(all, data) {
			t.Fatalf("%s: serial chunks are not the content", name)
		}
		for _, workers := range []int{0, 3} {
			got, end := cut(t, NewParallel(workers, measure), data, 0, int64(len(data)))
			if fmt.Sprint(got) != fmt.Sprint(want) || end != int64(len(data)) {
				t.Errorf("%s, %d workers: cut at %v, want %v", name, workers, got, want)
			}
		}
	}
}

func TestParallelSmall(t *testing.T) {
	t.Parallel()
	p := NewParallel(2, measure)
	for name, data := range samples() {
		got, _ := cut(t, p, data, 0, int64(len(data)))
		if want := reference(t, data); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: cut at %v, want %v", name, got, want)
		}
	}
}

// TestParallelSpans cuts with the spans that a file with a hole gives, the hole's chunks being known.
func TestParallelSpans(t *testing.T) {
	t.Parallel()
	pool := random(16, 2*segmentSize+Max)
	p := NewParallel(2, measure)
	rapid.Check(t, func(t1 *rapid.T) {
		a := rapid.IntRange(0, len(pool)/2).Draw(t1, "data")
		hole := rapid.IntRange(0, 6*Min).Draw(t1, "hole")
		b := rapid.IntRange(0, len(pool)/4).Draw(t1, "more")
		data := bytes.Join([][]byte{pool[:a], make([]byte, hole), pool[len(pool)-b:]}, nil)
		want, _ := lengths(t, New(nil), bytes.NewReader(data))
		list, at := cut(t, p, data, 0, int64(a))
		if at < int64(a) || a > 0 && at-int64(list[len(list)-1]) >= int64(a) {
			t1.Fatalf("cut to %d by chunks %v; want to %d", at, list, a)
		}
		for ; int64(a+hole)-at >= Min; at += Min {
			list = append(list, Min)
		}
		rest, _ := cut(t, p, data, at, int64(len(data)))
		if list = append(list, rest...); fmt.Sprint(list) != fmt.Sprint(want) {
			t1.Fatalf("cut at %v, want %v", list, want)
		}
	})
}

func TestParallelErrors(t *testing.T) {
	t.Parallel()
	data := random(17, 6*segmentSize)
	size := int64(len(data))
	whole := Span{R: bytes.NewReader(data), Size: size, To: size}
	broken := errors.New("broken")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	none := func(piece) error { return nil }
	var calls atomic.Int64
	for name, c := range map[string]struct {
		ctx  context.Context
		span Span
		work func(int64, []byte) (piece, error)
		emit func(piece) error
		want error
	}{
		"cancelled": {ctx, whole, measure, none, context.Canceled},
		"work": {context.Background(), whole, func(off int64, b []byte) (piece, error) {
			if off > segmentSize {
				return piece{}, broken
			}
			return measure(off, b)
		}, none, broken},
		"emit": {context.Background(), whole, measure, func(piece) error {
			if calls.Add(1) > 100 {
				return broken
			}
			return nil
		}, broken},
		"short file": {context.Background(), Span{whole.R, size + 1, 0, size + 1}, measure, none, io.ErrUnexpectedEOF},
	} {
		p := NewParallel(2, c.work)
		if _, err := p.Cut(c.ctx, c.span, c.emit); !errors.Is(err, c.want) {
			t.Errorf("%s: error %v, want %v", name, err, c.want)
		}
	}
	for _, s := range []Span{{From: -1}, {From: 1}, {To: 1}} {
		if _, err := NewParallel(1, measure).Cut(context.Background(), s, none); err == nil {
			t.Errorf("span %+v is accepted", s)
		}
	}
}

// TestParallelGoesOnAfterAnError cuts with a Parallel that an error stopped in the middle of a chunk.
func TestParallelGoesOnAfterAnError(t *testing.T) {
	t.Parallel()
	data := random(18, 2*segmentSize)
	p := NewParallel(1, measure)
	short := Span{bytes.NewReader(data[:Min+1000]), int64(len(data)), 0, Min + 500}
	if _, err := p.Cut(context.Background(), short, func(piece) error { return nil }); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatal(err)
	}
	got, _ := cut(t, p, data, 0, int64(len(data)))
	if want := reference(t, data); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("cut at %v, want %v", got, want)
	}
}
