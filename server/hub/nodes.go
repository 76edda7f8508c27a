package hub

import (
	"context"
	"slices"
	"time"

	"dfs/cas"
	"dfs/manifest"
)

// nodeWriter collects new nodes into batches for the store.
type nodeWriter struct {
	ctx    context.Context
	h      *Hub
	volume cas.VolumeID
	batch  []cas.Blob
	size   int
}

const nodeBatch = 1 << 20

func (w *nodeWriter) put(b cas.Blob) error {
	kept := cas.Seal(cas.Node, slices.Clone(b.Plain()))
	w.batch = append(w.batch, kept)
	if w.size += kept.Size(); w.size < nodeBatch {
		return nil
	}
	return w.flush()
}

func (w *nodeWriter) flush() error {
	if len(w.batch) == 0 {
		return nil
	}
	err := w.h.store.Put(w.ctx, w.volume, w.batch)
	w.batch, w.size = w.batch[:0], 0
	return w.h.stopped(err)
}

func timeOf(t time.Time) manifest.Time {
	return manifest.Time{Sec: t.Unix(), Nsec: uint32(t.Nanosecond())}
}
