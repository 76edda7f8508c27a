package client_test

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"dfs/client"
	"dfs/server/api"
)

// writing is a hub during whose first diffs somebody writes to a file.
type writing struct {
	api.Hub
	name string
	left *atomic.Int64
}

func (w writing) Diff(ctx context.Context, req api.DiffRequest) (api.DiffAnswer, error) {
	if w.left.Add(-1) >= 0 {
		f, err := os.OpenFile(w.name, os.O_WRONLY|os.O_APPEND, 0)
		if err != nil {
			return api.DiffAnswer{}, err
		}
		defer f.Close()
		if _, err := f.WriteString("more\n"); err != nil {
			return api.DiffAnswer{}, err
		}
	}
	return w.Hub.Diff(ctx, req)
}

// TestResolveWithAFileInUse: a file that is written to while it is read is read again, and not for ever.
func TestResolveWithAFileInUse(t *testing.T) {
	h := openHub(t)
	a, b := t.TempDir(), t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join(a, "f"), "base")
	succeed(t, client.Push, config(h, a))
	succeed(t, client.Pull, config(h, b))
	write(filepath.Join(a, "f"), "from a")
	write(filepath.Join(b, "f"), "from b, longer")
	succeed(t, client.Push, config(h, a))
	succeed(t, client.Push, config(h, b))

	// More than is on its way at once, so that an answer must come before the end is read.
	data := make([]byte, 20<<20)
	rand.NewChaCha8([32]byte{5}).Read(data)
	name := filepath.Join(t.TempDir(), "made")
	write(name, string(data))
	take := client.Resolution{Names: []string{"f"}, File: name}
	for _, writes := range []int64{1 << 30, 1} {
		var left atomic.Int64
		left.Store(writes)
		done, err := client.Resolve(t.Context(), config(writing{h, name, &left}, b), take)
		if writes == 1 {
			if err != nil || len(done.Done) != 1 {
				t.Errorf("a file that is written to once: %v, %+v", err, done)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), "made was changed while it was read, 5 times") || len(done.Done) > 0 {
			t.Errorf("a file that is written to all the time: %v, %+v", err, done)
		}
	}
	succeed(t, client.Pull, config(h, b))
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(b, "f")); err != nil || string(got) != string(want) {
		t.Errorf("after the pull: %d bytes, %v, want the %d of the file", len(got), err, len(want))
	}
}
