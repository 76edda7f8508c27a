package hub

import (
	"cmp"
	"context"
	"slices"

	"dfs/cas"
	"dfs/server/api"
)

// Overview implements [api.Hub].
func (h *Hub) Overview(ctx context.Context) (api.Overview, error) {
	if err := h.enter(); err != nil {
		return api.Overview{}, err
	}
	defer h.leave()
	o, err := h.overview(ctx)
	return o, wire(err)
}

func (h *Hub) overview(ctx context.Context) (o api.Overview, err error) {
	if !api.CallerOf(ctx).MayAll(api.RightAdmin) {
		return o, refuse(api.ErrForbidden, "how the hub fares is for those who administer it")
	}
	if err := h.sweep(); err != nil {
		return o, err
	}
	o = api.Overview{HubID: h.id, Opened: h.opened}
	if o.Store, err = h.StoreSize(); err != nil {
		return o, err
	}
	for _, t := range h.users.Tokens(ctx) {
		if !t.Revoked {
			o.Tokens++
		}
	}
	now := h.now()
	for _, i := range h.users.Invites(ctx) {
		if !i.Used && !i.Revoked && now.Before(i.Expires) {
			o.JoinKeys++
		}
	}
	o.Volumes = h.volumeOverviews()
	return o, nil
}

// volumeOverviews returns how each volume fares, in name order.
func (h *Hub) volumeOverviews() []api.VolumeOverview {
	sessions := make(map[cas.VolumeID]int)
	for _, s := range h.allSessions() {
		if info := s.info(); !ended(info.State) {
			sessions[info.Volume]++
		}
	}
	h.mu.Lock()
	list := make([]api.VolumeOverview, 0, len(h.volumes))
	for id, v := range h.volumes {
		list = append(list, api.VolumeOverview{
			Volume: api.Volume{ID: id, Name: v.name, Head: v.head},
			Owner:  v.owner, Usage: v.usage, Sessions: sessions[id], Conflicts: v.open,
		})
	}
	h.mu.Unlock()
	slices.SortFunc(list, func(a, b api.VolumeOverview) int { return cmp.Compare(a.Volume.Name, b.Volume.Name) })
	return list
}
