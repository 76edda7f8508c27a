package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"

	"dfs/cas"
	"dfs/client/reconcile"
	"dfs/client/replica"
	"dfs/client/worktree"
	"dfs/manifest"
	"dfs/server/api"
)

// absorb has the base take in what was decided about this replica's conflicts, be it elsewhere: to
// whoever decided, the replica's version was known, so it becomes the base. What the head
// has there is then a change of it, which a pull brings, and an edit made since is one of it.
func (r *run) absorb(ctx context.Context) error {
	spool, err := r.decided(ctx)
	if spool == nil || err != nil {
		return err
	}
	defer spool.Abort()
	edits, err := spool.Reread()
	if err != nil {
		return err
	}
	defer edits.Close()
	return r.fetch(ctx, r.session.Head, edits, nil)
}

// decided returns a spool with the versions that become the base, as Remote, or nil when there
// are none. Only what is pending can have been in conflict.
func (r *run) decided(ctx context.Context) (*replica.Writer, error) {
	base, err := replica.OpenBase(r.cfg.Dir)
	if err != nil {
		return nil, err
	}
	defer base.Close()
	if base.Pending == 0 {
		return nil, nil
	}
	settled, err := r.settled(ctx)
	if err != nil || len(settled) == 0 {
		return nil, err
	}
	spool, err := replica.NewSpool(r.cfg.Dir)
	if err != nil {
		return nil, err
	}
	err = r.fillDecided(spool, base, settled)
	if err == nil {
		err = spool.Seal()
	}
	if err != nil || spool.Records == 0 {
		spool.Abort()
		return nil, err
	}
	return spool, nil
}

// settled returns this replica's conflicts that are settled, by their IDs.
func (r *run) settled(ctx context.Context) (map[cas.ID]api.Conflict, error) {
	list, err := r.listConflicts(ctx, r.id.Replica, true)
	settled := map[cas.ID]api.Conflict{}
	for _, c := range list {
		if !c.Open && c.Take != reconcile.TakeEdit { // of its own edit it has heard
			settled[c.ID] = c
		}
	}
	return settled, err
}

func (r *run) fillDecided(spool *replica.Writer, base *replica.Reader, settled map[cas.ID]api.Conflict) error {
	index := r.index.Cursor()
	for {
		rec, ok, err := base.Next()
		if err != nil || !ok {
			return err
		}
		if !rec.Pending() {
			continue
		}
		ours, err := r.decidedAt(rec, settled)
		if err != nil {
			return err
		}
		if ours == nil || r.unedited(rec, index) {
			continue
		}
		if err := spool.Add(replica.Record{Path: rec.Path, Remote: ours}); err != nil {
			return err
		}
	}
}

// decidedAt follows the conflicts that begin with a record's base to the last version of this replica
// that is settled, and takes them out of the list. It returns nil where there is none.
func (r *run) decidedAt(rec replica.Record, settled map[cas.ID]api.Conflict) (ours []byte, err error) {
	for value := rec.Base; ; value = ours {
		var base cas.ID
		if value != nil {
			base = cas.Sum(value)
		}
		id := api.ConflictID(r.binding.VolumeID, r.id.Replica, rec.Path, base)
		c, ok := settled[id]
		if !ok {
			return ours, nil
		}
		delete(settled, id)
		if ours, err = c.Ours.Encode(); err != nil {
			return nil, fmt.Errorf("conflict %s: %w", id.Short(), err)
		}
	}
}

// unedited reports whether the directory has what the base has, as far as that is known without
// reading: then an old conflict is of no account.
func (r *run) unedited(rec replica.Record, index *worktree.IndexCursor) bool {
	e, err := r.root.Stat(rec.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return rec.Base == nil
	case err != nil:
		return false
	case e.Kind != manifest.File:
		value, err := plain(&e).Encode()
		return err == nil && bytes.Equal(value, rec.Base)
	}
	known, ok := index.Find(rec.Path)
	return ok && known.Clean(e) && bytes.Equal(known.Value, rec.Base)
}
