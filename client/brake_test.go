package client_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"dfs/cas"
	"dfs/client"
	"dfs/server/events"
	"dfs/server/hub"
)

// TestBrakeIsTold: the hub hears of a push, a pull and a sync that a brake ended, and of no other.
func TestBrakeIsTold(t *testing.T) {
	t.Parallel()
	var bus events.Bus
	braked := events.Subscribe[events.Brake](&bus, 0)
	h, err := hub.Open(t.TempDir(), hub.Options{
		Events: &bus, Store: func(string) (cas.Store, error) { return new(cas.Mem), nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	one, two := filepath.Join(t.TempDir(), "one"), filepath.Join(t.TempDir(), "two")
	if err := os.Mkdir(one, 0o755); err != nil {
		t.Fatal(err)
	}
	file := func(n int) string { return filepath.Join(one, fmt.Sprint("file", n)) }
	for n := range 30 {
		if err := os.WriteFile(file(n), []byte{byte(n)}, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	mustPush(t, config(h, one))
	mustPull(t, config(h, two))
	for n := range 29 {
		if err := os.Remove(file(n)); err != nil {
			t.Fatal(err)
		}
	}
	stopped := func(_ *client.Result, err error) {
		t.Helper()
		var brake *client.BrakeError
		if !errors.As(err, &brake) {
			t.Errorf("error %v is no brake", err)
		}
	}
	stopped(client.Push(t.Context(), config(h, one)))
	stopped(client.Sync(t.Context(), config(h, one)))
	dry := config(h, one)
	dry.DryRun = true
	stopped(client.Push(t.Context(), dry))
	all := config(h, one)
	all.MaxDelete = client.DeleteLimit{Given: true, Percent: 100}
	mustPush(t, all)
	stopped(client.Pull(t.Context(), config(h, two)))
	bus.Close()
	for range 3 {
		if e, err := braked.Next(t.Context()); err != nil {
			t.Errorf("event %+v: %v", e, err)
		}
	}
	if e, err := braked.Next(t.Context()); !errors.Is(err, io.EOF) {
		t.Errorf("event %+v: %v", e, err)
	}
}
