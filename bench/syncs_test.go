package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dfs/bench/report"
)

// TestSyncs finds a push and a pull that synced, where there is strace.
func TestSyncs(t *testing.T) {
	r := smallOfDfs(t)
	if _, err := r.findStrace(); err != nil {
		t.Skip(err)
	}
	if err := r.syncs(); err != nil {
		t.Fatal(err)
	}
	if len(r.set.Records) != 2 {
		t.Fatalf("%d records, want a push and a pull", len(r.set.Records))
	}
	for _, rec := range r.set.Records {
		if rec.Failed != "" || !strings.Contains(rec.Note, "sync ") || !strings.Contains(rec.Note, "synced before it ") {
			t.Errorf("%s: %q, failed %q", rec.Operation, rec.Note, rec.Failed)
		}
		t.Log(rec.Operation + ": " + rec.Note)
	}
}

// TestSyncsMissing holds that nobody synced, or nobody looked, to be told.
func TestSyncsMissing(t *testing.T) {
	r := small(t)
	t.Setenv("PATH", t.TempDir())
	if err := r.syncs(); err != nil {
		t.Fatal(err)
	}
	if rec := r.set.Records[0]; len(r.set.Records) != 1 || !strings.HasPrefix(rec.Failed, "missing: ") {
		t.Errorf("without strace: %+v", r.set.Records)
	}
	none := syncLog(filepath.Join(t.TempDir(), "none"))
	idle := func(*report.Record) error { return nil }
	for _, must := range []string{"hub", "client"} {
		if err := r.synced(report.Record{}, idle, syncLogs{none, none}, must, func() (string, error) { return "proven", nil }); err != nil {
			t.Fatal(err)
		}
		if rec := r.set.Records[len(r.set.Records)-1]; !strings.HasPrefix(rec.Failed, "the "+must+" synced nothing") {
			t.Errorf("nobody synced: %+v", rec)
		}
	}
}

func TestCountSyncs(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	const text = `11    fsync(7)                          = 0
12    fsync(8 <unfinished ...>
11    fdatasync(9)                      = -1 EIO (Input/output error)
12    <... fsync resumed>)              = 0
11    msync(0x7f2a, 4096, MS_SYNC)      = 0
13    sync_file_range(5, 0, 0, SYNC_FILE_RANGE_WRITE) = 0
13    syncfs(6 <unfinished ...>
13    <... syncfs resumed>)             = ?
syncfs(6)                               = 0
12    fsync(9 <unfinished ...>
`
	if err := os.WriteFile(log, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	calls, err := syncLog(log).count()
	if got, want := fmt.Sprint(calls), "fsync 2, msync 1, sync_file_range 1, syncfs 1"; got != want || err != nil || calls.durable() != 4 {
		t.Errorf("%s, %d durable, %v, want %s", got, calls.durable(), err, want)
	}
	if only := (syncCalls{"sync_file_range": 3}); only.durable() != 0 {
		t.Error("sync_file_range makes nothing durable")
	}
}
