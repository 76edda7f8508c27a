//go:build linux

package hub

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"dfs/cas/castest/powercut"
)

// TestPowerCut cuts the power of a hub that commits, DFS_CUTS times (3 without it):
// what it has acknowledged must be on the disk, whole.
func TestPowerCut(t *testing.T) {
	cuts := 3
	if s := os.Getenv("DFS_CUTS"); s != "" {
		var err error
		if cuts, err = strconv.Atoi(s); err != nil {
			t.Fatalf("DFS_CUTS: %v", err)
		}
	}
	img := powercut.New(t, 512)
	cmd, out := child(t, filepath.Join(img.Dir(), "hub"))
	incoming := make(chan ack)
	go func() {
		defer close(incoming)
		for {
			var a ack
			if out.Decode(&a) != nil {
				return
			}
			incoming <- a
		}
	}()
	var acks []ack
	for range cuts {
		for range 1 + rand.IntN(15) {
			a, ok := <-incoming
			if !ok {
				t.Fatal("the child ended by itself")
			}
			acks = append(acks, a)
		}
		time.Sleep(time.Duration(rand.IntN(5000)) * time.Microsecond) // to cut anywhere within a commit
		dir := img.Cut(cmd.Process.Pid)
		checkAcks(t, filepath.Join(dir, "hub"), acks)
		img.Discard(dir)
		if err := cmd.Process.Signal(syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d cuts, %d commits acknowledged", cuts, len(acks))
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for range incoming {
	}
	if err := cmd.Wait(); err == nil {
		t.Fatal("the child ended by itself")
	}
}
