package bench

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"dfs/bench/link"
	"dfs/bench/measure"
	"dfs/bench/report"
)

// hub is a "dfs serve" that runs, with a link in front of it.
type hub struct {
	cmd    *exec.Cmd
	url    string
	proxy  *link.Proxy
	input  io.Writer     // what it is told about profiles
	output *bufio.Reader // its stderr
}

// command returns the command line of dfs, in the control group if there is one, under
// another command if one is given with its own arguments.
func (r *run) command(under []string, args ...string) []string {
	return slices.Concat(r.group.enter(), under, []string{r.Program}, args)
}

// startHub runs a hub on the repository at data, under a command if one is given.
func (r *run) startHub(data string, under ...string) (*hub, error) {
	argv := r.command(under, "serve", "--data", data, "--listen", "127.0.0.1:0")
	h := &hub{cmd: exec.CommandContext(r.ctx, argv[0], argv[1:]...)}
	h.cmd.Env = r.env()
	measure.EndWithUs(h.cmd)
	stderr, err := h.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	h.output = bufio.NewReader(stderr)
	if r.Profiles != "" {
		h.cmd.Args = append(h.cmd.Args, "--profileinput")
		if h.input, err = h.cmd.StdinPipe(); err != nil {
			return nil, err
		}
	}
	if err := h.cmd.Start(); err != nil {
		return nil, err
	}
	line, err := h.output.ReadString('\n')
	url, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if err != nil || !ok {
		h.cmd.Process.Kill()
		return nil, r.group.explain(fmt.Errorf("hub: %q, %v", line, errors.Join(err, h.cmd.Wait())))
	}
	h.url = url
	if r.relayed() {
		err = h.connect(r)
	}
	return h, err
}

// connect puts the link before the hub, or a proxy that only counts.
func (h *hub) connect(r *run) (err error) {
	if h.proxy, err = link.Serve(r.ctx, strings.TrimPrefix(h.url, "http://"), r.Link); err != nil {
		return errors.Join(err, h.stop())
	}
	h.url = "http://" + h.proxy.Addr()
	return nil
}

func (h *hub) stop() error {
	if h.proxy != nil {
		h.proxy.Close()
	}
	if err := h.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return h.cmd.Wait()
}

// env gives dfs a home of its own.
func (r *run) env() []string {
	return append(os.Environ(), "HOME="+filepath.Join(r.Work, "home"), "XDG_DATA_HOME=", "XDG_STATE_HOME="+r.state(), "XDG_CONFIG_HOME=", "DFS_HUB=")
}

// state is where dfs remembers its replicas: new each round, as they are.
func (r *run) state() string { return filepath.Join(r.Work, "dfs", "state") }

// dfsTool is dfs with a hub over HTTP.
type dfsTool struct {
	r    *run
	hub  *hub
	data string
	from string
	to   string

	under, hubUnder []string // commands that dfs and its hub are run under; empty: none
}

func newDfs(r *run) *dfsTool {
	dir := filepath.Join(r.Work, "dfs")
	return &dfsTool{r: r, data: filepath.Join(dir, "data"), from: r.ownSource(), to: filepath.Join(dir, "target")}
}

func (d *dfsTool) name() string { return "dfs" }

func (d *dfsTool) begin() (err error) {
	if err := errors.Join(fresh(d.data), fresh(d.r.state())); err != nil {
		return err
	}
	d.hub, err = d.r.startHub(d.data, d.hubUnder...)
	return err
}

func (d *dfsTool) end() error {
	if d.hub == nil {
		return nil
	}
	err := d.hub.stop()
	d.hub = nil
	return errors.Join(err, measure.Discard(d.to), measure.Discard(d.data))
}

func (d *dfsTool) push(rec *report.Record) error { return d.call(rec, "push", d.from, "--volume", "v") }
func (d *dfsTool) pull(rec *report.Record) error { return d.call(rec, "pull", d.to, "--volume", "v") }

func (d *dfsTool) status(rec *report.Record) (bool, error) {
	return true, d.call(rec, "status", d.from)
}

func (d *dfsTool) stored() (int64, error) { return stored(d.data) }

// summary is what the last line of --json tells.
type summary struct {
	Type          string `json:"type"`
	BytesSent     int64  `json:"bytes_sent"`
	BytesReceived int64  `json:"bytes_received"`
	Requests      int64  `json:"requests"`
}

// call runs a command and fills in what it took.
func (d *dfsTool) call(rec *report.Record, args ...string) error {
	argv := append(d.r.command(d.under, args...), "--json", "--hub", d.hub.url)
	argv = append(argv, d.r.clientProfiles(rec)...)
	return d.observe(rec, func() error {
		use, err := measure.Run(d.r.ctx, argv, d.r.env(), "")
		if err != nil {
			return err
		}
		if use.Exit != 0 {
			return fmt.Errorf("dfs %v exits with %d: %s", args, use.Exit, tail(append(use.Stdout, use.Stderr...)))
		}
		usage(rec, use)
		var s summary
		lines := strings.Split(strings.TrimSpace(string(use.Stdout)), "\n")
		if err := json.Unmarshal([]byte(lines[len(lines)-1]), &s); err != nil {
			return fmt.Errorf("dfs %v: %w", args, err)
		}
		rec.WireSent, rec.WireReceived, rec.Requests = s.BytesSent, s.BytesReceived, s.Requests
		return nil
	})
}

// observe has a client do something, and fills in what the hub took, what the store grew by, and,
// where there is a proxy, what crossed it.
func (d *dfsTool) observe(rec *report.Record, do func() error) error {
	before, err := d.stored()
	if err != nil {
		return err
	}
	if d.hub.proxy != nil {
		d.hub.proxy.Reset()
	}
	stop, err := d.hub.profile(d.r.profilePath(rec, "hub"))
	if err != nil {
		return err
	}
	watch := measure.Start(d.hub.cmd.Process.Pid)
	err = do()
	rec.HubUser, rec.HubSys, rec.HubPeakAnon, rec.HubPeakRSS = watch.Stop()
	if err := errors.Join(err, stop()); err != nil {
		return d.r.group.explain(err)
	}
	if d.hub.proxy != nil {
		setWire(rec, d.hub.proxy.Counts())
	}
	after, err := d.stored()
	rec.StoreBytes = after - before
	return err
}

// usage adds what a command took.
func usage(rec *report.Record, u measure.Usage) {
	rec.Wall += u.Wall
	rec.User += u.User
	rec.Sys += u.Sys
	rec.PeakAnon = max(rec.PeakAnon, u.PeakAnon)
	rec.PeakRSS = max(rec.PeakRSS, u.PeakRSS)
}
