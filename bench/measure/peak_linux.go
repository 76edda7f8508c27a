package measure

import "os"

// rssUnit returns the unit of Rusage.Maxrss, in bytes.
func rssUnit() int64 { return 1 << 10 }

// forgetPeak sets the record of this process's most resident memory to what it has now, so that
// what it starts begins with that.
func forgetPeak() {
	os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) // see proc_pid_clear_refs(5); without it less is known
}

// ownPeak returns that record.
func ownPeak() int64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return unknownPeak
	}
	return row(status, "VmHWM:")
}
