package hub

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"dfs/cas"
	"dfs/merkle"
	"dfs/server/api"
)

// openConflicts returns the open conflicts of a volume: those of the replica, or of all when that is zero.
func (h *Hub) openConflicts(v cas.VolumeID, replica api.ReplicaID) ([]conflictName, error) {
	prefix := openKey(v, replica, "")
	if replica.IsZero() {
		prefix = prefix[:len(prefix)-len(replica)]
	}
	var open []conflictName
	err := h.meta.each(prefix, false, func(key, value []byte) error {
		c, err := parseOpen(key, value)
		open = append(open, c)
		return err
	})
	return open, err
}

// loadConflict returns a conflict, nil when there is none of the name.
func (h *Hub) loadConflict(v cas.VolumeID, name conflictName) (*api.Conflict, error) {
	key := conflictKey(v, name)
	value, err := h.meta.get(key)
	if err != nil || value == nil {
		return nil, err
	}
	c, err := api.DecodeConflict(value)
	if err != nil {
		return nil, fmt.Errorf("metadata %q: %w", key, err)
	}
	return &c, nil
}

// conflictWrite returns the write that records a conflict.
func conflictWrite(v cas.VolumeID, c *api.Conflict) (kv, error) {
	rec, err := c.Append(nil)
	if err != nil {
		return kv{}, fmt.Errorf("conflict at %q: %w", c.Path, err)
	}
	return kv{conflictKey(v, conflictName{c.Path, c.Replica, c.ID}), rec}, nil
}

// Conflicts implements [api.Hub].
func (h *Hub) Conflicts(ctx context.Context, req api.ConflictsRequest) iter.Seq2[api.Conflict, error] {
	return func(yield func(api.Conflict, error) bool) {
		if err := h.enter(); err != nil {
			yield(api.Conflict{}, err)
			return
		}
		defer h.leave()
		l := &listing{h: h, ctx: ctx, req: req, yield: yield}
		if err := l.run(); err != nil && err != errLeft {
			yield(api.Conflict{}, wire(err))
		}
	}
}

// errLeft is the error of a listing of which no more is wanted.
var errLeft = errors.New("the listing was left")

// A listing yields the conflicts that a request asks for. They are stored by path, and
// those of one path are held until all of them are there.
type listing struct {
	h     *Hub
	ctx   context.Context
	req   api.ConflictsRequest
	yield func(api.Conflict, error) bool
	heads *merkle.Cursor
	group []api.Conflict // of one path
}

func (l *listing) run() error {
	v, err := l.h.reach(l.ctx, l.req.Volume, api.RightRead)
	if err != nil {
		return err
	}
	l.heads = merkle.NewCursor(l.ctx, l.h.nodes(v.id), l.h.headOf(v).Root)
	if l.req.All && l.req.Replica.IsZero() && l.req.ID == "" {
		err = l.addAll()
	} else {
		err = l.addNamed()
	}
	if err != nil {
		return err
	}
	return l.flush()
}

// addAll goes over all conflicts of the volume.
func (l *listing) addAll() error {
	var failed error // of what is done with a key, which is none of the metadata's
	err := l.h.meta.each(conflictsKey(l.req.Volume), true, func(key, _ []byte) error {
		name, err := parseConflictKey(key)
		if err == nil {
			err = l.add(name)
		}
		failed = err
		return failed
	})
	return cmp.Or(failed, err)
}

// names returns what may be asked for: what an ID names, or else the open ones and the settled ones of one
// replica. What is settled meanwhile is among both.
func (l *listing) names() ([]conflictName, error) {
	if l.req.ID != "" {
		return l.h.namedConflicts(l.req.Volume, l.req.ID)
	}
	names, err := l.h.openConflicts(l.req.Volume, l.req.Replica)
	if err != nil || !l.req.All {
		return names, err
	}
	settled, err := l.h.settledConflicts(l.req.Volume, l.req.Replica, l.req.After)
	return append(names, settled...), err
}

// addNamed goes over those whose names are at hand.
func (l *listing) addNamed() error {
	names, err := l.names()
	if err != nil {
		return err
	}
	slices.SortFunc(names, func(a, b conflictName) int {
		return cmp.Or(merkle.Compare(a.path, b.path), bytes.Compare(a.id[:], b.id[:]))
	})
	for _, name := range slices.Compact(names) {
		if err := l.add(name); err != nil {
			return err
		}
	}
	return nil
}

// add takes the next conflict, if it is asked for.
func (l *listing) add(name conflictName) error {
	if err := l.ctx.Err(); err != nil {
		return err
	}
	c, err := l.h.loadConflict(l.req.Volume, name)
	switch {
	case err != nil:
		return err
	case c == nil, !l.req.Replica.IsZero() && c.Replica != l.req.Replica, !c.Open && (!l.req.All || c.Number <= l.req.After):
		return nil
	}
	if len(l.group) > 0 && l.group[0].Path != c.Path {
		if err := l.flush(); err != nil {
			return err
		}
	}
	if c.Open {
		if c.Theirs, _, err = lookup(l.heads, c.Path); err != nil {
			return err
		}
	}
	l.group = append(l.group, *c)
	return nil
}

// flush yields the conflicts of a path.
func (l *listing) flush() error {
	slices.SortFunc(l.group, func(a, b api.Conflict) int { return a.Compare(&b) })
	for _, c := range l.group {
		if !l.yield(c, nil) {
			return errLeft
		}
	}
	l.group = l.group[:0]
	return nil
}
