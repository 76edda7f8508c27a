package hub

import (
	"cmp"
	"context"
	"slices"
	"unicode/utf8"

	"dfs/cas"
	"dfs/manifest"
	"dfs/merkle"
	"dfs/server/api"
)

// A settling is a conflict that a commit settles. Its record says so already.
type settling struct {
	api.Conflict
	superseded bool // another conflict of the replica takes its place as the open one of the path
}

// checkSettle refuses settlements of conflicts that are not what they say, and keeps the others.
func (c *commit) checkSettle(ctx context.Context) error {
	if len(c.req.Settle) == 0 {
		return nil
	}
	open, err := c.h.openConflicts(c.v.id, api.ReplicaID{})
	if err != nil {
		return err
	}
	names := make(map[cas.ID]conflictName, len(open))
	for _, o := range open {
		names[o.id] = o
	}
	settle := slices.Clone(c.req.Settle)
	slices.SortFunc(settle, func(a, b api.Settlement) int {
		return merkle.Compare(names[a.Conflict].path, names[b.Conflict].path)
	})
	heads := merkle.NewCursor(ctx, c.src, c.was.head.Root)
	for _, s := range settle {
		name, ok := names[s.Conflict]
		if !ok {
			return refuse(api.ErrMoved, "conflict %v is not open", s.Conflict)
		}
		conflict, err := c.h.loadConflict(c.v.id, name)
		if err != nil {
			return err
		}
		theirs, hash, err := lookup(heads, name.path)
		switch {
		case err != nil:
			return err
		case conflict == nil || conflict.Ours.Hash() != s.Ours:
			return refuse(api.ErrMoved, "conflict %v at %q: the replica has another version now", s.Conflict, name.path)
		case hash != s.Theirs:
			return refuse(api.ErrMoved, "conflict %v at %q: the head has another version now", s.Conflict, name.path)
		}
		c.settled = append(c.settled, settledAs(*conflict, theirs, s.Take))
	}
	return nil
}

// checkSettlements refuses settlements that are not valid.
func checkSettlements(settle []api.Settlement, limit int) error {
	if len(settle) > limit {
		return refuse(api.ErrTooLarge, "commit: %d settlements, more than %d", len(settle), limit)
	}
	seen := make(map[cas.ID]bool, len(settle))
	for _, s := range settle {
		switch {
		case s.Take == api.ByEdit:
			return refuse(api.ErrInvalid, "commit: conflict %v: take %q is not a decision", s.Conflict, s.Take)
		case s.Take == "" || len(s.Take) > api.MaxTake || !utf8.ValidString(s.Take):
			return refuse(api.ErrInvalid, "commit: conflict %v: take %.64q is not 1 to %d bytes of UTF-8", s.Conflict, s.Take, api.MaxTake)
		case seen[s.Conflict]:
			return refuse(api.ErrInvalid, "commit: conflict %v is settled twice", s.Conflict)
		}
		seen[s.Conflict] = true
	}
	return nil
}

func settledAs(c api.Conflict, theirs *manifest.Manifest, take string) settling {
	c.Open, c.Theirs, c.Take = false, theirs, take
	return settling{Conflict: c}
}

// checkSettled refuses the commit when the head does not take the edit of a path at which it settles.
func (c *commit) checkSettled() error {
	for _, s := range c.settled {
		if c.d.gaveWay(s.Path) {
			return refuse(api.ErrMoved, "conflict %v at %q: the head's tree does not take what settles it", s.ID, s.Path)
		}
	}
	return nil
}

// conflicts notes which conflicts the commit opens, or brings up to date.
func (c *commit) conflicts() error {
	for _, clash := range c.d.clashes {
		conflict, err := c.conflict(clash)
		if err != nil {
			return err
		}
		c.opened = append(c.opened, conflict)
		if err := c.supersede(&conflict); err != nil {
			return err
		}
	}
	return nil
}

