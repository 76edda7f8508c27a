package chunker

import (
	"fmt"
	"io"
)

// tailStep is how much is read at a time beyond a segment's end.
const tailStep = 64 << 10

// segment is a part of a file in memory together with places to cut it: the
// starts of the chunks that begin in it, and the end of the last. Places are
// relative to the segment's start.
type segment struct {
	r       io.ReaderAt
	off     int64 // the segment's place in the file
	rest    int64 // bytes of the file from off on
	limit   int   // chunks begin before this place
	buf     []byte
	cutter  cutter
	guesses []int
	cuts    []int
}

// guess reads the part of s from off to limit and cuts it as if a chunk began at off.
func (g *segment) guess(s Span, off, limit int64) error {
	if g.buf == nil {
		g.buf = make([]byte, 0, segmentSize+Max+tailStep)
	}
	g.r, g.off, g.rest, g.limit = s.R, off, s.Size-off, int(limit-off)
	g.buf = g.buf[:0]
	g.cutter.begin()
	if err := g.fill(g.limit); err != nil {
		return err
	}
	g.guesses = g.guesses[:0]
	at := 0
	for at < g.limit {
		g.guesses = append(g.guesses, at)
		var err error
		if at, err = g.next(at); err != nil {
			return err
		}
	}
	g.guesses = append(g.guesses, at)
	return nil
}

// correct returns the cuts when the first chunk begins at first: it cuts again from
// there until it meets a guess, from which on all guesses are right, because
// where a chunk ends depends only on its own bytes. It never meets one in
// long repetitions; then the whole segment is cut again. The result has
// at least one element and is valid until the next call.
func (g *segment) correct(first int) ([]int, error) {
	g.cuts = g.cuts[:0]
	at, i := first, 0
	for at < g.limit {
		for g.guesses[i] < at {
			i++
		}
		if g.guesses[i] == at {
			g.cuts = append(g.cuts, g.guesses[i:]...)
			return g.cuts, nil
		}
		g.cuts = append(g.cuts, at)
		var err error
		if at, err = g.next(at); err != nil {
			return nil, err
		}
	}
	g.cuts = append(g.cuts, at)
	return g.cuts, nil
}

// next returns where the chunk ends that begins at the place start, reading on as needed.
func (g *segment) next(start int) (int, error) {
	scanned := 0
	for {
		last := int64(len(g.buf)) == g.rest
		if end := g.cutter.end(g.buf[start:], scanned, last); end >= 0 {
			return start + end, nil
		}
		scanned = len(g.buf) - start
		if err := g.fill(len(g.buf) + tailStep); err != nil {
			return 0, err
		}
	}
}

// fill reads until the segment has n bytes or the file ends.
func (g *segment) fill(n int) error {
	n = int(min(int64(n), g.rest))
	had := len(g.buf)
	got, err := g.r.ReadAt(g.buf[had:n], g.off+int64(had))
	g.buf = g.buf[:had+got]
	switch {
	case len(g.buf) == n:
		return nil
	case err == io.EOF || err == nil:
		return fmt.Errorf("content ends at %d of %d bytes: %w", g.off+int64(len(g.buf)), g.off+g.rest, io.ErrUnexpectedEOF)
	}
	return err
}
