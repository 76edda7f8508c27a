package remote_test

import (
	"sync"
	"testing"
	"time"

	"dfs/client/remote"
	"dfs/server"
	"dfs/server/api"
	"dfs/server/events"
)

// TestWaitOutlastsStall waits for a head longer than the time after which a silent connection is
// cut, and than the first answer is waited for, at a server that gives no sign of life.
func TestWaitOutlastsStall(t *testing.T) {
	const short = time.Second
	hub := openHub(t)
	v, err := hub.CreateVolume(t.Context(), "docs", random())
	if err != nil {
		t.Fatal(err)
	}
	url := serve(t, server.New(hub, server.Options{Beat: time.Hour}))
	for name, opts := range map[string]remote.Options{"stall": {Stall: short}, "first answer": {First: short}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, err := remote.New(url, opts)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = h.Close() })
			began := time.Now()
			for c, err := range h.Changes(t.Context(), api.ChangesRequest{Volume: v.ID, From: v.Head.Snapshot, Wait: 4 * short}) {
				t.Errorf("%+v, %v", c, err)
			}
			if took := time.Since(began); took < 4*short {
				t.Errorf("it waited for %v", took)
			}
			// A wait in one piece would be cut, and asked for again, twice. Once may be for a machine that stood still.
			if got := h.Traffic(); got.Retries > 1 || got.Requests < 2 || got.Requests > 20 {
				t.Errorf("%+v", got)
			}
		})
	}
}

// TestWaitIsNotRefused has more wait for a head than the hub lets one client: who is told to come again does, and
// sees no error.
func TestWaitIsNotRefused(t *testing.T) {
	hub := openHub(t)
	v, err := hub.CreateVolume(t.Context(), "docs", random())
	if err != nil {
		t.Fatal(err)
	}
	limits := api.DefaultLimits()
	limits.Connections = 8 // half of whose three quarters may wait
	bus := new(events.Bus)
	refused := events.Subscribe[events.RequestRefused](bus, 64)
	url := serve(t, server.New(hub, server.Options{Limits: limits, Bus: bus}))
	var all sync.WaitGroup
	for range 4 {
		h := dial(t, url, remote.Options{})
		all.Go(func() {
			for c, err := range h.Changes(t.Context(), api.ChangesRequest{Volume: v.ID, From: v.Head.Snapshot, Wait: time.Second}) {
				t.Errorf("%+v, %v", c, err)
			}
		})
	}
	if e, err := refused.Next(t.Context()); err != nil || e.(events.RequestRefused).Code != api.ErrTooMany.Code {
		t.Errorf("%+v, %v", e, err)
	}
	all.Wait()
}
