package bench

import (
	"net"
	"strconv"

	"dfs/bench/link"
	"dfs/bench/measure"
	"dfs/bench/report"
)

// noDaemon is why a peer without a server of its own has no figures over a link.
const noDaemon = "no daemon: not measured over a link"

// linked reports whether there is a link between clients and servers.
func (r *run) linked() bool { return r.Link != (link.Link{}) }

// connect puts the link before the daemon: from now on its clients find it at the link's port.
func (t *peerTool) connect() (err error) {
	if t.proxy, err = link.Serve(t.r.ctx, address(t.site.Port), t.r.Link); err != nil {
		return err
	}
	_, port, err := net.SplitHostPort(t.proxy.Addr())
	if err != nil {
		return err
	}
	t.site.Port, err = strconv.Atoi(port)
	return err
}

// serving calls fn, in which a client talks to the daemon, and fills in what that took of the
// daemon and of the link, as far as there are any.
func (t *peerTool) serving(rec *report.Record, fn func() error) error {
	if t.daemon == nil {
		return fn()
	}
	if t.proxy != nil {
		t.proxy.Reset()
	}
	watch := measure.Start(t.daemon.Process.Pid)
	err := fn()
	rec.HubUser, rec.HubSys, rec.HubPeakAnon, rec.HubPeakRSS = watch.Stop()
	if t.proxy != nil {
		setWire(rec, t.proxy.Counts())
	}
	return err
}

// setWire fills in what a proxy counted. A round trip is a question and its answer, or the
// handshake of a connection.
func setWire(rec *report.Record, c link.Counts) {
	rec.WireSent, rec.WireReceived, rec.Connections = c.Sent, c.Received, c.Connections
	rec.RoundTrips = (c.Turns+c.Connections)/2 + c.Connections
}

// address is where a server on this machine listens.
func address(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
