package state

import (
	"os"

	"golang.org/x/sys/windows"
)

// waitLock takes the file's lock, which ends with the file or the process, and waits while another holds it.
func waitLock(f *os.File) error {
	return windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK, 0, 1, 0, new(windows.Overlapped))
}
