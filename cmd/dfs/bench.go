package main

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"dfs/bench"
	"dfs/bench/link"
	"dfs/bench/report"
	"dfs/client"
)

const benchHelp = `Measure dfs, and other tools beside it, on this machine.

Each workload is generated from a seed in a new directory, pushed to a hub over
loopback and pulled back, with nothing changed and after a churn, in several rounds in
which the tools take turns. What is measured goes to the terminal as a table, and where --out names
a directory into it as JSON lines (results.json) and as a page (report.html).

Workloads are 1k-1gib, 1k-1gib-half, small-100k, 4k-1000, flat-1m, deep, big-10g, versions,
duplicates, diff-10k; pushes of what changed are big-edits (a file of 10 GiB; beside tools
with a repository), one-of-many (of 1,000,000 files; beside those and tools with a daemon),
churn (1 % of small-100k edited, moved and deleted a round) and versions-space (20 states of a
source tree); with dfs alone, killed-push, crash-open,
syncs, streams (uploads in 1 to 64 streams), commit (the latency of one small edit) and
tree-diff (finding 1 % of changes). Peers are rsync, rsync-nosync, rsync-daemon, restic,
restic-rest, borg, kopia, rclone and unison, as far as they are installed. With --rtt or
--rate only those with a daemon are measured: rsync-daemon and restic-rest.

Each tool has a copy of its own: big-edits takes 10 GiB of disk for each, and 20 more.

Round trips on loopback are counted in a round before the timed ones, through a relay before
hub and daemons; --turns=false saves it. Of limit is the least time that what the machine was
measured to do allows, as a part of the wall time; the formulas stand below the table.

Stored is by how many bytes the blocks allocated for a store grew. A store may write into what
it allocated before, or allocate ahead and tidy up later: for one small operation the figure is
only a hint. In versions-space it is what the store grew by in all states, by their number.

With --memory dfs and its hub run in one control group of Linux with so much memory, page
cache included; with --cold what they read of the source counts too. Other tools are not bounded.

With --profile each operation of dfs writes the profiles NAME-client.cpu, NAME-client.mem,
NAME-hub.cpu and NAME-hub.mem for "go tool pprof", where NAME is the workload, the operation and the
round. A hub's memory counts from its start; -diff_base takes off what was before. Figures of
such a run are not to be compared with others.

With --compare two files of results are held against each other: what got slower beyond the
noise is named, and the exit code is 1. It is 1 with an error where they cannot be compared, since
no row of one is in the other.

Usage:
  dfs bench [flags]
  dfs bench --compare OLD.json NEW.json

Examples:
  dfs bench --workload 1k-1gib --peer rsync,restic --rounds 5 --out result
  dfs bench --workload small-100k --scale 0.1 --rtt 20ms --rate 100
  dfs bench --workload small-100k --scale 0.1,1,10 --out growth`

const (
	benchName   = "bench"
	compareFlag = "compare"
)

// benchFlags are the flags of bench.
type benchFlags struct {
	workloads, peers []string
	rounds           int
	scales           []float64
	seed             uint64
	rtt              time.Duration
	rate             int64
	cold, turns      bool
	touch, memory    int64
	dir, out         string
	profiles         string
	compare          bool
}

func (b *benchFlags) flags(fs *pflag.FlagSet) {
	fs.StringSliceVar(&b.workloads, "workload", []string{"1k-1gib"}, "measure the workloads `NAMES`")
	fs.StringSliceVar(&b.peers, "peer", []string{"rsync"}, "measure the tools `NAMES` too")
	fs.IntVar(&b.rounds, "rounds", 3, "repeat `N` times")
	fs.Float64SliceVar(&b.scales, "scale", []float64{1}, "make the workloads `X` times as large; of several, as in 0.1,1,8, one after the other")
	fs.Uint64Var(&b.seed, "seed", 1, "generate from `N`")
	fs.DurationVar(&b.rtt, "rtt", 0, "put a link of that round trip `TIME` before hub and daemons")
	fs.Int64Var(&b.rate, "rate", 0, "and of so many `MBIT/S`")
	fs.BoolVar(&b.turns, "turns", true, "count round trips on loopback, in a round before the timed ones")
	fs.BoolVar(&b.cold, "cold", false, "drop the system's caches before each command (needs root)")
	fs.Int64Var(&b.touch, "touch", 3<<10, "touch so many `MIB` of memory before each command")
	fs.Int64Var(&b.memory, "memory", 0, "give dfs and its hub together `MIB` of memory, page cache included")
	fs.StringVar(&b.dir, "dir", "", "work in `DIR` (default: the system's temporary directory)")
	fs.StringVar(&b.out, "out", "", "write results.json and report.html into `DIR`")
	fs.StringVar(&b.profiles, "profile", "", "write CPU and heap profiles of each operation of dfs into `DIR`")
	fs.BoolVar(&b.compare, compareFlag, false, "compare two files of results")
}

