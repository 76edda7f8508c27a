package alarm_test

import (
	"context"
	"testing"
	"time"

	"dfs/cas"
	"dfs/server/api"
	"dfs/server/component/alarm"
	"dfs/server/events"
)

func TestLast(t *testing.T) {
	var bus events.Bus
	var k alarm.Keeper
	if a := k.Last(); a != nil {
		t.Errorf("before any: %+v", a)
	}
	sub := events.Subscribe[events.Event](&bus, 0)
	at := time.Unix(1e9, 0).UTC()
	bus.Publish(events.BlobDamaged{Volume: cas.VolumeID{1}, Path: "a", Detail: "has other bytes", At: at})
	bus.Publish(events.BlobsVerified{Damaged: 1, At: at})
	bus.Publish(events.BlobDamaged{Volume: cas.VolumeID{2}, Detail: "is gone", At: at.Add(time.Second)})
	bus.Close()
	k.Run(context.Background(), sub)
	want := api.Alarm{Volume: cas.VolumeID{2}, Detail: "is gone", Count: 2, At: at.Add(time.Second)}
	if a := k.Last(); a == nil || *a != want {
		t.Errorf("%+v, want %+v", a, want)
	}
}
