package badgerstore

import (
	"encoding/binary"

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
	size := e.since(func(dst []byte) []byte { return appendSize(dst, b.Size()) })
	e.pairs = append(e.pairs, pair{e.data(b), e.holding(b.Ref(), v, size)})
}

// held adds the pair of a blob that v takes over, in a form of its data.
func (e *entries) held(ref cas.Ref, v cas.VolumeID, f form) {
	value := e.since(func(dst []byte) []byte { return appendSize(binary.BigEndian.AppendUint64(dst, f.at), f.size) })
	e.pairs = append(e.pairs, pair{held: e.holding(ref, v, value)})
}

func (e *entries) data(b cas.Blob) *badger.Entry {
	key := e.since(func(dst []byte) []byte { return appendDataKey(dst, b.Ref()) })
	value := b.Data()
	if b.Encoding() != cas.Raw {
		value = e.since(func(dst []byte) []byte { return append(appendSize(dst, b.Size()), b.Data()...) })
	}
	return badger.NewEntry(key, value).WithMeta(byte(b.Encoding()))
}

func (e *entries) holding(ref cas.Ref, v cas.VolumeID, value []byte) *badger.Entry {
	return badger.NewEntry(e.since(func(dst []byte) []byte { return append(appendDataKey(dst, ref), v[:]...) }), value)
}

func appendSize(dst []byte, n int) []byte { return append(dst, byte(n>>16), byte(n>>8), byte(n)) }

func parseSize(b []byte) int { return int(b[0])<<16 | int(b[1])<<8 | int(b[2]) }

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
		size = parseSize(value)
		value = value[sizeBytes:]
		if cap(buf.plain) < size && size <= cas.MaxSize {
			buf.plain = make([]byte, size)
		}
	}
	return cas.Check(ref, enc, size, value, buf.plain)
}
