//go:build linux || darwin

package server

import (
	"net"

	"golang.org/x/sys/unix"
)

// limitUnsent has the kernel take no more of what is written than it can send, but for unsent bytes.
// Else it takes megabytes for a peer that reads slowly, and then none for as long as that peer needs for
// a third of them, so that whether the peer takes anything could not be seen.
func limitUnsent(c net.Conn, unsent int) {
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return
	}
	// A kernel without the option is one on which slow peers are less well told from stalled ones.
	_ = raw.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, unsent)
	})
}
