package hub

import (
	"context"
	"fmt"

	"github.com/dgraph-io/badger/v4"

	"dfs/cas"
	"dfs/manifest"
	"dfs/server/api"
)

// Snapshots implements [api.Hub].
func (h *Hub) Snapshots(ctx context.Context, req api.SnapshotsRequest) ([]api.Snapshot, error) {
	if err := h.enter(); err != nil {
		return nil, err
	}
	defer h.leave()
	list, err := h.snapshots(ctx, req)
	return list, wire(err)
}

func (h *Hub) snapshots(ctx context.Context, req api.SnapshotsRequest) ([]api.Snapshot, error) {
	if req.Limit < 0 || req.Limit > api.MaxSnapshots {
		return nil, refuse(api.ErrInvalid, "snapshots: a limit of %d is not 1 to %d", req.Limit, api.MaxSnapshots)
	}
	if req.Limit == 0 {
		req.Limit = api.MaxSnapshots
	}
	v, err := h.reach(ctx, req.Volume, api.RightRead)
	if err != nil {
		return nil, err
	}
	below := h.headOf(v).Seq + 1
	if req.Before != 0 {
		below = min(below, req.Before)
	}
	var ids []cas.ID
	err = h.meta.backwards(seqKey(v.id, below), len(volumeKey(v.id)), func(key, value []byte) (more bool, err error) {
		if len(value) != len(cas.ID{}) {
			return false, fmt.Errorf("metadata %q: not the ID of a snapshot", key)
		}
		ids = append(ids, cas.ID(value))
		return len(ids) < req.Limit, nil
	})
	if err != nil {
		return nil, err
	}
	return h.snapshotRecords(ctx, v.id, ids)
}

// snapshotRecords reads the records of the volume's snapshots with these IDs.
func (h *Hub) snapshotRecords(ctx context.Context, v cas.VolumeID, ids []cas.ID) ([]api.Snapshot, error) {
	refs := make([]cas.Ref, len(ids))
	for i, id := range ids {
		refs[i] = cas.Ref{Kind: cas.Snapshot, ID: id}
	}
	list := make([]api.Snapshot, 0, len(ids))
	err := h.store.Get(ctx, own(v), refs, func(b cas.Blob) error {
		record, err := manifest.DecodeSnapshot(b.Plain())
		list = append(list, api.Snapshot{ID: b.ID(), Record: record})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("snapshots of volume %v: %w", v, err)
	}
	return list, nil
}

// backwards calls fn for the keys below a key that share its first n bytes, the last one
// first, until fn wants no more. Key and value are valid until fn returns.
func (m *meta) backwards(below []byte, n int, fn func(key, value []byte) (more bool, err error)) error {
	err := m.db.View(func(txn *badger.Txn) error {
		opts := badger.DefaultIteratorOptions
		opts.Reverse = true
		it := txn.NewIterator(opts)
		defer it.Close()
		for it.Seek(below); it.ValidForPrefix(below[:n]); it.Next() {
			if string(it.Item().Key()) == string(below) {
				continue
			}
			more := false
			err := it.Item().Value(func(v []byte) (err error) {
				more, err = fn(it.Item().Key(), v)
				return err
			})
			if err != nil || !more {
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
