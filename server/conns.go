package server

import (
	"container/list"
	"errors"
	"net"
	"net/http"
	"os"
	"sync"
	"time"
)

// unsent is how many bytes of an answer the kernel holds that it can not send yet.
const unsent = 64 << 10

// conns is a listener with a bound on its connections. When there are too many, the one
// that has been quiet for longest is closed: it has no request under way, or none of which
// the header is complete. When none is quiet the next waits.
type conns struct {
	net.Listener
	most  int
	stall time.Duration

	mu     sync.Mutex
	open   map[*conn]*list.Element // of quiet, nil of those at work
	quiet  *list.List              // of *conn
	change chan struct{}           // closed when a connection ends or falls quiet, and replaced
	closed chan struct{}
}

func newConns(ln net.Listener, most int, stall time.Duration) *conns {
	return &conns{
		Listener: ln, most: most, stall: stall,
		open: make(map[*conn]*list.Element), quiet: list.New(), change: make(chan struct{}), closed: make(chan struct{}),
	}
}

// Accept implements [net.Listener].
func (l *conns) Accept() (net.Conn, error) {
	raw, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	limitUnsent(raw, unsent)
	c := &conn{Conn: raw, of: l}
	for {
		change, ok := l.admit(c)
		if ok {
			return c, nil
		}
		select {
		case <-change:
		case <-l.closed:
			return nil, errors.Join(net.ErrClosed, raw.Close())
		}
	}
}

// Close implements [net.Listener].
func (l *conns) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.closed:
		return nil
	default:
		close(l.closed)
		return l.Listener.Close()
	}
}

// admit counts c in, in place of a quiet one if need be, or returns what to wait for.
func (l *conns) admit(c *conn) (change <-chan struct{}, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.open) >= l.most {
		oldest := l.quiet.Front()
		if oldest == nil {
			return l.change, false
		}
		old := oldest.Value.(*conn)
		l.drop(old)
		// Whoever reads from it sees that it is closed, and that is all there is to do.
		_ = old.Conn.Close()
	}
	l.open[c] = l.quiet.PushBack(c)
	return nil, true
}

// drop counts c out. The caller holds mu.
func (l *conns) drop(c *conn) {
	e, ok := l.open[c]
	if !ok {
		return
	}
	if e != nil {
		l.quiet.Remove(e)
	}
	delete(l.open, c)
	l.changed()
}

// changed wakes who waits. The caller holds mu.
func (l *conns) changed() {
	close(l.change)
	l.change = make(chan struct{})
}

// state is the server's hook: it hears when a request begins, once its header is there, and ends.
func (l *conns) state(nc net.Conn, s http.ConnState) {
	c := bare(nc)
	if c == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	e, ok := l.open[c]
	switch {
	case !ok:
	case s == http.StateActive && e != nil:
		l.quiet.Remove(e)
		l.open[c] = nil
	case s == http.StateIdle && e == nil:
		l.open[c] = l.quiet.PushBack(c)
		l.changed()
	}
}

// bare returns the connection that nc is, or is encrypted over.
func bare(nc net.Conn) *conn {
	if over, ok := nc.(interface{ NetConn() net.Conn }); ok {
		nc = over.NetConn()
	}
	c, _ := nc.(*conn)
	return c
}

// A conn is a connection of which a write fails once the peer takes fewer than
// minRate bytes a second of it for the stall time. How long it lasts in all is not bounded.
type conn struct {
	net.Conn
	of *conns
}

// Write implements [net.Conn].
func (c *conn) Write(p []byte) (written int, err error) {
	least := leastIn(c.of.stall)
	for written < len(p) {
		if err := c.SetWriteDeadline(time.Now().Add(c.of.stall)); err != nil {
			return written, err
		}
		n, err := c.Conn.Write(p[written:])
		written += n
		if err != nil && (n < least || !errors.Is(err, os.ErrDeadlineExceeded)) {
			return written, err
		}
	}
	return written, nil
}

// Close implements [net.Conn].
func (c *conn) Close() error {
	c.of.mu.Lock()
	c.of.drop(c)
	c.of.mu.Unlock()
	return c.Conn.Close()
}

// CloseWrite ends what is sent, and lets the peer go on sending.
func (c *conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
