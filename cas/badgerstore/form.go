package badgerstore

import (
	"encoding/binary"
	"errors"

	"github.com/dgraph-io/badger/v4"

	"dfs/cas"
)

// form is a blob as somebody has it. Its size is the same in every form.
type form struct {
	at   uint64 // the version of the data; 0: there is none
	size int    // of the plain bytes; unknown where only the data tell it
}

const unknown = -1

// find returns the item of a key, nil when the key is not there. It does not read the value.
func find(txn *badger.Txn, key []byte) (*badger.Item, error) {
	item, err := txn.Get(key)
	if errors.Is(err, badger.ErrKeyNotFound) {
		return nil, nil
	}
	return item, err
}

// visible returns the form of the blob that the scope sees.
func visible(txn *badger.Txn, scope cas.Scope, ref cas.Ref) (form, error) {
	if scope.All {
		item, err := find(txn, dataKey(ref))
		if item == nil || err != nil {
			return form{}, err
		}
		return form{item.Version(), unknown}, nil
	}
	for _, v := range scope.Volumes {
		if f, err := heldForm(txn, ref, v); f.at > 0 || err != nil {
			return f, err
		}
	}
	return form{}, nil
}

// heldForm returns the form of the blob that v holds.
func heldForm(txn *badger.Txn, ref cas.Ref, v cas.VolumeID) (form, error) {
	item, err := find(txn, heldKey(ref, v))
	if item == nil || err != nil {
		return form{}, err
	}
	f := form{item.Version(), unknown}
	err = item.Value(func(value []byte) error {
		if len(value) >= versionBytes {
			f.at, value = binary.BigEndian.Uint64(value), value[versionBytes:]
		}
		if len(value) == sizeBytes {
			f.size = parseSize(value)
		}
		return nil
	})
	return f, err
}

// plainSize returns the number of plain bytes of a blob by its data. Of one that is stored as
// it is it does not read them.
func plainSize(txn *badger.Txn, ref cas.Ref) (size int, err error) {
	item, err := find(txn, dataKey(ref))
	switch {
	case err != nil:
		return 0, err
	case item == nil:
		return 0, &cas.CorruptError{Ref: ref, Detail: "is held but not stored"}
	case cas.Encoding(item.UserMeta()) == cas.Raw:
		return rawSize(item), nil
	}
	err = item.Value(func(value []byte) error {
		if len(value) < sizeBytes {
			return &cas.CorruptError{Ref: ref, Detail: "its bytes are not readable"}
		}
		size = parseSize(value)
		return nil
	})
	return size, err
}

// rawSize returns the exact size of an item's value. What Badger says of one in the value log
// is by the length of its entry, and has one byte for each beyond the second that the varint of the
// value's size takes.
func rawSize(item *badger.Item) int {
	const threeBytes = 1 << 14
	size := int(item.ValueSize())
	if size > threeBytes {
		size--
	}
	return size
}
