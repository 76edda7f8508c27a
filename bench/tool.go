package bench

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"dfs/bench/link"
	"dfs/bench/measure"
	"dfs/bench/peer"
	"dfs/bench/report"
)

// peerTool is another tool.
type peerTool struct {
	r       *run
	p       peer.Peer
	version string
	site    peer.Site
	daemon  *exec.Cmd
	proxy   *link.Proxy // before the daemon, where there is a link
}

// find returns a peer's version, or why it is not measured.
func (r *run) find(p peer.Peer) (version, why string) {
	version, err := p.Find()
	switch {
	case err != nil:
		return "", "missing: " + err.Error()
	case r.relayed() && p.Daemon == nil:
		return version, noDaemon
	}
	return version, ""
}

func (t *peerTool) name() string { return t.p.Name }

func (t *peerTool) begin() error {
	if err := fresh(t.site.Work); err != nil {
		return err
	}
	if t.p.Daemon != nil {
		if err := t.start(); err != nil {
			return err
		}
	}
	if t.p.Setup == nil {
		return nil
	}
	return t.steps(&report.Record{}, t.p.Setup(t.site))
}

// start runs the tool's server, with the link or a relay before it, and returns when it listens.
func (t *peerTool) start() (err error) {
	if t.site.Port, err = freePort(); err != nil {
		return err
	}
	step := t.p.Daemon(t.site)
	daemon := exec.CommandContext(t.r.ctx, step.Argv[0], step.Argv[1:]...)
	daemon.Env = append(os.Environ(), step.Env...)
	daemon.Dir = step.Dir
	measure.EndWithUs(daemon)
	if err := daemon.Start(); err != nil {
		return err
	}
	t.daemon = daemon
	if err := listening(t.r.ctx, t.site.Port); err != nil || !t.r.relayed() {
		return err
	}
	return t.connect()
}

func (t *peerTool) end() error {
	if t.proxy != nil {
		t.proxy.Close()
		t.proxy = nil
	}
	if t.daemon != nil {
		t.daemon.Process.Signal(syscall.SIGTERM)
		t.daemon.Wait()
		t.daemon = nil
	}
	return measure.Discard(filepath.Dir(t.site.Store))
}

func (t *peerTool) push(rec *report.Record) error {
	before, err := t.stored()
	if err != nil {
		return err
	}
	if err := t.durable(rec, t.p.Push, t.p.Durable); err != nil {
		return err
	}
	after, err := t.stored()
	rec.StoreBytes = after - before
	return err
}

// pull brings the tree back. A mirror's push has written the target, so its pull gets another.
func (t *peerTool) pull(rec *report.Record) error {
	to := *t
	if t.p.Mirror {
		to.site.Target += "-2"
	}
	return to.durable(rec, t.p.Pull, t.p.DurablePull)
}

func (t *peerTool) status(*report.Record) (bool, error) { return false, nil }

// durable runs the steps of an operation, with what makes it durable.
func (t *peerTool) durable(rec *report.Record, operation, durable func(peer.Site) []peer.Step) error {
	steps := operation(t.site)
	if durable != nil {
		steps = append(steps, durable(t.site)...)
	}
	rec.Version, rec.Note = t.version, t.p.Note
	return t.serving(rec, func() error { return t.steps(rec, steps) })
}

func (t *peerTool) steps(rec *report.Record, steps []peer.Step) error {
	for _, step := range steps {
		use, err := measure.Run(t.r.ctx, step.Argv, append(os.Environ(), step.Env...), step.Dir)
		if err != nil {
			return err
		}
		if use.Exit != 0 {
			return fmt.Errorf("%v exits with %d: %s", step.Argv, use.Exit, tail(append(use.Stdout, use.Stderr...)))
		}
		if step.Timed {
			usage(rec, use)
		}
	}
	return nil
}

// freePort returns a port of the loopback interface that nobody listens on.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}

// listening returns when somebody listens on a port.
func listening(ctx context.Context, port int) error {
	for range 200 {
		c, err := net.Dial("tcp", address(port))
		if err == nil {
			return c.Close()
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return fmt.Errorf("nobody listens on %s", address(port))
}

func (t *peerTool) stored() (int64, error) { return stored(t.site.Store) }

// stored returns the bytes allocated for a directory, which may not be there, when all is written.
func stored(dir string) (int64, error) {
	if _, err := os.Lstat(dir); errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	measure.SyncAll()
	return measure.Blocks(dir)
}
