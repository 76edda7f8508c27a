package server

import (
	"errors"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"dfs/server/events"
)

// unsent is how many bytes of an answer the kernel holds that it can not send yet.
const unsent = 64 << 10

// conns is a listener with a bound on its connections. When there are too many, one is closed that
// is quiet: it has no request under way, or none of which the header is complete; or else one whose
// request only waits for news, which is told to end; or else one whose peer lags with a body or an
// answer. First one of the address that has most. Else the next waits.
type conns struct {
	net.Listener
	most  int
	stall time.Duration
	bus   *events.Bus // hears of connections that are cut amid a request

	mu     sync.Mutex
	open   map[*conn]bool
	hosts  map[string]int // how many are open, by address
	change chan struct{}  // closed when a connection ends or falls quiet, and replaced
	closed chan struct{}
}

func newConns(ln net.Listener, most int, stall time.Duration, bus *events.Bus) *conns {
	return &conns{
		Listener: ln, most: most, stall: stall, bus: bus,
		open: make(map[*conn]bool), hosts: make(map[string]int), change: make(chan struct{}), closed: make(chan struct{}),
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
	c.host, _, _ = net.SplitHostPort(raw.RemoteAddr().String())
	for {
		change, ok := l.admit(c)
		if ok {
			return c, nil
		}
		select {
		case <-change:
		case <-time.After(grace):
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

// admit counts c in, in place of another if need be, or returns what to wait for.
func (l *conns) admit(c *conn) (change <-chan struct{}, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.open) >= l.most {
		old := l.dispensable()
		if old == nil {
			return l.change, false
		}
		if old.waits != nil {
			old.giveWay()
			return l.change, false
		}
		if old.quiet.IsZero() {
			old.publishCut("place", old.pace.lag(time.Now()))
		}
		l.cut(old)
	}
	l.open[c], c.quiet = true, time.Now()
	l.hosts[c.host]++
	return nil, true
}

// dispensable returns the connection that has to go for another, nil when there is none or one goes already. The
// caller holds mu.
func (l *conns) dispensable() (worst *conn) {
	now := time.Now()
	var most int
	var longest time.Duration
	going := false
	for c := range l.open {
		lag, least, before := c.pace.lag(now), patience, time.Duration(0)
		going = going || now.Sub(c.gives) < grace
		switch {
		case !c.quiet.IsZero():
			lag, least, before = now.Sub(c.quiet), grace, 2*time.Hour // before all that are at work
			if !c.gives.IsZero() {
				least = 0
			}
		case c.waits != nil:
			lag, least, before = now.Sub(c.waits.since), grace, time.Hour // before those who lag
		}
		if lag < least {
			continue
		}
		lag += before
		if n := l.hosts[c.host]; n > most || n == most && lag > longest {
			worst, most, longest = c, n, lag
		}
	}
	if worst != nil && worst.waits != nil && going {
		return nil
	}
	return worst
}

// relieve cuts the slowest connection whose request holds memory of b, for one that waits for some.
func (l *conns) relieve(b *budget) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now, most := time.Now(), patience
	var slowest *conn
	for c := range l.open {
		if lag := c.pace.lag(now); c.holds == b && lag >= most {
			slowest, most = c, lag
		}
	}
	if slowest != nil {
		slowest.publishCut("memory", most)
		l.cut(slowest)
	}
}

// cutAll closes all connections.
func (l *conns) cutAll() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.open {
		l.cut(c)
	}
}

// cut closes c. The caller holds mu.
func (l *conns) cut(c *conn) {
	l.drop(c)
	// Whoever reads from it sees that it is closed, and that is all there is to do.
	_ = c.Conn.Close()
}

// drop counts c out. The caller holds mu.
func (l *conns) drop(c *conn) {
	if !l.open[c] {
		return
	}
	delete(l.open, c)
	if l.hosts[c.host]--; l.hosts[c.host] == 0 {
		delete(l.hosts, c.host)
	}
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
	switch s {
	case http.StateActive:
		c.quiet, c.gives = time.Time{}, time.Time{}
	case http.StateIdle:
		c.quiet = time.Now()
		l.changed()
	}
	c.pace = progress{}
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
	of   *conns
	host string

	// Guarded by of.mu.
	quiet time.Time // since when it is; zero: it is not
	pace  progress  // of its request
	holds *budget   // of which its request holds memory; nil: none
	waits *wait     // what its request does now; nil: something else
	gives time.Time // when that was ended for another's place; zero: it was not
}

// How long a peer may keep others waiting that want its place: one that sends no request, and one
// with which a request makes no progress. And how many bytes are progress.
const (
	grace    = 100 * time.Millisecond
	patience = 2 * time.Second
	unit     = 4 << 10
)

// progress is how fast bytes come from a peer or go to it.
type progress struct {
	since time.Time     // when the wait that is under way began; zero: there is none
	spent time.Duration // in waits since the last unit had passed
	bytes int           // that passed meanwhile
}

// lag returns for how long the peer has been waited for without a unit passing; 0 when it is not waited for.
func (p *progress) lag(now time.Time) time.Duration {
	if p.since.IsZero() {
		return 0
	}
	return p.spent + now.Sub(p.since)
}

// publishCut says on the bus what the connection, which lags, is cut for.
func (c *conn) publishCut(reason string, lag time.Duration) {
	c.of.bus.Publish(events.ConnectionCut{Peer: c.host, For: reason, Lag: lag.Seconds(), At: time.Now().UTC()})
}

// await says that the connection waits for its peer. A nil one takes no notes.
func (c *conn) await() {
	if c == nil {
		return
	}
	c.of.mu.Lock()
	defer c.of.mu.Unlock()
	c.pace.since = time.Now()
}

// passed says that it does not wait any more, and what passed.
func (c *conn) passed(n int) {
	if c == nil {
		return
	}
	c.of.mu.Lock()
	defer c.of.mu.Unlock()
	p := &c.pace
	p.spent, p.bytes, p.since = p.lag(time.Now()), p.bytes+n, time.Time{}
	if p.bytes >= unit {
		p.spent, p.bytes = 0, 0
	}
}

// hold says of which budget the connection's request holds memory.
func (c *conn) hold(of *budget) {
	if c == nil {
		return
	}
	c.of.mu.Lock()
	defer c.of.mu.Unlock()
	c.holds = of
}

// Write implements [net.Conn].
func (c *conn) Write(p []byte) (written int, err error) {
	least := leastIn(c.of.stall)
	began, before := time.Now(), 0
	for written < len(p) {
		if err := c.SetWriteDeadline(time.Now().Add(min(c.of.stall, patience/2))); err != nil {
			return written, err
		}
		c.await()
		n, err := c.Conn.Write(p[written:])
		c.passed(n)
		written += n
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return written, err
		}
		if time.Since(began) < c.of.stall {
			continue
		}
		if err != nil && written-before < least {
			c.publishCut("pace", time.Since(began))
			return written, err
		}
		began, before = time.Now(), written
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
