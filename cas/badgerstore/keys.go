package badgerstore

import (
	"encoding/binary"
	"errors"

	"github.com/dgraph-io/badger/v4"

	"dfs/cas"
)

const (
	dataKeySize  = 1 + len(cas.ID{})
	heldKeySize  = dataKeySize + len(cas.VolumeID{})
	sizeBytes    = 3
	versionBytes = 8
)

func dataKey(ref cas.Ref) []byte { return appendDataKey(make([]byte, 0, dataKeySize), ref) }

func heldKey(ref cas.Ref, v cas.VolumeID) []byte {
	return append(appendDataKey(make([]byte, 0, heldKeySize), ref), v[:]...)
}

// parseDataKey returns the ref of a data key, and false for any other key.
func parseDataKey(key []byte) (cas.Ref, bool) {
	if len(key) != dataKeySize {
		return cas.Ref{}, false
	}
	return cas.Ref{Kind: cas.Kind(key[0]), ID: cas.ID(key[1:])}, true
}

func appendDataKey(dst []byte, ref cas.Ref) []byte {
	return append(append(dst, byte(ref.Kind)), ref.ID[:]...)
}

// pair is what one blob adds to the store.
type pair struct{ data, held *badger.Entry } // data is nil when v takes over what another volume holds

// entries makes pairs in memory that is used again after reset. Badger copies what
// it is given, so that is as soon as the pairs are written.
type entries struct {
	pairs []pair
	bytes []byte
}

func (e *entries) reset() { e.pairs, e.bytes = e.pairs[:0], e.bytes[:0] }

// blob adds the pair of a blob with its bytes.
func (e *entries) blob(b cas.Blob, v cas.VolumeID) {
	e.pairs = append(e.pairs, pair{e.data(b), e.holding(b.Ref(), v)})
}

// held adds the pair of a blob that v takes over, in a version of its data.
func (e *entries) held(ref cas.Ref, v cas.VolumeID, version uint64) {
	h := e.holding(ref, v)
	h.Value = e.since(func(dst []byte) []byte { return binary.BigEndian.AppendUint64(dst, version) })
	e.pairs = append(e.pairs, pair{held: h})
}

func (e *entries) data(b cas.Blob) *badger.Entry {
	key := e.since(func(dst []byte) []byte { return appendDataKey(dst, b.Ref()) })
	value := b.Data()
	if b.Encoding() != cas.Raw {
		n := b.Size()
		value = e.since(func(dst []byte) []byte { return append(append(dst, byte(n>>16), byte(n>>8), byte(n)), b.Data()...) })
	}
	return badger.NewEntry(key, value).WithMeta(byte(b.Encoding()))
}

func (e *entries) holding(ref cas.Ref, v cas.VolumeID) *badger.Entry {
	return badger.NewEntry(e.since(func(dst []byte) []byte { return append(appendDataKey(dst, ref), v[:]...) }), nil)
}

// since returns what add appends.
func (e *entries) since(add func(dst []byte) []byte) []byte {
	from := len(e.bytes)
	e.bytes = add(e.bytes)
	return e.bytes[from:len(e.bytes):len(e.bytes)]
}

// buffers serve one read after the other.
type buffers struct{ stored, plain []byte }

// load reads and verifies the blob of a data key. The blob uses buf.
func load(ref cas.Ref, item *badger.Item, buf *buffers) (cas.Blob, error) {
	value, err := item.ValueCopy(buf.stored)
	if err != nil {
		return cas.Blob{}, err
	}
	if cap(value) > cap(buf.stored) {
		buf.stored = value
	}
	enc, size := cas.Encoding(item.UserMeta()), len(value)
	if enc != cas.Raw {
		if len(value) < sizeBytes {
			return cas.Blob{}, &cas.CorruptError{Ref: ref, Detail: "its bytes are not readable"}
		}
		size = int(value[0])<<16 | int(value[1])<<8 | int(value[2])
		value = value[sizeBytes:]
		if cap(buf.plain) < size && size <= cas.MaxSize {
			buf.plain = make([]byte, size)
		}
	}
	return cas.Check(ref, enc, size, value, buf.plain)
}

// has reports whether the key is there. It does not read the value.
func has(txn *badger.Txn, key []byte) (bool, error) {
	_, err := txn.Get(key)
	if errors.Is(err, badger.ErrKeyNotFound) {
		return false, nil
	}
	return err == nil, err
}

// visible returns the version of the blob's data that the scope sees, 0 when it sees none.
func visible(txn *badger.Txn, scope cas.Scope, ref cas.Ref) (uint64, error) {
	if scope.All {
		return version(txn, dataKey(ref))
	}
	for _, v := range scope.Volumes {
		if at, err := version(txn, heldKey(ref, v)); at > 0 || err != nil {
			return at, err
		}
	}
	return 0, nil
}

// version returns the version of a data key, or which one of its data a held key means;
// 0 when the key is not there.
func version(txn *badger.Txn, key []byte) (at uint64, err error) {
	item, err := txn.Get(key)
	if errors.Is(err, badger.ErrKeyNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	if len(key) != heldKeySize || item.ValueSize() != versionBytes {
		return item.Version(), nil
	}
	return at, item.Value(func(value []byte) error {
		at = binary.BigEndian.Uint64(value)
		return nil
	})
}
