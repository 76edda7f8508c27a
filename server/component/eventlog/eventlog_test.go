package eventlog_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"

	"dfs/cas"
	"dfs/server/api"
	"dfs/server/component/eventlog"
	"dfs/server/events"
)

var at = time.Unix(1e9, 0).UTC()

// written returns what a handler of a kind writes about the events.
func written(kind func(*bytes.Buffer) slog.Handler, all ...events.Event) string {
	var bus events.Bus
	var to bytes.Buffer
	sub := events.Subscribe[events.Event](&bus, len(all))
	for _, e := range all {
		bus.Publish(e)
	}
	bus.Close()
	eventlog.Run(context.Background(), sub, kind(&to))
	return to.String()
}

func text(level slog.Level) func(*bytes.Buffer) slog.Handler {
	return func(b *bytes.Buffer) slog.Handler {
		return slog.NewTextHandler(b, &slog.HandlerOptions{Level: level})
	}
}

func TestText(t *testing.T) {
	got := written(text(slog.LevelDebug),
		events.SessionStateChanged{To: api.Idle, At: at},
		events.CommitCompleted{Volume: cas.VolumeID{15: 3}, Head: api.Head{Seq: 7}, Merged: true, At: at},
		events.ConflictDetected{Path: "a b\n\xff", At: at})
	for _, want := range []string{
		"time=2001-09-09T01:46:40.000Z level=DEBUG msg=session_state_changed session=00000000000000000000000000000000 ",
		" to=IDLE\n",
		"level=INFO msg=commit_completed ",
		" volume=00000000000000000000000000000003 ",
		" head.seq=7 ",
		" merged=true ",
		` path="a b\n\xff" `,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if strings.Contains(got, "from=") || strings.Count(got, "\n") != 3 {
		t.Error(got)
	}
}

func TestJSON(t *testing.T) {
	got := written(func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
		events.BlobsReceived{At: at}, // for debugging
		events.BlobDamaged{Volume: cas.VolumeID{15: 3}, Path: "\xff", Blob: cas.ID{31: 9}, At: at})
	var line struct {
		Time, Level, Msg, Volume, Blob string
		Path                           struct{ Bytes []byte }
	}
	if err := json.Unmarshal([]byte(got), &line); err != nil {
		t.Fatalf("%s: %v", got, err)
	}
	if line.Level != "ERROR" || line.Msg != "blob_damaged" || line.Volume != (cas.VolumeID{15: 3}).String() ||
		line.Blob != (cas.ID{31: 9}).String() || string(line.Path.Bytes) != "\xff" || line.Time != "2001-09-09T01:46:40Z" {
		t.Errorf("%s", got)
	}
}

// TestLevels: with warnings alone nothing is written of what goes well.
func TestLevels(t *testing.T) {
	got := written(text(slog.LevelWarn), events.SnapshotCommitted{}, events.Lost{Count: 2}, events.Brake{}, events.RequestRefused{})
	if strings.Count(got, "\n") != 2 || !strings.Contains(got, "msg=lost count=2") || !strings.Contains(got, "msg=brake") {
		t.Error(got)
	}
}
