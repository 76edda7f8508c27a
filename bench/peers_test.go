package bench_test

import (
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"dfs/bench"
	"dfs/bench/link"
	"dfs/bench/report"
)

// needs skips a test of tools that are not all here.
func needs(t *testing.T, programs ...string) {
	t.Helper()
	if testing.Short() {
		t.Skip("measures the machine, which takes seconds")
	}
	for _, name := range programs {
		if _, err := exec.LookPath(name); err != nil {
			t.Skip(err)
		}
	}
}

// measured runs a benchmark at a small scale.
func measured(t *testing.T, o bench.Options) []report.Record {
	t.Helper()
	o.Program, o.Work, o.Seed, o.Command = program(t), filepath.Join(t.TempDir(), "work"), 7, "a test"
	set, err := bench.Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return set.Records
}

// TestLink measures peers over a link: with a daemon they go through it and are counted, and
// without one they have no figures.
func TestLink(t *testing.T) {
	needs(t, "rsync")
	const trip = 30 * time.Millisecond
	records := measured(t, bench.Options{
		Workloads: []string{"4k-1000"}, Peers: []string{"rsync", "rsync-daemon"}, Rounds: 1, Scales: []float64{0.05}, Link: link.Link{RTT: trip},
	})
	seen := map[string]int{}
	for _, rec := range records {
		seen[rec.Tool]++
		switch {
		case rec.Tool == "rsync":
			if rec.Failed == "" || rec.Wall != 0 {
				t.Errorf("%+v: measured without a link", rec)
			}
		case rec.Operation == report.OpPush:
			if rec.WireSent < rec.Bytes || rec.WireReceived == 0 || rec.Connections == 0 || rec.Link == "loopback" {
				t.Errorf("%+v: not counted", rec)
			}
			if rec.RoundTrips < 2 || rec.Wall < 2*trip.Seconds() {
				t.Errorf("%+v: not delayed", rec)
			}
			if rec.HubPeakRSS == 0 && runtime.GOOS == "linux" {
				t.Errorf("%+v: its server was not watched", rec)
			}
		}
	}
	if seen["rsync"] != 1 || seen["rsync-daemon"] != 5 || seen["dfs"] != 6 {
		t.Errorf("records: %v", seen)
	}
}

// TestTurns counts round trips on the loopback: the records are those of the timed round alone, and
// what has a server has its round trips, and bytes, in them.
func TestTurns(t *testing.T) {
	needs(t, "rsync")
	records := measured(t, bench.Options{
		Workloads: []string{"4k-1000"}, Peers: []string{"rsync", "rsync-daemon"}, Rounds: 1, Scales: []float64{0.05}, Turns: true,
	})
	seen := map[string]int{}
	for _, rec := range records {
		seen[rec.Tool]++
		least, most := int64(2), int64(40)
		if rec.Tool == "rsync" {
			least, most = 0, 0
		}
		if rec.Failed != "" || rec.RoundTrips < least || rec.RoundTrips > most || rec.Link != "loopback" {
			t.Errorf("%+v: want %d to %d round trips", rec, least, most)
		}
		if rec.Tool != "rsync" && (rec.WireSent == 0 || rec.WireReceived == 0) {
			t.Errorf("%+v: its bytes are not told", rec)
		}
	}
	if seen["rsync"] != 5 || seen["rsync-daemon"] != 5 || seen["dfs"] != 6 {
		t.Errorf("records: %v", seen)
	}
}

// TestVersions changes what peers have stored, in several rounds: each tool pushes each change,
// and those for which a comparison says nothing are left out of it.
func TestVersions(t *testing.T) {
	needs(t, "restic", "rsync")
	records := measured(t, bench.Options{
		Workloads: []string{"big-edits", "one-of-many"}, Peers: []string{"rsync", "restic"}, Rounds: 2, Scales: []float64{0.001},
	})
	runs, firsts := map[string]int{}, map[string]int{}
	last := ""
	for _, rec := range records {
		what := rec.Tool + " " + rec.Operation
		runs[what]++
		if last != rec.Operation {
			last = rec.Operation
			firsts[what]++
		}
		if rec.Failed != "" || rec.StoreBytes == 0 {
			t.Errorf("%+v: failed, or stored nothing", rec)
		}
		if rec.Operation == "push after 1 MiB appended" && rec.StoreBytes < 1<<20 {
			t.Errorf("%+v: stored less than what was appended", rec)
		}
	}
	for _, tool := range []string{"dfs", "restic"} {
		for _, operation := range []string{"push after 1 byte overwritten", "push after 1 byte inserted", "push after 1 MiB appended"} {
			if what := tool + " " + operation; runs[what] != 2 || firsts[what] != 1 {
				t.Errorf("%s: %d runs, first in %d of two rounds", what, runs[what], firsts[what])
			}
		}
		if what := tool + " push after 1 file changed"; runs[what] != 2 {
			t.Errorf("%s: %d runs", what, runs[what])
		}
	}
	if len(records) != 2+2*2*3+2*2 {
		t.Errorf("%d records: %v", len(records), runs)
	}
}

// TestStates pushes all states of a tree with each tool.
func TestStates(t *testing.T) {
	needs(t, "rsync")
	records := measured(t, bench.Options{Workloads: []string{"versions-space"}, Peers: []string{"rsync"}, Rounds: 1, Scales: []float64{0.01}})
	runs := map[string]int{}
	for _, rec := range records {
		runs[rec.Tool+" "+rec.Operation]++
	}
	for _, tool := range []string{"dfs", "rsync"} {
		if first, next := runs[tool+" push of the first state"], runs[tool+" push of the next state"]; first != 1 || next != 19 {
			t.Errorf("%s: %d pushes of the first state and %d of the next", tool, first, next)
		}
	}
}
