package hub

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"dfs/cas"
	"dfs/manifest"
	"dfs/merkle"
	"dfs/server/api"
	"dfs/server/events"
)

// volume is a volume in memory.
type volume struct {
	id       cas.VolumeID
	name     string
	owner    api.ClientID  // who made it; zero: the process itself
	stand                  // guarded by Hub.mu, as promised and moved
	promised api.Usage     // of the head that a commit under way was admitted with; zero: there is none
	left     int64         // bytes that sessions which ended without a commit sent, less what commits brought since; guarded by Hub.mu
	moved    chan struct{} // closed when the head becomes another or something is settled, and replaced
	lock     chan struct{} // holds one token while a commit is under way
}

// A stand is what commits change of a volume.
type stand struct {
	head    api.Head
	usage   api.Usage // of the head's tree
	settled uint64    // number of the latest settlement
	open    int       // conflicts
}

func newVolume(id cas.VolumeID, rec volumeRecord, usage api.Usage) *volume {
	return &volume{id: id, name: rec.Name, owner: rec.Owner, stand: stand{head: rec.Head, usage: usage, settled: rec.Settled},
		moved: make(chan struct{}), lock: make(chan struct{}, 1)}
}

// acquire takes the volume's lock.
func (v *volume) acquire(ctx context.Context) error {
	select {
	case v.lock <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (v *volume) release() { <-v.lock }

func (h *Hub) loadVolumes() error {
	return h.meta.each([]byte{keyVolume}, false, func(key, value []byte) error {
		var id cas.VolumeID
		copy(id[:], key[1:])
		var rec volumeRecord
		if err := decodeRecord(key, value, &rec); err != nil {
			return err
		}
		usage, err := h.recorded(id, &rec)
		if err != nil {
			return fmt.Errorf("volume %q: %w", rec.Name, err)
		}
		h.volumes[id] = newVolume(id, rec, usage)
		return nil
	})
}

// volume returns a volume by its ID.
func (h *Hub) volume(id cas.VolumeID) (*volume, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if v := h.volumes[id]; v != nil {
		return v, nil
	}
	return nil, noVolume(id)
}

func (h *Hub) headOf(v *volume) api.Head {
	return h.standOf(v).head
}

func (h *Hub) standOf(v *volume) stand {
	h.mu.Lock()
	defer h.mu.Unlock()
	return v.stand
}

func (h *Hub) setStand(v *volume, now stand) {
	h.mu.Lock()
	defer h.mu.Unlock()
	former := v.stand
	v.stand = now
	if now.head == former.head && now.settled == former.settled {
		return
	}
	close(v.moved)
	v.moved = make(chan struct{})
}

// awaitHead waits until the volume's head is not the request's From, or there is a settlement that it has not heard of.
func (h *Hub) awaitHead(ctx context.Context, v *volume, req *api.ChangesRequest) error {
	if req.Wait <= 0 {
		return nil
	}
	timer := time.NewTimer(min(req.Wait, api.MaxWait))
	defer timer.Stop()
	for {
		h.mu.Lock()
		head, settled, moved := v.head, v.settled, v.moved
		h.mu.Unlock()
		if head.Snapshot != req.From || req.Heard != nil && settled > *req.Heard {
			return nil
		}
		select {
		case <-moved:
		case <-timer.C:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-h.closing:
			return refuse(api.ErrBusy, "the hub is closed")
		}
	}
}

// Volumes implements [api.Hub].
func (h *Hub) Volumes(ctx context.Context, name string) ([]api.Volume, error) {
	caller := api.CallerOf(ctx)
	h.mu.Lock()
	defer h.mu.Unlock()
	volumes := make([]api.Volume, 0, len(h.volumes))
	for _, v := range h.volumes {
		if (name == "" || v.name == name) && caller.May(v.id, api.RightRead) {
			volumes = append(volumes, api.Volume{ID: v.id, Name: v.name, Head: v.head})
		}
	}
	slices.SortFunc(volumes, func(a, b api.Volume) int { return cmp.Compare(a.Name, b.Name) })
	return volumes, nil
}

// CreateVolume implements [api.Hub].
func (h *Hub) CreateVolume(ctx context.Context, name string, id cas.VolumeID) (api.Volume, error) {
	if err := h.enter(); err != nil {
		return api.Volume{}, err
	}
	defer h.leave()
	v, err := h.createVolume(ctx, name, id)
	return v, wire(err)
}

func (h *Hub) createVolume(ctx context.Context, name string, id cas.VolumeID) (api.Volume, error) {
	if !api.CallerOf(ctx).MayAll(api.RightWrite) {
		return api.Volume{}, refuse(api.ErrForbidden, "to make a volume takes the right write for all volumes")
	}
	if err := checkVolume(name, id); err != nil {
		return api.Volume{}, err
	}
	h.starting.Lock()
	defer h.starting.Unlock()
	all, err := h.Volumes(ctx, "")
	if err != nil {
		return api.Volume{}, err
	}
	for _, v := range all {
		switch {
		case v.Name == name && v.ID == id:
			return v, nil
		case v.Name == name:
			return api.Volume{}, refuse(api.ErrExists, "volume %q exists already", name)
		case v.ID == id:
			return api.Volume{}, refuse(api.ErrExists, "volume %v exists already, as %q", id, v.Name)
		}
	}
	head, err := h.firstSnapshot(ctx, id)
	if err != nil {
		return api.Volume{}, err
	}
	v := newVolume(id, volumeRecord{Name: name, Head: head, Owner: api.CallerOf(ctx).ID()}, api.Usage{})
	writes, err := headWrites(v, head, 0, api.Usage{})
	if err != nil {
		return api.Volume{}, err
	}
	if err := h.meta.write(writes...); err != nil {
		return api.Volume{}, err
	}
	h.mu.Lock()
	h.volumes[id] = v
	h.mu.Unlock()
	h.events.Publish(events.VolumeCreated{Volume: id, Name: name, At: h.now().UTC()})
	return api.Volume{ID: id, Name: name, Head: head}, nil
}

// firstSnapshot stores the empty tree and its snapshot, durably.
func (h *Hub) firstSnapshot(ctx context.Context, v cas.VolumeID) (api.Head, error) {
	if err := h.writable(); err != nil {
		return api.Head{}, err
	}
	w := &nodeWriter{ctx: ctx, h: h, volume: v}
	root, err := merkle.NewBuilder(w.put).Finish()
	if err == nil {
		err = w.flush()
	}
	if err != nil {
		return api.Head{}, err
	}
	head, err := h.putSnapshot(ctx, &manifest.Snapshot{Volume: v, Seq: 1, Root: root, Time: timeOf(h.now())})
	if err != nil {
		return api.Head{}, err
	}
	return head, h.barrier(ctx)
}

func checkVolume(name string, id cas.VolumeID) error {
	switch {
	case id.IsZero():
		return refuse(api.ErrInvalid, "volume %q: its ID is zero", name)
	case name == "" || len(name) > api.MaxVolumeName:
		return refuse(api.ErrInvalid, "volume name %.64q has %d bytes, not 1 to %d", name, len(name), api.MaxVolumeName)
	case !api.IsLabel(name) || strings.Contains(name, "/"):
		return refuse(api.ErrInvalid, "volume name %q is not UTF-8 without /, control characters and secrets", name)
	}
	if _, err := cas.ParseVolumeID(name); err == nil {
		return refuse(api.ErrInvalid, "volume name %q has the form of a volume's ID, for which everybody would take it", name)
	}
	return nil
}

// headWrites returns the writes that make head, with a tree of that usage, the volume's newest snapshot, and settled
// the number of its latest settlement.
func headWrites(v *volume, head api.Head, settled uint64, usage api.Usage) ([]kv, error) {
	rec, err := put(volumeKey(v.id), volumeRecord{Name: v.name, Head: head, Settled: settled, Owner: v.owner, Usage: &usage})
	if err != nil {
		return nil, err
	}
	snapshot, err := put(snapshotKey(v.id, head.Snapshot), head)
	if err != nil {
		return nil, err
	}
	return []kv{rec, snapshot, {seqKey(v.id, head.Seq), head.Snapshot[:]}}, nil
}

// putSnapshot stores a snapshot's record and returns the head that names it.
func (h *Hub) putSnapshot(ctx context.Context, s *manifest.Snapshot) (api.Head, error) {
	b, err := s.Encode()
	if err != nil {
		return api.Head{}, err
	}
	blob := cas.Seal(cas.Snapshot, b)
	if err := h.store.Put(ctx, s.Volume, []cas.Blob{blob}); err != nil {
		return api.Head{}, h.stopped(err)
	}
	return api.Head{Snapshot: blob.ID(), Seq: s.Seq, Root: s.Root}, nil
}

// findSnapshot returns a snapshot of the volume; the zero ID is the head.
func (h *Hub) findSnapshot(v *volume, id cas.ID) (api.Head, error) {
	if id.IsZero() {
		return h.headOf(v), nil
	}
	var head api.Head
	ok, err := h.meta.load(snapshotKey(v.id, id), &head)
	if err == nil && !ok {
		err = refuse(api.ErrNotFound, "volume %q has no snapshot %v", v.name, id)
	}
	return head, err
}

// Snapshot implements [api.Hub].
func (h *Hub) Snapshot(ctx context.Context, v cas.VolumeID, id cas.ID) (api.Snapshot, error) {
	if err := h.enter(); err != nil {
		return api.Snapshot{}, err
	}
	defer h.leave()
	s, err := h.snapshot(ctx, v, id)
	return s, wire(err)
}

func (h *Hub) snapshot(ctx context.Context, id cas.VolumeID, snapshot cas.ID) (api.Snapshot, error) {
	v, err := h.reach(ctx, id, api.RightRead)
	if err != nil {
		return api.Snapshot{}, err
	}
	head, err := h.findSnapshot(v, snapshot)
	if err != nil {
		return api.Snapshot{}, err
	}
	answer := api.Snapshot{ID: head.Snapshot}
	refs := []cas.Ref{{Kind: cas.Snapshot, ID: head.Snapshot}}
	err = h.store.Get(ctx, own(v.id), refs, func(b cas.Blob) (err error) {
		answer.Record, err = manifest.DecodeSnapshot(b.Plain())
		return err
	})
	if err != nil {
		return api.Snapshot{}, fmt.Errorf("snapshot %v: %w", head.Snapshot, err)
	}
	return answer, nil
}

// Status implements [api.Hub].
func (h *Hub) Status(ctx context.Context, id cas.VolumeID) (api.Status, error) {
	if err := h.enter(); err != nil {
		return api.Status{}, err
	}
	defer h.leave()
	v, err := h.reach(ctx, id, api.RightRead)
	if err != nil {
		return api.Status{}, err
	}
	if err := h.sweep(); err != nil {
		return api.Status{}, wire(err)
	}
	now := h.standOf(v)
	return api.Status{
		Volume:    api.Volume{ID: id, Name: v.name, Head: now.head},
		Conflicts: now.open,
		Settled:   now.settled,
		Sessions:  h.running(api.CallerOf(ctx), id),
	}, nil
}
