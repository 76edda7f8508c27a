package badgerstore

import (
	"fmt"
	"sync"
	"time"

	"github.com/dgraph-io/badger/v4"

	"dfs/cas"
)

// How many bytes may be admitted between two looks at the filesystem, and how old a look may
// be: others write to it too.
const (
	statfsEvery = 64 << 20
	statfsAge   = 100 * time.Millisecond
)

// space admits writes as long as the filesystem has room for them beyond the
// reserve and beyond what Badger is going to write for what it has in its tables.
type space struct {
	path    string
	reserve int64 // 0: the default
	maxDebt int64
	levels  func() []badger.LevelInfo

	mu      sync.Mutex
	looked  time.Time
	credit  int64 // may be admitted before the next look
	pending int64 // admitted and not yet written
	debt    int64 // table bytes to be written again, when flushed and when compacted
}

func newSpace(path string, opts Options) *space {
	return &space{path: path, reserve: opts.Reserve, maxDebt: 2 * (memTables + 2) * opts.MemTable}
}

// admit takes the cost of a write off the free space, or returns cas.ErrNoSpace.
// The caller releases it when the write is done.
func (s *space) admit(c cost) (release func(), err error) {
	need := c.bytes + 2*c.lsm
	s.mu.Lock()
	defer s.mu.Unlock()
	if need > s.credit || time.Since(s.looked) > statfsAge {
		if err := s.look(need); err != nil {
			return nil, err
		}
	}
	s.credit -= need
	s.pending += need
	s.debt = min(s.debt+2*c.lsm, s.maxDebt)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.pending -= need
	}, nil
}

func (s *space) look(need int64) error {
	room, err := s.room(need)
	if err != nil {
		return err
	}
	s.looked, s.credit = time.Now(), min(room, max(need, statfsEvery))
	return nil
}

// free returns how many bytes are free and how many of them are to stay so.
func (s *space) free() (free, reserve int64, err error) {
	free, total, err := diskSpace(s.path)
	if err != nil {
		return 0, 0, fmt.Errorf("free space of %s: %w", s.path, err)
	}
	if s.reserve != 0 {
		return free, s.reserve, nil
	}
	return free, min(512<<20, total/20), nil
}

// room returns how many bytes may be admitted, or cas.ErrNoSpace when they are fewer than need.
func (s *space) room(need int64) (int64, error) {
	free, reserve, err := s.free()
	if err != nil {
		return 0, err
	}
	room := free - reserve - s.pending - s.debt - compaction(s.levels())
	if need > room {
		return room, fmt.Errorf("%w: %d bytes are free, %d are to stay so", cas.ErrNoSpace, free, reserve)
	}
	return room, nil
}

// compaction returns how many bytes compactions may write before they remove
// what they read: one of level zero rewrites all of it and of the base level, any
// other a table and the ten or so that it overlaps in the next level.
func compaction(levels []badger.LevelInfo) int64 {
	var all, widest int64
	for _, l := range levels {
		all += l.Size
		if l.Level == 0 || l.IsBaseLevel {
			widest += l.Size
		}
	}
	return min(all, widest+(compactors-1)*11*tableFile)
}

// Full returns cas.ErrNoSpace when an eighth of the reserve at most is free: others than
// the store have filled the filesystem, and any write through a mapping may end the process.
func (s *Store) Full() error {
	free, reserve, err := s.space.free()
	if err == nil && free <= reserve/8 {
		err = fmt.Errorf("%w: %d bytes are free", cas.ErrNoSpace, free)
	}
	return err
}

// Room returns nil when the store takes a batch of blobs, of 8 MiB, else what it
// refuses one with: [cas.ErrNoSpace], or what stopped the store.
func (s *Store) Room() error {
	if err := s.Err(); err != nil {
		return err
	}
	s.space.mu.Lock()
	defer s.space.mu.Unlock()
	_, err := s.space.room(maxBatch)
	return err
}
