package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// growth says in words what the plots show: for each work that was measured at several
// sizes what a file and a GiB cost each tool at each size, and how far these are apart.
// What a GiB costs is left out where content does not move.
func growth(rows []row) string {
	var b strings.Builder
	for _, w := range worksOf(rows) {
		var lines []string
		for _, s := range seriesOf(w.rows) {
			files := func(r row) float64 { return float64(r.files) }
			if line, ok := s.cost(files, func(r row) float64 { return r.perFile }, "file", func(r row) string { return thousands(r.files) }); ok {
				lines = append(lines, line)
			}
			bytes := func(r row) float64 { return float64(r.bytes) }
			if line, ok := s.cost(bytes, func(r row) float64 { return r.perGiB }, "GiB", func(r row) string { return size(r.bytes) }); ok && !looks(w.operation) {
				lines = append(lines, line)
			}
		}
		if lines != nil {
			b.WriteString("\ngrowth of " + w.group.String() + "\n" + strings.Join(lines, ""))
		}
	}
	return b.String()
}

// cost writes a line of what a unit costs at each size, and the greatest cost as a multiple
// of the least. It says false where the work does not grow.
func (s series) cost(amount, cost func(row) float64, unit string, name func(row) string) (string, bool) {
	rows := slices.DeleteFunc(slices.Clone(s.rows), func(r row) bool { return amount(r) <= 0 || cost(r) <= 0 })
	byAmount := func(a, b row) int { return cmp.Compare(amount(a), amount(b)) }
	slices.SortStableFunc(rows, byAmount)
	if len(rows) < 2 || amount(rows[0]) == amount(rows[len(rows)-1]) {
		return "", false
	}
	var parts []string
	least, most := cost(rows[0]), cost(rows[0])
	for _, r := range rows {
		least, most = min(least, cost(r)), max(most, cost(r))
		parts = append(parts, name(r)+": "+duration(cost(r)))
	}
	return fmt.Sprintf("  %s, a %s: %s; greatest/least %s\n", s.tool, unit, strings.Join(parts, "; "), times(most/least)), true
}
