package client_test

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"dfs/client"
	"dfs/client/worktree"
)

// pullKilled pulls, and is gone before the base moves.
func pullKilled(t *testing.T, cfg client.Config) {
	t.Helper()
	cfg.OnStep(func(s worktree.Step, _ string) {
		if s == client.StepBase {
			runtime.Goexit()
		}
	})
	done, whole := make(chan struct{}), false
	go func() {
		defer close(done)
		client.Pull(t.Context(), cfg)
		whole = true
	}()
	<-done
	if whole {
		t.Fatal("the pull was not killed")
	}
}

// TestAppliedByKilledPull: what a pull has put in place is no edit of this replica, though the base has
// not moved. What others do to it then is taken, and what they remove does not come back.
func TestAppliedByKilledPull(t *testing.T) {
	for _, forget := range []bool{false, true} { // the index
		h := openHub(t)
		a, b := t.TempDir(), t.TempDir()
		write := func(name, content string) {
			t.Helper()
			if err := os.WriteFile(filepath.Join(a, name), []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		write("edited", "one")
		mustPush(t, config(h, a))
		mustPull(t, config(h, b))
		write("edited", "two")
		write("removed", "new")
		mustPush(t, config(h, a))
		pullKilled(t, config(h, b))
		if forget {
			os.Remove(filepath.Join(b, ".dfs", "index"))
			os.Remove(filepath.Join(b, ".dfs", "journal"))
		}
		write("edited", "three")
		if err := os.Remove(filepath.Join(a, "removed")); err != nil {
			t.Fatal(err)
		}
		mustPush(t, config(h, a))
		mustPush(t, config(h, b))
		mustPull(t, config(h, b))
		mustPull(t, config(h, a))
		for _, dir := range []string{a, b} {
			got := content(t, dir)
			if data, _ := fileData(got["edited"]); len(got) != 1 || data != "three" {
				t.Errorf("index forgotten %v: %s has %v", forget, filepath.Base(dir), got)
			}
		}
	}
}
