package client

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"dfs/client/reconcile"
	"dfs/client/worktree"
	"dfs/manifest"
	"dfs/server/api"
)

// ruleFile has a conflict's path become a file of this machine, as it is now.
func (r *run) ruleFile(c *api.Conflict, name string) ([]ruling, error) {
	real, err := filepath.EvalSymlinks(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &UsageError{fmt.Sprintf("%s does not exist; take ours, theirs, both, base, or a file whose path has a / in it", name)}
	}
	if err != nil {
		return nil, err
	}
	root, err := worktree.Open(filepath.Dir(real))
	if err != nil {
		return nil, err
	}
	defer root.Close()
	e, err := root.Stat(filepath.Base(real))
	if err != nil {
		return nil, &os.PathError{Op: "stat", Path: name, Err: err}
	}
	if e.Kind != manifest.File {
		return nil, &UsageError{fmt.Sprintf("%s is not a file", name)}
	}
	if err := r.clock.settle(e); err != nil {
		return nil, err
	}
	m := &manifest.Manifest{Kind: manifest.File, Mode: fileMode(c, e), Mtime: e.Mtime}
	return []ruling{{
		Conflict: *c,
		Decision: reconcile.Decision{Take: reconcile.TakeFile, Result: m},
		content:  func() (io.ReadCloser, error) { return openSteady(real, e) },
	}}, nil
}

// fileMode returns the mode of the versions in conflict where they are files: that of a file that was made
// to settle it means nothing.
func fileMode(c *api.Conflict, e worktree.Entry) uint16 {
	for _, m := range []*manifest.Manifest{c.Theirs, c.Ours} {
		if m != nil && m.Kind == manifest.File {
			return m.Mode
		}
	}
	return e.Mode & modeBits
}

// steady reads a file that must stay the same meanwhile: at its end the error is a
// *[unsteadyError] instead of io.EOF where it did not.
type steady struct {
	io.Reader
	file *worktree.File
	root *worktree.Root
	name string
}

// An unsteadyError says that a file was changed while it was read.
type unsteadyError struct{ name string }

func (e *unsteadyError) Error() string { return e.name + " was changed while it was read" }

func openSteady(name string, e worktree.Entry) (*steady, error) {
	root, err := worktree.Open(filepath.Dir(name))
	if err != nil {
		return nil, err
	}
	file, err := root.OpenFile(e)
	if err != nil {
		root.Close()
		if errors.Is(err, worktree.ErrChanged) {
			return nil, &unsteadyError{name}
		}
		return nil, &os.PathError{Op: "open", Path: name, Err: err}
	}
	return &steady{io.LimitReader(file, file.Size()), file, root, name}, nil
}

// Read implements [io.Reader].
func (s *steady) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if err == io.EOF && s.file.Check() != nil {
		err = &unsteadyError{s.name}
	}
	return n, err
}

// Close releases the file.
func (s *steady) Close() error { return errors.Join(s.file.Close(), s.root.Close()) }
