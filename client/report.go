package client

import (
	"errors"
	"fmt"

	"dfs/client/replica"
	"dfs/client/worktree"
	"dfs/manifest"
	"dfs/server/api"
)

// reset forgets what an earlier attempt of the run found, but not what it sent.
func (r *run) reset() {
	r.clearResult()
	r.leftovers = nil
	r.moves = nil
	r.dropLogs()
	r.meter.restart()
	r.meter.enter(Scanning, 0, 0)
}

// clearResult starts an empty result.
func (r *run) clearResult() {
	s := r.result.Summary
	r.result = &Result{Summary: Summary{Type: s.Type, Command: s.Command, Hub: s.Hub, Volume: s.Volume, DryRun: s.DryRun}}
}

// problem notes a path that is left out.
func (r *run) problem(path string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.result.Problems = append(r.result.Problems, Problem{Path: path, Err: err})
}

// explain adds to an error what to do about it.
func (r *run) explain(err error) error {
	if errors.Is(err, worktree.ErrNotMounted) {
		return fmt.Errorf("%w now; nothing below it was looked at or taken for deleted. Mount it, or, if it is gone for good: %s", err, r.again("--adopt"))
	}
	return err
}

// skip notes a path that is left alone: a special file or a nested replica.
func (r *run) skip(path string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e, err := r.root.Stat(path); err == nil && e.Kind == manifest.Directory {
		r.result.Nested = append(r.result.Nested, path)
		return
	}
	r.result.Skipped = append(r.result.Skipped, path)
}

// count notes an entry of the directory. Directories are not counted: the
// summary speaks of files.
func (r *run) count(e *worktree.Entry) {
	if e == nil || e.Kind == manifest.Directory {
		return
	}
	r.meter.scanned.Add(1)
	r.meter.bytesScanned.Add(int64(e.Size))
	r.meter.tick()
}

// tell notes a change from old to new, which are canonical manifests; nil is absent.
func (r *run) tell(side Side, path string, old, new []byte) error {
	if r.cfg.DryRun {
		if err := r.log(side).add(path, old, new); err != nil {
			return err
		}
	}
	return r.tally(old, new, 1)
}

func opOf(old, new []byte) Op {
	switch {
	case old == nil:
		return Added
	case new == nil:
		return Deleted
	}
	return Modified
}

// tally adds n to the count of such changes. Directories do not count: what becomes one was
// deleted. What takes the place of one is modified.
func (r *run) tally(old, new []byte, n int64) error {
	if r.moves != nil {
		if err := r.moves.note(old, new, n); err != nil {
			return err
		}
	}
	return r.result.add(old, new, n)
}

// add is tally without a look at what moved.
func (s *Summary) add(old, new []byte, n int64) error {
	was, err := isFile(old)
	if err != nil {
		return err
	}
	becomes, err := isFile(new)
	if err != nil {
		return err
	}
	switch {
	case becomes && old != nil:
		s.Modified += n
	case becomes:
		s.Added += n
	case was:
		s.Deleted += n
	}
	return nil
}

// isFile reports whether a manifest is there and no directory's.
func isFile(value []byte) (bool, error) {
	if value == nil {
		return false, nil
	}
	kind, err := manifest.KindOf(value)
	return kind != manifest.Directory, err
}

// stand notes where the volume and the replica stand at the end.
func (r *run) stand(head api.Head, seen replica.Seen) {
	r.result.Snapshot, r.result.Root, r.result.Seen = head.Snapshot, head.Root, seen.Snapshot
}

// remember puts what a file was read as into the index.
func (r *run) remember(c content) error {
	value, err := c.manifest.Encode()
	if err != nil {
		return err
	}
	rec := worktree.NewRecord(c.entry, r.clock.read(), value)
	rec.Runs = c.list()
	return r.index.Add(rec)
}

// list returns the chunks of a content whose manifest has pages; of others it is empty.
func (c *content) list() (list worktree.Runs) {
	if !c.manifest.Pages.IsZero() {
		for _, run := range c.runs {
			list.Append(run)
		}
	}
	return list
}
