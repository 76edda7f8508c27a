package bench_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
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
		Program: program(t), Work: work, Workloads: []string{"deep", "killed-push", "versions-space"}, Peers: []string{"rsync"},
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
		operations = append(operations, rec.Tool+" "+rec.Operation)
	}
	for _, want := range []string{"dfs push", "dfs unchanged", "dfs status", "dfs pull", "dfs push-churn", "dfs pull-churn", "dfs push resumed after a kill", "dfs push of the next state"} {
		if !slices.Contains(operations, want) {
			t.Errorf("no figure of %q in %q", want, operations)
		}
	}
	if left, err := os.ReadDir(filepath.Dir(work)); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestRunRefuses(t *testing.T) {
	there := t.TempDir()
	for what, o := range map[string]bench.Options{
		"a directory that is there": {Work: there},
		"an unknown workload":       {Work: filepath.Join(there, "w"), Workloads: []string{"nonsense"}},
	} {
		if _, err := bench.Run(t.Context(), o); err == nil {
			t.Errorf("%s: no error", what)
		}
	}
}
