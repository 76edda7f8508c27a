package hub

import (
	"errors"
	"fmt"
	"testing"

	"dfs/cas"
	"dfs/server/api"
)

// cramped is a store whose disk is as full as the test says.
type cramped struct {
	*cas.Mem
	room error
}

func (c *cramped) Room() error { return c.room }
func (c *cramped) Full() error { return nil }

func TestReady(t *testing.T) {
	store := &cramped{Mem: &cas.Mem{}}
	h, err := Open(t.TempDir(), Options{Store: func(string) (cas.Store, error) { return store, nil }})
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Ready(t.Context()); err != nil {
		t.Errorf("a new hub: %v", err)
	}
	store.room = fmt.Errorf("%w: 1 byte is free", cas.ErrNoSpace)
	if err := h.Ready(t.Context()); !errors.Is(err, api.ErrNoSpace) {
		t.Errorf("without room: %v", err)
	}
	store.room = nil
	if err := h.Ready(t.Context()); err != nil {
		t.Errorf("with room again: %v", err)
	}
	h.poison.set(errors.New("the disk fails"))
	if err := h.Ready(t.Context()); !errors.Is(err, api.ErrPoisoned) {
		t.Errorf("after an I/O error: %v", err)
	}
	_ = h.Close()
	if err := h.Ready(t.Context()); !errors.Is(err, api.ErrBusy) {
		t.Errorf("closed: %v", err)
	}
}

// TestAccessToLists has callers list and end sessions of volumes that they may and may not see.
func TestAccessToLists(t *testing.T) {
	h := openTest(t, t.TempDir(), nil, Options{})
	v := newTestVolume(t, h)
	start, err := newClient(h, v).start(t.Context(), randomID())
	if err != nil {
		t.Fatal(err)
	}
	as := func(r api.Right) *api.Caller {
		return &api.Caller{Client: randomID(), Grants: api.Grants{Volumes: map[cas.VolumeID]api.Right{v: r, randomID(): api.RightAdmin}}}
	}
	absent := cas.VolumeID{9}
	for _, r := range []api.Right{api.RightNone, api.RightRead, api.RightWrite, api.RightAdmin} {
		ctx := api.WithCaller(t.Context(), as(r))
		all, err := h.Sessions(ctx, cas.VolumeID{})
		if err != nil || (len(all) == 1) != (r >= api.RightRead) {
			t.Errorf("%v: sessions: %v, %v", r, all, err)
		}
		_, err = h.Sessions(ctx, v)
		_, err2 := h.Snapshots(ctx, api.SnapshotsRequest{Volume: v})
		err3 := h.AbortSession(ctx, start.Session)
		switch {
		case r == api.RightNone:
			_, none := h.Snapshots(ctx, api.SnapshotsRequest{Volume: absent})
			if !errors.Is(err, api.ErrNotFound) || !errors.Is(err2, api.ErrNotFound) || !errors.Is(err3, api.ErrNoSession) ||
				err2.Error() != fmt.Sprintf("no volume %v", v) || none.Error() != fmt.Sprintf("no volume %v", absent) {
				t.Errorf("%v: %v, %v, %v, %v", r, err, err2, err3, none)
			}
		case r == api.RightAdmin:
			if err != nil || err2 != nil || err3 != nil {
				t.Errorf("%v: %v, %v, %v", r, err, err2, err3)
			}
		case err != nil || err2 != nil || !errors.Is(err3, api.ErrForbidden):
			t.Errorf("%v: %v, %v, %v", r, err, err2, err3)
		}
	}
}
