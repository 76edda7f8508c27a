package report

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"
)

func TestLimit(t *testing.T) {
	all := map[string]float64{LimitCores: 2, LimitRead: 1000, LimitRabin: 100, LimitSHA256: 200, LimitLoopback: 500,
		LimitWriteSync: 400, LimitOpen: 10, LimitStat: 50, LimitCreate: 5, LimitFsync: 4}
	for _, c := range []struct {
		op           string
		bytes, files int64
		limits       map[string]float64
		seconds      float64
		formula      string
	}{
		{OpPush, 1000, 10, all, (1 + 1 + 10 + 2) / 2., "max((files/open + bytes/read + (bytes − 48 KiB·files)/rabin + 2·bytes/sha256 + bytes/loopback)/cores, bytes/write_sync)"},
		{OpPush, 10*48*kib + 1000, 10, map[string]float64{LimitRabin: 100}, 10, "((bytes − 48 KiB·files)/rabin)/cores"},
		{OpPush, 1000, 0, map[string]float64{LimitSHA256: 1000, LimitWriteSync: 100}, 10, "max((2·bytes/sha256)/cores, bytes/write_sync)"},
		{OpPush, 1000, 0, map[string]float64{LimitSHA256: 1000}, 2, "(2·bytes/sha256)/cores"},
		{OpPull, 1000, 100, all, 20, "max((bytes/read + 2·bytes/sha256 + bytes/loopback)/cores, files/create + (bytes − 4 KiB·files)/write_sync)"},
		{OpPull, 100*4*kib + 400, 100, map[string]float64{LimitCreate: 100, LimitWriteSync: 400}, 2, "files/create + (bytes − 4 KiB·files)/write_sync"},
		{OpUpload, 1000, 0, map[string]float64{LimitWriteSync: 500}, 2, "bytes/write_sync"},
		{OpUpload + ", 8 streams", 1000, 0, map[string]float64{LimitWriteSync: 500}, 2, "bytes/write_sync"},
		{OpStatus, 1000, 100, all, 1, "(files/stat)/cores"},
		{OpUnchanged, 1 << 40, 100, all, 1, "(files/stat)/cores"},
		{OpPushChurn, 1 << 40, 1000, all, (20+0.6)/2 + 0.25, "(files/stat + 0.006·files/open)/cores + 1/fsync"},
		{OpCommit + ", median", 1000, 10, all, 0.25, "1/fsync"},
		{OpOneChanged, 1000, 100, all, 1.25, "(files/stat)/cores + 1/fsync"},
		{OpInserted, 1000, 1, all, (1+5)/2. + 0.25, "(bytes/read + bytes/sha256)/cores + 1/fsync"},
		{OpResumed, 1000, 10, all, (1 + 1 + 10 + 2) / 4., "max((0.5·files/open + 0.5·bytes/read + 0.5·(bytes − 48 KiB·files)/rabin + bytes/sha256 + 0.5·bytes/loopback)/cores, 0.5·bytes/write_sync)"},
		{OpMerkleDiff + ", 10 entries", 1000, 10, all, 0.5, "(bytes/read)/cores"},
		{OpPullChurn, 1 << 40, 1000, all, 1.2, "0.006·files/create"},
		{OpPush, 1000, 10, nil, 0, ""},
		{"dance", 1000, 10, all, 0, ""},
	} {
		seconds, formula := Limit(Work{Operation: c.op, Bytes: c.bytes, Files: c.files, Link: "loopback"}, c.limits)
		if math.Abs(seconds-c.seconds) > 1e-9 || formula != c.formula {
			t.Errorf("Limit(%s, %d, %d) = %v, %q, want %v, %q", c.op, c.bytes, c.files, seconds, formula, c.seconds, c.formula)
		}
	}
}

