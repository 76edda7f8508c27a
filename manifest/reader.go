package manifest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"dfs/cas"
)

// window is about how many bytes a Reader that is read in order fetches at a time.
const window = 1 << 20

// Reader reads a file's content out of its chunks: it implements [io.Reader],
// [io.ReaderAt] and [io.Seeker]. It is safe for concurrent use, but reads one
// at a time. It holds a window of the content, up to 1.5 MiB, and some pages.
type Reader struct {
	ctx  context.Context
	src  Source
	size int64

	mu     sync.Mutex
	cursor *cursor
	pos    int64  // of Read and Seek
	start  int64  // where the window begins
	data   []byte // the window
	ahead  int    // bytes to fetch when reading goes on in order
}

// Open returns a Reader of the content of m, a valid manifest of a file. It reads
// nothing yet. Errors of reading are src's, ctx's (which counts for as long as the Reader is
// used), or [*cas.CorruptError] where pages or chunks have not the sizes that m says.
func Open(ctx context.Context, m *Manifest, src Source) (*Reader, error) {
	if m.Kind != File {
		return nil, fmt.Errorf("manifest: %v has no content", m.Kind)
	}
	return &Reader{ctx: ctx, src: src, size: int64(m.Size), cursor: newCursor(m, src)}, nil
}

// Size returns the number of bytes of the content.
func (r *Reader) Size() int64 { return r.size }

// Read implements [io.Reader].
func (r *Reader) Read(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(p) == 0 {
		return 0, nil
	}
	if r.pos >= r.size {
		return 0, io.EOF
	}
	n, err := r.read(p, r.pos)
	r.pos += int64(n)
	return n, err
}

// ReadAt implements [io.ReaderAt].
func (r *Reader) ReadAt(p []byte, off int64) (n int, err error) {
	if off < 0 {
		return 0, errors.New("manifest: negative offset")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for n < len(p) {
		if off+int64(n) >= r.size {
			return n, io.EOF
		}
		got, err := r.read(p[n:], off+int64(n))
		if err != nil {
			return n, err
		}
		n += got
	}
	return n, nil
}

// Seek implements [io.Seeker].
func (r *Reader) Seek(offset int64, whence int) (int64, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch whence {
	case io.SeekStart:
	case io.SeekCurrent:
		offset += r.pos
	case io.SeekEnd:
		offset += r.size
	default:
		return 0, fmt.Errorf("manifest: whence %d", whence)
	}
	if offset < 0 {
		return 0, errors.New("manifest: seek to a negative offset")
	}
	r.pos = offset
	return offset, nil
}

// read reads at least one byte at off, which is less than the size.
func (r *Reader) read(p []byte, off int64) (int, error) {
	if off < r.start || off >= r.start+int64(len(r.data)) {
		if err := r.fill(off, len(p)); err != nil {
			return 0, err
		}
	}
	return copy(p, r.data[off-r.start:]), nil
}

// fill makes the window hold off and, up to its bounds, want bytes from there: more
// where reading goes on in order.
func (r *Reader) fill(off int64, want int) error {
	r.ahead = max(2*r.ahead, want)
	if off != r.start+int64(len(r.data)) {
		r.ahead = want
	}
	r.ahead = min(r.ahead, window)
	var refs []cas.Ref
	var runs []Run // with the counts that the window takes
	begin, end := off, off
	for first := true; end < r.size && end-off < int64(r.ahead); first = false {
		run, start, err := r.cursor.at(r.ctx, uint64(end))
		if err != nil {
			return err
		}
		skip := (uint64(end) - start) / uint64(run.Size)
		if first {
			end = int64(start + skip*uint64(run.Size))
			begin = end
		}
		left := uint64(max(off+int64(r.ahead)-end, 1))
		run.Count = min(run.Count-skip, (left+uint64(run.Size)-1)/uint64(run.Size))
		end += int64(run.Bytes())
		refs = append(refs, cas.Ref{Kind: cas.Chunk, ID: run.ID})
		runs = append(runs, run)
	}
	r.start, r.data = begin, r.data[:0]
	return fetch(r.ctx, r.src, refs, func(i int, b cas.Blob) error {
		if b.Size() != int(runs[i].Size) {
			return fmt.Errorf("has %d bytes, not %d", b.Size(), runs[i].Size)
		}
		for range runs[i].Count {
			r.data = append(r.data, b.Plain()...)
		}
		return nil
	})
}
