package client_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"dfs/client"
	"dfs/server/api"
)

// settlesNothing is a hub on which something has always moved meanwhile.
type settlesNothing struct{ inProcess }

func (settlesNothing) Commit(context.Context, api.CommitRequest) (api.CommitAnswer, error) {
	return api.CommitAnswer{}, api.ErrMoved
}

// givenWay returns two replicas, of which b conflicted at f with "of b, longer", gave way, and pulled what a has, while
// something on the hub moved, so that the conflict is still open.
func givenWay(t *testing.T, h api.Hub) (a, b string, write func(dir, text string)) {
	a, b = t.TempDir(), t.TempDir()
	write = func(dir, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, "f"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(a, "one")
	mustPush(t, config(h, a))
	mustPull(t, config(h, b))
	write(a, "of a")
	mustPush(t, config(h, a))
	write(b, "of b, longer")
	if res, err := client.Push(t.Context(), config(h, b)); err != nil || len(res.Conflicts) != 1 {
		t.Fatalf("push: %+v, %v", res, err)
	}
	if err := os.Remove(filepath.Join(b, "f")); err != nil {
		t.Fatal(err)
	}
	moving := config(h, b)
	moving.Dial = func(context.Context, string) (client.Conn, error) { return settlesNothing{inProcess{h}}, nil }
	mustPull(t, moving)
	return a, b, write
}

// TestResolvedAfterGivingWay: a replica that gave way has its conflict, which is still open, settled with what was its
// own. That is what all get: the version that it pulled is no edit.
func TestResolvedAfterGivingWay(t *testing.T) {
	h := openHub(t)
	a, b, _ := givenWay(t, h)
	if _, err := client.Resolve(t.Context(), config(h, b), client.Resolution{Names: []string{"f"}, Take: "ours"}); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{b, a, b} {
		if res, err := client.Sync(t.Context(), config(h, dir)); err != nil || len(res.Conflicts) > 0 {
			t.Fatalf("sync: %+v, %v", res, err)
		}
	}
	for _, dir := range []string{a, b} {
		if data, _ := fileData(content(t, dir)["f"]); data != "of b, longer" {
			t.Errorf("%s has %q", filepath.Base(dir), data)
		}
	}
}

// TestWithdrawn: each command withdraws the conflict of a replica that gave way.
func TestWithdrawn(t *testing.T) {
	for name, run := range map[string]func(context.Context, client.Config) (*client.Result, error){
		"push": client.Push, "pull": client.Pull, "sync": client.Sync,
	} {
		t.Run(name, func(t *testing.T) {
			h := openHub(t)
			_, b, _ := givenWay(t, h)
			if c := conflictOf(t, h); !c.Open {
				t.Fatalf("before: %+v", c)
			}
			if res, err := run(t.Context(), config(h, b)); err != nil || res.Settled != 1 {
				t.Errorf("%+v: %v", res, err)
			}
			if c := conflictOf(t, h); c.Take != api.Withdrawn {
				t.Errorf("after: %+v", c)
			}
		})
	}
}

// conflictOf returns the only conflict of the volume.
func conflictOf(t *testing.T, h api.Hub) (only api.Conflict) {
	t.Helper()
	volumes, err := h.Volumes(t.Context(), "v")
	if err != nil {
		t.Fatal(err)
	}
	for c, err := range h.Conflicts(t.Context(), api.ConflictsRequest{Volume: volumes[0].ID, All: true}) {
		if err != nil || !only.ID.IsZero() {
			t.Fatalf("%+v and %+v: %v", only, c, err)
		}
		only = c
	}
	return only
}

// TestPutBackIsNotWithdrawn: a replica that gave way has what it had again. A pull leaves the conflict open, and a push settles it.
func TestPutBackIsNotWithdrawn(t *testing.T) {
	h := openHub(t)
	_, b, write := givenWay(t, h)
	write(b, "of b, longer")
	mustPull(t, config(h, b))
	if c := conflictOf(t, h); !c.Open {
		t.Errorf("after a pull: %+v", c)
	}
	mustPush(t, config(h, b))
	if c := conflictOf(t, h); c.Take != api.ByEdit {
		t.Errorf("after a push: %+v", c)
	}
}
