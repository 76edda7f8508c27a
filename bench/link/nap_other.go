//go:build !linux

package link

import "time"

// nap sleeps about so long.
func nap(d time.Duration) { time.Sleep(d) }
