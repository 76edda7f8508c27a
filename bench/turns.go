package bench

import (
	"cmp"
	"slices"

	"dfs/bench/report"
)

// A work is what measures a workload.
type work struct {
	measure func(*run) error
	silent  bool // nothing in it is worth a count of round trips
}

// crossing names an operation of a tool.
type crossing struct{ operation, tool string }

// countTurns does a work once, in one round of which no time is kept: those that have a hub or a
// daemon, through relays that count what passes. Over a link each round is counted, and nothing
// is to be done before. On the loopback a relay would cost a timed round some of its speed.
func (r *run) countTurns(w work) error {
	r.crossed = nil
	if !r.Turns || w.silent || r.linked() {
		return nil
	}
	r.logf("counting round trips")
	untimed := *r
	untimed.counting, untimed.crossed = true, make(map[crossing][]report.Record)
	untimed.Rounds, untimed.Touch, untimed.Cold, untimed.Profiles = 1, 0, false, ""
	if err := w.measure(&untimed); err != nil {
		return err
	}
	r.crossed = untimed.crossed
	return nil
}

// relayed reports whether hub and daemons are reached through a proxy.
func (r *run) relayed() bool { return r.counting || r.linked() }

// keepCrossed keeps what was counted of a record, which is not one of the results.
func (r *run) keepCrossed(rec report.Record) {
	if rec.Failed != "" {
		return // it will be told when it fails to be timed
	}
	at := crossing{rec.Operation, rec.Tool}
	r.crossed[at] = append(r.crossed[at], rec)
}

// fillCrossed fills in what was counted before: of several runs, the middle one by round trips.
// Bytes that the tool has told stay.
func (r *run) fillCrossed(rec *report.Record) {
	all := r.crossed[crossing{rec.Operation, rec.Tool}]
	if len(all) == 0 || rec.RoundTrips > 0 {
		return
	}
	slices.SortFunc(all, func(a, b report.Record) int { return cmp.Compare(a.RoundTrips, b.RoundTrips) })
	counted := all[len(all)/2]
	rec.RoundTrips, rec.Connections = counted.RoundTrips, counted.Connections
	if rec.WireSent+rec.WireReceived == 0 {
		rec.WireSent, rec.WireReceived = counted.WireSent, counted.WireReceived
	}
}
