package merkle

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"dfs/cas"
)

const (
	version  = 1
	header   = 2  // bytes before the entries: version and level
	maxLevel = 63 // every level has at most half the nodes of the one below

	targetBits = 13 // the target size of a node, 8 KiB, as a power of two
	maxEntry   = 2 + 2 + MaxPath + 3 + MaxValue
	maxNode    = header + 4<<targetBits - 1 + maxEntry
)

func emptyNode() []byte { return []byte{version, 0} }

// A decoder reads the entries of a node in order. It is valid only over bytes
// that check accepted, where it meets no errors.
type decoder struct {
	data  []byte
	at    int // where in data the next entry begins
	level int

	// The entry that next read. The slices change with the next call, value excepted.
	key   []byte
	value []byte // of a leaf's entry
	id    cas.ID // of an inner node's entry, as are count and low
	count uint64
	low   []byte // the key before key: every path below the child is above it
}

// reset starts over at the first entry of a node with a valid header whose
// paths are all above low.
func (dec *decoder) reset(data []byte, low string) {
	dec.data, dec.at = data, header
	dec.level = int(data[1])
	dec.low = append(dec.low[:0], low...)
	dec.key = dec.key[:0]
}

// more reports whether an entry follows.
func (dec *decoder) more() bool { return dec.at < len(dec.data) }

// next reads the next entry. It reports false at the end and on an error.
func (dec *decoder) next() bool { return dec.more() && dec.read() == nil }

var (
	errShort = errors.New("ends inside an entry")
	errOrder = errors.New("keys do not ascend or share more than is said")
	errRange = errors.New("length or count out of range")
)

// read reads the next entry and checks its form.
func (dec *decoder) read() error {
	shared, err := dec.uvarint(uint64(len(dec.key)))
	if err != nil {
		return err
	}
	added, err := dec.uvarint(MaxPath - shared)
	if err != nil {
		return err
	}
	suffix, err := dec.take(added)
	if err != nil {
		return err
	}
	if len(suffix) == 0 || int(shared) < len(dec.key) && rank(suffix[0]) <= rank(dec.key[shared]) {
		return errOrder
	}
	if dec.level > 0 && len(dec.key) > 0 {
		dec.low = append(dec.low[:0], dec.key...)
	}
	dec.key = append(dec.key[:shared], suffix...)
	if dec.level > 0 {
		return dec.readChild()
	}
	size, err := dec.uvarint(MaxValue)
	if err != nil {
		return err
	}
	if size == 0 {
		return errRange
	}
	dec.value, err = dec.take(size)
	return err
}

func (dec *decoder) readChild() error {
	id, err := dec.take(uint64(len(dec.id)))
	if err != nil {
		return err
	}
	dec.id = cas.ID(id)
	dec.count, err = dec.uvarint(math.MaxInt64)
	if err == nil && dec.count == 0 {
		return errRange
	}
	return err
}

// take reads n bytes.
func (dec *decoder) take(n uint64) ([]byte, error) {
	if n > uint64(len(dec.data)-dec.at) {
		return nil, errShort
	}
	end := dec.at + int(n)
	b := dec.data[dec.at:end:end]
	dec.at = end
	return b, nil
}

// uvarint reads a minimal varint of at most limit.
func (dec *decoder) uvarint(limit uint64) (uint64, error) {
	rest := dec.data[dec.at:]
	if len(rest) > 0 && rest[0] < 0x80 && uint64(rest[0]) <= limit {
		dec.at++
		return uint64(rest[0]), nil
	}
	v, n := binary.Uvarint(rest)
	switch {
	case n == 0:
		return 0, errShort
	case n < 0 || v > limit:
		return 0, errRange
	case n > 1 && rest[n-1] == 0:
		return 0, errors.New("varint is not minimal")
	}
	dec.at += n
	return v, nil
}

// check decodes a whole node with it and returns the sums over its entries. It
// leaves the node's last key in dec.key. It allocates no more than two paths.
func (dec *decoder) check(data []byte) (entries int, count uint64, err error) {
	switch {
	case len(data) < header:
		return 0, 0, errShort
	case data[0] != version:
		return 0, 0, fmt.Errorf("version %d is not known", data[0])
	case data[1] > maxLevel:
		return 0, 0, fmt.Errorf("level %d is above %d", data[1], maxLevel)
	case len(data) > maxNode:
		return 0, 0, fmt.Errorf("%d bytes are more than %d", len(data), maxNode)
	}
	for dec.reset(data, ""); dec.more(); entries++ {
		if err := dec.read(); err != nil {
			return 0, 0, fmt.Errorf("entry %d: %w", entries, err)
		}
		if dec.level == 0 {
			count++
		} else if count += dec.count; count > math.MaxInt64 {
			return 0, 0, fmt.Errorf("entry %d: %w", entries, errRange)
		}
	}
	if dec.level > 0 && entries == 0 {
		return 0, 0, errors.New("inner node without children")
	}
	return entries, count, nil
}
