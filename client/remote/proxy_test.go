package remote_test

import (
	"bytes"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// direction is a direction through a proxy.
type direction int

const (
	up   direction = iota // from the client
	down                  // to the client
)

// harm is what a proxy does once so many bytes have passed.
type harm int

const (
	cutting   harm = iota // it ends the connection
	losing                // nothing more passes in the direction
	delaying              // what comes after passes later
	doubling              // the hub gets all that the client sent on the connection once more, on another
	repeating             // what has passed in the direction on the connection passes once more
)

func (h harm) String() string {
	return [...]string{"cut", "lost", "delayed", "doubled", "repeated"}[h]
}

// proxy passes connections on to a target, and does harm once when it is told to.
type proxy struct {
	url    string
	target string
	pace   time.Duration

	mu    sync.Mutex
	armed bool
	kind  harm
	taken []byte // what passed in dir since the last order
	dir   direction
	left  int // bytes that pass in dir before the harm
	flip  int // with every so many bytes in dir one is changed, instead; 0: none
	harms int // harms done
	conns map[net.Conn]bool
}

// newProxy starts a proxy to the URL, for the time of the test, that waits for
// the time of pace before each read of 16 KiB from the client.
func newProxy(t testing.TB, target string, pace time.Duration) *proxy {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{url: "http://" + ln.Addr().String(), target: strings.TrimPrefix(target, "http://"), pace: pace, conns: map[net.Conn]bool{}}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			running.Go(func() { p.pass(c) })
		}
	})
	t.Cleanup(func() {
		_ = ln.Close()
		p.mu.Lock()
		for c := range p.conns {
			_ = c.Close()
		}
		p.mu.Unlock()
		running.Wait()
	})
	return p
}

// cut has the proxy cut the connection on which n more bytes have passed in the direction, once.
func (p *proxy) cut(dir direction, n int) { p.do(cutting, dir, n) }

// do has the proxy do harm where n more bytes have passed in the direction, once.
func (p *proxy) do(kind harm, dir direction, n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.armed, p.kind, p.dir, p.left, p.harms, p.taken = true, kind, dir, n, 0, nil
}

// passed returns what passed in the direction of the last order since then.
func (p *proxy) passed() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.taken
}

// damage has the proxy change every nth byte that comes down; 0 ends it.
func (p *proxy) damage(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dir, p.flip, p.left = down, n, n
}

// done returns how many harms were done.
func (p *proxy) done() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.harms
}

func (p *proxy) pass(client net.Conn) {
	hub, err := net.Dial("tcp", p.target)
	if err != nil {
		_ = client.Close()
		return
	}
	p.mu.Lock()
	p.conns[client], p.conns[hub] = true, true
	p.mu.Unlock()
	var both sync.WaitGroup
	var passed [2]recording // by direction
	both.Go(func() { p.copy(hub, client, up, &passed) })
	both.Go(func() { p.copy(client, hub, down, &passed) })
	both.Wait()
	p.mu.Lock()
	delete(p.conns, client)
	delete(p.conns, hub)
	p.mu.Unlock()
}

// A recording is what was sent on a connection in a direction.
type recording struct {
	mu   sync.Mutex
	sent []byte
}

func (r *recording) length() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.sent)
}

func (r *recording) all() []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return bytes.Clone(r.sent)
}

func (r *recording) add(b []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sent = append(r.sent, b...)
}

// again sends it to the hub on another connection, and reads what comes back as long as anything does.
func (r *recording) again(target string) {
	c, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	defer c.Close()
	if _, err := c.Write(r.all()); err != nil {
		return
	}
	for buf := make([]byte, 64<<10); err == nil; {
		_ = c.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
		_, err = c.Read(buf)
	}
}

// copy passes one direction on, until either side ends or the harm is done.
func (p *proxy) copy(to, from net.Conn, dir direction, passed *[2]recording) {
	defer to.Close()
	defer from.Close()
	buf := make([]byte, 16<<10)
	for {
		if dir == up {
			time.Sleep(p.pace)
		}
		n, err := from.Read(buf)
		before := passed[dir].length()
		passed[dir].add(buf[:n])
		first, harmed := p.harm(buf[:n], dir)
		if _, werr := to.Write(buf[:first]); werr != nil || err != nil {
			return
		}
		if !harmed {
			continue
		}
		switch p.kind {
		case cutting:
			return
		case losing:
			_, _ = io.Copy(io.Discard, from)
			return
		case delaying:
			time.Sleep(20 * time.Millisecond)
		case doubling:
			passed[up].again(p.target)
		case repeating:
			if _, err := to.Write(passed[dir].all()[:before+first]); err != nil {
				return
			}
		}
		if _, err := to.Write(buf[first:n]); err != nil {
			return
		}
	}
}

// harm returns how many of the bytes to pass at first, and whether the harm comes after them.
func (p *proxy) harm(b []byte, dir direction) (n int, now bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if dir != p.dir {
		return len(b), false
	}
	if p.flip == 0 {
		p.taken = append(p.taken, b...)
	}
	if p.flip > 0 {
		for i := range b {
			if p.left--; p.left == 0 {
				b[i] ^= 1
				p.left = p.flip
				p.harms++
			}
		}
		return len(b), false
	}
	if !p.armed || len(b) < p.left || len(b) == 0 {
		p.left -= len(b)
		return len(b), false
	}
	p.armed = false
	p.harms++
	return p.left, true
}
