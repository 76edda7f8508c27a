package progress_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"dfs/cas"
	"dfs/server/api"
	"dfs/server/component/progress"
	"dfs/server/events"
)

var (
	id   = cas.VolumeID{1}
	zero = time.Unix(1e9, 0)
)

func after(seconds float64) time.Time { return zero.Add(time.Duration(seconds * float64(time.Second))) }

// saw returns a tracker that saw the events.
func saw(all ...events.Event) *progress.Tracker {
	var bus events.Bus
	t, sub := progress.New(), events.Subscribe[events.Event](&bus, len(all)+1)
	for _, e := range all {
		bus.Publish(e)
	}
	bus.Close()
	t.Run(context.Background(), sub)
	return t
}

func received(seconds float64, total int64) events.Event {
	return events.BlobsReceived{Session: id, Blobs: 1, TotalBytes: total, At: after(seconds)}
}

func TestTransfer(t *testing.T) {
	begun := []events.Event{
		events.SessionStarted{Session: id, At: after(0)},
		events.BlobsNamed{Session: id, Known: 3, New: 4}, events.BlobsNamed{Session: id, Known: 2},
		events.UploadStarted{Session: id, At: after(0)},
	}
	stated := append([]events.Event{events.SessionStarted{Session: id, Bytes: 4000}}, begun[1:]...)
	many := append([]events.Event{}, begun...) // 100 bytes every 10 ms for 100 s: 10 kB/s
	for i := 1; i <= 10_000; i++ {
		many = append(many, received(float64(i)/100, int64(i)*100))
	}
	for _, c := range []struct {
		name   string
		events []events.Event
		now    float64
		want   string
	}{
		{"nothing came", begun, 1, `{"known":5,"new":4,"total_bytes":null,"percent":null,"rate":null,"eta_s":null}`},
		{"no total", append(begun, received(2, 1000)), 2, `{"known":5,"new":4,"total_bytes":null,"percent":null,"rate":500,"eta_s":null}`},
		{"a total", append(stated, received(2, 1000)), 2, `{"known":5,"new":4,"total_bytes":4000,"percent":25,"rate":500,"eta_s":6}`},
		{"a later total", append(stated, received(2, 1000), events.UploadExpected{Session: id, Bytes: 2000}), 2, `{"known":5,"new":4,"total_bytes":2000,"percent":50,"rate":500,"eta_s":2}`},
		{"more than the total", append(stated, received(2, 5000)), 2, `{"known":5,"new":4,"total_bytes":4000,"percent":100,"rate":2500,"eta_s":0}`},
		{"all came", append(begun, received(2, 1000), events.UploadCompleted{Session: id}), 2, `{"known":5,"new":4,"total_bytes":null,"percent":100,"rate":500,"eta_s":0}`},
		{"standing still", append(stated, received(2, 1000)), 20, `{"known":5,"new":4,"total_bytes":4000,"percent":25,"rate":0,"eta_s":null}`},
		{"for long", many, 100, `{"known":5,"new":4,"total_bytes":null,"percent":null,"rate":10000,"eta_s":null}`},
	} {
		got, err := json.Marshal(saw(c.events...).Of(id, after(c.now)))
		if err != nil || string(got) != c.want {
			t.Errorf("%s: %s, not %s: %v", c.name, got, c.want, err)
		}
	}
}

func TestSessionsEnd(t *testing.T) {
	tracker := saw(received(1, 10), events.SessionStateChanged{Session: id, To: api.ApplyingChanges})
	if tracker.Of(id, after(1)) == nil {
		t.Error("a session that goes on is not known")
	}
	tracker = saw(received(1, 10), events.SessionStateChanged{Session: id, To: api.Complete})
	if got := tracker.Of(id, after(1)); got != nil {
		t.Errorf("%+v", got)
	}
}
