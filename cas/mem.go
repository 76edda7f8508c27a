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

// memBlob is a blob as each of its holders has it.
type memBlob struct {
	holders map[VolumeID]*memForm
	newest  *memForm
}

type memForm struct {
	enc  Encoding
	size int
	data []byte
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
			kept = &memBlob{holders: make(map[VolumeID]*memForm)}
			m.blobs[b.Ref()] = kept
		}
		if kept.holders[v] == nil {
			kept.newest = &memForm{enc: b.enc, size: b.Size(), data: slices.Clone(b.data)}
			kept.holders[v] = kept.newest
		}
	}
	return nil
}

// Sizes implements [Store].
func (m *Mem) Sizes(ctx context.Context, v VolumeID, scope Scope, refs []Ref) ([]int, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	sizes := make([]int, len(refs))
	for i, ref := range refs {
		sizes[i] = Absent
		kept := m.blobs[ref]
		if kept == nil {
			continue
		}
		form := kept.holders[v]
		if form == nil {
			form = kept.seen(scope)
		}
		if form != nil {
			kept.holders[v], sizes[i] = form, form.size
		}
	}
	return sizes, nil
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

func (m *Mem) find(ref Ref, scope Scope) *memForm {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if kept := m.blobs[ref]; kept != nil {
		return kept.seen(scope)
	}
	return nil
}

// Barrier implements [Store].
func (m *Mem) Barrier(ctx context.Context) error { return ctx.Err() }

// Close implements [Store].
func (m *Mem) Close() error { return nil }

// seen returns the blob as the scope sees it, nil when it does not.
func (b *memBlob) seen(scope Scope) *memForm {
	if scope.All {
		return b.newest
	}
	for _, v := range scope.Volumes {
		if form := b.holders[v]; form != nil {
			return form
		}
	}
	return nil
}
