package badgerstore

import (
	"errors"

	"github.com/dgraph-io/badger/v4"

	"dfs/cas"
)

const (
	dataKeySize = 1 + len(cas.ID{})
	heldKeySize = dataKeySize + len(cas.VolumeID{})
	sizeBytes   = 3
)

func dataKey(ref cas.Ref) []byte {
	key := make([]byte, 0, dataKeySize)
	return append(append(key, byte(ref.Kind)), ref.ID[:]...)
}

func heldKey(ref cas.Ref, v cas.VolumeID) []byte {
	key := make([]byte, 0, heldKeySize)
	return append(append(append(key, byte(ref.Kind)), ref.ID[:]...), v[:]...)
}

// parseDataKey returns the ref of a data key, and false for any other key.
func parseDataKey(key []byte) (cas.Ref, bool) {
	if len(key) != dataKeySize {
		return cas.Ref{}, false
	}
	return cas.Ref{Kind: cas.Kind(key[0]), ID: cas.ID(key[1:])}, true
}

func dataEntry(b cas.Blob) *badger.Entry {
	value := b.Data()
	if b.Encoding() != cas.Raw {
		n := b.Size()
		value = make([]byte, 0, sizeBytes+len(b.Data()))
		value = append(append(value, byte(n>>16), byte(n>>8), byte(n)), b.Data()...)
	}
	return badger.NewEntry(dataKey(b.Ref()), value).WithMeta(byte(b.Encoding()))
}

func heldEntry(ref cas.Ref, v cas.VolumeID) *badger.Entry {
	return badger.NewEntry(heldKey(ref, v), nil)
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

// visible reports whether the scope sees the blob.
func visible(txn *badger.Txn, scope cas.Scope, ref cas.Ref) (bool, error) {
	if scope.All {
		return has(txn, dataKey(ref))
	}
	for _, v := range scope.Volumes {
		if held, err := has(txn, heldKey(ref, v)); held || err != nil {
			return held, err
		}
	}
	return false, nil
}
