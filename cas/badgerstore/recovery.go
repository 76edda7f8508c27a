package badgerstore

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/dgraph-io/badger/v4"

	"dfs/cas"
)

// recover establishes, after Badger is open, that all blobs are whole.
func (s *Store) recover() error {
	if newest := s.db.MaxVersion(); newest < s.state.found.watermark {
		return fmt.Errorf("commits up to %d were durable, but a log ends at %d: its files are damaged or incomplete",
			s.state.found.watermark, newest)
	}
	if err := s.failure.err(); err != nil {
		return err
	}
	if s.state.found.clean {
		s.synced.Store(s.applied.Load())
		return nil
	}
	s.synced.Store(s.state.found.watermark)
	damaged, err := s.damaged(s.state.found.watermark)
	if err != nil {
		return err
	}
	for _, ref := range damaged {
		if err := s.repair(ref); err != nil {
			return fmt.Errorf("%v: %w", ref, err)
		}
	}
	if err := s.sync(); err != nil {
		return err
	}
	return s.failure.err()
}

// damaged returns the blobs written after the commit since whose bytes do not
// match. It reads them in the order they were written, which is that of the disk.
func (s *Store) damaged(since uint64) ([]cas.Ref, error) {
	txn := s.view()
	defer txn.Discard()
	type written struct {
		ref cas.Ref
		at  uint64
	}
	var recent []written
	it := txn.NewIterator(badger.IteratorOptions{SinceTs: since})
	defer it.Close()
	for it.Rewind(); it.Valid(); it.Next() {
		if ref, ok := parseDataKey(it.Item().Key()); ok {
			recent = append(recent, written{ref, it.Item().Version()})
		}
	}
	slices.SortFunc(recent, func(a, b written) int { return cmp.Compare(a.at, b.at) })
	var damaged []cas.Ref
	buf := new(buffers)
	for _, w := range recent {
		_, err := s.read(txn, cas.Everything(), w.ref, buf)
		if errors.Is(err, cas.ErrCorrupt) {
			damaged = append(damaged, w.ref)
		} else if err != nil {
			return nil, err
		}
	}
	return damaged, nil
}

// repair restores a damaged blob from the version of it that an earlier Put wrote,
// or else removes it and all its held keys.
func (s *Store) repair(ref cas.Ref) error {
	txn := s.db.NewTransactionAt(math.MaxUint64, true)
	defer txn.Discard()
	older, err := s.olderVersion(txn, ref)
	if err != nil {
		return err
	}
	if older != nil {
		err = txn.SetEntry(older)
	} else {
		err = removeAll(txn, ref)
	}
	if err != nil {
		return err
	}
	done := make(chan error, 1)
	s.commit(txn, func(err error) { done <- err })
	return <-done
}

// olderVersion returns the newest intact version, nil when there is none.
func (s *Store) olderVersion(txn *badger.Txn, ref cas.Ref) (*badger.Entry, error) {
	it := txn.NewKeyIterator(dataKey(ref), badger.IteratorOptions{AllVersions: true})
	defer it.Close()
	for it.Rewind(); it.Valid(); it.Next() {
		if it.Item().IsDeletedOrExpired() {
			return nil, nil
		}
		b, err := load(ref, it.Item(), new(buffers))
		if err == nil {
			return new(entries).data(b), nil
		}
		if !errors.Is(err, cas.ErrCorrupt) {
			return nil, err
		}
	}
	return nil, nil
}

// removeAll deletes the data key and the held keys, which begin with it.
func removeAll(txn *badger.Txn, ref cas.Ref) error {
	it := txn.NewIterator(badger.IteratorOptions{Prefix: dataKey(ref)})
	defer it.Close()
	for it.Rewind(); it.Valid(); it.Next() {
		if err := txn.Delete(it.Item().KeyCopy(nil)); err != nil {
			return err
		}
	}
	return nil
}
