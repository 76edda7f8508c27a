package remote

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"dfs/cas"
	"dfs/server"
	"dfs/server/api"
)

// TestHTTP1Only asks a server that offers HTTP/2.
func TestHTTP1Only(t *testing.T) {
	var proto string
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { proto = r.Proto }))
	srv.EnableHTTP2 = true
	srv.StartTLS()
	defer srv.Close()
	var counts traffic
	transport := newTransport(&counts, time.Minute, time.Minute, 0)
	defer transport.CloseIdleConnections()
	pool := x509.NewCertPool()
	pool.AddCert(srv.Certificate())
	transport.TLSClientConfig = &tls.Config{RootCAs: pool}
	resp, err := (&http.Client{Transport: transport}).Get(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if proto != "HTTP/1.1" || transport.Protocols.HTTP2() || transport.Protocols.UnencryptedHTTP2() {
		t.Errorf("server sees %s, transport speaks %v", proto, transport.Protocols)
	}
	if counts.sent.Load() == 0 || counts.received.Load() == 0 {
		t.Error("bytes under TLS are not counted")
	}
}

func TestBackoff(t *testing.T) {
	for n := range 100 {
		if d := backoff(n); d < firstPause/2 || d > lastPause {
			t.Errorf("pause %d: %v", n, d)
		}
	}
}

// TestWritingKeepsReadingAlive writes for twice the stall time while a read waits.
func TestWritingKeepsReadingAlive(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	raw, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	peer, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	const stall = 500 * time.Millisecond
	c := newConn(raw, new(traffic), stall, nil, nil)
	read := make(chan error, 1)
	go func() {
		_, err := c.Read(make([]byte, 1))
		read <- err
	}()
	tick := time.NewTicker(stall / 20)
	defer tick.Stop()
	for range 40 {
		<-tick.C
		if _, err := c.Write([]byte{1}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := peer.Write([]byte{1}); err != nil {
		t.Fatal(err)
	}
	if err := <-read; err != nil {
		t.Error(err)
	}
}

func TestPayloadIsReplayed(t *testing.T) {
	p := framesPayload([]byte("message"), []cas.Blob{cas.Seal(cas.Chunk, make([]byte, small)), cas.Seal(cas.Chunk, nil)})
	first, second := p.reader(), p.reader()
	a, err := io.ReadAll(first)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(second)
	if err != nil || !bytes.Equal(a, b) || int64(len(a)) != p.size {
		t.Errorf("%d and %d bytes of %d, %v", len(a), len(b), p.size, err)
	}
	free := make(chan bool)
	go func() {
		p.wait()
		free <- true
	}()
	_, _ = first.Close(), first.Close() // the transport may close twice
	select {
	case <-free:
		t.Error("free with a reader open")
	case <-time.After(10 * time.Millisecond):
	}
	_ = second.Close()
	<-free
}

// TestLateRestOfALine has a header stop amid a line for longer than a stall, and go on. What came first must not
// pass for the whole line, nor the rest for others.
func TestLateRestOfALine(t *testing.T) {
	handler := httptest.NewServer(server.New(statusDouble{}, server.Options{}))
	defer handler.Close()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	var all sync.WaitGroup
	all.Go(func() {
		for first := true; ; first = false {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			if !first {
				all.Go(func() { relay(c, handler.Listener.Addr().String()) })
				continue
			}
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2")
			c.SetReadDeadline(time.Now().Add(10 * time.Second))
			io.Copy(io.Discard, c) // until the client gives up, or has read on
			io.WriteString(c, "\r\nContent-Type: application/json\r\n\r\n{}")
			c.Close()
		}
	})
	h, err := New("http://"+ln.Addr().String(), Options{Stall: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	status, err := h.Status(t.Context(), cas.VolumeID{})
	if err != nil || status.Conflicts != 7 {
		t.Errorf("%+v, %v", status, err)
	}
	h.Close()
	ln.Close()
	all.Wait()
}

// relay passes a connection on.
func relay(c net.Conn, addr string) {
	defer c.Close()
	to, err := net.Dial("tcp", addr)
	if err != nil {
		return
	}
	defer to.Close()
	go func() {
		io.Copy(to, c)
		to.Close()
	}()
	io.Copy(c, to)
}

// statusDouble is a hub that tells a status, and nothing else.
type statusDouble struct{ api.Hub }

func (statusDouble) Status(context.Context, cas.VolumeID) (api.Status, error) {
	return api.Status{Conflicts: 7}, nil
}
