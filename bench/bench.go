// Package bench measures dfs and other tools on the machine that it runs on: what
// a user runs to see whether dfs is fast there, and what the project is steered by.
//
// # What makes a figure mean something
//
// Each tool gets the same data in the same run, and the tools take turns, in another
// order each round. Before each timed command the disk is at rest (sync) and memory
// was touched, since on a virtual machine the first touch of a page can cost more than
// all else; with a cold cache the caches are dropped instead. Trees are not deleted
// between runs but renamed away, since file systems are slow to reuse what was just
// freed. What a tool does not make durable itself is synced within its time. A figure
// is the median of the rounds.
//
// Everything runs over a hub on loopback HTTP, a process of its own. Round trips there, and the
// bytes of tools that do not tell them, are counted in a round before the timed ones, through
// a relay, since a relay costs time; over a link, which is one, they are counted in each round.
package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"dfs/bench/link"
	"dfs/bench/machine"
	"dfs/bench/measure"
	"dfs/bench/peer"
	"dfs/bench/report"
	"dfs/bench/workload"
)

// Options says what to measure.
type Options struct {
	Program   string   // the dfs to be measured
	Work      string   // a directory for everything that is made; it must not exist
	Workloads []string // some of Names
	Peers     []string // some of PeerNames; those that are missing are reported as such
	Rounds    int
	Scales    []float64 // of the workloads, each measured at all of them in turn; none is 1 alone
	Seed      uint64
	Link      link.Link // between clients and their servers; peers without a daemon are not measured over it
	Turns     bool      // count round trips on loopback too, in a round before the timed ones
	Cold      bool      // drop the caches before each timed command
	Touch     int64     // bytes of memory to be touched before each timed command
	Memory    int64     // bytes that dfs and its hub together get, page cache included; 0: no bound
	Profiles  string    // a directory for CPU and heap profiles of dfs's operations; "": none
	Command   string    // how the run was called, for the report
	Records   io.Writer // JSON lines as they come; may be nil
	Log       io.Writer // what is being done; may be nil
}

// run is a benchmark at work.
type run struct {
	Options
	ctx   context.Context
	set   report.Set
	Scale float64 // of the workload at work: one of Scales

	group *memoryGroup // of dfs and its hub; nil: none

	counting bool                         // nothing is timed
	crossed  map[crossing][]report.Record // what was counted of the work under way, before it is timed
}

// Run measures, and returns what was measured also when it ends with an error. Options that do
// not pass Check are one.
func Run(ctx context.Context, o Options) (set report.Set, err error) {
	r := &run{Options: o, ctx: ctx}
	if err := o.Check(); err != nil {
		return r.set, err
	}
	if len(r.Scales) == 0 {
		r.Scales = []float64{1}
	}
	if err := os.Mkdir(o.Work, 0o700); err != nil {
		return r.set, err
	}
	defer func() { err = errors.Join(err, r.remove()) }() // only now: see the package comment
	if o.Memory > 0 {
		if r.group, err = newMemoryGroup(o.Memory); err != nil {
			return r.set, err
		}
		defer r.group.close()
	}
	if o.Profiles != "" {
		if err := os.MkdirAll(o.Profiles, 0o777); err != nil {
			return r.set, err
		}
	}
	if err := r.describe(); err != nil {
		return r.set, err
	}
	for _, name := range o.Workloads {
		w, _ := named(name)
		for _, r.Scale = range r.Scales {
			err := r.countTurns(w)
			if err == nil {
				err = w.measure(r)
			}
			if err != nil {
				return r.set, fmt.Errorf("workload %s, scale %g: %w", name, r.Scale, err)
			}
		}
	}
	return r.set, nil
}

// remove removes all that was made, which takes a while.
func (r *run) remove() error {
	r.logf("removing %s", r.Work)
	return os.RemoveAll(r.Work)
}

