package client_test

import (
	"context"
	"errors"
	"iter"
	"os"
	"path/filepath"
	"testing"

	"dfs/client"
	"dfs/server/api"
)

// severed is a hub that tells one conflict, and fails.
type severed struct{ api.Hub }

var errSevered = errors.New("severed")

func (s severed) Conflicts(ctx context.Context, req api.ConflictsRequest) iter.Seq2[api.Conflict, error] {
	return func(yield func(api.Conflict, error) bool) {
		for c, err := range s.Hub.Conflicts(ctx, req) {
			if yield(c, err) {
				yield(api.Conflict{}, errSevered)
			}
			return
		}
	}
}

// TestConflictsAsTheyCome: what the hub has told of a list is there before the rest, and where that does not come.
func TestConflictsAsTheyCome(t *testing.T) {
	h := openHub(t)
	a, b := t.TempDir(), t.TempDir()
	write := func(dir, text string) {
		for _, name := range []string{"f", "g"} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	write(a, "base")
	succeed(t, client.Push, config(h, a))
	succeed(t, client.Pull, config(h, b))
	write(a, "from a")
	write(b, "from b, longer")
	succeed(t, client.Push, config(h, a))
	succeed(t, client.Push, config(h, b))
	desk, err := client.OpenConflicts(t.Context(), config(severed{h}, b))
	if err != nil {
		t.Fatal(err)
	}
	defer desk.Close()
	list, err := collect(desk.List(t.Context(), false))
	if len(list) != 1 || list[0].Path != "f" || !errors.Is(err, errSevered) {
		t.Errorf("%+v, %v", list, err)
	}
	for c, err := range desk.List(t.Context(), false) {
		if c.Path != "f" || err != nil {
			t.Errorf("%+v, %v", c, err)
		}
		break
	}
}
