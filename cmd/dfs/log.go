package main

import (
	"errors"
	"log/slog"
)

// logFormat is a flag's value that names the form of a log: text or JSON.
type logFormat struct{ json bool }

// Set implements [pflag.Value].
func (f *logFormat) Set(s string) error {
	if s != "text" && s != "json" {
		return errors.New("not one of text, json")
	}
	f.json = s == "json"
	return nil
}

// String implements [pflag.Value].
func (f *logFormat) String() string {
	if f.json {
		return "json"
	}
	return "text"
}

// Type implements [pflag.Value].
func (f *logFormat) Type() string { return "format" }

// logger returns a log on stderr: of alarms alone, with -v also of what happens, twice of all.
func (o *output) logger(f logFormat) *slog.Logger {
	opts := &slog.HandlerOptions{Level: slog.LevelError}
	switch {
	case o.verbose == 1:
		opts.Level = slog.LevelInfo
	case o.verbose > 1:
		opts.Level = slog.LevelDebug
	}
	if f.json {
		return slog.New(slog.NewJSONHandler(o.stderr, opts))
	}
	return slog.New(slog.NewTextHandler(o.stderr, opts))
}
