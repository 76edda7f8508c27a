package client

import (
	"bytes"
	"fmt"
	"iter"

	"dfs/client/replica"
	"dfs/merkle"
	"dfs/server/api"
)

// cursor walks a sorted stream one step ahead of its reader.
type cursor[T any] struct {
	next func() (T, bool, error)
	path func(T) string
	cur  T
	ok   bool
	err  error
}

func newCursor[T any](next func() (T, bool, error), path func(T) string) *cursor[T] {
	c := &cursor[T]{next: next, path: path}
	c.step()
	return c
}

func (c *cursor[T]) step() { c.cur, c.ok, c.err = c.next() }

// at reports whether the stream stands on path.
func (c *cursor[T]) at(path string) bool { return c.ok && c.path(c.cur) == path }

// least returns the smaller of best and where the stream stands.
func (c *cursor[T]) least(best string, found bool) (string, bool) {
	if c.ok && (!found || merkle.Compare(c.path(c.cur), best) < 0) {
		return c.path(c.cur), true
	}
	return best, found
}

func recordPath(r replica.Record) string { return r.Path }

func recordCursor(r *replica.Reader) *cursor[replica.Record] {
	if r == nil {
		return newCursor(func() (replica.Record, bool, error) { return replica.Record{}, false, nil }, recordPath)
	}
	return newCursor(r.Next, recordPath)
}

// advance writes to w the base that follows from three sorted streams: the present
// base; edits of this replica that the hub accepted, as records from Base to Remote; and
// changes that lead from the tree of seen to the tree of the new head.
// Without changes (nil) the edits are taken for all that lies between. Edits
// at rejected paths are left out. applied reports whether the directory has a version that was pending
// and is not the head's any more: then it is the base, and no edit; nil: not known.
func advance(w *replica.Writer, base, edits *replica.Reader, rejected map[string]struct{}, changes iter.Seq2[change, error], applied func(path string, value []byte) (bool, error)) error {
	b, e := recordCursor(base), recordCursor(edits)
	var c *cursor[change]
	if changes == nil {
		c = newCursor(func() (change, bool, error) { return change{}, false, nil }, changePath)
	} else {
		next, stop := iter.Pull2(changes)
		defer stop()
		c = newCursor(pullNext(next), changePath)
	}
	for b.err == nil && e.err == nil && c.err == nil {
		path, ok := b.least("", false)
		path, ok = e.least(path, ok)
		path, ok = c.least(path, ok)
		if !ok {
			return w.Finish()
		}
		rec := replica.Record{Path: path}
		if b.at(path) {
			rec = b.cur
		}
		_, no := rejected[path]
		accepted := e.at(path) && !no
		if accepted {
			rec.Base = e.cur.Remote
			if changes == nil {
				rec.Remote = e.cur.Remote
			}
		}
		if c.at(path) {
			if !accepted && rec.Pending() && applied != nil {
				was, err := applied(path, rec.Remote)
				if err != nil {
					return err
				}
				if was {
					rec.Base = rec.Remote
				}
			}
			rec.Remote = c.cur.value
		}
		if err := w.Add(rec); err != nil {
			return err
		}
		for _, step := range []struct {
			at   bool
			step func()
		}{{b.at(path), b.step}, {e.at(path), e.step}, {c.at(path), c.step}} {
			if step.at {
				step.step()
			}
		}
	}
	for _, err := range []error{b.err, e.err, c.err} {
		if err != nil {
			return err
		}
	}
	return nil
}

// change says that the head has value at path; nil is absent.
type change struct {
	path  string
	value []byte
}

func changePath(c change) string { return c.path }

func pullNext(next func() (change, error, bool)) func() (change, bool, error) {
	return func() (change, bool, error) {
		c, err, ok := next()
		return c, ok && err == nil, err
	}
}

// encodeChanges turns what api.Hub.Changes yields into values.
func encodeChanges(seq iter.Seq2[api.Change, error]) iter.Seq2[change, error] {
	return func(yield func(change, error) bool) {
		for c, err := range seq {
			out := change{path: c.Path}
			if err == nil && c.New != nil {
				out.value, err = c.New.Encode()
			}
			if err != nil {
				err = fmt.Errorf("changes of the volume: %w", err)
			}
			if !yield(out, err) || err != nil {
				return
			}
		}
	}
}

// equalValues compares two manifests in canonical form; nil is absent.
func equalValues(a, b []byte) bool { return (a == nil) == (b == nil) && bytes.Equal(a, b) }
