package client

import (
	"context"
	"errors"
	"io/fs"

	"dfs/cas"
	"dfs/client/replica"
	"dfs/client/worktree"
	"dfs/manifest"
	"dfs/server/api"
)

// appliedBefore returns a function that tells whether the directory has a version of a path: what a pull
// has put there that was killed before the base moved. It is called with ascending paths. A file
// is read where the index does not know it.
func (r *run) appliedBefore(ctx context.Context) func(path string, value []byte) (bool, error) {
	index := r.index.Cursor()
	return func(path string, value []byte) (bool, error) {
		e, err := r.root.Stat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return value == nil, nil
		case err != nil || value == nil:
			return false, nil // what it is will be told where it is surveyed
		case e.Kind == 0:
			return false, nil
		case e.Kind != manifest.File:
			return sameVersion(value, plain(&e))
		}
		if known, ok := index.Find(path); ok && known.Clean(e) {
			return equalValues(known.Value, value), nil
		}
		w := newHasher(r, nil, func() {}).worker()
		defer w.close()
		c, err := w.read(ctx, e, nil)
		if worktree.IsFileError(err) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		return sameVersion(value, c.manifest)
	}
}

// sameVersion reports whether local is value, but for the mtime of a directory.
func sameVersion(value []byte, local *manifest.Manifest) (bool, error) {
	if value == nil || local == nil {
		return value == nil && local == nil, nil
	}
	now, err := local.Encode()
	if err != nil || equalValues(now, value) {
		return err == nil, err
	}
	return mtimeAlone(value, local)
}

// adopt tells the hub of a pending path that the directory has what the hub's tree had there: because
// a pull was killed before the base moved, or the user put it there. That is no edit, so where
// the head has moved on it says nothing; it settles a conflict and moves the base.
func (p *pusher) adopt(f *found) error {
	if f.remote == nil || p.send == nil {
		return nil
	}
	remote, err := decode(f.remote)
	if err != nil {
		return err
	}
	p.edits++
	if err := p.spool.Add(replica.Record{Path: f.path, Base: f.base, Remote: f.remote}); err != nil {
		return err
	}
	return p.send.edit(api.Edit{Path: f.path, Base: cas.Sum(f.remote), New: remote})
}
