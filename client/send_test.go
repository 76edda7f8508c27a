package client

import (
	"testing"
	"time"

	"dfs/server/api"
)

func TestBeat(t *testing.T) {
	for timeout, want := range map[int]time.Duration{
		0: time.Minute, 300: time.Minute, 181: time.Minute, 180: time.Minute, 60: 20 * time.Second, 1: time.Second / 3,
	} {
		if got := beatOf(api.Limits{SessionTimeout: timeout}); got != want {
			t.Errorf("a timeout of %d s: a sign of life every %v, want %v", timeout, got, want)
		}
	}
}