// TestLimitOverLink: round trips and what went one way, or what the machine takes where that is more.
func TestLimitOverLink(t *testing.T) {
	for _, c := range []struct {
		op, link string
		limits   map[string]float64
		seconds  float64
		formula  string
	}{
		{OpPush, "100ms-8mbit", nil, 0.3 + 2, "3·RTT + wire/rate"},
		{OpPull, "100ms-0mbit", nil, 0.4, "4·RTT"},
		{OpPull, "100ms", nil, 0.4, "4·RTT"},
		{OpStatus, "0s-8mbit", nil, 2, "2·RTT + wire/rate"},
		{OpStatus, "100ms-8mbit", map[string]float64{LimitStat: 1}, 1000, "max((files/stat)/cores, 2·RTT + wire/rate)"},
		{OpPush, "loopback", nil, 0, ""},
		{"dance", "100ms-8mbit", nil, 0, ""},
	} {
		seconds, formula := Limit(Work{Operation: c.op, Files: 1000, Link: c.link, Wire: 2e6}, c.limits)
		if math.Abs(seconds-c.seconds) > 1e-9 || formula != c.formula {
			t.Errorf("%s over %s: %v, %q, want %v, %q", c.op, c.link, seconds, formula, c.seconds, c.formula)
		}
	}
}

func TestPartOfLimit(t *testing.T) {
	s := set("dfs", 1)
	s.Headers = []Header{{Limits: map[string]float64{LimitSHA256: 100 * mib}}}
	if r := summarise(s)[0]; math.Abs(r.ofLimit-0.2) > 1e-9 {
		t.Errorf("%v of the limit, want 0.2", r.ofLimit)
	}
	s.Records[0].Link, s.Records[0].WireSent, s.Records[0].WireReceived = "100ms-8mbit", 3e5, 1e5
	if r := summarise(s)[0]; math.Abs(r.ofLimit-0.6) > 1e-9 {
		t.Errorf("%v of the limit over a slow link, want 0.6", r.ofLimit)
	}
}

// TestBeyondLimit: a part above the whole is no figure, and the reader is told why there is none.
func TestBeyondLimit(t *testing.T) {
	for write, says := range map[float64]bool{5 * mib: true, 20 * mib: false} { // the limit is 2 s, or ½ s
		s := set("dfs", 1)
		s.Headers = []Header{{Limits: map[string]float64{LimitWriteSync: write}}}
		var table, page bytes.Buffer
		if err := errors.Join(Table(&table, s), HTML(&page, s)); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(table.String(), "  >100 %\n") != says || strings.Contains(table.String(), "of limit, >100 %: ") != says || strings.Contains(table.String(), "200 %") {
			t.Errorf("at %v:\n%s", write, table.String())
		}
		if strings.Contains(page.String(), "<dt>&gt;100 %</dt>") != says {
			t.Errorf("at %v: the page does not say so, or it does", write)
		}
	}
}

func TestMedianAndDeviation(t *testing.T) {
	for _, c := range []struct {
		sorted            []float64
		median, deviation float64
	}{
		{nil, 0, 0}, {[]float64{3}, 3, 0}, {[]float64{1, 3}, 2, 1}, {[]float64{1, 2, 9}, 2, 1}, {[]float64{1, 2, 3, 4, 90}, 3, 1},
	} {
		if m, d := median(c.sorted), deviation(c.sorted); m != c.median || d != c.deviation {
			t.Errorf("%v: median %v, deviation %v, want %v, %v", c.sorted, m, d, c.median, c.deviation)
		}
	}
}

func TestPeaksAreTheGreatestAndFailuresDoNotCount(t *testing.T) {
	s := set("dfs", 1, 2, 0, 3)
	for i := range s.Records {
		s.Records[i].PeakAnon = int64(100 - i)
	}
	s.Records[2].PeakAnon = 1 << 40
	r := summarise(s)[0]
	if r.wall != 2 || r.runs != 3 || len(r.failed) != 1 || r.anon != 100 {
		t.Errorf("wall %v of %d runs, %d failed, peak %d", r.wall, r.runs, len(r.failed), r.anon)
	}
}

