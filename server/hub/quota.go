package hub

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"dfs/cas"
	"dfs/server/api"
	"dfs/server/events"
)

// quotaOf names what a quota is about.
type quotaOf struct {
	client bool
	id     cas.VolumeID
}

// quotaRecord is the value of a quota's key.
type quotaRecord struct {
	Bytes int64 `json:"bytes"`
	Files int64 `json:"files"`
}

func (h *Hub) loadQuotas() error {
	return h.meta.each([]byte{keyQuota}, false, func(key, value []byte) error {
		var rec quotaRecord
		if err := decodeRecord(key, value, &rec); err != nil {
			return err
		}
		q := quotaOf{client: key[1] == quotaClient}
		copy(q.id[:], key[2:])
		h.quotas[q] = rec
		return nil
	})
}

// SetQuota implements [api.Hub].
func (h *Hub) SetQuota(ctx context.Context, q api.Quota) error {
	if err := h.enter(); err != nil {
		return err
	}
	defer h.leave()
	return wire(h.setQuota(ctx, q))
}

func (h *Hub) setQuota(ctx context.Context, q api.Quota) error {
	of := quotaOf{client: !q.Client.IsZero(), id: cmp.Or(q.Client, q.Volume)}
	switch {
	case !api.CallerOf(ctx).MayAll(api.RightAdmin):
		return refuse(api.ErrForbidden, "to set quotas takes the administration of the hub")
	case q.Volume.IsZero() == q.Client.IsZero():
		return refuse(api.ErrInvalid, "a quota is about a volume or about a client")
	case q.Bytes < 0 || q.Files < 0:
		return refuse(api.ErrInvalid, "a quota of %d bytes and %d files", q.Bytes, q.Files)
	}
	if !of.client {
		if _, err := h.volume(of.id); err != nil {
			return err
		}
	}
	rec := quotaRecord{q.Bytes, q.Files}
	write := kv{key: quotaKey(of)}
	if rec != (quotaRecord{}) {
		var err error
		if write, err = put(write.key, rec); err != nil {
			return err
		}
	}
	if err := h.meta.write(write); err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.quotas[of] = rec; rec == (quotaRecord{}) {
		delete(h.quotas, of)
	}
	return nil
}

// Quotas implements [api.Hub].
func (h *Hub) Quotas(ctx context.Context) ([]api.Quota, error) {
	if err := h.enter(); err != nil {
		return nil, err
	}
	defer h.leave()
	caller := api.CallerOf(ctx)
	h.mu.Lock()
	defer h.mu.Unlock()
	var list []api.Quota
	for of, rec := range h.quotas {
		q := api.Quota{Bytes: rec.Bytes, Files: rec.Files, Used: h.used(of)}
		switch {
		case of.client && (caller.MayAll(api.RightAdmin) || caller.ID() == of.id):
			q.Client = of.id
		case !of.client && caller.May(of.id, api.RightRead):
			q.Volume = of.id
		default:
			continue
		}
		list = append(list, q)
	}
	slices.SortFunc(list, func(a, b api.Quota) int {
		return cmp.Or(slices.Compare(a.Client[:], b.Client[:]), slices.Compare(a.Volume[:], b.Volume[:]))
	})
	return list, nil
}

// Usage returns what the head of a volume holds, ErrNotFound for an unknown one.
func (h *Hub) Usage(ctx context.Context, id cas.VolumeID) (api.Usage, error) {
	v, err := h.reach(ctx, id, api.RightRead)
	if err != nil {
		return api.Usage{}, err
	}
	return h.usageOf(v), nil
}

// covers reports whether what of names has the volume.
func (q quotaOf) covers(v *volume) bool {
	if q.client {
		return v.owner == q.id
	}
	return v.id == q.id
}

// used returns what the heads of all volumes of a quota hold. The caller holds mu.
func (h *Hub) used(of quotaOf) (u api.Usage) {
	for _, v := range h.volumes {
		if of.covers(v) {
			u = plus(u, v.usage)
		}
	}
	return u
}

// bounds returns the quotas that the volume is under. The caller holds mu.
func (h *Hub) bounds(v *volume) []quotaOf {
	var all []quotaOf
	for _, of := range []quotaOf{{false, v.id}, {true, v.owner}} {
		if _, ok := h.quotas[of]; ok {
			all = append(all, of)
		}
	}
	return all
}

