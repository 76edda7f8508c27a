package client

import (
	"context"
	"fmt"

	"dfs/client/reconcile"
	"dfs/client/replica"
)

// Inspect compares the directory, the base and (unless offline) the hub, and calls each for
// every path that differs: those that were changed here in path order, then those on the
// hub. It alters nothing but the index.
func Inspect(ctx context.Context, cfg Config, offline bool, each func(Change) error) (*Status, error) {
	cfg.DryRun = true
	r, err := openStatus(ctx, cfg, offline)
	if err != nil {
		return nil, err
	}
	defer r.close()
	st := &Status{Type: "status", Hub: r.result.Hub, Volume: r.binding.Volume, Offline: offline}
	base, err := replica.OpenBase(r.cfg.Dir)
	if err != nil {
		return nil, err
	}
	defer base.Close()
	st.Seen = base.Snapshot
	if !offline {
		if err := r.askHub(ctx, base.Seen, st); err != nil {
			return nil, err
		}
	}
	if !offline && (st.Head != st.Seen || base.Pending > 0) {
		fresh, err := r.preview(ctx, base)
		if err != nil {
			return nil, err
		}
		defer fresh.Abort()
		if base, err = fresh.Reread(); err != nil {
			return nil, err
		}
		defer base.Close()
	}
	if err := r.compare(ctx, base, st); err != nil {
		return nil, err
	}
	if err := r.eachLogged(func(c loggedChange) error {
		st.note(c.Change)
		return each(c.Change)
	}); err != nil {
		return nil, err
	}
	if err := r.index.Save(); err != nil {
		return nil, err
	}
	st.Problems, st.Skipped, st.Nested = r.result.Problems, r.result.Skipped, r.result.Nested
	st.Files, st.Bytes = r.meter.scanned.Load(), r.meter.bytesScanned.Load()
	st.InSync = !offline && st.Local == Counts{} && st.Remote == Counts{} && st.Conflicts == 0 && len(st.Problems) == 0
	return st, nil
}

func (r *run) askHub(ctx context.Context, seen replica.Seen, st *Status) error {
	info, err := r.conn.Info(ctx, "")
	if err != nil {
		return fmt.Errorf("hub %s: %w", r.result.Hub, err)
	}
	if err := r.checkHub(info.HubID); err != nil {
		return err
	}
	at, err := r.conn.Status(ctx, r.binding.VolumeID)
	if err != nil {
		return fmt.Errorf("volume %q: %w", r.binding.Volume, err)
	}
	if err := r.checkHistory(seen, at.Volume.Head, true); err != nil {
		return err
	}
	r.session.Head, r.session.Settled = at.Volume.Head, at.Settled
	st.Head, st.Conflicts, st.Sessions = at.Volume.Head.Snapshot, int64(at.Conflicts), at.Sessions
	return nil
}

// preview writes the base file as a fetch would make it, without taking it.
func (r *run) preview(ctx context.Context, base *replica.Reader) (*replica.Writer, error) {
	spool, err := r.decided(ctx)
	if err != nil {
		return nil, err
	}
	if spool != nil {
		defer spool.Abort()
	}
	return r.previewOf(ctx, base, spool)
}

// previewOf is preview with what decided returned.
func (r *run) previewOf(ctx context.Context, base *replica.Reader, spool *replica.Writer) (*replica.Writer, error) {
	var settled *replica.Reader
	var err error
	if spool != nil {
		if settled, err = spool.Reread(); err != nil {
			return nil, err
		}
		defer settled.Close()
	}
	w, err := replica.NewSpool(r.cfg.Dir)
	if err != nil {
		return nil, err
	}
	err = advance(w, base, settled, nil, r.changes(ctx, base.Seen, r.session.Head), r.appliedBefore(ctx))
	if err == nil {
		err = w.Seal()
	}
	if err != nil {
		w.Abort()
		return nil, err
	}
	return w, nil
}

// compare logs what differs at each path: on this side from the base, and on the hub from
// both.
func (r *run) compare(ctx context.Context, base *replica.Reader, st *Status) error {
	s := survey{r: r, hasher: newHasher(r, nil, func() {}), local: true, remote: true}
	recorded := st.Conflicts
	st.Conflicts = 0
	err := s.each(ctx, base, func(f *found) error {
		if f.err != nil {
			r.problem(f.path, f.err)
		}
		if f.ignored {
			return nil
		}
		local, err := r.localValue(f)
		if err != nil {
			return err
		}
		if !equalValues(local, f.base) && !f.unknown {
			rides, err := mtimeAlone(f.base, f.local)
			if err != nil {
				return err
			}
			if !rides && !equalValues(local, f.remote) {
				if err := r.log(Local).add(f.path, f.base, local); err != nil {
					return err
				}
			}
		}
		if err := st.judge(f); err != nil {
			return err
		}
		if !equalValues(f.remote, f.base) && (f.unknown || !equalValues(f.remote, local)) {
			return r.log(Remote).add(f.path, f.base, f.remote)
		}
		return nil
	})
	st.Conflicts = max(st.Conflicts, recorded)
	return err
}

// judge counts a path that a pull would leave alone as a conflict, which the hub need not
// know yet.
func (st *Status) judge(f *found) error {
	base, remote, err := f.versions()
	if err != nil {
		return err
	}
	if !f.unknown && reconcile.Pull(base, f.local, remote).Action == reconcile.Conflict {
		st.Conflicts++
	}
	return nil
}

func (r *run) localValue(f *found) ([]byte, error) {
	if f.local == nil {
		return nil, nil
	}
	return f.local.Encode()
}

// note counts a change.
func (st *Status) note(c Change) {
	counts := &st.Local
	if c.Side == Remote {
		counts = &st.Remote
	}
	switch c.Op {
	case Added:
		counts.Added++
	case Deleted:
		counts.Deleted++
	case Moved:
		counts.Moved++
	default:
		counts.Modified++
	}
}

// HubOf returns the location of the hub that the replica at dir is bound to; ok is
// false when dir is no replica.
func HubOf(dir string) (location string, ok bool, err error) {
	if !replica.Exists(dir) {
		return "", false, nil
	}
	b, err := replica.LoadBinding(dir)
	return b.Location, err == nil, err
}

// waiting says that another run has the replica.
func (r *run) waiting(holder string) {
	if r.cfg.Notice != nil {
		r.cfg.Notice("waiting: " + (&BusyError{What: "the replica " + r.cfg.Dir, Holder: holder}).Error())
	}
}

// openStatus is open without a session, and without a hub when offline.
func openStatus(ctx context.Context, cfg Config, offline bool) (_ *run, err error) {
	r := newRun(cfg, "status")
	defer func() {
		if err != nil {
			r.close()
		}
	}()
	if err := r.openRoot(); err != nil {
		return nil, err
	}
	if !replica.Exists(r.cfg.Dir) {
		return nil, r.noReplica()
	}
	if !offline {
		return r, r.openKnown(ctx)
	}
	if err := r.lock(ctx); err != nil {
		return nil, err
	}
	return r, r.load()
}
