// Package link is a TCP proxy that behaves like a link of a given delay and
// rate between a client and a server on one machine.
//
// It models the delay, the handshake's round trip and the rate, which all
// connections share, each direction its own. It does not model slow start, loss
// or headers: figures through it are to be read with the round trips and bytes
// that it counts.
//
// What is under way in one direction of one connection is bounded by what the
// link holds in a round trip and a little more (32 MiB where it has a delay but
// no rate), besides the system's socket buffers; when that is full, or the
// receiver does not read, the proxy does not read from the sender.
package link

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"
)

// A Link is what the proxy models; zero is none.
type Link struct {
	RTT           time.Duration // there and back, half of it each way
	BitsPerSecond int64         // in each direction, shared by all connections
}

// Counts is what passed, seen from the client.
type Counts struct {
	Connections    int64
	Sent, Received int64 // bytes

	// Turns is how often a connection that had sent received, or that had
	// received sent; summed over the connections. A connection on which n
	// questions are asked, each after the answer to the one before, has 2n-1.
	Turns int64
}

// A Proxy passes connections on.
type Proxy struct {
	link     Link
	target   string
	listener net.Listener
	up, down lane // client to target, target to client

	ctx     context.Context // ends with Close
	stop    context.CancelFunc
	release func() bool // of the caller's context
	wg      sync.WaitGroup

	mu     sync.Mutex // guards what follows
	counts Counts
	round  int // how often Reset was called
}

// Serve passes connections to a free port of 127.0.0.1 on to the TCP address
// target, until Close or the end of ctx.
func Serve(ctx context.Context, target string, l Link) (*Proxy, error) {
	if l.RTT < 0 || l.BitsPerSecond < 0 {
		return nil, errors.New("a link's delay and rate cannot be negative")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Proxy{link: l, target: target, listener: listener, up: lane{rate: l.BitsPerSecond}, down: lane{rate: l.BitsPerSecond}}
	p.ctx, p.stop = context.WithCancel(context.WithoutCancel(ctx))
	p.wg.Go(p.accept)
	p.release = context.AfterFunc(ctx, func() { p.end() })
	return p, nil
}

// Addr returns the address that clients connect to.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Counts returns what passed since Serve or Reset.
func (p *Proxy) Counts() Counts {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.counts
}

// Reset sets the counts to zero. The first bytes of a connection after it are
// no turn.
func (p *Proxy) Reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.counts = Counts{}
	p.round++
}

// Close ends all connections and waits until they have ended.
func (p *Proxy) Close() error {
	p.release()
	err := p.end()
	p.wg.Wait()
	return err
}

// end ends all connections.
func (p *Proxy) end() error {
	p.stop()
	if err := p.listener.Close(); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// accept takes connections until the listener is closed.
func (p *Proxy) accept() {
	for {
		conn, err := p.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // out of descriptors, for example
			if sleepUntil(p.ctx, time.Now().Add(10*time.Millisecond)) != nil {
				return
			}
			continue
		}
		p.wg.Go(func() { p.connect(conn.(*net.TCPConn)) })
	}
}
