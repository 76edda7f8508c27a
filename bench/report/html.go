package report

import (
	"html/template"
	"io"
	"slices"
)

// page is what the template shows.
type page struct {
	Time, Command string
	Machines      []machine
	Columns       []string
	Groups        []tableGroup
	Bars          []barChart
	Plots         []plot
	Formulas      []named
	Durability    []named
	Remarks       []named
}

// machine describes a header.
type machine struct {
	Time, Command string
	Seed          uint64
	Facts, Limits []named
}

// tableGroup is a group's part of the table.
type tableGroup struct {
	Title string
	Rows  []tableRow
}

// tableRow is a line of the table.
type tableRow struct {
	Class string
	Cells []string
	Title string // the tool's version
}

// HTML writes the results as one page without any other file: the machine, bars for
// each work with the tools side by side, plots of the cost as the work grows, and a
// table of all. It has no scripts and loads nothing.
func HTML(w io.Writer, s Set) error {
	t, err := template.New("page").Parse(pageText)
	if err != nil {
		return err
	}
	return t.Execute(w, pageOf(s))
}

// pageOf gathers what the page shows.
func pageOf(s Set) page {
	rows := summarise(s)
	p := page{Columns: columns(), Bars: barCharts(rows), Plots: plots(rows), Durability: durabilities(rows)}
	for _, h := range s.Headers {
		p.Machines = append(p.Machines, machine{h.Time, h.Command, h.Seed, machineLines(h.Machine), limitLines(h.Limits)})
		p.Time, p.Command = h.Time, h.Command
	}
	if slices.ContainsFunc(rows, row.beatsLimit) {
		p.Formulas = append(p.Formulas, named{beyondLimit, beyondLimitMeans})
	}
	told := map[string]bool{}
	for i, r := range rows {
		if i == 0 || rows[i-1].group != r.group {
			p.Groups = append(p.Groups, tableGroup{Title: r.title()})
		}
		g := &p.Groups[len(p.Groups)-1]
		cells := r.cells()
		for len(cells) < len(p.Columns) {
			cells = append(cells, "")
		}
		g.Rows = append(g.Rows, tableRow{Class: classOf(r.tool), Cells: cells, Title: r.tool + " " + r.version})
		for _, remark := range r.remarks() {
			p.Remarks = append(p.Remarks, named{r.name(), remark})
		}
		if r.limitFormula != "" && !told[r.operation] {
			told[r.operation] = true
			p.Formulas = append(p.Formulas, named{r.operation, r.limitFormula})
		}
	}
	return p
}
