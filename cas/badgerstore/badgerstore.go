// Package badgerstore keeps blobs in a directory, in a Badger key-value store.
//
// # Layout
//
// All keys begin with the kind of a blob (see [cas.Kind]):
//
//	data  = kind id         value: content      the blob's bytes
//	held  = kind id volume  value: version size the volume holds the blob
//
//	kind    = "c" | "p" | "n" | "s"             1 byte
//	id      = SHA-256 of the plain bytes        32 bytes
//	volume  = volume ID                         16 bytes
//	content = plain                             when user meta = 0 (cas.Raw)
//	        | size encoded                      when user meta = 1 (cas.S2), 2 (cas.Zstd)
//	size    = length of the plain bytes         3 bytes, big-endian
//	version = empty                             the data as of the held key's own version
//	        | version of the data               8 bytes, big-endian
//
// Held keys of before sizes were kept there end without one: then the data tell it.
// User meta is the byte that Badger keeps beside each value. The two keys of a
// blob are written in one transaction, so a held key never stands without
// its data. A volume that puts what another holds writes both keys too, the data as a newer
// version, so that its Put does the work of one that brings new bytes. Each volume reads the
// version that it put, or saw when it took the blob over: encodings of the same bytes may differ, and those
// of others are none of its business. Where that version is damaged the newest serves. Example: the chunk "abc", held by volume 00…01, is
//
//	63 ba7816bf8f01cfea…f20015ad                                    → 616263, user meta 0
//	63 ba7816bf8f01cfea…f20015ad 00000000000000000000000000000001   → 000003
//
// The directory also holds the file STORE, which is locked while the store is open:
//
//	STORE     = "dfs-cas1" watermark table clean crc32c    29 bytes
//	watermark = all commits up to this timestamp are durable; 8 bytes, big-endian
//	table     = Options.MemTable, as in force; 8 bytes, big-endian
//	clean     = 01 when the store was closed in order, else 00
//	crc32c    = Castagnoli CRC of all before it; 4 bytes, big-endian
//
// Closed in order after its commit 5, the store of the example has a STORE of
//
//	6466732d63617331 0000000000000005 0000000001000000 01 46def77a
//
// A STORE that does not match its checksum counts as watermark 0, not clean.
// One that begins with another digit was made by another release and is refused.
//
// # Durability
//
// Badger writes its logs (.mem, .vlog) through shared mappings, so what Put
// returned survives the death of the process. [Store.Barrier] makes it survive a
// power cut: it syncs every log that may have changed since it was last synced,
// through descriptors that are opened soon after the log is created, so that no
// write-back error is missed; then the directory. A log that is no longer the
// newest of its sort is synced once more and then left alone. DB.Sync would
// miss logs that were rotated in between.
//
// After a power cut a key may have survived whose value did not. So [Open] of a
// store that was not closed in order reads every blob written after the
// watermark, and removes those whose bytes are damaged: what Sizes calls present
// is whole. The watermark follows each Barrier, and the store runs one of its own
// every GiB, so that this takes seconds. Older versions of a key are never
// discarded (SetDiscardTs is not called), since a damaged rewrite of a durable
// blob falls back to them, and held keys mean them. What collects garbage may keep one of
// those whose bytes are equal.
//
// On Linux this holds for power cuts. On other Unix systems Badger additionally
// runs with SyncWrites, since fsync there need not cover mapped pages. On Windows
// Badger does not flush its mappings: data survives the death of the process only.
package badgerstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"

	"dfs/cas"
)

// ErrLocked is what Open returns, wrapped, when another process (or another
// Store of this one) has the directory open.
var ErrLocked = errors.New("store is in use")

// Options tune a store. The zero Options are the defaults. None of them is part
// of the format: they may change from one Open to the next.
type Options struct {
	// Reserve is how many bytes of the filesystem stay free, also while tables are
	// compacted: a Put that would go below gets cas.ErrNoSpace. A filesystem that fills up nevertheless kills the
	// process, since Badger writes through mappings. 0 means 512 MiB or a
	// twentieth of the filesystem, whichever is less.
	Reserve int64

	// MemTable is the size in bytes of the table that gathers keys in memory
	// before they go to disk: 0 means 16 MiB, the least is 1 MiB. The store
	// uses some eight times as much memory under load. After anything but a
	// Close in order, it is not made smaller than it was.
	MemTable int64

	// LogFile is the size in bytes from which a value log is followed by the
	// next: 0 means 256 MiB, the least is 1 MiB.
	LogFile int64
}

