package remote

import (
	"context"
	"errors"
	"io"
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
// At most rate bytes a second pass each way; 0: not bounded.
func newTransport(counts *traffic, stall, dial time.Duration, rate int64) *http.Transport {
	in, out := newPacer(rate), newPacer(rate)
	dialer := &net.Dialer{Timeout: dial}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			c, err := dialer.DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return newConn(c, counts, stall, in, out), nil
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

	in, out *pacer
	open    context.Context // until close
	close   context.CancelFunc
}

func newConn(c net.Conn, counts *traffic, stall time.Duration, in, out *pacer) *conn {
	open, cancel := context.WithCancel(context.Background())
	return &conn{Conn: c, counts: counts, stall: stall, in: in, out: out, open: open, close: cancel}
}

func (c *conn) Close() error {
	c.close()
	return c.Conn.Close()
}

func (c *conn) Read(p []byte) (int, error) {
	if err := c.SetDeadline(time.Now().Add(c.stall)); err != nil {
		return 0, err
	}
	n, err := c.Conn.Read(p[:c.in.most(len(p))])
	c.counts.received.Add(int64(n))
	if err == nil {
		err = c.in.pass(c.open, n)
	}
	if err != nil && err != io.EOF {
		// The HTTP library takes a line that a failed read cut for a whole one, and reads on: what comes
		// late would be the rest of another answer.
		_ = c.Close()
	}
	return n, err
}

func (c *conn) Write(p []byte) (written int, err error) {
	defer func() {
		if wrote := c.wrote.Swap(nil); wrote != nil {
			(*wrote)()
		}
	}()
	for written < len(p) {
		most := c.out.most(min(len(p)-written, piece))
		if err := c.out.pass(c.open, most); err != nil {
			return written, err
		}
		if err := c.SetDeadline(time.Now().Add(c.stall)); err != nil {
			return written, err
		}
		n, err := c.Conn.Write(p[written : written+most])
		written += n
		c.counts.sent.Add(int64(n))
		if err != nil && (n == 0 || !errors.Is(err, os.ErrDeadlineExceeded)) {
			return written, err
		}
	}
	return written, nil
}
