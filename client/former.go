package client

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"dfs/cas"
	"dfs/cas/chunker"
	"dfs/manifest"
)

// reuseStep is how much of a large file is compared with its former version at a time.
// So much is hashed in vain where bytes were inserted or removed.
const reuseStep = 64 << 20

// former is the content that a large file had before. What its chunks still are is not cut
// again, since where a chunk ends depends on its own bytes only, and is neither kept nor
// sent. The nil former is empty.
type former struct {
	runs   []manifest.Run
	starts []int64        // where each run began
	places map[cas.ID]int // the run of a chunk
}

// former returns the content that a large file had, nil where it is of no use or too much.
func (f *found) former() (*former, error) {
	if !f.reuse || f.old.Empty() {
		return nil, nil
	}
	was := &former{places: map[cas.ID]int{}}
	at := int64(0)
	for run, err := range f.old.All() {
		if err != nil {
			return nil, fmt.Errorf("index: %q: %w", f.path, err)
		}
		if len(was.runs) == maxKnown {
			return nil, nil
		}
		was.places[run.ID] = len(was.runs)
		was.runs = append(was.runs, run)
		was.starts = append(was.starts, at)
		at += int64(run.Bytes())
	}
	return was, nil
}

func (f *former) has(id cas.ID) bool {
	if f == nil {
		return false
	}
	_, ok := f.places[id]
	return ok
}

// between returns the runs that began from from to before to, as a range of indexes.
func (f *former) between(from, to int64) (first, end int) {
	first, _ = slices.BinarySearch(f.starts, from)
	end, _ = slices.BinarySearch(f.starts, to)
	return first, end
}

// reuse is the cutting of a span of a file with a former version, which now lies shift
// bytes further on, as far as is known.
type reuse struct {
	h     *hasher
	was   *former
	span  chunker.Span
	add   func(manifest.Run) error
	step  int64
	shift int64
}

// cut is [chunker.Parallel.Cut] for the span.
func (u *reuse) cut(ctx context.Context) (int64, error) {
	at := u.span.From
	for at < u.span.To {
		end := min(at+u.step, u.span.To)
		first, last := u.was.between(at-u.shift, end-u.shift)
		same, err := u.compare(ctx, first, last)
		if err != nil {
			return 0, err
		}
		if at, err = u.window(ctx, at, end, first, same); err != nil {
			return 0, err
		}
	}
	return at, nil
}

// compare hashes where the runs from first to before last should be now, and tells which are there.
func (u *reuse) compare(ctx context.Context, first, last int) ([]bool, error) {
	same := make([]bool, last-first)
	var next atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	for range u.h.workers {
		group.Go(func() error {
			buf := make([]byte, chunker.Max)
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(same) {
					return nil
				}
				var err error
				if same[i], err = u.there(first+i, buf); err != nil {
					return err
				}
			}
			return ctx.Err()
		})
	}
	return same, group.Wait()
}

// there reports whether run i is where it should be now. The last chunk was ended by the end
// of the file, and must be now.
func (u *reuse) there(i int, buf []byte) (bool, error) {
	run := u.was.runs[i]
	from := u.was.starts[i] + u.shift
	end := from + int64(run.Size)
	if run.Count != 1 || end > u.span.Size || i == len(u.was.runs)-1 && end != u.span.Size {
		return false, nil
	}
	buf = buf[:run.Size]
	if _, err := u.span.R.ReadAt(buf, from); err == io.EOF {
		return false, io.ErrUnexpectedEOF
	} else if err != nil {
		return false, fmt.Errorf("content at %d: %w", from, err)
	}
	return cas.Sum(buf) == run.ID, nil
}

// window adds the chunks from at to end or beyond: what is the same as it is, the rest cut.
func (u *reuse) window(ctx context.Context, at, end int64, first int, same []bool) (int64, error) {
	shift := u.shift // which the cutting may correct, for the next window
	i := 0
	for at < end {
		for i < len(same) && (!same[i] || u.was.starts[first+i]+shift < at) {
			i++
		}
		to := end
		if i < len(same) {
			to = u.was.starts[first+i] + shift
		}
		var err error
		if at < to {
			at, err = u.again(ctx, at, to)
		} else {
			run := u.was.runs[first+i]
			u.h.count(int64(run.Size))
			u.h.expects.skip(int64(run.Size))
			at, err = at+int64(run.Size), u.add(run)
		}
		if err != nil {
			return 0, err
		}
	}
	return at, nil
}

// again cuts from at to to or beyond. A chunk that was elsewhere before tells the shift.
func (u *reuse) again(ctx context.Context, at, to int64) (int64, error) {
	span := u.span
	span.From, span.To = at, to
	return u.h.cut.Cut(ctx, span, func(run manifest.Run) error {
		if i, ok := u.was.places[run.ID]; ok {
			u.shift = at - u.was.starts[i]
		}
		at += int64(run.Size)
		return u.add(run)
	})
}