const (
	defaultMemTable = 16 << 20
	defaultLogFile  = 256 << 20
	minFile         = 1 << 20

	// Values from this size on live in the value log. Smaller ones are copied
	// by each compaction; a pointer to a larger one costs a look-up.
	valueThreshold = 128

	memTables  = 2 // full ones that wait to be written out
	compactors = 2
	tableFile  = 8 << 20  // Badger needs 3 MiB and twice this to write a table
	levelZero  = 10       // tables that start a compaction; writes wait for twice as many
	indexCache = 64 << 20 // without a bound, Badger keeps all indexes in memory
)

// Store is a [cas.Store] in a directory. It is safe for concurrent use.
type Store struct {
	db       *badger.DB
	state    *stateFile
	failure  *failure
	logs     *logSet
	space    *space
	barriers rounds
	buffers  sync.Pool // of *buffers
	entries  sync.Pool // of *entries
	recent   recent

	commits  sync.Mutex    // keeps timestamps in the order of Badger's queue
	lastTs   uint64        // the newest timestamp given out; under commits
	applied  atomic.Uint64 // all commits up to here are written
	synced   atomic.Uint64 // all commits up to here survive a power cut
	unsynced atomic.Int64  // bytes written since the last barrier began
	batch    batchLimit
}

var _ cas.Store = (*Store)(nil)

// Open opens the store in dir, and creates it when dir does not exist or is
// empty. After anything but a Close in order it verifies what was written last
// (see the package comment), which may take seconds. Errors: [ErrLocked]; a
// store of another release; damaged files.
func Open(dir string, opts Options) (*Store, error) { return open(dir, opts, (*os.File).Sync) }

// open is Open with the function that syncs files and the directory in a Barrier.
func open(dir string, opts Options, fsync func(*os.File) error) (*Store, error) {
	opts, err := opts.complete(dir)
	if err != nil {
		return nil, fmt.Errorf("store %s: %w", dir, err)
	}
	state, err := openState(filepath.Join(dir, stateName), opts.MemTable)
	if errors.Is(err, ErrLocked) {
		return nil, fmt.Errorf("store %s: %w%s", dir, err, holder(dir))
	}
	if err != nil {
		return nil, fmt.Errorf("store %s: %w", dir, err)
	}
	opts.MemTable = state.table
	s := &Store{state: state, failure: new(failure), space: newSpace(dir, opts)}
	s.buffers.New = func() any { return new(buffers) }
	s.entries.New = func() any { return new(entries) }
	if err := s.openBadger(dir, opts, fsync); err != nil {
		return nil, errors.Join(fmt.Errorf("store %s: %w", dir, err), state.close())
	}
	if err := s.recover(); err != nil {
		return nil, errors.Join(fmt.Errorf("store %s: %w", dir, err), s.release())
	}
	return s, nil
}

// complete fills in defaults and makes dir.
func (o Options) complete(dir string) (Options, error) {
	if o.MemTable == 0 {
		o.MemTable = defaultMemTable
	}
	if o.LogFile == 0 {
		o.LogFile = defaultLogFile
	}
	if o.Reserve < 0 || o.MemTable < minFile || o.LogFile < minFile {
		return o, fmt.Errorf("options out of range: %+v", o)
	}
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return o, err
		}
		return o, syncDir(filepath.Dir(dir))
	}
	return o, nil
}

// holder tells which process has dir open, where Badger notes it.
func holder(dir string) string {
	pid, err := os.ReadFile(filepath.Join(dir, "LOCK"))
	if err != nil || len(pid) == 0 {
		return ""
	}
	return " by process " + strings.TrimSpace(string(pid))
}

func (s *Store) openBadger(dir string, opts Options, fsync func(*os.File) error) error {
	if err := prepare(dir, s.state.found.clean); err != nil {
		return err
	}
	logs, err := openLogs(dir, s.state.found.clean, fsync)
	if err != nil {
		return err
	}
	db, err := badger.OpenManaged(badgerOptions(dir, opts, s.failure))
	if err != nil {
		return errors.Join(err, logs.close())
	}
	s.db, s.logs, s.space.levels = db, logs, db.Levels
	s.batch = batchLimit{
		bytes: min(maxBatch, opts.LogFile/4),
		lsm:   db.MaxBatchSize() / 2,
		count: db.MaxBatchCount() / 2,
	}
	s.lastTs = max(db.MaxVersion(), s.state.found.watermark)
	s.applied.Store(s.lastTs)
	return nil
}

