//go:build unix

package measure_test

import (
	"testing"
	"time"

	"dfs/bench/measure"
)

// TestSelf: what this process computes is counted.
func TestSelf(t *testing.T) {
	before, _ := measure.Self()
	for start := time.Now(); time.Since(start) < 10*time.Second; {
		if user, _ := measure.Self(); user > before+0.02 {
			return
		}
	}
	t.Error("ten seconds at work took no processor")
}
