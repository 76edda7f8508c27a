package server_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"dfs/cas"
	"dfs/server"
	"dfs/server/api"
	"dfs/server/events"
)

// encrypted returns how a test's server speaks TLS.
func encrypted(t *testing.T) *tls.Config {
	t.Helper()
	cert, err := server.SelfSigned(filepath.Join(t.TempDir(), "tls.pem"))
	if err != nil {
		t.Fatal(err)
	}
	return server.TLS(cert)
}

// trusting takes any key.
var trusting = &tls.Config{InsecureSkipVerify: true}

// TestUnsentIsBounded has a peer take nothing of an answer: the server gets rid of little of it, and cuts the peer off.
func TestUnsentIsBounded(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("what the kernel takes is bounded on Linux and darwin, and known here for Linux")
	}
	for name, config := range map[string]*tls.Config{"plain": nil, "encrypted": encrypted(t)} {
		t.Run(name, func(t *testing.T) {
			const piece, most = 64 << 10, 1 << 20
			var taken atomic.Int64
			d := &double{blobs: func(_ context.Context, fn func(cas.Blob) error) error {
				for {
					if err := fn(chunk(piece, 1)); err != nil {
						return err
					}
					taken.Add(piece)
				}
			}}
			var bus events.Bus
			defer bus.Close()
			cuts := events.Subscribe[events.ConnectionCut](&bus, 0)
			addr := serve(t, d, server.Options{TLS: config, Stall: 300 * time.Millisecond, Bus: &bus})
			c := raw(t, addr, "")
			if err := c.(*net.TCPConn).SetReadBuffer(64 << 10); err != nil {
				t.Fatal(err)
			}
			if config != nil {
				c = tls.Client(c, trusting)
			}
			body := api.AppendStream(nil, (&api.BlobsRequest{Volume: cas.VolumeID{1}}).Append(nil))
			if _, err := io.WriteString(c, post("/api/chunks/get", len(body))+string(body)); err != nil {
				t.Fatal(err)
			}
			e, err := cuts.Next(t.Context())
			if cut, ok := e.(events.ConnectionCut); err != nil || !ok || cut.For != "pace" || cut.Peer != "127.0.0.1" || cut.Lag <= 0 {
				t.Errorf("%+v, %v", e, err)
			}
			if n := taken.Load(); n > most {
				t.Errorf("%d bytes were taken for a peer that reads none, more than %d", n, most)
			}
		})
	}
}

// TestRequestsKnowThatTheyAreEncrypted looks at a request as a handler gets it.
func TestRequestsKnowThatTheyAreEncrypted(t *testing.T) {
	for name, config := range map[string]*tls.Config{"http": nil, "https": encrypted(t)} {
		seen := make(chan *tls.ConnectionState, 1)
		handler := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen <- r.TLS })
		addr := serve(t, &double{}, server.Options{TLS: config, Metrics: handler})
		resp, err := (&http.Client{Transport: &http.Transport{TLSClientConfig: trusting, DisableKeepAlives: true}}).Get(name + "://" + addr + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if state := <-seen; (state != nil) != (config != nil) || state != nil && state.Version != tls.VersionTLS13 {
			t.Errorf("%s: %+v", name, state)
		}
	}
}

// TestEndIsNotHeldUp stops a server while a peer does not listen, in time that is not real.
func TestEndIsNotHeldUp(t *testing.T) {
	config := encrypted(t)
	synctest.Test(t, func(t *testing.T) {
		ln := &pipes{accept: make(chan net.Conn), closed: make(chan struct{})}
		ctx, stop := context.WithCancel(t.Context())
		served := make(chan error, 1)
		opts := server.Options{TLS: config, Stall: time.Hour, Drain: 3 * time.Second}
		go func() { served <- server.Serve(ctx, ln, server.New(&double{}, opts), nil) }()
		here, err := ln.dial(ctx, "", "")
		if err != nil {
			t.Fatal(err)
		}
		c := tls.Client(here, trusting)
		fmt.Fprint(c, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		began := time.Now()
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took > 2*opts.Drain {
			t.Errorf("the end took %v, of which %v are for what is under way", took, opts.Drain)
		}
		_ = here.Close()
	})
}