func (a *app) bench() *cobra.Command {
	var flags benchFlags
	cmd := &cobra.Command{Use: benchName, Short: "measure speed", Long: benchHelp}
	flags.flags(cmd.Flags())
	cmd.Args = func(_ *cobra.Command, args []string) error { return flags.arguments(cmd.Flags(), args) }
	return a.command(cmd, func(ctx context.Context, args []string) (int, error) {
		if len(args) == 2 {
			return a.compareResults(args[0], args[1])
		}
		o, err := flags.options()
		if err != nil {
			return 0, err
		}
		return exitDone, a.measure(ctx, flags.dir, flags.out, o)
	})
}

// arguments checks what the command line gives: --compare takes two files and no other flag, a
// measurement only flags.
func (b *benchFlags) arguments(fs *pflag.FlagSet, args []string) error {
	var beside error
	fs.Visit(func(f *pflag.Flag) {
		if b.compare && f.Name != compareFlag {
			beside = &client.UsageError{Message: "--" + f.Name + " says how to measure, and --" + compareFlag + " measures nothing"}
		}
	})
	if b.compare != (len(args) == 2) || len(args) == 1 {
		return &client.UsageError{Message: "bench takes no arguments, and --" + compareFlag + " two files"}
	}
	return beside
}

// absolute makes the places that the flags name absolute ones: the commands that are measured run
// elsewhere.
func (b *benchFlags) absolute() (err error) {
	if b.dir == "" {
		b.dir = os.TempDir()
	}
	for _, place := range []*string{&b.dir, &b.out, &b.profiles} {
		if *place == "" {
			continue
		}
		if *place, err = filepath.Abs(*place); err != nil {
			return err
		}
	}
	return nil
}

// options are those of a measurement, but for the directory of its work. An error is one of usage.
func (b *benchFlags) options() (bench.Options, error) {
	if err := b.absolute(); err != nil {
		return bench.Options{}, err
	}
	o := bench.Options{
		Workloads: b.workloads, Peers: b.peers, Rounds: b.rounds, Scales: b.scales, Profiles: b.profiles, Seed: b.seed, Turns: b.turns, Cold: b.cold,
		Touch: times(b.touch, 1<<20), Memory: times(b.memory, 1<<20), Link: link.Link{RTT: b.rtt, BitsPerSecond: times(b.rate, 1e6)},
		Command: strings.Join(os.Args, " "),
	}
	if err := o.Check(); err != nil {
		return o, &client.UsageError{Message: err.Error()}
	}
	return o, nil
}

// times returns n units, or the most that there is.
func times(n, unit int64) int64 {
	if n > math.MaxInt64/unit {
		return math.MaxInt64
	}
	return n * unit
}

// measure runs the benchmark in a new directory in dir, prints its results and writes them into
// the directory out, if there is one.
func (a *app) measure(ctx context.Context, dir, out string, o bench.Options) (err error) {
	limitMemory(math.MaxInt64) // it is no client, and holds what it sends
	if o.Program, err = os.Executable(); err != nil {
		return err
	}
	parent, err := os.MkdirTemp(dir, "dfs-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(parent)) }()
	o.Work, o.Log = filepath.Join(parent, "work"), a.out.stderr
	files, err := newResults(out)
	if err != nil {
		return err
	}
	o.Records = files.lines()
	set, err := bench.Run(ctx, o)
	return errors.Join(err, report.Table(a.out.stdout, set), files.keep(set, err == nil))
}
