package merkle

import (
	"bytes"
	"context"
	"iter"
	"slices"

	"dfs/cas"
)

const (
	batch = 32  // nodes of one tree read ahead in one call of the source
	ahead = 256 // nodes of one tree listed while the other stands still
)

// Diff yields, in ascending order, the changes that lead from the tree at old
// to the tree at new. It reads only nodes that one of the trees lacks (and
// few others beside thousands of insertions or deletions in a row), up to 64 in
// one call of src and ahead of what it yields, in memory of some such batches a
// level. After an error, which it yields last, nothing follows. The
// changes' values may be kept and must not be changed.
func Diff(ctx context.Context, src Source, old, new cas.ID) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		if old != new {
			d := differ{reader: reader{ctx, src}}
			if err := d.run(old, new, func(c Change) bool { return yield(c, nil) }); err != nil {
				yield(Change{}, err)
			}
		}
	}
}

// Walk yields, in ascending order, the entries of the tree at root: with prefix "a/b"
// the entry a/b, if there is one, and all below it; with "" all. It reads as [Diff] does,
// and only nodes whose range meets the prefix.
func Walk(ctx context.Context, src Source, root cas.ID, prefix string) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		d := differ{reader: reader{ctx, src}, within: span(prefix)}
		err := d.run(EmptyRoot(), root, func(c Change) bool { return yield(Entry{c.Path, c.New}, nil) })
		if err != nil {
			yield(Entry{}, err)
		}
	}
}

// A differ merges two trees, 0 old and 1 new, level by level. The stage of a
// level reads the nodes that only one tree has there, pairs their entries
// by key, and hands those without an equal partner to the stage below, as
// nodes to read; the stage of the leaves yields them.
type differ struct {
	reader
	within span
	stages []*stage // by level
}

// A stage is the place of both trees in one level.
type stage [2]struct {
	refs  []ref   // nodes still to be read
	nodes []node  // nodes read, still to be opened
	dec   decoder // in the node opened last
	have  bool    // it stands on an entry
	done  bool    // nothing is left here and above
}

func (d *differ) run(old, new cas.ID, yield func(Change) bool) error {
	roots, err := d.load(rootRef(old), rootRef(new))
	if err != nil {
		return err
	}
	for range max(roots[0].level, roots[1].level) + 1 {
		d.stages = append(d.stages, &stage{})
	}
	for t, root := range roots {
		d.stages[root.level][t].nodes = []node{root}
	}
	for {
		c, ok, err := d.next()
		if err != nil || !ok || side(d.within, c.Path) > 0 {
			return err
		}
		if side(d.within, c.Path) == 0 && !yield(c) {
			return nil
		}
	}
}

// next returns the next change.
func (d *differ) next() (c Change, ok bool, err error) {
	s := d.stages[0]
	for {
		order, ok, err := d.pair(0)
		if err != nil || !ok {
			return Change{}, false, err
		}
		s[0].have, s[1].have = s[0].have && order > 0, s[1].have && order < 0
		old, new := &s[0].dec, &s[1].dec
		switch {
		case order < 0:
			return Change{Path: string(old.key), Old: old.value}, true, nil
		case order > 0:
			return Change{Path: string(new.key), New: new.value}, true, nil
		case !bytes.Equal(old.value, new.value):
			return Change{Path: string(new.key), Old: old.value, New: new.value}, true, nil
		}
	}
}

// pair brings both trees onto their next entry of a level and compares the
// keys; a tree at its end is above all keys. It reports false when both are.
func (d *differ) pair(level int) (order int, ok bool, err error) {
	a, err := d.head(level, 0)
	if err != nil {
		return 0, false, err
	}
	b, err := d.head(level, 1)
	s := d.stages[level]
	switch {
	case err != nil || !a && !b:
		return 0, false, err
	case !b:
		return -1, true, nil
	case !a:
		return +1, true, nil
	}
	return compare(s[0].dec.key, s[1].dec.key), true, nil
}

// head brings tree t onto its next entry of a level. It reports false at the end.
func (d *differ) head(level, t int) (bool, error) {
	s := &d.stages[level][t]
	for !s.have && !s.done {
		if s.have = s.dec.next(); s.have {
			break
		}
		if len(s.nodes) == 0 {
			if err := d.fill(level, t); err != nil {
				return false, err
			}
			s.done = len(s.nodes) == 0
			continue
		}
		s.nodes[0].start(&s.dec)
		s.nodes = s.nodes[1:]
	}
	return s.have, nil
}

// fill reads the next batch of nodes of tree t in a level; none at the end. The
// other tree's nodes listed by then come along if it is in need of some too.
func (d *differ) fill(level, t int) error {
	s := d.stages[level]
	for len(s[t].refs) < batch {
		if ok, err := d.list(level, t); err != nil {
			return err
		} else if !ok {
			break
		}
	}
	if len(s[t].refs) == 0 {
		return nil
	}
	var n [2]int
	for i := range s {
		if len(s[i].nodes) == 0 {
			n[i] = min(batch, len(s[i].refs))
		}
	}
	nodes, err := d.load(slices.Concat(s[0].refs[:n[0]], s[1].refs[:n[1]])...)
	if err != nil {
		return err
	}
	for i := range s {
		if n[i] > 0 {
			s[i].nodes, nodes = nodes[:n[i]], nodes[n[i]:]
			s[i].refs = append(s[i].refs[:0], s[i].refs[n[i]:]...)
		}
	}
	return nil
}

// list takes the next pair of entries of the level above, and lists those that
// only one tree has for reading. It reports false when tree t has none left.
func (d *differ) list(level, t int) (bool, error) {
	up := level + 1
	if up == len(d.stages) {
		return false, nil
	}
	if ok, err := d.head(up, t); err != nil || !ok {
		return false, err
	}
	order, _, err := d.pair(up)
	if err != nil {
		return false, err
	}
	from, to := d.stages[up], d.stages[level]
	if order == 0 && from[0].dec.id == from[1].dec.id {
		from[0].have, from[1].have = false, false
		return true, nil
	}
	// The other tree may have t's node behind many others: then stop looking for dec.
	if order != 0 && (order > 0) == (t == 0) && len(to[1-t].refs) >= ahead {
		order = -order
	}
	for i, ahead := range [2]bool{order <= 0, order >= 0} {
		if !ahead {
			continue
		}
		from[i].have = false
		if dec := &from[i].dec; side(d.within, dec.key) >= 0 && side(d.within, dec.low) <= 0 {
			to[i].refs = append(to[i].refs, dec.child())
		}
	}
	return true, nil
}
