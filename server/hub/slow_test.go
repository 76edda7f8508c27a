package hub

import (
	"context"
	"fmt"
	"testing"

	"dfs/cas"
	"dfs/server/events"
)

// TestSlowSubscriber: one that never reads costs neither a push anything nor who reads an event.
func TestSlowSubscriber(t *testing.T) {
	t.Parallel()
	const uploads = 50
	var bus events.Bus
	defer bus.Close()
	events.Subscribe[events.Event](&bus, 1)
	reading := events.Subscribe[events.BlobsReceived](&bus, uploads)
	h := openTest(t, t.TempDir(), nil, Options{Events: &bus})
	c := newClient(h, newTestVolume(t, h))
	s, err := c.start(t.Context(), randomID())
	if err != nil {
		t.Fatal(err)
	}
	for i := range uploads {
		_, blob := file(fmt.Sprint(i))
		if err := h.Upload(t.Context(), s.Session, []cas.Blob{blob}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range uploads {
		e, err := reading.Next(t.Context())
		if got, ok := e.(events.BlobsReceived); !ok || got.TotalBlobs != int64(i+1) || err != nil {
			t.Fatalf("event %d is %+v: %v", i, e, err)
		}
	}
}

// BenchmarkUploadEvents is an upload of 16 chunks of 64 KiB that the hub has: with nobody on
// the bus, with one who reads, and with ten who do not.
func BenchmarkUploadEvents(b *testing.B) {
	var blobs []cas.Blob
	for i := range 16 {
		blobs = append(blobs, cas.Seal(cas.Chunk, append(make([]byte, 64<<10), byte(i))))
	}
	for name, subscribe := range map[string]func(*events.Bus){
		"none": func(*events.Bus) {},
		"one": func(bus *events.Bus) {
			go events.Each(context.Background(), events.Subscribe[events.Event](bus, 0), func(events.Event) {})
		},
		"ten asleep": func(bus *events.Bus) {
			for range 10 {
				events.Subscribe[events.Event](bus, 0)
			}
		},
	} {
		b.Run(name, func(b *testing.B) {
			var bus events.Bus
			defer bus.Close()
			h := openTest(b, b.TempDir(), nil, Options{Events: &bus})
			id := randomID()
			if _, err := h.CreateVolume(b.Context(), "docs", id); err != nil {
				b.Fatal(err)
			}
			s, err := newClient(h, id).start(b.Context(), randomID())
			if err != nil {
				b.Fatal(err)
			}
			if err := h.Upload(b.Context(), s.Session, blobs); err != nil {
				b.Fatal(err)
			}
			subscribe(&bus)
			b.ReportAllocs()
			for b.Loop() {
				if err := h.Upload(b.Context(), s.Session, blobs); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
