package report

import (
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// columns returns the heads of the table of results.
func columns() []string {
	return []string{"tool", "wall", "min–max", "ratio", "user+sys", "hub user+sys", "anon", "hub anon", "resident", "hub resident",
		"wire", "requests", "turns", "stored", "files/s", "MiB/s", "of limit"}
}

// cells returns what a row shows under the columns.
func (r row) cells() []string {
	if r.runs == 0 {
		return []string{r.tool, "failed"}
	}
	return []string{r.tool, duration(r.wall), r.between(), times(r.ratio), both(r.user, r.sys), both(r.hubUser, r.hubSys),
		size(r.anon), size(r.hubAnon), size(r.rss), size(r.hubRSS),
		size(r.wire), count(r.requests), count(r.roundTrips), size(r.store), r.filesPerSecond(), r.mibPerSecond(), r.partOfLimit()}
}

// remarks returns what must be said about a row in words.
func (r row) remarks() []string {
	said := slices.Clone(r.notes)
	for _, why := range r.failed {
		if why = "failed: " + why; !slices.Contains(said, why) {
			said = append(said, why)
		}
	}
	return said
}

// grid is a table of text: groups of lines under one set of columns.
type grid struct {
	w      io.Writer
	widths []int
	err    error
}

// Table writes the results for a terminal: each group under its name, a row a tool.
// Ratios are to the wall time of [Baseline] in the group. What the columns mean stands
// below it, with the formulas, the limits, what each tool syncs, and how the costs grow.
func Table(w io.Writer, s Set) error {
	rows := summarise(s)
	g := &grid{w: w}
	g.measure(columns())
	for _, r := range rows {
		g.measure(r.cells())
	}
	g.line(columns())
	for i, r := range rows {
		if i == 0 || rows[i-1].group != r.group {
			g.write("\n" + r.title() + "\n")
		}
		g.line(r.cells())
		for _, remark := range r.remarks() {
			g.write("      " + remark + "\n")
		}
	}
	g.write(growth(rows))
	g.write(legend(s, rows))
	return g.err
}

// title names a row's group, with the size of its workload.
func (r row) title() string {
	var amount []string
	switch {
	case r.files == 1:
		amount = append(amount, "1 file")
	case r.files > 1:
		amount = append(amount, thousands(r.files)+" files")
	}
	if r.bytes > 0 {
		amount = append(amount, size(r.bytes))
	}
	title := r.group.String()
	if amount != nil {
		title += " (" + strings.Join(amount, ", ") + ")"
	}
	if r.baselineIsMissed {
		title += ": no " + Baseline + " to compare with"
	}
	return title
}

// legend explains the columns that need it.
func legend(s Set, rows []row) string {
	var b strings.Builder
	b.WriteString("\nratio: median wall time, of that of " + Baseline + " on the same work.\n" +
		"user+sys: processor time in user and system mode, of the client and of the hub.\n" +
		"anon, resident: greatest peak of anonymous memory, and of resident memory, which holds mapped files too.\n" +
		"turns: round trips, each connection's handshake among them; on loopback counted in an untimed round, as is the wire of tools that do not tell it.\n" +
		"stored: by how much the blocks allocated for the store grew, which for one small operation depends on what was allocated before; of states, the mean of all.\n" +
		"files/s, MiB/s: all that the work holds, whether it moved or not; no MiB/s where only names are looked at.\n" +
		"of limit: the least time that the machine's limits allow, as a part of the wall time.\n")
	if slices.ContainsFunc(rows, row.beatsLimit) {
		b.WriteString("of limit, " + beyondLimit + ": " + beyondLimitMeans + "\n")
	}
	told := map[string]bool{}
	for _, r := range rows {
		if r.limitFormula != "" && !told[r.operation] {
			told[r.operation] = true
			b.WriteString("of limit, " + r.operation + ": " + r.limitFormula + "\n")
		}
	}
	for _, l := range durabilities(rows) {
		b.WriteString("durability, " + l.Name + ": " + l.Value + "\n")
	}
	for _, h := range s.Headers {
		for _, l := range limitLines(h.Limits) {
			b.WriteString("limit " + l.Name + ": " + l.Value + "\n")
		}
	}
	return b.String()
}

// measure makes the columns wide enough.
func (g *grid) measure(cells []string) {
	for i, c := range cells {
		if i == len(g.widths) {
			g.widths = append(g.widths, 0)
		}
		g.widths[i] = max(g.widths[i], utf8.RuneCountInString(c))
	}
}

// line writes cells under their columns: the first to the left, others to the right.
func (g *grid) line(cells []string) {
	var b strings.Builder
	for i, c := range cells {
		space := strings.Repeat(" ", g.widths[i]-utf8.RuneCountInString(c))
		if i == 0 {
			b.WriteString("  " + c + space)
		} else {
			b.WriteString("  " + space + c)
		}
	}
	g.write(strings.TrimRight(b.String(), " ") + "\n")
}

// write writes text until something fails.
func (g *grid) write(text string) {
	if g.err == nil {
		_, g.err = io.WriteString(g.w, text)
	}
}
