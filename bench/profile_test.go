package bench

import (
	"path/filepath"
	"testing"

	"dfs/bench/report"
)

// TestProfilePath: a name tells all that tells an operation from others, and is one for a file.
func TestProfilePath(t *testing.T) {
	rec := &report.Record{Workload: "big-10g", Operation: "push after 1 byte overwritten", Run: 2}
	for _, c := range []struct {
		scales []float64
		rec    *report.Record
		want   string
	}{
		{[]float64{1}, rec, "big-10g-push-after-1-byte-overwritten-2-client"},
		{[]float64{0.1, 1}, rec, "big-10g-x0.1-push-after-1-byte-overwritten-2-client"},
		{[]float64{1}, &report.Record{Workload: "streams", Operation: "upload, 4 streams"}, "streams-upload-4-streams-0-client"},
	} {
		r := &run{Options: Options{Profiles: "dir", Scales: c.scales}, Scale: c.scales[0]}
		if got := r.profilePath(c.rec, "client"); got != filepath.Join("dir", c.want) {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
	r := &run{Options: Options{Profiles: "dir"}}
	if got := r.profilePath(&report.Record{}, "hub"); got != "" {
		t.Errorf("what is not measured is profiled: %q", got)
	}
}
