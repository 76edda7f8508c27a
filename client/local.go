package client

import (
	"cmp"
	"context"
	"iter"

	"dfs/client/replica"
	"dfs/client/worktree"
	"dfs/manifest"
	"dfs/merkle"
)

// A spot is one path as the directory and the base file tell it.
type spot struct {
	path  string
	entry *worktree.Entry // nil: not in the directory
	rec   replica.Record  // zero manifests where the base file has none
	// unknown: what is in the directory could not be told (an unreadable
	// directory above, a special file, an error); it is taken for unchanged.
	unknown bool
}

// spots joins the directory's entries with the base file's records in path
// order: one spot a path. A spot and its record's slices are valid until the next.
func (r *run) spots(ctx context.Context, base *replica.Reader) iter.Seq2[*spot, error] {
	return func(yield func(*spot, error) bool) {
		var dark shadows
		next, stop := iter.Pull2(r.scan(ctx, &dark))
		defer stop()
		entries := newCursor(func() (worktree.Entry, bool, error) {
			e, err, ok := next()
			return e, ok && err == nil, err
		}, entryPath)
		records := recordCursor(base)
		for entries.err == nil && records.err == nil {
			path, ok := entries.least("", false)
			path, ok = records.least(path, ok)
			if !ok {
				return
			}
			s := &spot{path: path}
			atEntry, atRecord := entries.at(path), records.at(path)
			if atRecord {
				s.rec = records.cur
			}
			if atEntry {
				e := entries.cur
				s.entry = &e
			}
			s.unknown = !atEntry && dark.cover(path)
			if atEntry && s.entry.Unlisted {
				dark.add(path)
			}
			if !yield(s, nil) {
				return
			}
			if atRecord {
				records.step()
			}
			if atEntry {
				entries.step()
			}
		}
		if err := cmp.Or(entries.err, records.err); err != nil {
			yield(nil, err)
		}
	}
}

// scan walks the directory. What it could not look at, or leaves alone, goes to dark.
func (r *run) scan(ctx context.Context, dark *shadows) iter.Seq2[worktree.Entry, error] {
	return r.root.Scan(ctx, worktree.ScanOptions{
		Jobs: r.cfg.Jobs,
		Skip: func(path string) {
			dark.add(path)
			r.skip(path)
		},
		Temp: func(path string) {
			if r.cfg.DryRun {
				return
			}
			if err := r.root.ClearTemp(path); err != nil {
				r.problem(path, err)
			}
		},
		Problem: func(p worktree.Problem) {
			dark.add(p.Path)
			r.problem(p.Path, p.Err)
		},
	})
}

// shadows are paths that are unknown together with all below them: nothing there is taken
// for deleted. They are added in path order.
type shadows struct{ paths []string }

func (s *shadows) add(path string) { s.paths = append(s.paths, path) }

// cover reports whether a path that the scan did not find lies in a shadow. Paths ascend from call to call.
func (s *shadows) cover(path string) bool {
	for len(s.paths) > 0 {
		top := s.paths[0]
		if top == path || top == "" || below(path, top) {
			return true
		}
		if merkle.Compare(top, path) > 0 {
			return false
		}
		s.paths = s.paths[1:]
	}
	return false
}

func entryPath(e worktree.Entry) string { return e.Path }

// below reports whether path lies in the directory dir.
func below(path, dir string) bool {
	return len(path) > len(dir) && path[:len(dir)] == dir && path[len(dir)] == '/'
}

// modeBits are the mode bits that travel. Setuid, setgid and sticky stay where they are.
const modeBits = 0o777

// plain returns the manifest of an entry without content: a directory or a symlink.
func plain(e *worktree.Entry) *manifest.Manifest {
	m := &manifest.Manifest{Kind: e.Kind, Mode: e.Mode & modeBits, Mtime: e.Mtime, Target: e.Target}
	if e.Kind == manifest.Symlink {
		m.Mode = modeBits // systems differ, and none uses it
	}
	return m
}
