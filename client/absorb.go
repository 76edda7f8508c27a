package client

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"dfs/cas"
	"dfs/client/replica"
	"dfs/client/worktree"
	"dfs/manifest"
	"dfs/merkle"
	"dfs/server/api"
)

// absorb has the base take in what was decided about this replica's conflicts, be it elsewhere, up to
// the settlement that the session's head has seen: see api.Rebase. What the head has at such a path, a
// pull brings, and what was edited since is an edit of what was settled. What is settled after that
// the hub tells from Heard, when an edit comes. Each settlement is taken in once: so all that moves the
// base comes after this, and moves it to no later head than the session's.
func (r *run) absorb(ctx context.Context) error {
	spool, err := r.decided(ctx)
	if err != nil {
		return err
	}
	if spool != nil {
		defer spool.Abort()
		edits, err := spool.Reread()
		if err != nil {
			return err
		}
		defer edits.Close()
		if err := r.fetch(ctx, r.session.Head, edits, nil); err != nil {
			return err
		}
	}
	heard, err := replica.Heard(r.cfg.Dir)
	if err != nil || heard == r.session.Settled {
		return err
	}
	return replica.SetHeard(r.cfg.Dir, r.session.Settled) // which is lower where a hub went back in time
}

// decided returns a spool with the versions that become the base, as Remote, or nil when there
// are none.
func (r *run) decided(ctx context.Context) (*replica.Writer, error) {
	settled, err := r.settled(ctx)
	if err != nil || len(settled) == 0 {
		return nil, err
	}
	spool, err := replica.NewSpool(r.cfg.Dir)
	if err != nil {
		return nil, err
	}
	err = r.fillDecided(spool, settled)
	if err == nil {
		err = spool.Seal()
	}
	if err != nil || spool.Records == 0 {
		spool.Abort()
		return nil, err
	}
	return spool, nil
}

// settled returns, by path and number, this replica's conflicts of whose settlement it has not heard.
func (r *run) settled(ctx context.Context) (map[string][]api.Conflict, error) {
	heard, err := replica.Heard(r.cfg.Dir)
	if err != nil || r.session.Settled <= heard {
		return nil, err
	}
	list, err := r.listConflicts(ctx, api.ConflictsRequest{Replica: r.id.Replica, All: true, After: heard})
	slices.SortFunc(list, func(a, b api.Conflict) int { return cmp.Compare(a.Number, b.Number) })
	settled := map[string][]api.Conflict{}
	for _, c := range list {
		if !c.Open && c.Number <= r.session.Settled {
			settled[c.Path] = append(settled[c.Path], c)
		}
	}
	return settled, err
}

func (r *run) fillDecided(spool *replica.Writer, settled map[string][]api.Conflict) error {
	index := r.index.Cursor()
	return r.eachAt(slices.Collect(maps.Keys(settled)), func(rec replica.Record) error {
		ours := api.Rebase(baseHash(rec), settled[rec.Path])
		if ours == nil || r.unedited(rec, index) {
			return nil
		}
		value, err := ours.Encode()
		if err != nil {
			return fmt.Errorf("conflict at %q: %w", rec.Path, err)
		}
		return spool.Add(replica.Record{Path: rec.Path, Remote: value})
	})
}

// eachAt calls visit for each of the paths, in path order, with its record of the base file, which is empty where
// that has none.
func (r *run) eachAt(paths []string, visit func(replica.Record) error) error {
	slices.SortFunc(paths, merkle.Compare)
	upTo := func(path string) error { // visits what comes before path, which the base file does not have
		for len(paths) > 0 && (path == "" || merkle.Compare(paths[0], path) < 0) {
			if err := visit(replica.Record{Path: paths[0]}); err != nil {
				return err
			}
			paths = paths[1:]
		}
		return nil
	}
	err := r.eachRecord(func(rec replica.Record) error {
		if err := upTo(rec.Path); err != nil || len(paths) == 0 || paths[0] != rec.Path {
			return err
		}
		paths = paths[1:]
		return visit(rec)
	})
	if err != nil {
		return err
	}
	return upTo("")
}

// baseHash returns the hash of a record's base, zero where it has none.
func baseHash(rec replica.Record) cas.ID {
	if rec.Base == nil {
		return cas.ID{}
	}
	return cas.Sum(rec.Base)
}

// unedited reports whether the directory has what the base has, as far as that is known without
// reading: then an old conflict is of no account. It is called with ascending paths.
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
