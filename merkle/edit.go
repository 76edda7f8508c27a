package merkle

import (
	"context"
	"fmt"
	"iter"

	"dfs/cas"
)

// Edit returns the root of the tree at root with the edits made, which must
// ascend by [Compare], one a path. It equals the root that [Build] makes of
// the edited map. Setting what is already so and deleting what is absent
// change nothing.
//
// Edit reads the nodes on the way to the edited paths, and neighbours until the
// cuts of the new tree fall on those of the old one again: k edits of n
// entries read O(k log n) nodes, in memory of one node a level; dense edits
// approach the cost of a Build. It gives put the nodes that the old tree
// does not have, children before parents, and none when the root stays. It fails
// with the first error of src, edits or put; put may then have been given some.
func Edit(ctx context.Context, src Source, root cas.ID, edits iter.Seq2[Change, error], put Sink) (cas.ID, error) {
	return edit(reader{ctx, src}, newBuilder(targetBits, put), root, edits)
}

func edit(r reader, b *Builder, root cas.ID, edits iter.Seq2[Change, error]) (cas.ID, error) {
	e := editor{reader: r, builder: b}
	for c, err := range edits {
		if err == nil {
			err = e.apply(root, c)
		}
		if err != nil {
			return cas.ID{}, err
		}
	}
	if e.prev == "" {
		return root, nil
	}
	if err := e.copyRest(); err != nil {
		return cas.ID{}, err
	}
	return b.Finish()
}

// An editor copies the old tree into a builder: nodes whole where no edit falls
// into them and the builder is at a cut, entry by entry elsewhere.
type editor struct {
	reader
	builder *Builder
	open    []*frame // the way from the old tree's root to where copying stands
	prev    string   // the path of the last edit
}

// apply makes one edit of the tree at root.
func (e *editor) apply(root cas.ID, c Change) error {
	if len(c.Path) == 0 || len(c.New) > 0 {
		if err := (Entry{c.Path, c.New}).check(); err != nil {
			return err
		}
	}
	if compare(c.Path, e.prev) <= 0 {
		return fmt.Errorf("edit of %q does not ascend from %q", c.Path, e.prev)
	}
	if e.prev == "" {
		if err := e.descend(rootRef(root)); err != nil {
			return err
		}
	}
	e.prev = c.Path
	if err := e.copyBefore(c.Path); err != nil {
		return err
	}
	if f := e.top(); f != nil && string(f.dec.key) == c.Path {
		f.have = false
	}
	if len(c.New) == 0 {
		return nil
	}
	return e.builder.Add(Entry{c.Path, c.New})
}

// top returns the frame of the node being copied, nil after the last.
func (e *editor) top() *frame {
	if len(e.open) == 0 {
		return nil
	}
	return e.open[len(e.open)-1]
}

// descend opens a node of the old tree.
func (e *editor) descend(ref ref) error {
	f, err := e.frame(ref)
	if err != nil {
		return err
	}
	e.builder.old[f.level] = f.id
	e.open = append(e.open, f)
	return nil
}

// forward moves the top frame onto an entry that is not yet copied, leaving
// exhausted nodes. It returns nil at the end of the tree.
func (e *editor) forward() *frame {
	for f := e.top(); f != nil; f = e.top() {
		if f.have || f.dec.next() {
			f.have = true
			return f
		}
		e.open = e.open[:len(e.open)-1]
	}
	return nil
}

// copyBefore copies the entries before path, and stands on the first that follows.
func (e *editor) copyBefore(path string) error {
	for f := e.forward(); f != nil; f = e.forward() {
		before := compare(f.dec.key, path) < 0
		if f.level == 0 && !before {
			return nil
		}
		// What is appended after the last path belongs into the last nodes.
		if err := e.copy(f, before && !e.atLast()); err != nil {
			return err
		}
	}
	return nil
}

// copyRest copies the entries that are left.
func (e *editor) copyRest() error {
	for f := e.forward(); f != nil; f = e.forward() {
		// The last node of a level may have one child, which a root may not:
		// before it stands alone it is taken apart.
		if err := e.copy(f, !e.atLast() || !e.builder.empty()); err != nil {
			return err
		}
	}
	return nil
}

// atLast reports whether the open nodes all stand on their last entry.
func (e *editor) atLast() bool {
	for _, f := range e.open {
		if f.dec.more() {
			return false
		}
	}
	return true
}

// copy copies the entry that f, the top frame, stands on: a child node whole if
// that is allowed and the builder is at a cut, else by opening dec.
func (e *editor) copy(f *frame, whole bool) error {
	f.have = false
	switch {
	case f.level == 0:
		return e.builder.addEntry(f.dec.key, f.dec.value)
	case whole && e.builder.aligned(f.level):
		return e.builder.addChild(f.level, f.dec.key, f.dec.id, f.dec.count)
	}
	return e.descend(f.dec.child())
}
