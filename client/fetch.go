package client

import (
	"context"
	"fmt"
	"iter"

	"dfs/client/replica"
	"dfs/server/api"
)

// fetch brings the base file up to the volume's head: it adds what changed there, for
// applying later, and nothing in the directory is touched. The tree that results must have the
// head's root. Edits of this replica that the head includes (accepted, without the
// rejected paths) become the base on the way.
func (r *run) fetch(ctx context.Context, head api.Head, accepted *replica.Reader, rejected map[string]struct{}) error {
	base, err := replica.OpenBase(r.cfg.Dir)
	if err != nil {
		return err
	}
	defer base.Close()
	if base.Snapshot == head.Snapshot && accepted == nil {
		return nil
	}
	w, err := replica.NewWriter(r.cfg.Dir)
	if err != nil {
		return err
	}
	defer w.Abort()
	if err := advance(w, base, accepted, rejected, r.changes(ctx, base.Seen, head), r.appliedBefore(ctx)); err != nil {
		return err
	}
	if w.Root != head.Root {
		return fmt.Errorf("the hub's changes of the volume %q lead to the root %s, but its snapshot %s has %s; nothing was applied",
			r.binding.Volume, w.Root.Short(), head.Snapshot.Short(), head.Root.Short())
	}
	return w.Commit(replica.Seen{Snapshot: head.Snapshot, Seq: head.Seq, Root: head.Root})
}

// changes yields what leads from seen to head: to all that is there from nothing.
func (r *run) changes(ctx context.Context, seen replica.Seen, head api.Head) iter.Seq2[change, error] {
	if seen.Root == head.Root {
		return func(func(change, error) bool) {}
	}
	return encodeChanges(r.conn.Changes(ctx, api.ChangesRequest{
		Volume: r.binding.VolumeID, From: seen.Snapshot, To: head.Snapshot, Session: r.pulling(),
	}))
}

// pulling returns the session that requests for what is to be applied name, from which the hub
// knows how far a pull is; zero in a dry run, which applies nothing.
func (r *run) pulling() (id api.SessionID) {
	if r.cfg.DryRun {
		return id
	}
	return r.session.Session
}
