//go:build unix && !linux

package measure

import (
	"runtime"
	"syscall"
)

// rssUnit returns the unit of Rusage.Maxrss, in bytes: macOS has another than the other BSDs.
func rssUnit() int64 {
	if runtime.GOOS == "darwin" {
		return 1
	}
	return 1 << 10
}

// forgetPeak does nothing: the record cannot be changed here.
func forgetPeak() {}

// ownPeak returns the record of this process's most resident memory.
func ownPeak() int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return unknownPeak
	}
	return int64(u.Maxrss) * rssUnit()
}
