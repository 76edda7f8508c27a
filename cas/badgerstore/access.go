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
	pairs, err := s.absent(ctx, v, blobs)
	if err != nil {
		return fmt.Errorf("put: %w", err)
	}
	return s.write(ctx, pairs)
}

// pair is what one blob adds to the store.
type pair struct{ data, held *badger.Entry } // data is nil when the bytes are there

// absent returns what the store lacks for v to hold all of blobs.
func (s *Store) absent(ctx context.Context, v cas.VolumeID, blobs []cas.Blob) ([]pair, error) {
	txn := s.view()
	defer txn.Discard()
	pairs := make([]pair, 0, len(blobs))
	for _, b := range blobs {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		stored, err := has(txn, dataKey(b.Ref()))
		if err != nil {
			return nil, err
		}
		if !stored {
			pairs = append(pairs, pair{dataEntry(b), heldEntry(b.Ref(), v)})
			continue
		}
		held, err := has(txn, heldKey(b.Ref(), v))
		if err != nil {
			return nil, err
		}
		if !held {
			pairs = append(pairs, pair{held: heldEntry(b.Ref(), v)})
		}
	}
	return pairs, nil
}

// Missing implements [cas.Store].
func (s *Store) Missing(ctx context.Context, v cas.VolumeID, scope cas.Scope, refs []cas.Ref) ([]bool, error) {
	missing, adopted, err := s.missing(ctx, v, scope, refs)
	if err != nil {
		return nil, fmt.Errorf("missing: %w", err)
	}
	if len(adopted) == 0 {
		return missing, nil
	}
	if err := s.failure.err(); err != nil {
		return nil, err
	}
	if err := s.write(ctx, adopted); err != nil {
		return nil, err
	}
	return missing, nil
}

func (s *Store) missing(ctx context.Context, v cas.VolumeID, scope cas.Scope, refs []cas.Ref) ([]bool, []pair, error) {
	txn := s.view()
	defer txn.Discard()
	missing := make([]bool, len(refs))
	var adopted []pair
	for i, ref := range refs {
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
		held, err := has(txn, heldKey(ref, v))
		if err != nil {
			return nil, nil, err
		}
		if held {
			continue
		}
		seen, err := visible(txn, scope, ref)
		if err != nil {
			return nil, nil, err
		}
		if missing[i] = !seen; seen {
			adopted = append(adopted, pair{held: heldEntry(ref, v)})
		}
	}
	return missing, adopted, nil
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
		b, err := read(txn, scope, ref, buf)
		if err != nil {
			return err
		}
		if err := fn(b); err != nil {
			return err
		}
	}
	return nil
}

func read(txn *badger.Txn, scope cas.Scope, ref cas.Ref, buf *buffers) (cas.Blob, error) {
	if !scope.All {
		seen, err := visible(txn, scope, ref)
		if err != nil {
			return cas.Blob{}, fmt.Errorf("get %v: %w", ref, err)
		}
		if !seen {
			return cas.Blob{}, fmt.Errorf("%v: %w", ref, cas.ErrNotFound)
		}
	}
	item, err := txn.Get(dataKey(ref))
	switch {
	case errors.Is(err, badger.ErrKeyNotFound) && scope.All:
		return cas.Blob{}, fmt.Errorf("%v: %w", ref, cas.ErrNotFound)
	case errors.Is(err, badger.ErrKeyNotFound):
		return cas.Blob{}, &cas.CorruptError{Ref: ref, Detail: "is held but not stored"}
	case err != nil:
		return cas.Blob{}, fmt.Errorf("get %v: %w", ref, err)
	}
	return load(ref, item, buf)
}
