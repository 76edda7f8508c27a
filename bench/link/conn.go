package link

import (
	"context"
	"io"
	"net"
	"time"
)

// The directions of bytes, seen from the client.
type direction byte

const (
	none direction = iota
	sent
	received
)

// A connection is one that passes through the proxy.
type connection struct {
	proxy  *Proxy
	last   direction // guarded by proxy.mu, as is round
	round  int
	client *net.TCPConn
	target *net.TCPConn
}

// count counts n bytes of a connection.
func (c *connection) count(d direction, n int) {
	p := c.proxy
	p.mu.Lock()
	defer p.mu.Unlock()
	if c.round != p.round {
		c.round, c.last = p.round, none
	}
	if c.last != none && c.last != d {
		p.counts.Turns++
	}
	c.last = d
	if d == sent {
		p.counts.Sent += int64(n)
	} else {
		p.counts.Received += int64(n)
	}
}

// connect passes one connection on, from its handshake, which takes a client
// one round trip and the target half of one more, until both halves are closed.
func (p *Proxy) connect(client *net.TCPConn) {
	defer client.Close()
	ctx, cancel := context.WithCancel(p.ctx)
	defer cancel()
	made := time.Now()
	c := &connection{proxy: p, client: client}
	p.mu.Lock()
	p.counts.Connections++
	c.round = p.round
	p.mu.Unlock()
	if sleepUntil(ctx, made.Add(p.link.RTT)) != nil {
		return
	}
	up, down := newPipe(p.link), newPipe(p.link)
	abort := context.AfterFunc(ctx, func() { client.Close(); up.abort(); down.abort() })
	defer abort()
	halves := make(chan error, 4)
	go func() { halves <- p.receive(&p.up, up, client, func(n int) { c.count(sent, n) }) }()
	running := 1
	if sleepUntil(ctx, made.Add(p.link.RTT+p.link.RTT/2)) == nil {
		if target, err := (&net.Dialer{}).DialContext(ctx, "tcp", p.target); err == nil {
			c.target = target.(*net.TCPConn)
			defer c.target.Close()
			release := context.AfterFunc(ctx, func() { c.target.Close() })
			defer release()
			go func() { halves <- deliver(ctx, up, c.target, func(int) {}) }()
			go func() { halves <- p.receive(&p.down, down, c.target, func(int) {}) }()
			go func() { halves <- deliver(ctx, down, client, func(n int) { c.count(received, n) }) }()
			running = 4
		}
	}
	if running == 1 {
		cancel()
	}
	for range running {
		if err := <-halves; err != nil {
			cancel() // one broken half breaks both
		}
	}
}

// receive reads from a sender into the pipe and books its time on the lane.
func (p *Proxy) receive(l *lane, to *pipe, from *net.TCPConn, count func(int)) error {
	for {
		b, err := to.space()
		if err != nil {
			return err
		}
		n, err := from.Read(b)
		if n > 0 {
			count(n)
			to.put(n, l.book(n, time.Now()).Add(p.link.RTT/2))
		}
		if err == io.EOF {
			to.finish(l.book(0, time.Now()).Add(p.link.RTT / 2))
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// deliver writes to a receiver what is due in the pipe, and closes that half
// where it ends.
func deliver(ctx context.Context, from *pipe, to *net.TCPConn, count func(int)) error {
	for {
		b, due, err := from.next()
		if err != nil && err != io.EOF {
			return err
		}
		if slept := sleepUntil(ctx, due); slept != nil {
			return slept
		}
		if err == io.EOF {
			return to.CloseWrite()
		}
		count(len(b)) // first: the receiver may answer before Write returns
		if _, err := to.Write(b); err != nil {
			return err
		}
		from.free(len(b))
	}
}
