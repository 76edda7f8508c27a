package report

import (
	"cmp"
	"slices"
	"strings"
)

// group names the same work.
type group struct {
	workload, operation, link, cache string
	scale                            float64
}

// groupOf returns the group of a run.
func groupOf(r Record) group {
	return group{r.Workload, r.Operation, r.Link, r.Cache, r.Scale}
}

// String names a group for people.
func (g group) String() string {
	parts := []string{g.workload, g.operation}
	if g.scale != 0 && g.scale != 1 {
		parts[0] += " × " + number(g.scale)
	}
	return strings.Join(append(parts, g.conditions()...), ", ")
}

// conditions returns link and cache, where they are told.
func (g group) conditions() []string {
	var told []string
	if g.link != "" {
		told = append(told, g.link)
	}
	if g.cache != "" {
		told = append(told, g.cache)
	}
	return told
}

// key names a row.
type key struct {
	group
	tool string
}

// row is what the runs of one tool on the same work come to. Figures are medians, but
// for the peaks of memory, which are the greatest, and what the store grew by in the
// states of a tree, which is the mean.
type row struct {
	key
	version string
	runs    int // that count
	failed  []string
	notes   []string
	files   int64
	bytes   int64

	walls            []float64 // sorted
	wall             float64
	user, sys        float64
	hubUser, hubSys  float64
	anon, hubAnon    int64
	rss, hubRSS      int64
	wire, requests   int64
	oneWay           int64 // of wire, the direction of more
	roundTrips       int64
	store            int64
	ratio            float64 // to the baseline of the group; 0: none
	limit, ofLimit   float64 // the least time, and its part of the wall time; 0: none
	limitFormula     string
	perGiB, perFile  float64 // seconds
	baselineIsMissed bool
}

// spread returns the least and the greatest wall time.
func (r row) spread() (least, greatest float64) {
	if len(r.walls) == 0 {
		return 0, 0
	}
	return r.walls[0], r.walls[len(r.walls)-1]
}

// summarise returns the rows of a set. Groups, and the tools of each, are in the order
// in which they appear first, but for tools without a run that counts, which are last; so
// runs that alternate give a stable order.
func summarise(s Set) []row {
	runs := map[key][]Record{}
	var groups []group
	tools := map[group][]string{}
	for _, r := range s.Records {
		g := groupOf(r)
		k := key{g, r.Tool}
		if tools[g] == nil {
			groups = append(groups, g)
		}
		if runs[k] == nil {
			tools[g] = append(tools[g], r.Tool)
		}
		runs[k] = append(runs[k], r)
	}
	var rows []row
	for _, g := range groups {
		first := len(rows)
		for _, tool := range tools[g] {
			k := key{g, tool}
			rows = append(rows, rowOf(k, runs[k], s.limits()))
		}
		slices.SortStableFunc(rows[first:], func(a, b row) int { return cmp.Compare(min(b.runs, 1), min(a.runs, 1)) })
		lend(rows[first:])
		hold(rows[first:])
	}
	return rows
}

// lend gives the size of a group's work to those of its rows that do not tell it, since their tool is missing.
func lend(rows []row) {
	i := slices.IndexFunc(rows, func(r row) bool { return r.files > 0 || r.bytes > 0 })
	for j := range rows {
		if i >= 0 && rows[j].runs == 0 && rows[j].files == 0 && rows[j].bytes == 0 {
			rows[j].files, rows[j].bytes = rows[i].files, rows[i].bytes
		}
	}
}

// hold holds the rows of a group against its baseline.
func hold(rows []row) {
	i := slices.IndexFunc(rows, func(r row) bool { return r.tool == Baseline && r.runs > 0 })
	for j := range rows {
		if i < 0 {
			rows[j].baselineIsMissed = true
		} else if rows[i].wall > 0 {
			rows[j].ratio = rows[j].wall / rows[i].wall
		}
	}
}

