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

// hold writes the pairs, by which v comes to hold refs.
func (s *Store) hold(ctx context.Context, v cas.VolumeID, pairs []pair, refs []cas.Ref) error {
	if err := s.write(ctx, pairs); err != nil {
		return err
	}
	s.recent.add(v, refs)
	return nil
}

// absent adds to e what blobs v does not hold, and returns which those are. It does not
// look whether the store has their bytes: the work would tell.
func (s *Store) absent(ctx context.Context, v cas.VolumeID, blobs []cas.Blob, e *entries) (refs []cas.Ref, err error) {
	txn := s.view()
	defer txn.Discard()
	for _, b := range blobs {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if s.recent.has(b.Ref(), v) {
			continue
		}
		held, err := has(txn, heldKey(b.Ref(), v))
		if err != nil {
			return nil, err
		}
		if !held {
			refs = append(refs, b.Ref())
			e.blob(b, v)
		}
	}
	return refs, nil
}

// Missing implements [cas.Store].
func (s *Store) Missing(ctx context.Context, v cas.VolumeID, scope cas.Scope, refs []cas.Ref) ([]bool, error) {
	e := s.entries.Get().(*entries)
	defer s.entries.Put(e)
	e.reset()
	missing, adopted, err := s.missing(ctx, v, scope, refs, e)
	if err != nil {
		return nil, fmt.Errorf("missing: %w", err)
	}
	if len(adopted) == 0 {
		return missing, nil
	}
	if err := s.failure.err(); err != nil {
		return nil, err
	}
	if err := s.hold(ctx, v, e.pairs, adopted); err != nil {
		return nil, err
	}
	return missing, nil
}

// missing adds to e what of refs is seen and not yet held, and returns also which those are.
func (s *Store) missing(ctx context.Context, v cas.VolumeID, scope cas.Scope, refs []cas.Ref, e *entries) (missing []bool, adopted []cas.Ref, err error) {
	txn := s.view()
	defer txn.Discard()
	missing = make([]bool, len(refs))
	for i, ref := range refs {
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
		held, seen, err := s.look(txn, v, scope, ref)
		if err != nil {
			return nil, nil, err
		}
		missing[i] = !held && seen == 0
		if !held && seen > 0 {
			adopted = append(adopted, ref)
			e.held(ref, v, seen)
		}
	}
	return missing, adopted, nil
}

// look reports whether v holds the blob, and if not, which version of its data the scope
// sees. A blob that nobody has takes one look-up where the scope is everything.
func (s *Store) look(txn *badger.Txn, v cas.VolumeID, scope cas.Scope, ref cas.Ref) (held bool, seen uint64, err error) {
	if s.recent.has(ref, v) {
		return true, 0, nil
	}
	if scope.All {
		if seen, err = visible(txn, scope, ref); seen == 0 || err != nil {
			return false, 0, err
		}
	}
	if held, err = has(txn, heldKey(ref, v)); held || seen > 0 || err != nil {
		return held, seen, err
	}
	seen, err = visible(txn, scope, ref)
	return false, seen, err
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
	at, err := visible(txn, scope, ref)
	if err != nil {
		return cas.Blob{}, fmt.Errorf("get %v: %w", ref, err)
	}
	if at == 0 {
		return cas.Blob{}, fmt.Errorf("%v: %w", ref, cas.ErrNotFound)
	}
	own := s.db.NewTransactionAt(at, false)
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
