package bench

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"dfs/bench/measure"
	"dfs/bench/report"
	"dfs/bench/workload"
)

// The operations of syncs, whose times are those under strace.
const (
	tracedPush = "push under strace"
	tracedPull = "pull under strace"
)

// syncs shows that what is acknowledged was synced: a push and a pull of 1,000 small
// files (at scale 1) are run under strace, hub and client each, and the record says
// which calls they made. A push during which the hub synced nothing, and a pull during
// which the client did not, fail. So do those in which a sync came too late: on a push the hub
// must have synced between the commit's request and its answer, on a pull each file's
// content before the file gets its name.
func (r *run) syncs() error {
	blank := report.Record{Workload: "syncs", Operation: tracedPush, Tool: "dfs"}
	strace, err := r.findStrace()
	if err != nil {
		blank.Failed = "missing: " + err.Error()
		return r.add(blank)
	}
	for blank.Run = range r.Rounds {
		if err := r.syncsOnce(strace, blank); err != nil {
			return err
		}
	}
	return nil
}

// syncsOnce is a round of syncs.
func (r *run) syncsOnce(strace string, blank report.Record) error {
	w, _ := workload.Named("small-100k")
	size, err := w.Make(r.ctx, r.ownSource(), r.Seed, 0.01*r.Scale)
	if err != nil {
		return err
	}
	defer measure.Discard(r.ownSource())
	blank.Files, blank.Bytes = size.Files, size.Bytes
	log := func(side string) syncLog {
		return syncLog(filepath.Join(r.Work, fmt.Sprintf("syncs-%s-%d", side, blank.Run))) // a strace may end later than what it traces
	}
	logs := syncLogs{hub: log("hub"), client: log("client")}
	d := newDfs(r)
	// With -D strace is no parent of the hub, which so gets its signals itself.
	d.hubUnder, d.under = logs.hub.command(strace, "-D"), logs.client.command(strace)
	if err := d.begin(); err != nil {
		return err
	}
	defer d.end()
	if err := r.synced(blank, d.push, logs, "hub", logs.hub.syncedBeforeAnswer); err != nil {
		return err
	}
	blank.Operation = tracedPull
	return r.synced(blank, d.pull, logs, "client", func() (string, error) { return logs.client.syncedBeforeRename(d.to, int(size.Files)) })
}

// synced does an operation, and records which calls hub and client made meanwhile; must
// says which of both must have synced, and order proves what came before what.
func (r *run) synced(rec report.Record, do func(*report.Record) error, logs syncLogs, must string, order func() (string, error)) error {
	before, err := logs.hub.count()
	if err != nil {
		return err
	}
	if err := do(&rec); err != nil {
		return fmt.Errorf("%s: %w", rec.Operation, err)
	}
	after, err := logs.hub.count()
	if err != nil {
		return err
	}
	for name, n := range before {
		after[name] -= n
	}
	client, err := logs.client.count()
	if err != nil {
		return err
	}
	rec.Note = fmt.Sprintf("calls that succeeded: client %v; hub %v (times are those under strace)", client, after)
	if proof, err := order(); err != nil {
		rec.Failed = err.Error() + "; " + rec.Note
	} else {
		rec.Note = proof + "; " + rec.Note
	}
	if made := map[string]syncCalls{"hub": after, "client": client}[must]; made.durable() == 0 {
		rec.Failed = "the " + must + " synced nothing; " + rec.Note
	}
	return r.add(rec)
}

// findStrace returns the program, if it is there and may trace.
func (r *run) findStrace() (string, error) {
	path, err := exec.LookPath("strace")
	if err != nil {
		return "", errors.New("strace is not installed: no such program on PATH")
	}
	use, err := measure.Run(r.ctx, []string{path, "-f", "-o", os.DevNull, r.Program, "version"}, r.env(), "")
	if err != nil {
		return "", err
	}
	if use.Exit != 0 {
		return "", fmt.Errorf("strace cannot trace here: it exits with %d: %s", use.Exit, tail(use.Stderr))
	}
	return path, nil
}

// syncLogs are those of an operation. That of the hub goes on over several.
type syncLogs struct{ hub, client syncLog }

// syncLog is the path of what strace wrote.
type syncLog string

// command returns what to put before a command line to have its syncs, and the calls of which the
// order is looked at, written to the log, with the paths of descriptors and the begin of what is read.
func (l syncLog) command(strace string, options ...string) []string {
	return slices.Concat([]string{strace}, options, []string{"-f", "-qq", "-y", "-s", "40", "-o", string(l), "-e", "signal=none",
		"-e", "trace=" + strings.Join(slices.Concat(syncNames(), writeNames(), renameNames(), []string{"read"}), ",")})
}

// syncCalls counts system calls by name.
type syncCalls map[string]int

// count counts the syncs that have returned and succeeded.
func (l syncLog) count() (syncCalls, error) {
	list, err := l.calls()
	calls := syncCalls{}
	for _, c := range list {
		if c.result == "0" && slices.Contains(syncNames(), c.name) {
			calls[c.name]++
		}
	}
	return calls, err
}

// durable counts the calls after which something is durable. sync_file_range only
// starts writing.
func (c syncCalls) durable() (n int) {
	for name, times := range c {
		if name != "sync_file_range" {
			n += times
		}
	}
	return n
}

func (c syncCalls) String() string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(c)) {
		if c[name] > 0 {
			parts = append(parts, fmt.Sprintf("%s %d", name, c[name]))
		}
	}
	if parts == nil {
		return "none"
	}
	return strings.Join(parts, ", ")
}
