//go:build !linux && !darwin

package server

import "net"

// limitUnsent is for systems on which it can be done.
func limitUnsent(net.Conn, int) {}