func badgerOptions(dir string, opts Options, failed *failure) badger.Options {
	return badger.DefaultOptions(dir).
		WithLogger(&complaints{failed}).
		WithMetricsEnabled(false).
		WithSyncWrites(!fsyncCoversMappings).
		WithDetectConflicts(false).
		WithNumVersionsToKeep(1).
		WithValueThreshold(valueThreshold).
		WithValueLogFileSize(opts.LogFile).
		WithMemTableSize(opts.MemTable).
		WithBaseTableSize(tableFile).
		WithNumLevelZeroTables(levelZero).
		WithNumLevelZeroTablesStall(2 * levelZero).
		WithNumMemtables(memTables).
		WithNumCompactors(compactors).
		WithCompression(options.None).
		WithBlockCacheSize(0).
		WithIndexCacheSize(indexCache).
		WithChecksumVerificationMode(options.OnBlockRead).
		WithVerifyValueChecksum(true)
}

// prepare clears what a crash left in dir and Badger cannot open: logs without
// any bytes, from between the creation of a file and its first extension, or
// between its truncation and its removal. They never held durable data. It also
// makes the kernel forget pages of which it believes that they are on disk, so that
// what a failed write-back lost is seen.
func prepare(dir string, clean bool) error {
	if clean {
		return nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if _, ok := parseLogName(e.Name()); !ok {
			continue
		}
		path := filepath.Join(dir, e.Name())
		info, err := e.Info()
		if err != nil {
			return err
		}
		if info.Size() > 0 {
			err = dropCached(path)
		} else {
			err = os.Remove(path)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Err returns nil while the store accepts writes, else an error that wraps
// [cas.ErrPoisoned] and says what happened.
func (s *Store) Err() error { return s.failure.err() }

// Close implements [cas.Store]. It makes all that was put durable. The error of
// a store that was poisoned is the reason; its next Open verifies it.
func (s *Store) Close() error {
	s.barriers.wait()
	last := s.applied.Load()
	err := errors.Join(s.release(), s.failure.err())
	if err == nil {
		err = s.state.markClean(last)
	}
	return errors.Join(err, s.state.close())
}

func (s *Store) release() error { return errors.Join(s.db.Close(), s.logs.close()) }

// commit queues txn under the next timestamp. done is called, once, when it is written.
func (s *Store) commit(txn *badger.Txn, done func(error)) {
	s.commits.Lock()
	defer s.commits.Unlock()
	s.lastTs++
	ts := s.lastTs
	err := txn.CommitAt(ts, func(err error) {
		if err != nil {
			err = s.failure.set(fmt.Errorf("commit: %w", err))
		} else {
			s.advance(ts)
		}
		done(err)
	})
	if err != nil { // not with a callback, as Badger is now
		done(s.failure.set(fmt.Errorf("commit: %w", err)))
	}
}

// advance notes that the commit of ts is written. Badger writes commits in the
// order of its queue, so all before it are written too.
func (s *Store) advance(ts uint64) {
	for {
		old := s.applied.Load()
		if old >= ts || s.applied.CompareAndSwap(old, ts) {
			return
		}
	}
}

// Barrier implements [cas.Store]. Concurrent calls share one run, which begins
// after each of them. It costs nothing when nothing was written since the last.
// When ctx ends first, the run goes on.
func (s *Store) Barrier(ctx context.Context) error {
	if err := s.failure.err(); err != nil {
		return err
	}
	if s.synced.Load() >= s.applied.Load() {
		return nil
	}
	r := s.barriers.join(s.sync)
	select {
	case <-r.done:
		return r.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// sync is one run of the barrier.
func (s *Store) sync() error {
	if err := s.failure.err(); err != nil {
		return err
	}
	upTo := s.applied.Load()
	s.unsynced.Store(0)
	if err := s.logs.sync(); err != nil {
		return s.failure.set(fmt.Errorf("barrier: %w", err))
	}
	if err := s.state.setWatermark(upTo); err != nil {
		return s.failure.set(fmt.Errorf("barrier: %w", err))
	}
	s.synced.Store(upTo)
	return s.failure.err()
}
