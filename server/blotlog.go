package server

import (
	"context"
	"fmt"
	"log/slog"

	"dfs/server/api"
)

// blotted is a handler of log records that leaves nothing of secrets in them: a request may have one in any place.
type blotted struct{ slog.Handler }

// Handle implements [slog.Handler].
func (b blotted) Handle(ctx context.Context, r slog.Record) error {
	clean := slog.NewRecord(r.Time, r.Level, api.Blot(r.Message), r.PC)
	r.Attrs(func(a slog.Attr) bool {
		clean.AddAttrs(blotAttr(a))
		return true
	})
	return b.Handler.Handle(ctx, clean)
}

// WithAttrs implements [slog.Handler].
func (b blotted) WithAttrs(attrs []slog.Attr) slog.Handler {
	clean := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		clean[i] = blotAttr(a)
	}
	return blotted{b.Handler.WithAttrs(clean)}
}

// WithGroup implements [slog.Handler].
func (b blotted) WithGroup(name string) slog.Handler { return blotted{b.Handler.WithGroup(name)} }

// blotAttr returns an attribute without secrets; one of another kind than a text only where its text has some becomes that.
func blotAttr(a slog.Attr) slog.Attr {
	switch v := a.Value.Resolve(); v.Kind() {
	case slog.KindString:
		return slog.String(a.Key, api.Blot(v.String()))
	case slog.KindAny:
		text := fmt.Sprint(v.Any())
		if clean := api.Blot(text); clean != text {
			return slog.String(a.Key, clean)
		}
	}
	return a
}
