package cas

import (
	"context"
	"fmt"
	"slices"
	"sync"
)

// Mem is a [Store] in memory. Its Barrier does nothing: it survives nothing.
// The zero Mem is empty and ready for use.
type Mem struct {
	mu    sync.RWMutex
	blobs map[Ref]*memBlob
}

type memBlob struct {
	enc     Encoding
	size    int
	data    []byte
	holders map[VolumeID]struct{}
}

var _ Store = (*Mem)(nil)

// Put implements [Store].
func (m *Mem) Put(ctx context.Context, v VolumeID, blobs []Blob) error {
	for _, b := range blobs {
		if err := b.Storable(); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.blobs == nil {
		m.blobs = make(map[Ref]*memBlob)
	}
	for _, b := range blobs {
		kept := m.blobs[b.Ref()]
		if kept == nil {
			kept = &memBlob{enc: b.enc, size: b.Size(), data: slices.Clone(b.data), holders: make(map[VolumeID]struct{})}
			m.blobs[b.Ref()] = kept
		}
		kept.holders[v] = struct{}{}
	}
	return nil
}

// Missing implements [Store].
func (m *Mem) Missing(ctx context.Context, v VolumeID, scope Scope, refs []Ref) ([]bool, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	missing := make([]bool, len(refs))
	for i, ref := range refs {
		kept := m.blobs[ref]
		if missing[i] = !kept.visible(scope) && !kept.heldBy(v); !missing[i] {
			kept.holders[v] = struct{}{}
		}
	}
	return missing, nil
}

// Get implements [Store].
func (m *Mem) Get(ctx context.Context, scope Scope, refs []Ref, fn func(Blob) error) error {
	for _, ref := range refs {
		if err := ctx.Err(); err != nil {
			return err
		}
		kept := m.find(ref, scope)
		if kept == nil {
			return fmt.Errorf("%v: %w", ref, ErrNotFound)
		}
		b, err := Check(ref, kept.enc, kept.size, kept.data, nil)
		if err != nil {
			return err
		}
		if err := fn(b); err != nil {
			return err
		}
	}
	return nil
}

func (m *Mem) find(ref Ref, scope Scope) *memBlob {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if kept := m.blobs[ref]; kept.visible(scope) {
		return kept
	}
	return nil
}

// Barrier implements [Store].
func (m *Mem) Barrier(ctx context.Context) error { return ctx.Err() }

// Close implements [Store].
func (m *Mem) Close() error { return nil }

func (b *memBlob) heldBy(v VolumeID) bool {
	if b == nil {
		return false
	}
	_, held := b.holders[v]
	return held
}

func (b *memBlob) visible(scope Scope) bool {
	return b != nil && (scope.All || slices.ContainsFunc(scope.Volumes, b.heldBy))
}
