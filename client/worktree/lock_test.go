//go:build linux

package worktree

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// TestLock takes a lock that another process holds.
func TestLock(t *testing.T) {
	if dir := os.Getenv("DFS_TEST_LOCK"); dir != "" {
		_, err := openTest(t, dir).Lock(t.Context(), 0, "dfs push")
		must(t, err)
		fmt.Println("locked")
		io.Copy(io.Discard, os.Stdin) // until the parent closes it
		return
	}
	t.Parallel()
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0], "-test.run=^TestLock$")
	cmd.Env = append(os.Environ(), "DFS_TEST_LOCK="+dir)
	stdin, err := cmd.StdinPipe()
	must(t, err)
	stdout, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "locked\n" {
		t.Fatalf("the other process says %q, %v", line, err)
	}
	r := openTest(t, dir)
	_, err = r.Lock(t.Context(), time.Millisecond, "dfs pull")
	var locked *LockedError
	if want := fmt.Sprintf("dfs push (process %d)", cmd.Process.Pid); !errors.As(err, &locked) || locked.Holder != want {
		t.Fatalf("Lock: %v, want that %s holds it", err, want)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Lock(ctx, time.Hour, ""); !errors.Is(err, context.Canceled) {
		t.Errorf("Lock when canceled: %v", err)
	}
	stdin.Close()
	unlock, err := r.Lock(t.Context(), time.Hour, "dfs pull")
	must(t, err)
	cmd.Wait()
	if _, err := r.Lock(t.Context(), 0, ""); !errors.As(err, &locked) {
		t.Errorf("second Lock: %v", err)
	}
	unlock()
	unlock, err = r.Lock(t.Context(), 0, "")
	must(t, err)
	unlock()
}

func TestInit(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := openTest(t, dir)
	must(t, r.Init())
	if info, err := os.Stat(r.StateDir()); err != nil || info.Mode() != os.ModeDir|0o700 {
		t.Errorf("state directory: %v, %v", info.Mode(), err)
	}
	must(t, os.Remove(r.StateDir()))
	must(t, os.Symlink(t.TempDir(), r.StateDir()))
	if err := r.Init(); err == nil {
		t.Error("Init took a symlink for the state directory")
	}
	if _, err := r.Lock(t.Context(), 0, ""); err == nil {
		t.Error("Lock followed a symlink")
	}
	if _, err := Open(filepath.Join(dir, "absent")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Open of nothing: %v", err)
	}
}
