// Package eventlog writes a hub's events to a structured log: a record for each event, with the
// event's type as its message, its time, and its fields as they are named in its JSON form. An alarm is an
// error, what should not happen a warning, what happens with each transfer is for debugging.
package eventlog

import (
	"context"
	"log/slog"
	"reflect"
	"strings"
	"time"

	"dfs/server/api"
	"dfs/server/events"
)

// Run writes what s brings to the handler until s or ctx ends.
func Run(ctx context.Context, s *events.Subscription, to slog.Handler) {
	events.Each(ctx, s, func(e events.Event) {
		if level := levelOf(e); to.Enabled(ctx, level) {
			// A log that cannot be written has nobody to say so to.
			_ = to.Handle(ctx, record(level, e))
		}
	})
}

func levelOf(e events.Event) slog.Level {
	switch e.(type) {
	case events.BlobDamaged:
		return slog.LevelError
	case events.Lost, events.SessionExpired, events.SessionFailed, events.Brake, events.QuotaExceeded,
		events.SnapshotsUnverified, events.ClientQuotaExceeded, events.ConnectionCut:
		return slog.LevelWarn
	case events.VolumeCreated, events.SessionStarted, events.UploadCompleted, events.SnapshotCommitted, events.CommitCompleted,
		events.ConflictDetected, events.ConflictResolved, events.ClientRegistered:
		return slog.LevelInfo
	}
	return slog.LevelDebug
}

func record(level slog.Level, e events.Event) slog.Record {
	at := time.Now()
	attrs := attributes(reflect.ValueOf(e), &at)
	r := slog.NewRecord(at, level, e.Type(), 0)
	r.AddAttrs(attrs...)
	return r
}

// attributes returns the fields of a struct, but for the time of an event, which goes to at.
func attributes(v reflect.Value, at *time.Time) (attrs []slog.Attr) {
	for i := range v.NumField() {
		name, options, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		field := v.Field(i)
		if options == "omitempty" && field.IsZero() {
			continue
		}
		switch value := field.Interface().(type) {
		case time.Time:
			if name == "at" {
				*at = value
				continue
			}
			attrs = append(attrs, slog.Time(name, value))
		case api.Head:
			attrs = append(attrs, slog.GroupAttrs(name, attributes(field, at)...))
		default:
			attrs = append(attrs, slog.Any(name, value))
		}
	}
	return attrs
}
