// Package feed keeps a hub's latest events, for readers who come and go: each reads at its own
// pace, and goes on after the event that it read last. Who falls behind by more than is kept is told how
// much is missing; nobody waits for a reader. Whoever can reach the hub can have requests refused: so the refusals of
// callers whom it does not know are gathered, and do not push the other events out.
package feed

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"sync"

	"dfs/cas"
	"dfs/server/events"
)

// DefaultSize is how many events a feed keeps whose size is not said.
const DefaultSize = 4096

// An Entry is an event in the feed.
type Entry struct {
	Type   string
	Volume cas.VolumeID // which it is about, if it is Scoped
	Scoped bool         // it is about one volume
	Data   []byte       // its JSON form: see events.Encode. Shared, not to be changed
	Admin  []byte       // likewise, for who administers the hub, where that may see more
}

// A Position is a place between two events of the feed: how many came before it.
type Position uint64

// A Feed is safe for concurrent use.
type Feed struct {
	seal cipher.Block // makes IDs of positions

	mu    sync.Mutex
	ring  []Entry // of the events below count, each at its number modulo the length
	count Position
	more  chan struct{} // closed by the next event; nil: nobody waits for it
	ended bool

	refused map[events.RequestRefused]*events.RequestRefused // what is gathered, by its kind
}

// New returns a feed that keeps the last size events, or [DefaultSize] if size is not positive.
func New(size int) *Feed {
	if size < 1 {
		size = DefaultSize
	}
	// Neither fails with a key of this length.
	key := make([]byte, 16)
	_, _ = rand.Read(key)
	seal, _ := aes.NewCipher(key)
	return &Feed{seal: seal, ring: make([]Entry, size), refused: make(map[events.RequestRefused]*events.RequestRefused)}
}

// Run keeps what s brings until that or ctx ends; then the feed has ended.
func (f *Feed) Run(ctx context.Context, s *events.Subscription) {
	events.Each(ctx, s, func(e events.Event) {
		if r, ok := e.(events.RequestRefused); !ok || !r.Anonymous || !f.gather(r) {
			f.add(e)
		}
	})
	f.addGathered()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ended = true
	f.wake()
}

func (f *Feed) add(e events.Event) {
	entry := Entry{Type: e.Type()}
	var err error
	if entry.Data, err = events.Encode(e); err != nil {
		return // a type that has no form: TestForms of package events finds it
	}
	if scoped, ok := e.(events.Scoped); ok {
		entry.Volume, entry.Scoped = scoped.About(), true
	}
	if confidential, ok := e.(events.Confidential); ok {
		entry.Admin = entry.Data
		if entry.Data, err = events.Encode(confidential.Public()); err != nil {
			return
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ring[f.count%Position(len(f.ring))] = entry
	f.count++
	f.wake()
}

func (f *Feed) wake() {
	if f.more != nil {
		close(f.more)
		f.more = nil
	}
}

// End returns the position after the last event.
func (f *Feed) End() Position {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.count
}

// Read appends events that follow the position at to buf, up to its capacity, and returns the
// position after them. Lost is how many before them are not kept any more. When there is nothing yet to
// read, more is closed as soon as there is; it is nil when there is something, or the feed has ended and
// all was read.
func (f *Feed) Read(at Position, buf []Entry) (entries []Entry, next Position, lost uint64, more <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	at = min(at, f.count)
	if kept := Position(len(f.ring)); f.count-at > kept {
		lost = uint64(f.count - kept - at)
		at = f.count - kept
	}
	for ; at < f.count && len(buf) < cap(buf); at++ {
		buf = append(buf, f.ring[at%Position(len(f.ring))])
	}
	if len(buf) == 0 && !f.ended {
		if f.more == nil {
			f.more = make(chan struct{})
		}
		more = f.more
	}
	return buf, at, lost, more
}

// ID returns a name of a position: 32 hexadecimal digits, which mean something to this feed alone, and
// tell nobody how many events there were. Each call returns another, so that they do not tell whether there were any.
func (f *Feed) ID(at Position) string {
	var block [aes.BlockSize]byte
	// It never fails.
	_, _ = rand.Read(block[:noise])
	binary.BigEndian.PutUint64(block[8:], uint64(at))
	f.seal.Encrypt(block[:], block[:])
	return hex.EncodeToString(block[:])
}

// noise is how many random bytes are before the position, and as many zeros.
const noise = 4

// Parse returns the position of an ID, and false for what no ID of this feed is.
func (f *Feed) Parse(id string) (Position, bool) {
	block, err := hex.DecodeString(id)
	if err != nil || len(block) != aes.BlockSize {
		return 0, false
	}
	f.seal.Decrypt(block, block)
	at := Position(binary.BigEndian.Uint64(block[8:]))
	return at, binary.BigEndian.Uint32(block[noise:]) == 0 && at <= f.End()
}
