package merkle

import (
	"encoding/binary"
	"fmt"
	"iter"

	"github.com/cespare/xxhash/v2"

	"dfs/cas"
)

// A Builder makes a tree from its entries in ascending order, in the memory of
// one node a level. It is not safe for concurrent use.
type Builder struct {
	put    Sink
	bits   uint // the target size as a power of two
	levels []*level
	key    []byte
	old    [maxLevel + 1]cas.ID // by level, the node that Edit read last: it is not emitted again
	err    error
}

// A level is the node of one level that is being filled.
type level struct {
	buf   []byte // its bytes
	n     int    // its entries
	count uint64 // the paths below it
	key   []byte // the last key added to the level, in this node or the one before
	child cas.ID // the last child added
}

// NewBuilder returns a builder that gives the nodes it makes to put, which may be nil.
func NewBuilder(put Sink) *Builder { return newBuilder(targetBits, put) }

func newBuilder(bits uint, put Sink) *Builder {
	if put == nil {
		put = func(cas.Blob) error { return nil }
	}
	return &Builder{put: put, bits: bits}
}

// Build makes the tree of entries, which must ascend by [Compare], and returns
// its root. It gives every node to put. It fails with the first error of
// entries or put, and names an entry that breaks the bounds or the order.
func Build(entries iter.Seq2[Entry, error], put Sink) (cas.ID, error) {
	b := NewBuilder(put)
	for e, err := range entries {
		if err == nil {
			err = b.Add(e)
		}
		if err != nil {
			return cas.ID{}, err
		}
	}
	return b.Finish()
}

// Add appends an entry, whose path must be above the last one's. It keeps
// nothing of e. After an error every further call fails with the same.
func (b *Builder) Add(e Entry) error {
	if b.err == nil {
		b.err = e.check()
	}
	if b.err != nil {
		return b.err
	}
	b.key = append(b.key[:0], e.Path...)
	return b.addEntry(b.key, e.Value)
}

// Finish emits what is left and returns the root. The builder must not be used after it.
func (b *Builder) Finish() (cas.ID, error) {
	if b.err == nil && len(b.levels) == 0 {
		return b.emit(0, emptyNode())
	}
	for l := 0; b.err == nil; l++ {
		lv := b.levels[l]
		if l > 0 && l == len(b.levels)-1 && lv.n == 1 {
			return lv.child, nil
		}
		if lv.n > 0 {
			b.close(l)
		}
	}
	return cas.ID{}, b.err
}

// empty reports whether nothing was added.
func (b *Builder) empty() bool { return len(b.levels) == 0 }

// aligned reports whether the last node of every level below l is finished, so
// that nodes of the level below l can be added whole.
func (b *Builder) aligned(l int) bool {
	for _, lv := range b.levels[:min(l, len(b.levels))] {
		if lv.n > 0 {
			return false
		}
	}
	return true
}

func (b *Builder) addEntry(key, value []byte) error {
	lv := b.level(0)
	start := lv.begin(0)
	if b.err = lv.addKey(key); b.err != nil {
		return b.err
	}
	lv.buf = binary.AppendUvarint(lv.buf, uint64(len(value)))
	lv.buf = append(lv.buf, value...)
	return b.end(0, len(lv.buf)-start, 1)
}

// addChild adds a finished node of the level below l, with the last key and the
// number of entries below it. The levels below l must be aligned.
func (b *Builder) addChild(l int, key []byte, id cas.ID, count uint64) error {
	lv := b.level(l)
	start := lv.begin(l)
	if b.err = lv.addKey(key); b.err != nil {
		return b.err
	}
	lv.child = id
	lv.buf = append(lv.buf, id[:]...)
	lv.buf = binary.AppendUvarint(lv.buf, count)
	return b.end(l, len(lv.buf)-start, count)
}

func (b *Builder) level(l int) *level {
	for len(b.levels) <= l {
		b.levels = append(b.levels, &level{})
	}
	return b.levels[l]
}

// begin returns where the next entry begins in buf.
func (lv *level) begin(l int) int {
	if lv.n == 0 {
		lv.buf = append(lv.buf[:0], version, byte(l))
	}
	return len(lv.buf)
}

// addKey appends the key, front-coded.
func (lv *level) addKey(key []byte) error {
	shared := common(lv.key, key)
	if order(lv.key, key, shared) >= 0 {
		return fmt.Errorf("path %q does not ascend from %q", key, lv.key)
	}
	lv.key = append(lv.key[:shared], key[shared:]...)
	if lv.n == 0 {
		shared = 0
	}
	lv.buf = binary.AppendUvarint(lv.buf, uint64(shared))
	lv.buf = binary.AppendUvarint(lv.buf, uint64(len(key)-shared))
	lv.buf = append(lv.buf, key[shared:]...)
	return nil
}

// end counts the entry of size bytes just written and finishes the node where the rule cuts.
func (b *Builder) end(l, size int, count uint64) error {
	lv := b.levels[l]
	lv.n++
	lv.count += count
	if lv.n > 1 && cuts(b.bits, l, lv.key, uint64(size), uint64(len(lv.buf)-header)) {
		b.close(l)
	}
	return b.err
}

// cuts is the rule of the package comment, for a node with two entries or more.
func cuts(bits uint, level int, key []byte, s, x uint64) bool {
	if x < 1<<bits/4 {
		return false
	}
	return x >= 4<<bits || keyHash(level, key)>>(66-4*bits) < s*x*x*x
}

// keyHash is the SplitMix64 output number level (from 0) for the seed XXH64(key).
func keyHash(level int, key []byte) uint64 {
	z := xxhash.Sum64(key) + uint64(level+1)*0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// close finishes the node of level l and adds it to the level above.
func (b *Builder) close(l int) {
	lv := b.levels[l]
	id, err := b.emit(l, lv.buf)
	if err != nil {
		b.err = err
		return
	}
	count := lv.count
	lv.n, lv.count = 0, 0
	b.err = b.addChild(l+1, lv.key, id, count)
}

func (b *Builder) emit(l int, data []byte) (cas.ID, error) {
	blob := cas.Seal(cas.Node, data)
	if blob.ID() == b.old[l] {
		return blob.ID(), nil
	}
	return blob.ID(), b.put(blob)
}
