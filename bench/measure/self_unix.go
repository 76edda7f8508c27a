//go:build unix

package measure

import (
	"syscall"
	"time"
)

// Self returns the CPU seconds that this process has taken so far, without its children.
func Self() (user, sys float64) {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0, 0
	}
	return time.Duration(u.Utime.Nano()).Seconds(), time.Duration(u.Stime.Nano()).Seconds()
}
