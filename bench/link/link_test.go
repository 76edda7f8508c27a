package link

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"sync"
	"testing"
	"time"
)

// listen serves each connection with handle until the test ends.
func listen(t *testing.T, handle func(*net.TCPConn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer conn.Close()
				handle(conn.(*net.TCPConn))
			})
		}
	})
	t.Cleanup(func() { l.Close(); wg.Wait() })
	return l.Addr().String()
}

// echo sends back what comes, and closes when the sender does.
func echo(conn *net.TCPConn) { io.Copy(conn, conn) }

func serve(t *testing.T, target string, l Link) *Proxy {
	t.Helper()
	p, err := Serve(t.Context(), target, l)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func dial(t *testing.T, p *Proxy) *net.TCPConn {
	t.Helper()
	conn, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn.(*net.TCPConn)
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}

// roundTrip sends data, closes its half and returns what comes back.
func roundTrip(conn *net.TCPConn, data []byte) ([]byte, error) {
	sent := make(chan error, 1)
	go func() {
		_, err := conn.Write(data)
		if err == nil {
			err = conn.CloseWrite()
		}
		sent <- err
	}()
	back, err := io.ReadAll(conn)
	if err == nil {
		err = <-sent
	}
	return back, err
}

// TestIntact sends bytes both ways at once over several connections.
func TestIntact(t *testing.T) {
	for name, l := range map[string]Link{
		"none":  {},
		"delay": {RTT: 3 * time.Millisecond},
		"rate":  {BitsPerSecond: 400_000_000},
		"both":  {RTT: 2 * time.Millisecond, BitsPerSecond: 200_000_000},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := serve(t, listen(t, echo), l)
			const conns = 3
			data := random(1_000_001)
			var wg sync.WaitGroup
			for range conns {
				conn := dial(t, p)
				wg.Go(func() {
					if back, err := roundTrip(conn, data); err != nil || !bytes.Equal(back, data) {
						t.Errorf("%d bytes came back of %d: %v", len(back), len(data), err)
					}
				})
			}
			wg.Wait()
			c := p.Counts()
			if want := int64(conns * len(data)); c.Connections != conns || c.Sent != want || c.Received != want {
				t.Errorf("counted %+v, want %d each way", c, want)
			}
		})
	}
}

// TestPingPong asks and waits: each question takes a round trip, and so does
// the handshake.
func TestPingPong(t *testing.T) {
	const rtt, rounds = 10 * time.Millisecond, 5
	p := serve(t, listen(t, echo), Link{RTT: rtt})
	start := time.Now()
	conn := dial(t, p)
	ask := func() {
		t.Helper()
		b := []byte("?")
		if _, err := conn.Write(b); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(conn, b); err != nil {
			t.Fatal(err)
		}
	}
	for range rounds {
		ask()
	}
	took := time.Since(start)
	if took < (rounds+1)*rtt {
		t.Errorf("%d questions and a handshake took %v", rounds, took)
	}
	t.Logf("%d round trips of %v took %v", rounds+1, rtt, took)
	if c, want := p.Counts(), (Counts{1, rounds, rounds, 2*rounds - 1}); c != want {
		t.Errorf("counted %+v, want %+v", c, want)
	}
	p.Reset()
	ask()
	if c, want := p.Counts(), (Counts{0, 1, 1, 1}); c != want {
		t.Errorf("counted %+v after a reset, want %+v", c, want)
	}
}

// TestRate holds a transfer over two connections to the rate that they share.
func TestRate(t *testing.T) {
	const bits, size = 80_000_000, 1_000_000 // 0.2 s for both
	p := serve(t, listen(t, func(conn *net.TCPConn) {
		io.Copy(io.Discard, conn)
		conn.Write([]byte("."))
	}), Link{BitsPerSecond: bits})
	start := time.Now()
	var wg sync.WaitGroup
	for range 2 {
		conn := dial(t, p)
		wg.Go(func() {
			if back, err := roundTrip(conn, make([]byte, size)); err != nil || len(back) != 1 {
				t.Error(back, err)
			}
		})
	}
	wg.Wait()
	took := time.Since(start)
	if least := duration(2*size, bits); took < least {
		t.Errorf("%d bytes took %v, less than %v", 2*size, took, least)
	}
	t.Logf("%d bytes took %v of at least %v", 2*size, took, duration(2*size, bits))
}

// TestBackPressure sends to one that does not read: only buffers are filled.
func TestBackPressure(t *testing.T) {
	stop := make(chan struct{})
	p := serve(t, listen(t, func(conn *net.TCPConn) { <-stop }), Link{RTT: time.Millisecond, BitsPerSecond: 8_000_000_000})
	defer close(stop)
	conn := dial(t, p)
	conn.SetWriteDeadline(time.Now().Add(500 * time.Millisecond))
	const much = 1 << 30
	n, err := conn.Write(make([]byte, much))
	if err == nil || n == much {
		t.Errorf("%d bytes were taken that nobody reads", n)
	}
}

// TestHalves holds that each half is closed by itself, whichever is first, and
// that a target that cannot be reached closes the connection.
func TestHalves(t *testing.T) {
	answer := random(300_000)
	p := serve(t, listen(t, func(conn *net.TCPConn) { // speaks first, and ends first
		conn.Write(answer)
		conn.CloseWrite()
		io.Copy(io.Discard, conn)
	}), Link{RTT: 2 * time.Millisecond})
	conn := dial(t, p)
	if back, err := io.ReadAll(conn); err != nil || !bytes.Equal(back, answer) {
		t.Errorf("%d bytes of the answer: %v", len(back), err)
	}
	if _, err := conn.Write([]byte("still open")); err != nil {
		t.Error(err)
	}
	if err := conn.CloseWrite(); err != nil {
		t.Error(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if _, err := dial(t, serve(t, l.Addr().String(), Link{})).Read(make([]byte, 1)); err == nil {
		t.Error("read from a target that is not there")
	}
}

// TestClose ends a proxy with connections that are idle, waiting and blocked.
func TestClose(t *testing.T) {
	before := runtime.NumGoroutine()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	p, err := Serve(ctx, listen(t, echo), Link{RTT: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	waiting := dial(t, p)
	q := serve(t, listen(t, func(conn *net.TCPConn) { io.Copy(io.Discard, conn) }), Link{})
	idle := dial(t, q)
	cancel()
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if err := q.Close(); err != nil {
		t.Error(err)
	}
	for _, conn := range []*net.TCPConn{waiting, idle} {
		if _, err := conn.Read(make([]byte, 1)); err == nil {
			t.Error("read from a connection that was ended")
		}
	}
	if _, err := net.Dial("tcp", p.Addr()); err == nil {
		t.Error("connected to a proxy that is closed")
	}
	if err := p.Close(); err != nil {
		t.Errorf("closed again: %v", err)
	}
	t.Logf("%d goroutines before, %d after", before, runtime.NumGoroutine())
}

func TestServeRefuses(t *testing.T) {
	for _, l := range []Link{{RTT: -1}, {BitsPerSecond: -1}} {
		if _, err := Serve(t.Context(), "127.0.0.1:1", l); err == nil {
			t.Errorf("serves a link of %+v", l)
		}
	}
}