// rowOf makes a row of its runs.
func rowOf(k key, runs []Record, limits map[string]float64) row {
	r := row{key: k}
	var good []Record
	for _, run := range runs {
		if run.Version != "" {
			r.version = run.Version
		}
		if run.Note != "" && !slices.Contains(r.notes, run.Note) {
			r.notes = append(r.notes, run.Note)
		}
		r.files, r.bytes = run.Files, run.Bytes
		if run.Failed != "" {
			r.failed = append(r.failed, run.Failed)
			continue
		}
		good = append(good, run)
	}
	r.runs = len(good)
	if r.runs == 0 {
		return r
	}
	r.measure(good)
	r.limit, r.limitFormula = Limit(Work{k.operation, r.bytes, r.files, k.link, r.oneWay}, limits)
	if r.wall > 0 {
		r.ofLimit = r.limit / r.wall
	}
	return r
}

// measure fills in the figures.
func (r *row) measure(good []Record) {
	pick := func(of func(Record) float64) float64 { return median(values(good, of)) }
	count := func(of func(Record) int64) int64 {
		return int64(pick(func(x Record) float64 { return float64(of(x)) }))
	}
	peak := func(of func(Record) int64) int64 {
		return of(slices.MaxFunc(good, func(a, b Record) int { return int(max(-1, min(1, of(a)-of(b)))) }))
	}
	r.walls = values(good, func(x Record) float64 { return x.Wall })
	r.wall = median(r.walls)
	r.user = pick(func(x Record) float64 { return x.User })
	r.sys = pick(func(x Record) float64 { return x.Sys })
	r.hubUser = pick(func(x Record) float64 { return x.HubUser })
	r.hubSys = pick(func(x Record) float64 { return x.HubSys })
	r.anon = peak(func(x Record) int64 { return x.PeakAnon })
	r.hubAnon = peak(func(x Record) int64 { return x.HubPeakAnon })
	r.rss = peak(func(x Record) int64 { return x.PeakRSS })
	r.hubRSS = peak(func(x Record) int64 { return x.HubPeakRSS })
	r.wire = count(func(x Record) int64 { return x.WireSent + x.WireReceived })
	r.oneWay = count(func(x Record) int64 { return max(x.WireSent, x.WireReceived) })
	r.requests = count(func(x Record) int64 { return x.Requests })
	r.roundTrips = count(func(x Record) int64 { return x.RoundTrips })
	r.store = count(func(x Record) int64 { return x.StoreBytes })
	if r.operation == OpNextState {
		r.store = meanStore(good)
	}
	if r.bytes > 0 {
		r.perGiB = r.wall / (float64(r.bytes) / gib)
	}
	if r.files > 0 {
		r.perFile = r.wall / float64(r.files)
	}
}

// meanStore is what a store grew by in all runs, by their number: in a single one it may write into
// what it has allocated before, or allocate for those to come.
func meanStore(runs []Record) int64 {
	sum := int64(0)
	for _, r := range runs {
		sum += r.StoreBytes
	}
	return sum / int64(len(runs))
}

// values returns a figure of each run, sorted.
func values(runs []Record, of func(Record) float64) []float64 {
	v := make([]float64, len(runs))
	for i, r := range runs {
		v[i] = of(r)
	}
	slices.Sort(v)
	return v
}

// median returns the middle of sorted values, 0 of none.
func median(sorted []float64) float64 {
	n := len(sorted)
	switch {
	case n == 0:
		return 0
	case n%2 == 1:
		return sorted[n/2]
	}
	return (sorted[n/2-1] + sorted[n/2]) / 2
}

// deviation returns the median distance from the median.
func deviation(sorted []float64) float64 {
	m := median(sorted)
	away := make([]float64, len(sorted))
	for i, v := range sorted {
		away[i] = max(v-m, m-v)
	}
	slices.Sort(away)
	return median(away)
}
