package merkle

import (
	"context"

	"dfs/cas"
)

// A Cursor looks paths up in one tree. It keeps the nodes from the root to the
// path asked last, so ascending lookups read every node once and lookups
// in any order read only below the node that holds both paths. It is not safe
// for concurrent use. After an error the lookup may be tried again.
type Cursor struct {
	reader
	root  cas.ID
	open  []*frame
	asked string // every open frame stands on its first key at or after asked
}

// NewCursor returns a cursor over the tree at root. Nothing is read yet; ctx
// governs all later reads.
func NewCursor(ctx context.Context, src Source, root cas.ID) *Cursor {
	return &Cursor{reader: reader{ctx, src}, root: root}
}

// Get returns the value of path and whether the tree has dec. The value may be
// kept and must not be changed.
func (c *Cursor) Get(path string) ([]byte, bool, error) {
	f, err := c.seek(path)
	if err != nil || f == nil || string(f.dec.key) != path {
		return nil, false, err
	}
	return f.dec.value, true, nil
}

// Next returns the first entry at or after path and whether there is one. The
// entry after path p is Next(p + "/").
func (c *Cursor) Next(path string) (Entry, bool, error) {
	f, err := c.seek(path)
	if err != nil || f == nil {
		return Entry{}, false, err
	}
	return Entry{string(f.dec.key), f.dec.value}, true, nil
}

// seek returns the leaf that stands on the first entry at or after path, or nil.
func (c *Cursor) seek(path string) (*frame, error) {
	if len(c.open) == 0 {
		if err := c.descend(rootRef(c.root)); err != nil {
			return nil, err
		}
	}
	f := c.open[len(c.open)-1]
	for len(c.open) > 1 && !f.holds(path) {
		c.open = c.open[:len(c.open)-1]
		f = c.open[len(c.open)-1]
	}
	if compare(path, c.asked) < 0 {
		f.start(&f.dec)
		f.have = false
	}
	c.asked = path
	for {
		for !f.have || compare(f.dec.key, path) < 0 {
			if f.have = f.dec.next(); !f.have {
				return nil, nil
			}
		}
		if f.level == 0 {
			return f, nil
		}
		if err := c.descend(f.dec.child()); err != nil {
			return nil, err
		}
		f = c.open[len(c.open)-1]
	}
}

func (c *Cursor) descend(ref ref) error {
	f, err := c.frame(ref)
	if err == nil {
		c.open = append(c.open, f)
	}
	return err
}
