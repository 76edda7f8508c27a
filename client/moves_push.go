package client

import (
	"bytes"
	"fmt"

	"dfs/client/replica"
	"dfs/client/worktree"
	"dfs/manifest"
	"dfs/merkle"
)

// origin is what the index has of a file under the path that it had before.
type origin struct {
	worktree.Record
	based bool // the base has the same there
}

// origin returns where the file e, of which the index has no record, may have been: inode, size and
// modification time are those of a record. nil: nowhere, or that is not to be trusted.
func (s *survey) origin(e worktree.Entry) (*origin, error) {
	if s.r.cfg.Rehash || s.resend && !s.assume || e.Ino == 0 {
		return nil, nil
	}
	if s.inodes == nil {
		var err error
		if s.inodes, err = s.r.inodes(); err != nil {
			return nil, err
		}
	}
	rec, based, ok := s.inodes.Find(e)
	if !ok || s.r.sight.mountOf(rec.Path) != s.r.sight.mountOf(e.Path) {
		return nil, nil
	}
	rec.Value = bytes.Clone(rec.Value)
	return &origin{rec, based}, nil
}

// inodes returns the index's records by inode, marked where the base has what they have; none
// where inode numbers mean nothing.
func (r *run) inodes() (*worktree.Inodes, error) {
	if !replica.StableInodes(r.cfg.Dir) {
		return new(worktree.Inodes), nil
	}
	base, err := replica.OpenBase(r.cfg.Dir)
	if err != nil {
		return nil, err
	}
	defer base.Close()
	records := recordCursor(base)
	return r.index.Inodes(func(path string, value []byte) (bool, error) {
		for records.err == nil && records.ok && merkle.Compare(records.cur.Path, path) < 0 {
			records.step()
		}
		return records.at(path) && bytes.Equal(records.cur.Base, value), records.err
	})
}

// adopt takes for the content of a file what it was under its former path, if nothing speaks
// against that: then no byte of it is read. What the base has the hub has; else it is asked.
func (s *survey) adopt(f *found) (bool, error) {
	if err := s.r.clock.settle(*f.entry); err != nil {
		return false, err
	}
	if !s.r.root.Renamed(&f.origin.Record, *f.entry) {
		return false, nil
	}
	m, err := manifest.Decode(f.origin.Value)
	if err != nil {
		return false, fmt.Errorf("index: %q: %w", f.origin.Path, err)
	}
	m.Mode, m.Mtime = f.entry.Mode&modeBits, f.entry.Mtime
	if m, err = s.fit(m, f.base, f.remote); err != nil {
		return false, err
	}
	value, err := m.Encode()
	if err != nil {
		return false, fmt.Errorf("%q: %w", f.path, err)
	}
	rec := worktree.NewRecord(*f.entry, s.r.clock.read(), value)
	rec.Runs = f.origin.Runs
	if s.resend && !f.origin.based {
		if !m.Pages.IsZero() && rec.Runs.Empty() {
			return false, nil
		}
		runs, err := contentRuns(&rec)
		if err != nil {
			return false, err
		}
		if err := s.hasher.resend(f.entry, runs); err != nil {
			return false, fmt.Errorf("%q: %w", f.path, err)
		}
	}
	f.local, f.old = m, rec.Runs
	return true, s.r.index.Add(rec)
}
