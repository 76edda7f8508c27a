package main

import (
	"net"
	"net/url"
	"strconv"
	"sync/atomic"

	"github.com/rogpeppe/go-internal/testscript"
)

// drop runs a relay to the hub that drops a connection once so many bytes have gone through
// it either way: drop VAR BYTES sets VAR to its URL. Only the first that gets so far is dropped.
func drop(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: drop VAR BYTES")
	}
	bytes, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	hub, err := url.Parse(ts.Getenv("HUB"))
	ts.Check(err)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	d := &dropping{hub: hub.Host, after: bytes}
	go d.serve(ln)
	ts.Defer(func() { ln.Close() })
	ts.Setenv(args[0], "http://"+ln.Addr().String())
}

type dropping struct {
	hub   string
	after int64
	once  atomic.Bool
}

func (d *dropping) serve(ln net.Listener) {
	for {
		from, err := ln.Accept()
		if err != nil {
			return
		}
		to, err := net.Dial("tcp", d.hub)
		if err != nil {
			from.Close()
			continue
		}
		var passed atomic.Int64
		go d.relay(to, from, &passed)
		go d.relay(from, to, &passed)
	}
}

func (d *dropping) relay(to, from net.Conn, passed *atomic.Int64) {
	defer to.Close()
	defer from.Close()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if passed.Add(int64(n)) > d.after && d.once.CompareAndSwap(false, true) {
			return
		}
		if _, werr := to.Write(buf[:n]); err != nil || werr != nil {
			return
		}
	}
}
