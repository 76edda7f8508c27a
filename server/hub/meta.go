package hub

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"

	"dfs/cas"
)

// Bounds of one transaction. Badger takes 15 % of a memtable, 2.4 MiB.
const (
	txnBytes   = 2<<20 + 64<<10
	txnEntries = 8192
	memtable   = 16 << 20
	// maxMetaValue bounds a value; longer ones are cut into slices.
	maxMetaValue = 512 << 10
)

// meta is the hub's metadata: a small Badger without a value log in which
// every transaction is durable when it returns. After an error it refuses all
// writes, since what is on the disk is not known then.
type meta struct {
	db   *badger.DB
	dir  string
	full func() error // unless nil: says why the filesystem bears no write

	mu     sync.Mutex // held by writers
	tables []string   // names in dir that are known to be durable
	poison *poison
}

// kv is one write; a nil value deletes.
type kv struct{ key, value []byte }

func openMeta(dir string, p *poison) (*meta, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("metadata: %w", err)
	}
	m := &meta{dir: dir, poison: p}
	opts := badger.DefaultOptions(dir).
		WithSyncWrites(true).
		WithValueThreshold(1 << 20).
		WithValueLogFileSize(1 << 20).
		WithMemTableSize(memtable).
		WithNumMemtables(2).
		WithNumCompactors(2).
		WithDetectConflicts(false).
		WithCompression(options.None).
		WithBlockCacheSize(0).
		WithIndexCacheSize(16 << 20).
		WithChecksumVerificationMode(options.OnTableAndBlockRead).
		WithMetricsEnabled(false).
		WithLogger(&errorLogger{p})
	db, err := badger.Open(opts)
	if err != nil {
		return nil, fmt.Errorf("metadata %s: %w", dir, err)
	}
	m.db = db
	if err := m.syncNames(); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return m, nil
}

func (m *meta) close() error {
	if err := m.db.Close(); err != nil {
		return fmt.Errorf("metadata %s: %w", m.dir, err)
	}
	return nil
}

// write makes the writes durable in one transaction. They must be within the
// bounds of one.
func (m *meta) write(writes ...kv) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.poison.err(); err != nil {
		return err
	}
	if m.full != nil {
		if err := m.full(); err != nil {
			return err
		}
	}
	err := m.db.Update(func(txn *badger.Txn) error {
		for _, w := range writes {
			if err := set(txn, w); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		err = m.syncNames()
	}
	if err != nil {
		m.poison.set(fmt.Errorf("metadata %s: %w", m.dir, err))
	}
	return m.poison.err()
}

func set(txn *badger.Txn, w kv) error {
	if w.value == nil {
		return txn.Delete(w.key)
	}
	return txn.Set(w.key, w.value)
}

// writeAll makes the writes of core durable in one transaction. Those of before and
// after are in it too when all fit, else in others before and after it.
func (m *meta) writeAll(before, core, after []kv) error {
	if all := slices.Concat(before, core, after); fits(all) == len(all) {
		return m.write(all...)
	}
	if err := m.writeBatches(before); err != nil {
		return err
	}
	if err := m.write(core...); err != nil {
		return err
	}
	return m.writeBatches(after)
}

func (m *meta) writeBatches(writes []kv) error {
	for len(writes) > 0 {
		n := max(fits(writes), 1)
		if err := m.write(writes[:n]...); err != nil {
			return err
		}
		writes = writes[n:]
	}
	return nil
}

// room refuses with cas.ErrNoSpace what the metadata is to hold for a client, when that
// would go at the reserve of the disk. What ends a session is written out of the reserve.
func (h *Hub) room() error {
	if store, ok := h.store.(roomy); ok {
		return h.stopped(store.Room())
	}
	return nil
}

// fits returns how many of the first writes one transaction takes.
func fits(writes []kv) int {
	size := 0
	for i, w := range writes {
		if size += len(w.key) + len(w.value) + 32; size > txnBytes || i == txnEntries {
			return i
		}
	}
	return len(writes)
}

// syncNames makes the names of files that came since the last call durable:
// Badger syncs what is in a new file, but not its directory.
func (m *meta) syncNames() error {
	entries, err := os.ReadDir(m.dir)
	if err != nil {
		return err
	}
	var names []string
	for _, e := range entries {
		if slices.Contains([]string{".mem", ".sst", ".vlog"}, filepath.Ext(e.Name())) {
			names = append(names, e.Name())
		}
	}
	if slices.Equal(names, m.tables) {
		return nil
	}
	m.tables = names
	return syncDir(m.dir)
}

// get returns a copy of the value of key, or nil.
func (m *meta) get(key []byte) (value []byte, err error) {
	err = m.db.View(func(txn *badger.Txn) error {
		item, err := txn.Get(key)
		if errors.Is(err, badger.ErrKeyNotFound) {
			return nil
		}
		if err == nil {
			value, err = item.ValueCopy([]byte{})
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("metadata %s: %w", m.dir, err)
	}
	return value, nil
}

// each calls fn for every key with the prefix, in order, with its value unless
// keysOnly; both are valid until fn returns.
func (m *meta) each(prefix []byte, keysOnly bool, fn func(key, value []byte) error) error {
	return m.eachFrom(prefix, prefix, keysOnly, fn)
}

// eachFrom is each for the keys from first on.
func (m *meta) eachFrom(prefix, first []byte, keysOnly bool, fn func(key, value []byte) error) error {
	err := m.db.View(func(txn *badger.Txn) error {
		opts := badger.DefaultIteratorOptions
		opts.Prefix, opts.PrefetchValues = prefix, !keysOnly
		it := txn.NewIterator(opts)
		defer it.Close()
		for it.Seek(first); it.Valid(); it.Next() {
			item := it.Item()
			if keysOnly {
				if err := fn(item.Key(), nil); err != nil {
					return err
				}
				continue
			}
			if err := item.Value(func(v []byte) error { return fn(item.Key(), v) }); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("metadata %s: %w", m.dir, err)
	}
	return nil
}

// slicesOf returns the writes that store a long value in slices, each under
// key and its number in two bytes.
func slicesOf(key, value []byte) []kv {
	var writes []kv
	for n := 0; n == 0 || len(value) > 0; n++ {
		size := min(len(value), maxMetaValue)
		writes = append(writes, kv{sliceKey(key, n), bytes.Clone(value[:size])})
		value = value[size:]
	}
	return writes
}

func sliceKey(key []byte, n int) []byte {
	return append(bytes.Clone(key), byte(n>>8), byte(n))
}

// getSlices returns the long value that slicesOf stored, or nil.
func (m *meta) getSlices(key []byte) ([]byte, error) {
	var value []byte
	err := m.each(key, false, func(_, slice []byte) error {
		value = append(value, slice...)
		return nil
	})
	return value, err
}

// poison holds the first I/O error, after which nothing is written any more.
type poison struct {
	mu    sync.Mutex
	first error
}

func (p *poison) set(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.first == nil {
		p.first = fmt.Errorf("%w: %w", cas.ErrPoisoned, err)
	}
}

func (p *poison) err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.first
}

// errorLogger takes what Badger logs. An error there is one that Badger does
// not return to anybody; it poisons.
type errorLogger struct{ poison *poison }

func (l *errorLogger) Errorf(format string, args ...any) {
	l.poison.set(errors.New("badger: " + strings.TrimSpace(fmt.Sprintf(format, args...))))
}

func (*errorLogger) Warningf(string, ...any) {}
func (*errorLogger) Infof(string, ...any)    {}
func (*errorLogger) Debugf(string, ...any)   {}
