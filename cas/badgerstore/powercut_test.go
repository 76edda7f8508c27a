//go:build linux

package badgerstore

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"dfs/cas/castest/powercut"
)

// TestPowerCut: what a Barrier acknowledged survives a power cut at any moment,
// and what the store then calls present is whole. DFS_CUTS is the number of cuts.
func TestPowerCut(t *testing.T) {
	cuts := 5
	if env := os.Getenv("DFS_CUTS"); env != "" {
		var err error
		if cuts, err = strconv.Atoi(env); err != nil {
			t.Fatal(err)
		}
	}
	img := powercut.New(t, 512)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	acknowledged := 0
	for cut := range cuts {
		live := filepath.Join(img.Dir(), strconv.Itoa(cut))
		p := startChild(t, live, "BADGERSTORE_BARRIER=1")
		least := rng.IntN(12)
		p.await(t, least)
		time.Sleep(time.Duration(rng.IntN(100_000)) * time.Microsecond) // the cut comes anywhere in a round
		disk := img.Cut(p.Process.Pid)
		last, any := p.kill()
		if !any {
			last = least
		}
		acknowledged += last + 1
		checkRounds(t, filepath.Join(disk, strconv.Itoa(cut)), last)
		img.Discard(disk)
		if err := os.RemoveAll(live); err != nil {
			t.Fatal(err)
		}
		if t.Failed() {
			t.Fatalf("cut %d after round %d", cut, last)
		}
	}
	t.Logf("%d cuts, %d rounds of %d blobs acknowledged before them", cuts, acknowledged, perRound)
}
