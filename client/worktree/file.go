package worktree

import (
	"errors"
	"fmt"
	"io"
	"syscall"

	"dfs/manifest"
)

// File is a file of the tree that is open for reading.
type File struct {
	h     handle
	entry Entry
}

// OpenFile opens the file e of this run's scan for reading. It never follows a
// symbolic link and never waits for a FIFO. Errors: [ErrChanged] when what
// stands at e.Path is not e any more, whatever became of it.
func (r *Root) OpenFile(e Entry) (*File, error) {
	if e.Kind != manifest.File {
		return nil, fmt.Errorf("a %v cannot be opened", e.Kind)
	}
	h, err := r.dir.open(e.Path)
	if err != nil {
		switch {
		case replaced(err):
			err = ErrChanged
		case errors.Is(err, syscall.EAGAIN):
			err = fmt.Errorf("%w: another program holds a lease on it", ErrChanged)
		}
		return nil, err
	}
	f := &File{h, e}
	if err := f.Check(); err != nil {
		h.close()
		return nil, err
	}
	return f, nil
}

// Entry returns the entry that the file was opened as.
func (f *File) Entry() Entry { return f.entry }

// Size returns the entry's size in bytes.
func (f *File) Size() int64 { return int64(f.entry.Size) }

// Check reports whether the file is still as its entry says, by [ErrChanged].
// Bytes read before a Check that returns nil are those of one version of the
// file, unless the entry is racy.
func (f *File) Check() error {
	now, err := f.h.stat()
	if err != nil {
		return err
	}
	if !f.entry.same(&now) {
		return ErrChanged
	}
	return nil
}

// NextData returns the first range at off or later whose bytes may be other than
// zero: to Size where that ends the file, and from = to = Size where all the rest is
// zeros. Where the system does not tell, all is such a range. What it tells holds as
// [File.Check] says of bytes that were read.
func (f *File) NextData(off int64) (from, to int64, err error) {
	size := f.Size()
	from, to, err = f.h.nextData(off)
	if errors.Is(err, errors.ErrUnsupported) {
		return off, size, nil
	}
	return min(from, size), min(to, size), err
}

// Read implements [io.Reader].
func (f *File) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	n, err := f.h.read(p)
	if n == 0 && err == nil {
		err = io.EOF
	}
	return max(n, 0), err
}

// ReadAt implements [io.ReaderAt].
func (f *File) ReadAt(p []byte, off int64) (n int, err error) {
	for n < len(p) {
		m, err := f.h.readAt(p[n:], off+int64(n))
		if err != nil {
			return n, err
		}
		if m == 0 {
			return n, io.EOF
		}
		n += m
	}
	return n, nil
}

// Close releases the descriptor.
func (f *File) Close() error { return f.h.close() }
