package client

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"dfs/client/reconcile"
	"dfs/client/replica"
	"dfs/manifest"
	"dfs/server/api"
)

// withdraw settles those of this replica's open conflicts at whose paths it has given way: base and directory
// have the head's version there. The head stays as it is, and the replica's version on record. A sync counts
// the others, and these no more. It is the last that a run does.
func (r *run) withdraw(ctx context.Context) error {
	if r.session.Open == 0 {
		return nil
	}
	given, stay, err := r.givenWay(ctx)
	if err != nil {
		return err
	}
	if r.clashes != nil {
		for _, path := range stay {
			r.clashes[path] = struct{}{}
		}
	}
	for part := range slices.Chunk(given, maxRulings) {
		var settle []api.Settlement
		for _, c := range part {
			settle = append(settle, api.Settlement{Conflict: c.ID, Ours: c.Ours.Hash(), Theirs: c.Theirs.Hash(), Take: reconcile.TakeWithdrawn})
		}
		if err := r.begin(ctx); err != nil {
			return err
		}
		answer, err := r.conn.Commit(ctx, api.CommitRequest{
			Session: r.session.Session, Key: replica.NewID(), Settle: settle, Message: r.cfg.Message,
		})
		if errors.Is(err, api.ErrMoved) { // the next run looks again
			return nil
		}
		if err != nil {
			return fmt.Errorf("commit: %w", err)
		}
		r.committed(answer.Head)
		r.result.Settled += int64(len(part))
		for _, c := range part {
			delete(r.clashes, c.Path)
		}
	}
	return nil
}

// givenWay returns the conflicts that are to be withdrawn, and the paths of those that stay.
func (r *run) givenWay(ctx context.Context) (given []api.Conflict, stay []string, err error) {
	list, err := r.listConflicts(ctx, api.ConflictsRequest{Replica: r.id.Replica})
	if err != nil {
		return nil, nil, err
	}
	open := map[string]api.Conflict{}
	for _, c := range list {
		open[c.Path] = c
	}
	has := r.appliedBefore(ctx)
	err = r.eachAt(slices.Collect(maps.Keys(open)), func(rec replica.Record) error {
		c := open[rec.Path]
		gone := false
		if baseHash(rec) == c.Theirs.Hash() {
			var err error
			if gone, err = has(rec.Path, rec.Base); err != nil {
				return err
			}
			gone = gone || rec.Base == nil && r.walled(rec.Path)
		}
		if gone {
			given = append(given, c)
		} else {
			stay = append(stay, rec.Path)
		}
		return nil
	})
	return given, stay, err
}

// walled reports whether something stands above a path in the directory that is no directory.
func (r *run) walled(path string) bool {
	for i := range path {
		if path[i] != '/' {
			continue
		}
		if e, err := r.root.Stat(path[:i]); err != nil || e.Kind != manifest.Directory {
			return err == nil
		}
	}
	return false
}
