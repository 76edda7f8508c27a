package client

import (
	"cmp"
	"context"
	"errors"
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
	// directory above, a special file, an error), or is ignored; it is taken for unchanged.
	unknown bool
	ignored bool
	// unmounted: a file system was mounted at path, where nothing is now.
	unmounted bool
}

// spots joins the directory's entries with the base file's records in path
// order: one spot a path. A spot, its entry and its record's slices are valid until the next.
func (r *run) spots(ctx context.Context, base *replica.Reader) iter.Seq2[*spot, error] {
	return func(yield func(*spot, error) bool) {
		var err error
		if r.sight, err = r.newSight(); err != nil {
			yield(nil, err)
			return
		}
		next, stop := iter.Pull2(r.root.Scan(ctx, r.scanOptions(ownRules(r.excludes))))
		defer stop()
		r.outside = 0
		entries := newCursor(func() (worktree.Entry, bool, error) {
			e, err, ok := next()
			return e, ok && err == nil, err
		}, entryPath)
		records := recordCursor(base)
		var s spot
		for entries.err == nil && records.err == nil {
			path, ok := entries.least("", false)
			path, ok = records.least(path, ok)
			if !ok {
				return
			}
			s = spot{path: path}
			if err := r.spot(&s, entries, records, yield); err != nil {
				if err != errStop {
					yield(nil, err)
				}
				return
			}
		}
		if err := cmp.Or(entries.err, records.err); err != nil {
			yield(nil, err)
		}
	}
}

// errStop: who iterates wants no more.
var errStop = errors.New("stop")

// spot completes and yields the spot at s.path, and steps beyond it.
func (r *run) spot(s *spot, entries *cursor[worktree.Entry], records *cursor[replica.Record], yield func(*spot, error) bool) error {
	path := s.path
	atEntry, atRecord := entries.at(path), records.at(path)
	if atEntry {
		s.entry = &entries.cur
	}
	if !atEntry && !r.scope.Covers(path) {
		return r.leaveOut(records)
	}
	if atRecord {
		s.rec = records.cur
		if err := r.sight.look(s); err != nil {
			return err
		}
		if s.unmounted {
			r.problem(path, r.explain(worktree.ErrNotMounted))
		}
	}
	if atEntry && s.entry.Unlisted {
		r.sight.dark.add(path)
	}
	if !yield(s, nil) {
		return errStop
	}
	if atRecord {
		records.step()
	}
	if atEntry {
		entries.step()
	}
	return nil
}

// leaveOut steps beyond a record that the scan did not look for.
func (r *run) leaveOut(records *cursor[replica.Record]) error {
	file, err := isFile(records.cur.Base)
	if file {
		r.outside++
	}
	records.step()
	return err
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
