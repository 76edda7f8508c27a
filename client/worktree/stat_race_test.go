//go:build linux

package worktree

import (
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"dfs/manifest"
)

// TestStatAmidExchange: a directory and a symlink take turns at a name. Each look at it finds one
// of them whole.
func TestStatAmidExchange(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	at, link := filepath.Join(dir, "at"), filepath.Join(dir, "link")
	must(t, os.Mkdir(at, 0o755))
	must(t, os.Symlink("target", link))
	r := openTest(t, dir)
	var stop atomic.Bool
	var done sync.WaitGroup
	done.Go(func() {
		for !stop.Load() {
			if err := unix.Renameat2(unix.AT_FDCWD, link, unix.AT_FDCWD, at, unix.RENAME_EXCHANGE); err != nil {
				t.Error(err)
				return
			}
		}
	})
	for range 50_000 {
		e, err := r.Stat("at")
		if err != nil || (e.Kind == manifest.Symlink) != (e.Target == "target") {
			t.Errorf("%+v, %v", e, err)
			break
		}
	}
	stop.Store(true)
	done.Wait()
}
