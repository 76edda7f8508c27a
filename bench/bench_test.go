package bench_test

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dfs/bench"
	"dfs/bench/report"
)

// program builds dfs.
func program(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "dfs")
	if out, err := exec.Command("go", "build", "-o", path, "dfs/cmd/dfs").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return path
}

// TestRun measures small workloads and finds a figure for each operation, the same ones in
// what it returns and in what it writes, and nothing left behind.
func TestRun(t *testing.T) {
	if testing.Short() {
		t.Skip("measures the machine, which takes seconds")
	}
	var lines bytes.Buffer
	work := filepath.Join(t.TempDir(), "work")
	set, err := bench.Run(t.Context(), bench.Options{
		Program: program(t), Work: work, Workloads: []string{"deep", "killed-push", "versions-space", "commit"}, Peers: []string{"rsync"},
		Rounds: 1, Scales: []float64{0.01}, Seed: 7, Command: "a test", Records: &lines,
	})
	if err != nil {
		t.Fatal(err)
	}
	written, err := report.Read(&lines)
	if err != nil || len(written.Records) != len(set.Records) || len(written.Headers) != 1 {
		t.Errorf("%d records and %d headers were written, %d returned: %v", len(written.Records), len(written.Headers), len(set.Records), err)
	}
	var operations []string
	for _, rec := range set.Records {
		if rec.Wall <= 0 && rec.Failed == "" {
			t.Errorf("%+v: no time", rec)
		}
		if rec.Tool == "dfs" && rec.HubPeakRSS <= 0 && rec.Operation != "hub ready after kill -9" {
			t.Errorf("%+v: the hub was not watched", rec)
		}
		if rec.Operation == report.OpStatus && (rec.Requests == 0 || rec.WireSent == 0 || rec.WireReceived == 0) {
			t.Errorf("%+v: what crossed the wire is not told", rec)
		}
		operations = append(operations, rec.Tool+" "+rec.Operation)
	}
	for _, want := range []string{"dfs push", "dfs unchanged", "dfs status", "dfs pull", "dfs push-churn", "dfs pull-churn", "dfs push resumed after a kill", "dfs push of the next state",
		"dfs push after 1 file changed", "dfs commit, median", "dfs commit, 99th percentile"} {
		if !slices.Contains(operations, want) {
			t.Errorf("no figure of %q in %q", want, operations)
		}
	}
	if left, err := os.ReadDir(filepath.Dir(work)); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// TestRunAlone measures dfs alone at two scales, with profiles of each side.
func TestRunAlone(t *testing.T) {
	if testing.Short() {
		t.Skip("measures the machine, which takes seconds")
	}
	profiles := filepath.Join(t.TempDir(), "profiles")
	set, err := bench.Run(t.Context(), bench.Options{
		Program: program(t), Work: filepath.Join(t.TempDir(), "work"), Workloads: []string{"streams", "tree-diff"},
		Rounds: 1, Scales: []float64{0.01, 0.02}, Seed: 7, Profiles: profiles,
	})
	if err != nil {
		t.Fatal(err)
	}
	var operations []string
	for _, rec := range set.Records {
		if rec.Wall <= 0 || rec.Files == 0 && rec.Bytes == 0 {
			t.Errorf("%+v: no time, or nothing measured", rec)
		}
		if !strings.HasPrefix(rec.Operation, "merkle diff") && rec.HubPeakRSS <= 0 {
			t.Errorf("%+v: the hub was not watched", rec)
		}
		if rec.Workload == "streams" && rec.WireSent < rec.Bytes {
			t.Errorf("%+v: not all was sent", rec)
		}
		operations = append(operations, fmt.Sprintf("%g %s", rec.Scale, rec.Operation))
	}
	for _, want := range []string{
		"upload, 1 stream", "upload, 4 streams", "upload, 16 streams", "upload, 64 streams", "status after 1 % changed",
	} {
		for _, scale := range []string{"0.01 ", "0.02 "} {
			if !slices.Contains(operations, scale+want) {
				t.Errorf("no figure of %q in %q", scale+want, operations)
			}
		}
	}
	for _, want := range []string{"0.01 merkle diff, 100 entries", "0.01 merkle diff, 10000 entries", "0.02 merkle diff, 20000 entries"} {
		if !slices.Contains(operations, want) {
			t.Errorf("no figure of %q in %q", want, operations)
		}
	}
	for _, name := range []string{
		"streams-x0.01-upload-64-streams-0-hub.cpu", "streams-x0.02-upload-1-stream-0-client.mem",
		"tree-diff-x0.02-status-after-1-changed-0-client.cpu", "tree-diff-x0.02-merkle-diff-200-entries-0-client.cpu",
	} {
		if info, err := os.Stat(filepath.Join(profiles, name)); err != nil || info.Size() == 0 {
			t.Errorf("profile %s: %v, %v", name, info, err)
		}
	}
}

// TestRounds: what dfs does alone is done in each round too.
func TestRounds(t *testing.T) {
	if testing.Short() {
		t.Skip("measures the machine, which takes seconds")
	}
	set, err := bench.Run(t.Context(), bench.Options{
		Program: program(t), Work: filepath.Join(t.TempDir(), "work"), Workloads: []string{"killed-push", "crash-open", "syncs"},
		Rounds: 2, Scales: []float64{0.01}, Seed: 7,
	})
	if err != nil {
		t.Fatal(err)
	}
	runs := map[string][]int{}
	for _, rec := range set.Records {
		if !strings.HasPrefix(rec.Failed, "missing: ") { // strace is not everywhere
			runs[rec.Operation] = append(runs[rec.Operation], rec.Run)
		}
	}
	for operation, rounds := range runs {
		if !slices.Equal(rounds, []int{0, 1}) {
			t.Errorf("%s: rounds %v", operation, rounds)
		}
	}
	if len(runs) < 2 {
		t.Errorf("measured are %v", runs)
	}
}

// TestRunRefuses: what cannot be measured as asked is refused before anything is made.
func TestRunRefuses(t *testing.T) {
	there := t.TempDir()
	for what, change := range map[string]func(*bench.Options){
		"a directory that is there": func(o *bench.Options) { o.Work = there },
		"no workload":               func(o *bench.Options) { o.Workloads = nil },
		"an unknown workload":       func(o *bench.Options) { o.Workloads = []string{"deep", "nonsense"} },
		"a workload named twice":    func(o *bench.Options) { o.Workloads = []string{"deep", "deep"} },
		"an unknown peer":           func(o *bench.Options) { o.Peers = []string{"rsync", "rsink"} },
		"a peer named twice":        func(o *bench.Options) { o.Peers = []string{"rsync", "rsync"} },
		"a scale of 0":              func(o *bench.Options) { o.Scales = []float64{1, 0} },
		"a scale that is none":      func(o *bench.Options) { o.Scales = []float64{math.NaN()} },
		"an infinite scale":         func(o *bench.Options) { o.Scales = []float64{math.Inf(1)} },
		"no rounds":                 func(o *bench.Options) { o.Rounds = 0 },
		"negative memory":           func(o *bench.Options) { o.Memory = -1 },
		"memory of no machine":      func(o *bench.Options) { o.Memory = math.MaxInt64 },
		"touching too much":         func(o *bench.Options) { o.Touch = math.MaxInt64 },
		"a negative rate":           func(o *bench.Options) { o.Link.BitsPerSecond = -1 },
		"a rate of no link":         func(o *bench.Options) { o.Link.BitsPerSecond = math.MaxInt64 },
		"a link back in time":       func(o *bench.Options) { o.Link.RTT = -1 },
	} {
		o := bench.Options{Work: filepath.Join(there, "w"), Workloads: []string{"deep"}, Peers: []string{"rsync"}, Rounds: 1, Scales: []float64{1}}
		if err := o.Check(); err != nil {
			t.Fatal(err)
		}
		change(&o)
		if set, err := bench.Run(t.Context(), o); err == nil || len(set.Headers) > 0 {
			t.Errorf("%s: %v, and %d headers", what, err, len(set.Headers))
		}
	}
	if left, err := os.ReadDir(there); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
