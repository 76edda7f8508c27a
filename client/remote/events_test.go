package remote_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"dfs/cas"
	"dfs/client/remote"
	"dfs/server"
	"dfs/server/api"
	"dfs/server/component/feed"
	"dfs/server/events"
)

// TestEvents: a reader whose connection is cut again and again gets each event once, in order.
func TestEvents(t *testing.T) {
	const many = 100
	var bus events.Bus
	f := feed.New(2 * many)
	go f.Run(context.Background(), events.Subscribe[events.Event](&bus, 2*many))
	defer bus.Close()
	p := newProxy(t, serve(t, server.New(openHub(t), server.Options{Feed: f})), 0)
	h := dial(t, p.url, remote.Options{})
	enough := errors.New("enough")
	var got []string
	cuts := 0
	publish := func() { bus.Publish(events.VolumeCreated{Name: fmt.Sprint(len(got))}) }
	err := h.Events(t.Context(), cas.VolumeID{}, publish, func(e remote.Event) error {
		got = append(got, string(e.Data))
		if e.Type != "volume_created" || e.ID == "" {
			t.Errorf("%+v", e)
		}
		if len(got) == many {
			return enough
		}
		if len(got)%30 == 1 {
			cuts += p.done()
			p.cut(down, 1000)
		}
		publish()
		return nil
	})
	if !errors.Is(err, enough) {
		t.Fatal(err)
	}
	var want []string
	for n := range many {
		form, err := events.Encode(events.VolumeCreated{Name: fmt.Sprint(n)})
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, string(form))
	}
	if !slices.Equal(got, want) {
		t.Errorf("%d events: %q", len(got), got)
	}
	if cuts += p.done(); cuts < 2 {
		t.Errorf("%d cuts", cuts)
	}
}

func TestEventsEnd(t *testing.T) {
	f := feed.New(1)
	h := dial(t, serve(t, server.New(openHub(t), server.Options{Feed: f})), remote.Options{})
	nothing := func(remote.Event) error { return nil }
	ctx, cancel := context.WithCancel(t.Context())
	if err := h.Events(ctx, cas.VolumeID{}, cancel, nothing); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end of its context: %v", err)
	}
	if err := h.Events(t.Context(), cas.VolumeID{9}, func() {}, nothing); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("of a volume that is not there: %v", err)
	}
	none := dial(t, serve(t, server.New(openHub(t), server.Options{})), remote.Options{Patience: time.Millisecond})
	if err := none.Events(t.Context(), cas.VolumeID{}, func() {}, nothing); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("of a hub that tells none: %v", err)
	}
}
