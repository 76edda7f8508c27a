package link

import (
	"time"

	"golang.org/x/sys/unix"
)

// nap sleeps about so long, or less.
func nap(d time.Duration) {
	ts := unix.NsecToTimespec(d.Nanoseconds())
	if err := unix.Nanosleep(&ts, nil); err != nil && err != unix.EINTR {
		time.Sleep(d)
	}
}