// name names a quota for people. The caller holds mu.
func (h *Hub) name(of quotaOf) string {
	if of.client {
		return fmt.Sprintf("quota of client %v", of.id)
	}
	return fmt.Sprintf("quota of volume %q", h.volumes[of.id].name)
}

// admitHead refuses a tree of usage then as the volume's head when that has more than it may. Else the volume is
// promised that much until endPromise, so that what commits to other volumes do meanwhile does not add up to more
// than a quota. It waits while only the promises of others are in the way, of which nothing may come.
func (h *Hub) admitHead(ctx context.Context, v *volume, then api.Usage) error {
	for {
		ended, err := h.promise(ctx, v, then)
		if ended == nil || err != nil {
			return err
		}
		select {
		case <-ended:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// promise is admitHead that, instead of waiting, returns what to wait for.
func (h *Hub) promise(ctx context.Context, v *volume, then api.Usage) (ended <-chan struct{}, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case then.Entries > h.limits.Entries && then.Entries > v.usage.Entries:
		return nil, refuse(api.ErrTooLarge, "commit: volume %q would have %d entries, more than %d", v.name, then.Entries, h.limits.Entries)
	case then.Bytes > maxBytes:
		return nil, refuse(api.ErrTooLarge, "commit: volume %q would have more than %d bytes", v.name, int64(maxBytes))
	}
	const how = "would be with this commit"
	moreBytes, moreFiles := then.Bytes > v.usage.Bytes, then.Files > v.usage.Files
	for _, of := range h.bounds(v) {
		q, now, soon := h.quotas[of], then, then
		for _, other := range h.volumes {
			if other != v && of.covers(other) {
				now = plus(now, other.usage)
				soon = plus(soon, api.Usage{Bytes: max(other.usage.Bytes, other.promised.Bytes), Files: max(other.usage.Files, other.promised.Files)})
			}
		}
		switch {
		case moreBytes && q.Bytes > 0 && now.Bytes > q.Bytes:
			return nil, h.exceeded(ctx, of, v, "bytes", now.Bytes, how)
		case moreFiles && q.Files > 0 && now.Files > q.Files:
			return nil, h.exceeded(ctx, of, v, "files", now.Files, how)
		case moreBytes && q.Bytes > 0 && soon.Bytes > q.Bytes, moreFiles && q.Files > 0 && soon.Files > q.Files:
			ended = h.fulfilled
		}
	}
	if ended == nil {
		v.promised = then
	}
	return ended, nil
}

// endPromise ends what admitHead promised the volume, if anything, once that is its head or never will be.
func (h *Hub) endPromise(v *volume) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if v.promised == (api.Usage{}) {
		return
	}
	v.promised = api.Usage{}
	close(h.fulfilled)
	h.fulfilled = make(chan struct{})
}

// exceeded returns the refusal of a request that was to add to v, with which there would be so many bytes or
// files, and says on the bus that there was one. What a client has in all its volumes is told to it and to who
// administers the hub, and not to others who may use one of them. The caller holds mu.
func (h *Hub) exceeded(ctx context.Context, of quotaOf, v *volume, what string, wanted int64, how string) error {
	limit, used := h.quotas[of].Bytes, h.used(of).Bytes
	if what == "files" {
		limit, used = h.quotas[of].Files, h.used(of).Files
	}
	at := h.now().UTC()
	if of.client {
		h.events.Publish(events.ClientQuotaExceeded{Client: of.id, To: v.id, Of: what, Limit: limit, Wanted: wanted, At: at})
		if caller := api.CallerOf(ctx); !caller.MayAll(api.RightAdmin) && caller.ID() != of.id {
			return refuse(api.ErrQuota, "quota of the client that made volume %q: it does not allow so many %s", v.name, what)
		}
	} else {
		h.events.Publish(events.QuotaExceeded{Volume: v.id, Of: what, Limit: limit, Wanted: wanted, At: at})
	}
	return refuse(api.ErrQuota, "%s: %s, of which %s are used, and %s %s", h.name(of), amount(limit, what), amount(used, what), amount(wanted, what), how)
}

// amount writes so many bytes or files for people: "3 files", "1.0 MiB (1048576 bytes)".
func amount(n int64, what string) string {
	if what == "bytes" && n >= 1024 {
		return fmt.Sprintf("%s (%d bytes)", api.Size(n), n)
	}
	return fmt.Sprintf("%d %s", n, what)
}
