package merkle

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"dfs/cas"
)

// A ref is a node as its parent names it: what the node must be.
type ref struct {
	id    cas.ID
	root  bool // has no parent: level, last and count are not known
	level int
	low   string // all its paths are above low
	last  string // and this is the last of them
	count uint64
}

func rootRef(id cas.ID) ref { return ref{id: id, root: true} }

// holds reports whether path lies in the node's range.
func (r *ref) holds(path string) bool {
	return compare(path, r.low) > 0 && compare(path, r.last) <= 0
}

// child returns the ref of the child that it stands on.
func (dec *decoder) child() ref {
	return ref{id: dec.id, level: dec.level - 1, low: string(dec.low), last: string(dec.key), count: dec.count}
}

// A node is the bytes of a well-formed node that fits its ref.
type node struct {
	ref
	data []byte
}

func (n *node) start(dec *decoder) { dec.reset(n.data, n.low) }

// open checks a node's bytes, which it keeps, against what its parent says.
func (r ref) open(dec *decoder, data []byte) (node, error) {
	entries, count, err := dec.check(data)
	switch {
	case err != nil:
		return node{}, err
	case r.root && dec.level > 0 && entries == 1:
		return node{}, errors.New("inner root with one child")
	case r.root:
		r.level, r.count, r.last = dec.level, count, string(dec.key)
		return node{r, data}, nil
	case dec.level != r.level:
		return node{}, fmt.Errorf("has level %d, its parent says %d", dec.level, r.level)
	case count != r.count:
		return node{}, fmt.Errorf("has %d entries, its parent says %d", count, r.count)
	case string(dec.key) != r.last:
		return node{}, fmt.Errorf("ends at %q, its parent says %q", dec.key, r.last)
	}
	n := node{r, data}
	n.start(dec)
	if dec.next(); compare(dec.key, r.low) <= 0 {
		return node{}, fmt.Errorf("begins at %q, its parent says after %q", dec.key, r.low)
	}
	return n, nil
}

// A reader reads and checks nodes.
type reader struct {
	ctx context.Context
	src Source
}

// load reads the nodes of refs with one call of the source, none for the empty tree's.
func (r reader) load(refs ...ref) ([]node, error) {
	empty := EmptyRoot()
	nodes := make([]node, len(refs))
	ids := make([]cas.ID, 0, len(refs))
	at := make([]int, 0, len(refs))
	for i, ref := range refs {
		if ref.root && ref.id == empty {
			nodes[i] = node{ref, emptyNode()}
			continue
		}
		ids = append(ids, ref.id)
		at = append(at, i)
	}
	if len(ids) == 0 {
		return nodes, nil
	}
	if err := r.ctx.Err(); err != nil {
		return nil, err
	}
	var dec decoder
	got := 0
	err := r.src.Nodes(r.ctx, ids, func(b cas.Blob) (err error) {
		if got == len(ids) || b.Ref() != (cas.Ref{Kind: cas.Node, ID: ids[got]}) {
			return fmt.Errorf("source answers %v where it was not asked for", b.Ref())
		}
		i := at[got]
		got++
		if nodes[i], err = refs[i].open(&dec, bytes.Clone(b.Plain())); err != nil {
			return fmt.Errorf("%w %v: %w", ErrInvalid, refs[i].id, err)
		}
		return nil
	})
	if err == nil && got < len(ids) {
		err = fmt.Errorf("source answers %d of %d nodes, without %v", got, len(ids), ids[got])
	}
	return nodes, err
}

// one reads one node.
func (r reader) one(ref ref) (node, error) {
	nodes, err := r.load(ref)
	if err != nil {
		return node{}, err
	}
	return nodes[0], nil
}

// A frame is a node that is being read, on the way from the root to an entry.
type frame struct {
	node
	dec  decoder
	have bool // it stands on an entry
}

// frame reads the node of ref.
func (r reader) frame(ref ref) (*frame, error) {
	n, err := r.one(ref)
	if err != nil {
		return nil, err
	}
	f := &frame{node: n}
	f.start(&f.dec)
	return f, nil
}
