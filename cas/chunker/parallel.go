package chunker

import (
	"context"
	"fmt"
	"io"

	"golang.org/x/sync/errgroup"
)

// segmentSize is the part of a file that one worker cuts at a time. A segment's
// speculative boundaries meet the true ones after 150 KiB on average, and
// that much of each segment is cut twice.
const segmentSize = 4 << 20

// A Span is a part of a large file to be cut. Cutting begins at From, which must be
// where a chunk begins, and stops where the first chunk ends at or after To. So a file
// with holes is cut span by span, and the chunks of the holes are known without
// reading (see [ZeroID]); a whole file has From 0 and To Size.
type Span struct {
	R    io.ReaderAt
	Size int64 // of the whole content; R is not read beyond it
	From int64
	To   int64 // ≤ Size
}

// Parallel cuts large files on several goroutines into the same chunks as a
// [Chunker], with a call of a function for each chunk running on the goroutine
// that cut it. It keeps its buffers, 4.3 MiB a worker, for the next file.
type Parallel[T any] struct {
	work     func(off int64, data []byte) (T, error)
	segments []*segment // one a worker
}

// NewParallel returns a Parallel of so many workers (at least one), which call
// work once for every chunk, concurrently: off is its place in the file, data its
// bytes, valid until work returns.
func NewParallel[T any](workers int, work func(off int64, data []byte) (T, error)) *Parallel[T] {
	return &Parallel[T]{work: work, segments: make([]*segment, max(workers, 1))}
}

// Cut cuts the span and hands the result of work for each chunk to emit, in the chunks'
// order, on the calling goroutine. It returns where the last chunk ends. The
// results of at most 2 + 2 × workers segments of 4 MiB wait for emit. It stops at the first error: of R
// (io.ErrUnexpectedEOF when the content is shorter than Size), work, emit or ctx. Only one Cut of a
// Parallel may run at a time.
func (p *Parallel[T]) Cut(ctx context.Context, s Span, emit func(T) error) (int64, error) {
	if s.From < 0 || s.From > s.To || s.To > s.Size {
		return 0, fmt.Errorf("span %d to %d of %d bytes", s.From, s.To, s.Size)
	}
	group, ctx := errgroup.WithContext(ctx)
	tasks := make(chan task[T])
	order := make(chan chan []T, 2*len(p.segments))
	last := make(chan chan int64, 1)
	group.Go(func() error {
		defer close(tasks)
		defer close(order)
		return dispatch(ctx, s, tasks, order, last)
	})
	for i := range p.segments {
		if p.segments[i] == nil {
			p.segments[i] = new(segment)
		}
		group.Go(func() error {
			for t := range tasks {
				if err := p.run(ctx, p.segments[i], s, t); err != nil {
					return err
				}
			}
			return nil
		})
	}
	emitErr := deliver(ctx, order, emit)
	if emitErr != nil {
		group.Go(func() error { return emitErr }) // stops the workers
	}
	if err := group.Wait(); err != nil {
		return 0, err
	}
	return <-<-last, nil
}

// task is one segment's work.
type task[T any] struct {
	off, limit int64        // chunks that begin at off or later, and before limit, are the task's
	first      <-chan int64 // tells where the first of them begins
	next       chan<- int64 // is told where the last of them ends
	results    chan<- []T
}

// dispatch sends the span's tasks in order, and to last the channel that gets the span's end.
func dispatch[T any](ctx context.Context, s Span, tasks chan<- task[T], order chan<- chan []T, last chan<- chan int64) error {
	first := make(chan int64, 1)
	first <- s.From
	for off := s.From; off < s.To; off += segmentSize {
		next, results := make(chan int64, 1), make(chan []T, 1)
		select {
		case order <- results:
		case <-ctx.Done():
			return ctx.Err()
		}
		select {
		case tasks <- task[T]{off, min(off+segmentSize, s.To), first, next, results}:
		case <-ctx.Done():
			return ctx.Err()
		}
		first = next
	}
	last <- first
	return nil
}

// deliver emits the results in order until order is closed or ctx is done.
func deliver[T any](ctx context.Context, order <-chan chan []T, emit func(T) error) error {
	for results := range order {
		select {
		case list := <-results:
			for _, r := range list {
				if err := emit(r); err != nil {
					return err
				}
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// run cuts a segment at a guess, corrects the cuts once it is known where the segment
// before it ended, lets the next one know, and only then works on the chunks.
func (p *Parallel[T]) run(ctx context.Context, seg *segment, s Span, t task[T]) error {
	if err := seg.guess(s, t.off, t.limit); err != nil {
		return err
	}
	var first int64
	select {
	case first = <-t.first:
	case <-ctx.Done():
		return ctx.Err()
	}
	cuts, err := seg.correct(int(first - t.off))
	if err != nil {
		return err
	}
	t.next <- t.off + int64(cuts[len(cuts)-1])
	list := make([]T, 0, len(cuts)-1)
	for i, start := range cuts[:len(cuts)-1] {
		if err := ctx.Err(); err != nil {
			return err
		}
		r, err := p.work(t.off+int64(start), seg.buf[start:cuts[i+1]])
		if err != nil {
			return err
		}
		list = append(list, r)
	}
	t.results <- list
	return nil
}
