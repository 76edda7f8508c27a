package report

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// The measures of a plot of growth, in pixels.
const (
	plotWidth  = 560
	plotHeight = 300
	plotLeft   = 78
	plotRight  = 110 // for the names of the lines
	plotTop    = 12
	plotBottom = 44
	plotColors = 8 // classes line0 to line7 of the page
)

// plot shows how a cost changes as the work grows: both axes in decades, so that a
// cost that grows with the work and no faster is a level line.
type plot struct {
	Title, XName, YName, Label string
	Width, Height              int
	Left, Right, Top, Bottom   float64
	XTicks, YTicks             []tick
	Lines                      []line
	MiddleX, MiddleY           float64
}

// tick is a mark on an axis.
type tick struct {
	At   float64
	Text string
}

// line is one tool's.
type line struct {
	Tool, Points string
	Dots         []dot
	Class        string
	NameX, NameY float64
}

// dot is a measurement.
type dot struct {
	X, Y float64
	Text string
}

// series is the rows of one work and tool at all scales.
type series struct {
	tool string
	rows []row
}

// work is the rows of the same work at all scales.
type work struct {
	group // of scale 0
	rows  []row
}

// worksOf sorts rows by their work. Rows without a run that counts are left out.
func worksOf(rows []row) (all []work) {
	for _, r := range rows {
		g := r.group
		g.scale = 0
		i := slices.IndexFunc(all, func(w work) bool { return w.group == g })
		if i < 0 {
			i = len(all)
			all = append(all, work{group: g})
		}
		if r.runs > 0 {
			all[i].rows = append(all[i].rows, r)
		}
	}
	return all
}

// plots returns the plots of all works that were measured at more than one scale: the
// cost of a GiB, and that of a file.
func plots(rows []row) []plot {
	var all []plot
	for _, w := range worksOf(rows) {
		byTool := seriesOf(w.rows)
		bytes := func(r row) float64 { return float64(r.bytes) / gib }
		files := func(r row) float64 { return float64(r.files) }
		if p, ok := plotOf(byTool, bytes, func(r row) float64 { return r.perGiB }, func(v float64) string { return size(int64(v * gib)) }); ok {
			p.Title, p.XName, p.YName = w.group.String()+": cost per GiB", "size of the work", "time per GiB"
			all = append(all, p)
		}
		if p, ok := plotOf(byTool, files, func(r row) float64 { return r.perFile }, number); ok {
			p.Title, p.XName, p.YName = w.group.String()+": cost per file", "files", "time per file"
			all = append(all, p)
		}
	}
	tools := lineOrder(rows)
	for i := range all {
		all[i].Label = all[i].Title
		for j, l := range all[i].Lines {
			all[i].Lines[j].Class = fmt.Sprintf("line%d", slices.Index(tools, l.Tool)%plotColors)
		}
	}
	return all
}

// lineOrder returns the tools in the order of their colours, the same in all plots:
// dfs, the baseline, and the others as they come.
func lineOrder(rows []row) []string {
	tools := []string{"dfs", Baseline}
	for _, r := range rows {
		if !slices.Contains(tools, r.tool) {
			tools = append(tools, r.tool)
		}
	}
	return tools
}

// seriesOf sorts rows by tool, and those of each by scale.
func seriesOf(rows []row) []series {
	var all []series
	for _, r := range rows {
		i := slices.IndexFunc(all, func(s series) bool { return s.tool == r.tool })
		if i < 0 {
			i = len(all)
			all = append(all, series{tool: r.tool})
		}
		all[i].rows = append(all[i].rows, r)
	}
	for _, s := range all {
		slices.SortFunc(s.rows, func(a, b row) int {
			if a.scale < b.scale {
				return -1
			}
			return 1
		})
	}
	return all
}

// axis maps values to pixels by their logarithm.
type axis struct{ low, high, from, to float64 }

func (a axis) at(v float64) float64 {
	return round(a.from + (math.Log10(v)-a.low)/(a.high-a.low)*(a.to-a.from))
}