// describe measures the machine.
func (r *run) describe() error {
	r.logf("measuring the machine")
	m, err := machine.Describe(r.Work)
	if err != nil {
		return err
	}
	limits, err := machine.Measure(r.ctx, r.Work)
	if err != nil {
		return err
	}
	h := report.Header{
		Type: "machine", Machine: m, Time: time.Now().UTC().Format(time.RFC3339), Seed: r.Seed, Command: r.Command,
		Limits: map[string]float64{
			report.LimitCores: float64(m.Cores), report.LimitRead: limits.Read, report.LimitSHA256: limits.SHA256, report.LimitRabin: limits.Rabin,
			report.LimitWriteSync: limits.WriteSync, report.LimitLoopback: limits.Loopback,
			report.LimitOpen: limits.Open, report.LimitStat: limits.Stat, report.LimitCreate: limits.Create, report.LimitFsync: limits.Fsync,
		},
	}
	r.set.Headers = append(r.set.Headers, h)
	return r.write(h)
}

func (r *run) write(v any) error {
	if r.Records == nil {
		return nil
	}
	return report.WriteJSON(r.Records, v)
}

func (r *run) logf(format string, args ...any) {
	if r.Log != nil {
		fmt.Fprintf(r.Log, format+"\n", args...)
	}
}

// add keeps a record.
func (r *run) add(rec report.Record) error {
	if r.counting {
		r.keepCrossed(rec)
		return nil
	}
	r.fillCrossed(&rec)
	rec.Scale, rec.Link, rec.Cache = r.Scale, r.linkName(), "warm"
	if r.Cold {
		rec.Cache = "cold"
	}
	if r.group != nil { // of all tools, so that they stay one group
		rec.Cache += ", dfs in " + r.group.String()
	}
	r.set.Records = append(r.set.Records, rec)
	r.logf("  %-22s %-16s %8.3f s%s", rec.Operation, rec.Tool, rec.Wall, failure(rec.Failed))
	return r.write(rec)
}

// linkName names the link as reports do.
func (r *run) linkName() string {
	if !r.linked() {
		return "loopback"
	}
	if r.Link.BitsPerSecond == 0 {
		return r.Link.RTT.String()
	}
	return fmt.Sprintf("%v-%dmbit", r.Link.RTT, r.Link.BitsPerSecond/1e6)
}

func failure(text string) string {
	if text == "" {
		return ""
	}
	return "  " + text
}

// settle brings the machine to the state in which every timed command starts.
func (r *run) settle() error {
	measure.SyncAll()
	if r.Cold {
		return measure.DropCaches()
	}
	machine.TouchMemory(r.Touch)
	return nil
}

// contestants returns dfs and the peers that can be measured. One that cannot becomes a record.
func (r *run) contestants(w workload.Workload) ([]contestant, error) { return r.among(w, anyPeer) }

// among returns dfs and those of the selected peers that takes accepts and that can be
// measured. One that is accepted and cannot becomes a record.
func (r *run) among(w workload.Workload, takes func(peer.Peer) bool) ([]contestant, error) {
	all := []contestant{newDfs(r)}
	for _, name := range r.Peers {
		p, ok := peer.Named(name)
		if !ok {
			return nil, fmt.Errorf("peer %q is not known", name)
		}
		if !takes(p) {
			continue
		}
		version, why := r.find(p)
		if why != "" {
			if err := r.add(report.Record{Workload: w.Name, Operation: report.OpPush, Tool: name, Version: version, Failed: why}); err != nil {
				return nil, err
			}
			continue
		}
		all = append(all, &peerTool{r: r, p: p, version: version, site: r.site(name)})
	}
	return all, nil
}

// site returns a peer's places.
func (r *run) site(name string) peer.Site {
	dir := filepath.Join(r.Work, name)
	return peer.Site{Work: filepath.Join(dir, "work"), Source: r.source(), Target: filepath.Join(dir, "target"), Store: filepath.Join(dir, "store")}
}

// source is the tree that the peers read; dfs has one of its own, since it keeps its state in it.
func (r *run) source() string { return filepath.Join(r.Work, "source") }

// turn returns what takes turns in the order of a round.
func turn[T any](all []T, round int) []T {
	n := round % len(all)
	return slices.Concat(all[n:], all[:n])
}

// tail returns the end of a command's output, for a message.
func tail(b []byte) string {
	text := strings.TrimSpace(string(b))
	return text[max(0, len(text)-300):]
}
