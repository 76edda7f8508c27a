package client

import (
	"fmt"
	"io"

	"dfs/cas"
	"dfs/client/worktree"
)

// staleError: a file is no longer what the index has of it. The push starts
// over, and reads the file anew.
type staleError struct {
	path string
	err  error
}

func (e *staleError) Error() string { return fmt.Sprintf("%q changed: %v", e.path, e.err) }
func (e *staleError) Unwrap() error { return e.err }

// reader reads chunks of indexed files again, keeping the last file open.
type reader struct {
	root  *worktree.Root
	entry *worktree.Entry
	file  *worktree.File
}

// chunk returns the blob of p, whose bytes must still be what the index says.
func (r *reader) chunk(p piece) (cas.Blob, error) {
	if r.entry != p.file {
		r.close()
		f, err := r.root.OpenFile(*p.file)
		if err != nil {
			return cas.Blob{}, &staleError{p.file.Path, err}
		}
		r.entry, r.file = p.file, f
	}
	data := make([]byte, p.size)
	if n, err := r.file.ReadAt(data, p.off); n < len(data) {
		if err == nil || err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return cas.Blob{}, &staleError{p.file.Path, err}
	}
	b, err := cas.Check(p.ref, cas.Raw, len(data), data, nil)
	if err != nil {
		return cas.Blob{}, &staleError{p.file.Path, err}
	}
	return b, nil
}

func (r *reader) close() {
	if r.file != nil {
		r.file.Close()
	}
	r.entry, r.file = nil, nil
}
