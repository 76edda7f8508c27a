package merkle

import (
	"context"
	"errors"
	"fmt"

	"dfs/cas"
)

// The bounds of an entry, in bytes.
const (
	MaxPath  = 4095     // a path has 1 to MaxPath bytes
	MaxValue = 16 << 10 // a value has 1 to MaxValue bytes
)

// ErrInvalid is found with [errors.Is] in the error for a node that is not
// well-formed or does not fit where its parent names it. The error names the node.
var ErrInvalid = errors.New("invalid tree node")

// Entry is one path of a tree with its value, 1 to MaxValue opaque bytes. Entries
// that this package hands out may be kept; their values must not be changed.
type Entry struct {
	Path  string
	Value []byte
}

func (e Entry) check() error {
	if len(e.Path) == 0 || len(e.Path) > MaxPath {
		return fmt.Errorf("path %.80q has %d bytes, not 1 to %d", e.Path, len(e.Path), MaxPath)
	}
	if len(e.Value) == 0 || len(e.Value) > MaxValue {
		return fmt.Errorf("value of %q has %d bytes, not 1 to %d", e.Path, len(e.Value), MaxValue)
	}
	return nil
}

// Change says that Path had value Old and has New; nil is absent. As an edit
// given to [Edit], Old is ignored and an empty New is absent too.
type Change struct {
	Path string
	Old  []byte
	New  []byte
}

// A Source reads tree nodes: fn is called once for each ID, in order; a blob
// is valid until fn returns. Stores (see [StoreSource]) and remote hubs are
// Sources. Nothing is taken on trust but that a blob's bytes match its ID.
type Source interface {
	Nodes(ctx context.Context, ids []cas.ID, fn func(cas.Blob) error) error
}

// A Sink takes the nodes that [Build] and [Edit] make, children before parents; it
// must not keep the blob's bytes beyond the call. A nil Sink computes the root only.
type Sink func(cas.Blob) error

// StoreSource is the [Source] of what Scope sees in Store.
type StoreSource struct {
	Store cas.Store
	Scope cas.Scope
}

// Nodes reads the nodes with one Get; its errors are those of [cas.Store].
func (s StoreSource) Nodes(ctx context.Context, ids []cas.ID, fn func(cas.Blob) error) error {
	refs := make([]cas.Ref, len(ids))
	for i, id := range ids {
		refs[i] = cas.Ref{Kind: cas.Node, ID: id}
	}
	return s.Store.Get(ctx, s.Scope, refs, fn)
}

// EmptyRoot returns the root of the empty tree, a leaf with no entries. It is
// emitted like any node when a tree becomes empty, and never read.
func EmptyRoot() cas.ID { return cas.Sum(emptyNode()) }

// Len returns the number of entries of the tree at root. It reads one node.
func Len(ctx context.Context, src Source, root cas.ID) (uint64, error) {
	n, err := reader{ctx, src}.one(rootRef(root))
	return n.count, err
}
