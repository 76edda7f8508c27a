package badgerstore

import (
	"context"
	"math"
	"sync"

	"github.com/dgraph-io/badger/v4"
)

const (
	maxBatch     = 8 << 20 // bytes of one transaction, values included, which Badger's own limit ignores
	autoBarrier  = 1 << 30 // bytes after which the store runs a barrier unasked
	entryBytes   = 64      // what an entry costs in a log beyond its key and value, at most
	watchEvery   = 4 << 20 // bytes after which new log files are looked for
	lsmEntryCost = 160     // what an entry costs in the tables and their log beyond an inline value
)

// batchLimit bounds a transaction.
type batchLimit struct{ bytes, lsm, count int64 }

// cost is what entries take on disk and in a transaction.
type cost struct{ bytes, lsm, count int64 }

func (c *cost) add(p pair) {
	for _, e := range []*badger.Entry{p.data, p.held} {
		if e == nil {
			continue
		}
		c.count++
		c.bytes += int64(len(e.Key) + len(e.Value) + entryBytes)
		c.lsm += lsmEntryCost
		if len(e.Value) < valueThreshold {
			c.lsm += int64(len(e.Value))
		}
	}
}

func (c cost) exceeds(l batchLimit) bool {
	return c.bytes > l.bytes || c.lsm > l.lsm || c.count > l.count
}

// write stores the pairs, in transactions that are under way at the same time,
// and waits for all of them.
func (s *Store) write(ctx context.Context, pairs []pair) error {
	var total cost
	for _, p := range pairs {
		total.add(p)
	}
	release, err := s.space.admit(total)
	if err != nil {
		return err
	}
	defer release()
	w := flight{store: s}
	for len(pairs) > 0 && ctx.Err() == nil {
		var c cost
		n := 0
		for ; n < len(pairs); n++ {
			next := c
			if next.add(pairs[n]); n > 0 && next.exceeds(s.batch) {
				break
			}
			c = next
		}
		w.send(pairs[:n])
		pairs = pairs[n:]
	}
	if err := w.wait(); err != nil {
		return err
	}
	s.wrote(total.bytes)
	return ctx.Err()
}

// wrote follows up on bytes that were written.
func (s *Store) wrote(bytes int64) {
	s.logs.wrote(bytes)
	if s.unsynced.Add(bytes) > autoBarrier {
		s.unsynced.Store(0)
		s.barriers.join(s.sync)
	}
}

// flight is the transactions of one write.
type flight struct {
	store *Store
	wg    sync.WaitGroup
	mu    sync.Mutex
	first error
}

// send commits the pairs as one transaction, without waiting for it.
func (f *flight) send(pairs []pair) {
	txn := f.store.db.NewTransactionAt(math.MaxUint64, true)
	for _, p := range pairs {
		for _, e := range []*badger.Entry{p.data, p.held} {
			if e == nil {
				continue
			}
			if err := txn.SetEntry(e); err != nil {
				txn.Discard()
				f.fail(err)
				return
			}
		}
	}
	f.wg.Add(1)
	f.store.commit(txn, func(err error) {
		defer f.wg.Done()
		if err != nil {
			f.fail(err)
		}
	})
}

func (f *flight) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.first == nil {
		f.first = err
	}
}

func (f *flight) wait() error {
	f.wg.Wait()
	return f.first
}
