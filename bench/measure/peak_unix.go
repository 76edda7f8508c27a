//go:build unix

package measure

import (
	"os"
	"syscall"
)

// unknownPeak is above every record.
const unknownPeak = 1 << 62

// maxRSS returns the most resident memory of a command that has ended, or of one that it waited
// for: at least what the process that started it had at most.
func maxRSS(state *os.ProcessState) int64 {
	usage, ok := state.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0
	}
	return int64(usage.Maxrss) * rssUnit()
}
