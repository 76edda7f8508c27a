package badgerstore

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/dgraph-io/badger/v4"

	"dfs/cas"
)

// view returns a transaction that reads what is written when it is asked. The
// timestamp spares it the wait for commits under way.
func (s *Store) view() *badger.Txn { return s.db.NewTransactionAt(math.MaxUint64, false) }

// Put implements [cas.Store].
func (s *Store) Put(ctx context.Context, v cas.VolumeID, blobs []cas.Blob) error {
	for _, b := range blobs {
		if err := b.Storable(); err != nil {
			return err
		}
	}
	if err := s.failure.err(); err != nil {
		return err
	}
	e := s.entries.Get().(*entries)
	defer s.entries.Put(e)
	e.reset()
	lacking, err := s.absent(ctx, v, blobs, e)
	if err != nil {
		return fmt.Errorf("put: %w", err)
	}
	return s.hold(ctx, v, e.pairs, lacking)
}

// sized is a blob and the number of its plain bytes.
type sized struct {
	ref  cas.Ref
	size int
}

// hold writes the pairs, by which v comes to hold blobs.
func (s *Store) hold(ctx context.Context, v cas.VolumeID, pairs []pair, blobs []sized) error {
	if err := s.write(ctx, pairs); err != nil {
		return err
	}
	s.recent.add(v, blobs)
	return nil
}

// absent adds to e what blobs v does not hold, and returns which those are. It does not
// look whether the store has their bytes: the work would tell.
func (s *Store) absent(ctx context.Context, v cas.VolumeID, blobs []cas.Blob, e *entries) (lacking []sized, err error) {
	txn := s.view()
	defer txn.Discard()
	for _, b := range blobs {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if _, ok := s.recent.size(b.Ref(), v); ok {
			continue
		}
		held, err := find(txn, heldKey(b.Ref(), v))
		if err != nil {
			return nil, err
		}
		if held == nil {
			lacking = append(lacking, sized{b.Ref(), b.Size()})
			e.blob(b, v)
		}
	}
	return lacking, nil
}

// Sizes implements [cas.Store].
func (s *Store) Sizes(ctx context.Context, v cas.VolumeID, scope cas.Scope, refs []cas.Ref) ([]int, error) {
	e := s.entries.Get().(*entries)
	defer s.entries.Put(e)
	e.reset()
	sizes, adopted, err := s.sizes(ctx, v, scope, refs, e)
	if err != nil {
		return nil, fmt.Errorf("sizes: %w", err)
	}
	if len(adopted) == 0 {
		return sizes, nil
	}
	if err := s.failure.err(); err != nil {
		return nil, err
	}
	if err := s.hold(ctx, v, e.pairs, adopted); err != nil {
		return nil, err
	}
	return sizes, nil
}

// sizes adds to e what of refs is seen and not yet held, and returns also which those are.
func (s *Store) sizes(ctx context.Context, v cas.VolumeID, scope cas.Scope, refs []cas.Ref, e *entries) (sizes []int, adopted []sized, err error) {
	txn := s.view()
	defer txn.Discard()
	sizes = make([]int, len(refs))
	for i, ref := range refs {
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
		held, f, err := s.look(txn, v, scope, ref)
		switch {
		case err != nil:
			return nil, nil, err
		case f.at == 0:
			sizes[i] = cas.Absent
			continue
		case !held:
			adopted = append(adopted, sized{ref, f.size})
			e.held(ref, v, f)
		}
		sizes[i] = f.size
	}
	return sizes, adopted, nil
}

// look returns the form of a blob, with its size, that v holds, and whether it does, else that which the scope
// sees. A blob that nobody has takes one look-up where the scope is everything.
func (s *Store) look(txn *badger.Txn, v cas.VolumeID, scope cas.Scope, ref cas.Ref) (held bool, f form, err error) {
	if size, ok := s.recent.size(ref, v); ok {
		return true, form{math.MaxUint64, size}, nil
	}
	var seen form
	if scope.All {
		if seen, err = visible(txn, scope, ref); seen.at == 0 || err != nil {
			return false, form{}, err
		}
	}
	f, err = heldForm(txn, ref, v)
	if held = f.at > 0; !held && err == nil {
		if f = seen; !scope.All {
			f, err = visible(txn, scope, ref)
		}
	}
	if f.at == 0 || f.size != unknown || err != nil {
		return held, f, err
	}
	f.size, err = plainSize(txn, ref)
	if !held && errors.Is(err, cas.ErrCorrupt) {
		return false, form{}, nil
	}
	return held, f, err
}

// Get implements [cas.Store].
func (s *Store) Get(ctx context.Context, scope cas.Scope, refs []cas.Ref, fn func(cas.Blob) error) error {
	txn := s.view()
	defer txn.Discard()
	buf := s.buffers.Get().(*buffers)
	defer s.buffers.Put(buf)
	for _, ref := range refs {
		if err := ctx.Err(); err != nil {
			return err
		}
		b, err := s.read(txn, scope, ref, buf)
		if err != nil {
			return err
		}
		if err := fn(b); err != nil {
			return err
		}
	}
	return nil
}

// read reads the blob as the scope sees it.
func (s *Store) read(txn *badger.Txn, scope cas.Scope, ref cas.Ref, buf *buffers) (cas.Blob, error) {
	if scope.All {
		b, found, err := stored(txn, ref, buf)
		if !found && err == nil {
			err = fmt.Errorf("%v: %w", ref, cas.ErrNotFound)
		}
		return b, err
	}
	seen, err := visible(txn, scope, ref)
	if err != nil {
		return cas.Blob{}, fmt.Errorf("get %v: %w", ref, err)
	}
	if seen.at == 0 {
		return cas.Blob{}, fmt.Errorf("%v: %w", ref, cas.ErrNotFound)
	}
	own := s.db.NewTransactionAt(seen.at, false)
	defer own.Discard()
	b, found, err := stored(own, ref, buf)
	if !found || errors.Is(err, cas.ErrCorrupt) { // then another version may be whole
		b, found, err = stored(txn, ref, buf)
	}
	if !found && err == nil {
		err = &cas.CorruptError{Ref: ref, Detail: "is held but not stored"}
	}
	return b, err
}

// stored reads the newest version of a blob's data that txn sees, if there is one.
func stored(txn *badger.Txn, ref cas.Ref, buf *buffers) (b cas.Blob, found bool, err error) {
	item, err := txn.Get(dataKey(ref))
	switch {
	case errors.Is(err, badger.ErrKeyNotFound):
		return cas.Blob{}, false, nil
	case err != nil:
		return cas.Blob{}, false, fmt.Errorf("get %v: %w", ref, err)
	}
	b, err = load(ref, item, buf)
	return b, true, err
}
