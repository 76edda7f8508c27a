package report

import (
	"strings"
	"testing"
)

// grown is a work at three sizes, of one tool.
func grown(op string) (s Set) {
	for i, scale := range []float64{10, 0.1, 1} {
		s.Records = append(s.Records, Record{Workload: "w", Operation: op, Tool: "dfs", Scale: scale, Files: int64(1000 * scale), Bytes: int64(1024 * mib * scale), Wall: float64(i+1) * scale})
	}
	return s
}

func TestGrowth(t *testing.T) {
	const file = "\ngrowth of w, push\n  dfs, a file: 100: 2.00 ms; 1,000: 3.00 ms; 10,000: 1.00 ms; greatest/least 3.00×\n"
	const gibi = "  dfs, a GiB: 102 MiB: 2.00 s; 1.00 GiB: 3.00 s; 10.0 GiB: 1.00 s; greatest/least 3.00×\n"
	if got := growth(summarise(grown(OpPush))); got != file+gibi {
		t.Errorf("got %s, want %s", got, file+gibi)
	}
	if got, want := growth(summarise(grown(OpStatus))), strings.Replace(file, OpPush, OpStatus, 1); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	failed := grown(OpPush)
	for i := range failed.Records[1:] {
		failed.Records[i].Failed = "no"
	}
	if got := growth(summarise(failed)); got != "" {
		t.Errorf("of one size: %s", got)
	}
}
