package client_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"dfs/cas"
	"dfs/client"
	"dfs/server/events"
)

// heard runs fn with a bus and returns what was published of the directory: type and path.
func heard(t *testing.T, fn func(*events.Bus)) (list []string, all []events.Event) {
	t.Helper()
	var bus events.Bus
	sub := events.Subscribe[events.Event](&bus, 0)
	fn(&bus)
	bus.Close()
	for {
		e, err := sub.Next(t.Context())
		if errors.Is(err, io.EOF) {
			return list, all
		}
		if err != nil {
			t.Fatal(err)
		}
		line := e.Type() + " "
		switch e := e.(type) {
		case events.FileAdded:
			line += e.Kind + " " + string(e.Path)
		case events.FileModified:
			line += e.Kind + " " + string(e.Path)
		case events.FileDeleted:
			line += e.Kind + " " + string(e.Path)
		case events.FileMoved:
			line += e.Kind + " " + string(e.From) + " to " + string(e.Path)
		}
		list, all = append(list, line), append(all, e)
	}
}

// TestLocalChangesAreTold: whoever surveys the directory tells what changed there, and nothing else.
func TestLocalChangesAreTold(t *testing.T) {
	t.Parallel()
	h, dir := openHub(t), filepath.Join(t.TempDir(), "r")
	write := func(name, data string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(data), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	want := func(got []string, want ...string) {
		t.Helper()
		if !slices.Equal(got, want) {
			t.Fatalf("%q, not %q", got, want)
		}
	}
	push := func(change func(*client.Config)) ([]string, []events.Event) {
		t.Helper()
		return heard(t, func(bus *events.Bus) {
			cfg := config(h, dir)
			cfg.Events = bus
			change(&cfg)
			if _, err := client.Push(t.Context(), cfg); err != nil {
				t.Fatal(err)
			}
		})
	}
	as := func(*client.Config) {}
	write("d/gone", "x")
	write("edited", "one")
	write("ignored", "x")
	write("moves", "along")
	write("same", "x")
	got, first := push(func(cfg *client.Config) { cfg.Exclude = []string{"ignored"} })
	want(got, "file_added directory d", "file_added file d/gone", "file_added file edited", "file_added file moves", "file_added file same")
	got, _ = push(as)
	want(got)

	write("edited", "twenty")
	write("ignored", "y")
	write("new", "new")
	if err := errors.Join(os.Remove(filepath.Join(dir, "d/gone")), // which changes the mtime of d
		os.Rename(filepath.Join(dir, "moves"), filepath.Join(dir, "moved"))); err != nil {
		t.Fatal(err)
	}
	changes := []string{"file_deleted file d/gone", "file_modified file edited", "file_moved file moves to moved", "file_added file new"}
	got, _ = heard(t, func(bus *events.Bus) {
		cfg := config(h, dir)
		cfg.Events = bus
		if _, err := client.Inspect(t.Context(), cfg, false, func(client.Change) error { return nil }); err != nil {
			t.Fatal(err)
		}
	})
	want(got, changes...)
	got, second := push(as)
	want(got, changes...)

	added, modified := first[2].(events.FileAdded), second[1].(events.FileModified)
	if added.Size != 3 || modified.Size != 6 || modified.Base != added.Hash || modified.Hash == added.Hash || added.Hash == (cas.ID{}) {
		t.Errorf("%+v, then %+v", added, modified)
	}
	if deleted := second[0].(events.FileDeleted); deleted.Base != first[1].(events.FileAdded).Hash || deleted.Replica.IsZero() ||
		deleted.Replica != added.Replica || deleted.Volume != added.Volume || time.Since(deleted.At) > time.Hour {
		t.Errorf("%+v", deleted)
	}
	if moved := second[2].(events.FileMoved); moved.Base != first[3].(events.FileAdded).Hash || moved.Size != 5 || moved.Hash == (cas.ID{}) {
		t.Errorf("%+v", moved)
	}
}

// TestPullTellsNoChanges: what a pull does to the directory is no local change, and for those it
// does not look.
func TestPullTellsNoChanges(t *testing.T) {
	t.Parallel()
	h, one, two := openHub(t), filepath.Join(t.TempDir(), "one"), filepath.Join(t.TempDir(), "two")
	write := func(dir, data string) {
		t.Helper()
		if err := errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(filepath.Join(dir, "f"), []byte(data), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	send := func(data string) {
		t.Helper()
		write(one, data)
		if _, err := client.Push(t.Context(), config(h, one)); err != nil {
			t.Fatal(err)
		}
	}
	for i, data := range []string{"one", "three"} {
		send(data)
		got, _ := heard(t, func(bus *events.Bus) {
			cfg := config(h, two)
			cfg.Events = bus
			if _, err := client.Pull(t.Context(), cfg); err != nil {
				t.Fatal(err)
			}
			if _, err := client.Push(t.Context(), cfg); err != nil {
				t.Fatal(err)
			}
		})
		if len(got) > 0 {
			t.Fatalf("round %d: %q", i, got)
		}
	}
	send("theirs")
	write(two, "ours, longer")
	got, _ := heard(t, func(bus *events.Bus) {
		cfg := config(h, two)
		cfg.Events = bus
		if res, err := client.Pull(t.Context(), cfg); err != nil || len(res.Conflicts) != 1 {
			t.Fatalf("%+v: %v", res, err)
		}
	})
	if len(got) > 0 {
		t.Fatalf("in conflict: %q", got)
	}
}
