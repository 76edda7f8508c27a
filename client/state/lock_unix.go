//go:build unix

package state

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// waitLock takes the file's lock, which ends with the file or the process, and waits while another holds it.
func waitLock(f *os.File) error {
	for {
		if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
