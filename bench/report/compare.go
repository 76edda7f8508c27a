package report

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// ErrApart is the error for two sets of which nothing can be compared.
var ErrApart = errors.New("the two have no row in common that was measured, so nothing can be compared")

// Compare says what got slower, and what faster, from one set to another, and returns
// how many rows of dfs got slower.
//
// A row got slower when the median of its wall times grew by more than the noise: the
// greater of both rows' spreads, and at least 3 % of the old median. The spread is the
// distance from the least to the greatest run, from five runs on twice the median
// distance from the median, and for a single run 20 % of it, since nothing is known.
// A row that fails now and did not is slower too.
//
// The tools dfs and dfs-… are what the project changes. The others did not change,
// unless their version did: where they got slower, the machine did, and that is said
// apart and not counted.
//
// Where no row is in both, or none of those that are was measured, nothing is known: then what
// there is in each is written, and the error is [ErrApart].
func Compare(w io.Writer, old, new Set) (slower int, err error) {
	before, after := byKey(summarise(old)), summarise(new)
	c := comparison{conditions: conditionsDiffer(old, new)}
	for _, r := range after {
		was, ok := before[r.key]
		if !ok {
			c.onlyNew = append(c.onlyNew, r.name())
			continue
		}
		delete(before, r.key)
		c.add(was, r)
	}
	for _, r := range summarise(old) {
		if _, left := before[r.key]; left {
			c.onlyOld = append(c.onlyOld, r.name())
		}
	}
	if _, err = io.WriteString(w, c.text(limitsDiffer(old.limits(), new.limits()))); err == nil && c.held == 0 {
		err = ErrApart
	}
	return len(c.slower), err
}

// comparison gathers what is to be said.
type comparison struct {
	slower, faster, others []string
	same, held             int // rows without a change, and all that were held against each other
	failing                []string
	onlyOld, onlyNew       []string
	conditions             []string // that are not the same
}

func byKey(rows []row) map[key]row {
	m := make(map[key]row, len(rows))
	for _, r := range rows {
		m[r.key] = r
	}
	return m
}

// name names a row.
func (r row) name() string { return r.group.String() + ": " + r.tool }

// ours reports whether a tool is what the project changes.
func ours(tool string) bool { return tool == "dfs" || strings.HasPrefix(tool, "dfs-") }

// noise returns how far a row's median may be off.
func (r row) noise() float64 {
	least, greatest := r.spread()
	switch {
	case r.runs == 1:
		return 0.2 * r.wall
	case r.runs < 5:
		return greatest - least
	}
	return 2 * deviation(r.walls)
}

// add compares two rows of the same work.
func (c *comparison) add(was, is row) {
	if differs := versionDiffers(was, is); differs != "" && !slices.Contains(c.conditions, differs) {
		c.conditions = append(c.conditions, differs)
	}
	if was.runs > 0 || is.runs > 0 {
		c.held++
	}
	switch {
	case was.runs == 0 && is.runs == 0:
		c.failing = append(c.failing, is.name())
		return
	case is.runs == 0:
		c.file(is.tool, true, is.name()+" fails now: "+strings.Join(is.failed, "; "))
		return
	case was.runs == 0:
		c.file(is.tool, false, fmt.Sprintf("%s works now: %s", is.name(), duration(is.wall)))
		return
	}
	noise := max(was.noise(), is.noise(), 0.03*was.wall)
	if grown := is.wall - was.wall; max(grown, -grown) > noise {
		c.file(is.tool, grown > 0, change(was, is, noise))
	} else {
		c.same++
	}
}

// file puts a line where it belongs.
func (c *comparison) file(tool string, slower bool, line string) {
	switch {
	case !ours(tool) && slower:
		c.others = append(c.others, "slower: "+line)
	case !ours(tool):
		c.others = append(c.others, "faster: "+line)
	case slower:
		c.slower = append(c.slower, line)
	default:
		c.faster = append(c.faster, line)
	}
}

// change describes a change beyond the noise.
func change(was, is row, noise float64) string {
	line := fmt.Sprintf("%s: %s → %s", is.name(), duration(was.wall), duration(is.wall))
	if was.wall > 0 {
		line += fmt.Sprintf(" (%+.0f %%, noise ±%.0f %%)", 100*(is.wall-was.wall)/was.wall, 100*noise/was.wall)
	}
	if is.tool != Baseline && was.ratio > 0 && is.ratio > 0 {
		line += fmt.Sprintf("; of %s %s → %s", Baseline, times(was.ratio), times(is.ratio))
	}
	if is.version != was.version {
		line += fmt.Sprintf("; version %s → %s", orDash(was.version), orDash(is.version))
	}
	return line
}

func orDash(s string) string {
	if s == "" {
		return dash
	}
	return s
}

// limitsDiffer names the limits of two machines that are apart by more than 10 %.
func limitsDiffer(old, new map[string]float64) []string {
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(old)) {
		a, b := old[name], new[name]
		if a > 0 && b > 0 && max(a/b, b/a) > 1.1 {
			lines = append(lines, fmt.Sprintf("%s: %+.0f %%", name, 100*(b-a)/a))
		}
	}
	return lines
}

// text writes all that was found.
func (c comparison) text(machine []string) string {
	var b strings.Builder
	list := func(head string, lines []string) {
		if len(lines) == 0 {
			return
		}
		b.WriteString(head + "\n")
		for _, line := range lines {
			b.WriteString("  " + line + "\n")
		}
	}
	if len(c.slower) == 0 && c.held > 0 {
		b.WriteString("Nothing got slower beyond the noise.\n")
	}
	list("Slower beyond the noise:", c.slower)
	list("Faster beyond the noise:", c.faster)
	list("Other tools changed, so the machine did, or their version:", c.others)
	list("Failing in both:", c.failing)
	list("Warning: not made under the same conditions, so a difference need not be the tools':", c.conditions)
	list("The machine's limits differ:", machine)
	list("Only in the old results:", c.onlyOld)
	list("Only in the new results:", c.onlyNew)
	if c.same > 0 {
		fmt.Fprintf(&b, "Unchanged within the noise: %d.\n", c.same)
	}
	return b.String()
}