// conflict completes the conflict of an edit as it is recorded from now on: the open one of the
// path, if that is from the same version, or else another.
func (c *commit) conflict(now api.Conflict) (api.Conflict, error) {
	now.Replica, now.Client, now.Time = c.s.slot.replica, c.s.client(), c.time.UTC().Round(0)
	now.ID = api.ConflictID(c.v.id, now.Replica, now.Path, now.From)
	for {
		former, err := c.h.loadConflict(c.v.id, conflictName{now.Path, now.Replica, now.ID})
		if former == nil || err != nil {
			return now, err
		}
		now.Base = cmp.Or(now.Base, former.Base)
		if former.Open {
			now.Time = former.Time
			return now, nil
		}
		now.ID = api.NextConflictID(now.ID)
	}
}

// supersede settles the replica's former conflict at the path when it has another base.
func (c *commit) supersede(now *api.Conflict) error {
	name, ok := c.open[now.Path]
	if !ok || name.id == now.ID {
		return nil
	}
	former, err := c.h.loadConflict(c.v.id, name)
	if err != nil || former == nil {
		return err
	}
	s := settledAs(*former, now.Theirs, api.ByEdit)
	s.superseded = true
	c.settled = append(c.settled, s)
	return nil
}

// settleByEdits settles the replica's open conflicts at the paths at which the head has its version now.
func (c *commit) settleByEdits(ctx context.Context) error {
	named := make(map[cas.ID]bool, len(c.req.Settle))
	for _, s := range c.req.Settle {
		named[s.Conflict] = true
	}
	heads := merkle.NewCursor(ctx, c.src, c.was.head.Root)
	for _, path := range c.done {
		if named[c.open[path].id] {
			continue
		}
		conflict, err := c.h.loadConflict(c.v.id, c.open[path])
		if err != nil {
			return err
		}
		theirs, _, err := lookup(heads, path)
		if err != nil {
			return err
		}
		if conflict != nil {
			c.settled = append(c.settled, settledAs(*conflict, theirs, api.ByEdit))
		}
	}
	return nil
}

// conflictWrites returns the writes that open conflicts and settle them, which go before those of the head, whose
// number of settlements makes these valid; and those after it: what is settled is among the open no more.
func (c *commit) conflictWrites() (before, after []kv, err error) {
	for i := range c.opened {
		now := &c.opened[i]
		rec, err := conflictWrite(c.v.id, now)
		if err != nil {
			return nil, nil, err
		}
		name := conflictName{now.Path, now.Replica, now.ID}
		before = append(before, kv{namedKey(c.v.id, now.ID[:]), namedValue(name)}, rec, kv{openKey(c.v.id, now.Replica, now.Path), now.ID[:]})
	}
	for i := range c.settled {
		s := &c.settled[i]
		s.Number = c.was.settled + 1 + uint64(i)
		rec, err := conflictWrite(c.v.id, &s.Conflict)
		if err != nil {
			return nil, nil, err
		}
		name := conflictName{s.Path, s.Replica, s.ID}
		before = append(before, rec, kv{settledKey(c.v.id, s.Replica, s.Number), settledValue(name)})
		if !s.superseded {
			after = append(after, kv{key: openKey(c.v.id, s.Replica, s.Path)})
		}
	}
	return before, after, nil
}

// openAfter returns how many of the volume's conflicts are open once the commit is made.
func (c *commit) openAfter() int {
	n := c.was.open
	for _, now := range c.opened {
		if _, before := c.open[now.Path]; !before {
			n++
		}
	}
	for _, s := range c.settled {
		if !s.superseded {
			n--
		}
	}
	return n
}

// repairConflicts completes the settlements of commits that were made when the hub was killed, and takes back
// those of commits that were not. It counts what then is open.
func (h *Hub) repairConflicts() error {
	var writes []kv
	for _, v := range h.volumes {
		open, err := h.openConflicts(v.id, api.ReplicaID{})
		if err != nil {
			return err
		}
		v.open = len(open)
		for _, name := range open {
			c, err := h.loadConflict(v.id, name)
			if err != nil {
				return err
			}
			if c == nil || c.Open {
				continue
			}
			if c.Number <= v.settled {
				writes = append(writes, kv{key: openKey(v.id, name.replica, name.path)})
				v.open--
				continue
			}
			number := c.Number
			c.Open, c.Take, c.Number = true, "", 0
			rec, err := conflictWrite(v.id, c)
			if err != nil {
				return err
			}
			writes = append(writes, kv{key: settledKey(v.id, name.replica, number)}, rec)
		}
	}
	return h.meta.writeBatches(writes)
}
