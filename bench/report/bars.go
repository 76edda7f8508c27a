package report

import (
	"math"
	"slices"
)

// The measures of a bar chart, in pixels.
const (
	barLabel  = 116 // left of the bars
	barField  = 330 // for the bars
	barValue  = 150 // right of the bars
	barStep   = 26
	barHeight = 16
	barTop    = 8
)

// barChart is the wall times of a group, the tools side by side.
type barChart struct {
	Title         string
	Label         string // for those who do not see it
	Width, Height int
	Bars          []bar
	Base          float64 // where the baseline's median is; 0: there is none
	BaseEnd       int
}

// bar is one tool's: the median, with whiskers from the least to the greatest.
type bar struct {
	Tool, Value       string
	X, Y, W, H        float64
	Middle            float64 // of its height
	TextY, LabelX     float64
	From, To, Cap     float64 // of the whisker
	CapTop, CapBottom float64
	Whisker           bool
	ValueX            float64
	Class             string // "ours", "base" or "other"
	Failed            bool
}

// barCharts returns a chart for each group.
func barCharts(rows []row) []barChart {
	var charts []barChart
	for len(rows) > 0 {
		n := slices.IndexFunc(rows, func(r row) bool { return r.group != rows[0].group })
		if n < 0 {
			n = len(rows)
		}
		charts = append(charts, barChartOf(rows[:n]))
		rows = rows[n:]
	}
	return charts
}

// barChartOf draws a group, the fastest first.
func barChartOf(rows []row) barChart {
	rows = slices.Clone(rows)
	slices.SortStableFunc(rows, func(a, b row) int {
		switch {
		case a.runs == 0 || b.runs == 0:
			return min(b.runs, 1) - min(a.runs, 1)
		case a.wall < b.wall:
			return -1
		case a.wall > b.wall:
			return 1
		}
		return 0
	})
	greatest := 0.0
	for _, r := range rows {
		_, most := r.spread()
		greatest = max(greatest, most)
	}
	scale := 0.0
	if greatest > 0 {
		scale = barField / greatest
	}
	c := barChart{Title: rows[0].title(), Label: "Wall time of each tool: " + rows[0].group.String(),
		Width: barLabel + barField + barValue, Height: barTop*2 + barStep*len(rows)}
	for i, r := range rows {
		b := barOf(r, scale, float64(barTop+i*barStep))
		if r.tool == Baseline && r.runs > 0 {
			c.Base, c.BaseEnd = b.X+b.W, c.Height-2
		}
		c.Bars = append(c.Bars, b)
	}
	return c
}

// barOf draws a row's bar at y.
func barOf(r row, scale, y float64) bar {
	least, most := r.spread()
	b := bar{Tool: r.tool, Class: classOf(r.tool), X: barLabel, Y: y, W: round(r.wall * scale), H: barHeight,
		Middle: y + barHeight/2, TextY: y + barHeight - 3.5, Failed: r.runs == 0}
	b.From, b.To = round(barLabel+least*scale), round(barLabel+most*scale)
	b.CapTop, b.CapBottom = b.Middle-4, b.Middle+4
	b.Whisker, b.LabelX = r.runs > 1, barLabel-10
	b.ValueX = max(b.X+b.W, b.To) + 8
	b.Value = duration(r.wall)
	if r.ratio > 0 && r.tool != Baseline {
		b.Value += "  " + times(r.ratio)
	}
	if b.Failed {
		b.Value, b.ValueX = "failed", barLabel+8
	}
	return b
}

// classOf returns how a tool is coloured.
func classOf(tool string) string {
	switch {
	case ours(tool):
		return "ours"
	case tool == Baseline:
		return "base"
	}
	return "other"
}

// round leaves a tenth of a pixel.
func round(v float64) float64 { return math.Round(v*10) / 10 }
