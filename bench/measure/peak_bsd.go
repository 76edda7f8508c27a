//go:build unix && !linux

package measure

import "syscall"

// rssUnit is the unit of Rusage.Maxrss, in bytes.
const rssUnit = 1

// forgetPeak does nothing: the record cannot be changed here.
func forgetPeak() {}

// ownPeak returns the record of this process's most resident memory.
func ownPeak() int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return unknownPeak
	}
	return int64(u.Maxrss) * rssUnit
}
