package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"dfs/server"
	"dfs/server/api"
	"dfs/server/hub"
)

// hubLimits are the flags of serve that bound what clients may have.
type hubLimits struct {
	memory      byteSize
	connections jobs
	requests    jobs
	rate        byteSize
	sessions    time.Duration
}

func (l *hubLimits) flags(fs *pflag.FlagSet) {
	l.sessions = hub.DefaultIdle
	fs.Var(&l.memory, "memory", "hold at most `SIZE` of requests in memory, half of it for one client (default 64M)")
	fs.Var(&l.connections, "connections", "have at most `N` connections (default 1024)")
	fs.Var(&l.requests, "client-requests", "have at most `N` requests of one client under way, half of them waiting for news (default 128, or half of the connections)")
	fs.Var(&l.rate, "client-rate", "move at most `RATE` bytes a second of one client each way, like 500K or 2M")
	fs.Var((*duration)(&l.sessions), "session-timeout", "end sessions that made no progress for `DURATION`, 1s or more (default 5m)")
}

// limits returns what the hub tells of them.
func (l *hubLimits) limits() api.Limits {
	limits := api.DefaultLimits()
	if l.connections > 0 {
		limits.Connections = int(l.connections)
	}
	limits.ClientRequests = min(limits.ClientRequests, max(limits.Connections/2, 1))
	if l.requests > 0 {
		limits.ClientRequests = int(l.requests)
	}
	return limits
}

// hub returns the options of the hub.
func (l *hubLimits) hub() hub.Options {
	return hub.Options{Idle: l.sessions, Limits: l.limits()}
}

// server returns the options of the server.
func (l *hubLimits) server() server.Options {
	return server.Options{Limits: l.limits(), Memory: int64(l.memory), ClientRate: int64(l.rate)}
}

// byteSize is a flag's value that is a number of bytes, 0 for the default.
type byteSize int64

// minSize is the least that a byteSize may be.
const minSize = 1 << 10

// Set implements [pflag.Value].
func (b *byteSize) Set(s string) error {
	digits, shift := s, 0
	if i := strings.IndexAny(s, "KMGkmg"); i >= 0 && i == len(s)-1 {
		digits, shift = s[:i], 10*(1+strings.IndexByte("KMG", strings.ToUpper(s)[i]))
	}
	n, err := strconv.ParseInt(digits, 10, 32)
	if err != nil || n < 0 || n<<shift < minSize {
		return errors.New("not a number of bytes like 500K, 2M or 1G, at least 1K")
	}
	*b = byteSize(n << shift)
	return nil
}

// String implements [pflag.Value].
func (b *byteSize) String() string { return fmt.Sprint(int64(*b)) }

// Type implements [pflag.Value].
func (b *byteSize) Type() string { return "size" }