// TestStoreOfStates: a store that allocates ahead shows what its states took all the same.
func TestStoreOfStates(t *testing.T) {
	s := set("dfs", 1, 1, 1, 1)
	for i := range s.Records {
		s.Records[i].Operation, s.Records[i].StoreBytes = OpNextState, 4*kib
	}
	s.Records[2].StoreBytes = 4 * mib
	if r := summarise(s)[0]; r.store != (4*mib+12*kib)/4 {
		t.Errorf("%d bytes a state", r.store)
	}
}

// TestMissingTool: it comes last, and does not take the size from a group of which it comes first.
func TestMissingTool(t *testing.T) {
	s := Set{Records: []Record{{Workload: "w", Operation: OpPush, Tool: "kopia", Scale: 1, Failed: "missing"}}}
	s.Records = append(s.Records, set("dfs", 1).Records...)
	for i, tool := range []string{"dfs", "kopia"} {
		if r := summarise(s)[i]; r.tool != tool || r.title() != "w, push (10 files, 10.0 MiB): no rsync to compare with" {
			t.Errorf("%s: %q", r.tool, r.title())
		}
	}
	s.Records[1].Files = 1
	if title := summarise(s)[0].title(); !strings.Contains(title, "(1 file, ") {
		t.Error(title)
	}
}

func TestRatio(t *testing.T) {
	s := set("dfs", 1, 1, 1)
	if r := summarise(s)[0]; r.ratio != 0 || !r.baselineIsMissed {
		t.Errorf("without a baseline: ratio %v", r.ratio)
	}
	s.Records = append(s.Records, set(Baseline, 4).Records...)
	other := set(Baseline, 8).Records
	other[0].Scale = 10
	s.Records = append(s.Records, other...)
	if r := summarise(s)[0]; r.ratio != 0.25 {
		t.Errorf("ratio %v, want 0.25", r.ratio)
	}
}

func TestNumbersForPeople(t *testing.T) {
	for got, want := range map[string]string{
		number(0): "0", number(0.0123): "0.012", number(0.5): "0.5", number(9.999): "10", number(12.34): "12.3", number(123.4): "123",
		number(1234567): "1,234,567", number(999.7): "1,000", thousands(-1234): "-1,234", thousands(999): "999",
		duration(0): "0", duration(2.5e-7): "250 ns", duration(0.0000123): "12.3 µs", duration(0.07): "70.0 ms", duration(0.9996): "1.00 s",
		duration(59.99): "60.0 s", duration(660): "11.0 min", duration(7200): "2.00 h",
		size(0): dash, size(999): "999 B", size(1000): "0.98 KiB", size(3 * mib): "3.00 MiB", size(1023 * mib): "1.00 GiB", size(5 << 40): "5.00 TiB",
		times(0): dash, times(0.777): "0.78×", times(0.999): "1.00×", times(12.34): "12.3×",
		percent(0): dash, percent(0.004): "0.4 %", percent(0.456): "46 %",
		both(0, 0): dash, both(1.079, 0.719): "1.08+0.72 s", both(0.0123, 0.0004): "12.3+0.40 ms", both(0, 90): "0.00+90.0 s",
		plain(0.02): "20 ms", plain(100e-6): "100 µs", plain(0.5): "500 ms", plain(5): "5 s",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestAxis(t *testing.T) {
	for _, c := range []struct{ v, below, above float64 }{{3, 2, 5}, {1.5, 1, 2}, {7, 5, 10}, {0.03, 0.02, 0.05}, {10, 5, 20}} {
		low, high := math.Pow(10, steps(math.Log10(c.v), -1)), math.Pow(10, steps(math.Log10(c.v), 1))
		if math.Abs(low/c.below-1) > 1e-6 || math.Abs(high/c.above-1) > 1e-6 {
			t.Errorf("around %v: %v and %v, want %v and %v", c.v, low, high, c.below, c.above)
		}
	}
	lines := []line{{NameY: 100}, {NameY: 99}, {NameY: 101}}
	separate(lines, 105)
	if lines[1].NameY != 81 || lines[0].NameY != 95 || lines[2].NameY != 109 {
		t.Errorf("names at %v, %v, %v", lines[0].NameY, lines[1].NameY, lines[2].NameY)
	}
}
