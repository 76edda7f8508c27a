package remote

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"time"
)

// Traffic counts what crossed the wire.
type Traffic struct {
	Sent, Received    int64 // bytes of bodies and headers, and of TLS where it is used
	Requests, Retries int64 // requests include the retries
}

// traffic is a Traffic that counts.
type traffic struct {
	sent, received, requests, retries atomic.Int64
}

const (
	maxConns   = 8
	bufferSize = 256 << 10
	piece      = 64 << 10 // bytes that must be written within the stall time, unless some of them are
)

// newTransport returns a transport of HTTP/1 connections that count what they
// carry and fail when nothing moves for the time of stall.
func newTransport(counts *traffic, stall, dial time.Duration) *http.Transport {
	dialer := &net.Dialer{Timeout: dial}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment, // which leaves out the loopback
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			c, err := dialer.DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return &conn{Conn: c, counts: counts, stall: stall}, nil
		},
		Protocols:           protocols,
		MaxConnsPerHost:     maxConns,
		MaxIdleConnsPerHost: maxConns,
		IdleConnTimeout:     90 * time.Second,
		TLSHandshakeTimeout: dial,
		ReadBufferSize:      bufferSize,
		WriteBufferSize:     bufferSize,
		DisableCompression:  true,
	}
}

// conn counts bytes, and gives every read and write a new deadline. What moves
// in one direction keeps the other alive: while a body is sent nothing is received.
type conn struct {
	net.Conn
	counts *traffic
	stall  time.Duration
	wrote  atomic.Pointer[func()] // called once, after the next write
}

func (c *conn) Read(p []byte) (int, error) {
	if err := c.SetDeadline(time.Now().Add(c.stall)); err != nil {
		return 0, err
	}
	n, err := c.Conn.Read(p)
	c.counts.received.Add(int64(n))
	return n, err
}

func (c *conn) Write(p []byte) (written int, err error) {
	defer func() {
		if wrote := c.wrote.Swap(nil); wrote != nil {
			(*wrote)()
		}
	}()
	for written < len(p) {
		if err := c.SetDeadline(time.Now().Add(c.stall)); err != nil {
			return written, err
		}
		n, err := c.Conn.Write(p[written:min(len(p), written+piece)])
		written += n
		c.counts.sent.Add(int64(n))
		if err != nil && (n == 0 || !errors.Is(err, os.ErrDeadlineExceeded)) {
			return written, err
		}
	}
	return written, nil
}
