package bench

import (
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"dfs/bench/link"
)

// small returns a small run in a new directory.
func small(t *testing.T) *run {
	t.Helper()
	r := &run{Options: Options{Work: t.TempDir(), Rounds: 1, Seed: 3}, ctx: t.Context()}
	r.Scale = 0.1
	return r
}

// smallOfDfs returns a small run that measures dfs as it is.
func smallOfDfs(t *testing.T) *run {
	t.Helper()
	r := small(t)
	r.Program = filepath.Join(t.TempDir(), "dfs")
	if out, err := exec.Command("go", "build", "-o", r.Program, "dfs/cmd/dfs").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return r
}

// TestLinkName: a rate that is not bounded has no name.
func TestLinkName(t *testing.T) {
	for want, l := range map[string]link.Link{
		"loopback": {}, "20ms": {RTT: 20 * time.Millisecond}, "20ms-100mbit": {RTT: 20 * time.Millisecond, BitsPerSecond: 100e6}, "0s-10mbit": {BitsPerSecond: 10e6},
	} {
		if got := (&run{Options: Options{Link: l}}).linkName(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