// plotOf draws a plot, unless the work does not grow.
func plotOf(all []series, x, y func(row) float64, name func(float64) string) (plot, bool) {
	var xs, ys []float64
	for _, s := range all {
		for _, r := range s.rows {
			if x(r) > 0 && y(r) > 0 {
				xs, ys = append(xs, x(r)), append(ys, y(r))
			}
		}
	}
	slices.Sort(xs)
	if len(xs) < 2 || xs[0] == xs[len(xs)-1] {
		return plot{}, false
	}
	p := plot{Width: plotWidth, Height: plotHeight, Left: plotLeft, Right: plotWidth - plotRight, Top: plotTop, Bottom: plotHeight - plotBottom}
	p.MiddleX, p.MiddleY = (p.Left+p.Right)/2, (p.Top+p.Bottom)/2
	across := axis{math.Log10(xs[0]) - 0.1, math.Log10(xs[len(xs)-1]) + 0.1, p.Left, p.Right}
	up := axis{math.Log10(slices.Min(ys)), math.Log10(slices.Max(ys)), p.Bottom, p.Top}
	up.low, up.high = steps(up.low, -1), steps(up.high, 1)
	for _, v := range slices.Compact(xs) {
		p.XTicks = append(p.XTicks, tick{across.at(v), name(v)})
	}
	p.XTicks = apart(p.XTicks, 58)
	p.YTicks = up.ticks()
	for _, s := range all {
		if l, ok := lineOf(s, x, y, across, up); ok {
			p.Lines = append(p.Lines, l)
		}
	}
	separate(p.Lines, p.Bottom)
	return p, true
}

// steps returns the logarithm of the next of 1, 2, 5 beyond v in a direction.
func steps(v, direction float64) float64 {
	if direction > 0 {
		return -steps(-v-1e-9, -1)
	}
	whole := math.Floor(v)
	for _, mark := range []float64{math.Log10(5), math.Log10(2), 0} {
		if v-whole > mark+1e-9 {
			return whole + mark
		}
	}
	return whole - 1 + math.Log10(5)
}

// ticks returns the marks at 1, 2 and 5 of each decade, or at 1 where there are many.
func (a axis) ticks() []tick {
	marks := []float64{1, 2, 5}
	if a.high-a.low > 3 {
		marks = marks[:1]
	}
	var all []tick
	for decade := math.Floor(a.low); decade <= a.high; decade++ {
		for _, m := range marks {
			v := m * math.Pow(10, decade)
			if l := math.Log10(v); l >= a.low-1e-9 && l <= a.high+1e-9 {
				all = append(all, tick{a.at(v), plain(v)})
			}
		}
	}
	return all
}

// plain writes a round duration without the zeros after the point.
func plain(seconds float64) string {
	value, unit, _ := strings.Cut(duration(seconds), " ")
	if strings.Contains(value, ".") {
		value = trim(value)
	}
	return value + " " + unit
}

// apart leaves out marks that would stand on each other.
func apart(ticks []tick, least float64) []tick {
	var kept []tick
	for _, t := range ticks {
		if len(kept) == 0 || t.At-kept[len(kept)-1].At >= least {
			kept = append(kept, t)
		}
	}
	return kept
}

// lineOf draws a series.
func lineOf(s series, x, y func(row) float64, across, up axis) (line, bool) {
	l := line{Tool: s.tool}
	var points []string
	for _, r := range s.rows {
		if x(r) <= 0 || y(r) <= 0 {
			continue
		}
		d := dot{across.at(x(r)), up.at(y(r)), s.tool + ", " + r.title() + ": " + duration(y(r))}
		l.Dots = append(l.Dots, d)
		points = append(points, fmt.Sprintf("%g,%g", d.X, d.Y))
	}
	if l.Dots == nil {
		return l, false
	}
	l.Points = strings.Join(points, " ")
	last := l.Dots[len(l.Dots)-1]
	l.NameX, l.NameY = last.X+9, last.Y+4
	return l, true
}

// separate moves the names of lines apart, downwards, and up again from the bottom.
func separate(lines []line, bottom float64) {
	const height = 14
	order := make([]*line, len(lines))
	for i := range lines {
		order[i] = &lines[i]
	}
	slices.SortStableFunc(order, func(a, b *line) int { return int(math.Copysign(1, a.NameY-b.NameY)) })
	for i := 1; i < len(order); i++ {
		order[i].NameY = max(order[i].NameY, order[i-1].NameY+height)
	}
	floor := bottom + 4
	for i := len(order) - 1; i >= 0; i-- {
		order[i].NameY = min(order[i].NameY, floor)
		floor = order[i].NameY - height
	}
}
