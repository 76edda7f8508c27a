package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

const (
	kib = 1 << 10
	mib = 1 << 20
	gib = 1 << 30
)

// dash stands where nothing was measured.
const dash = "–"

// number writes a number with three significant digits and thousands apart.
func number(v float64) string {
	a := math.Abs(v)
	switch {
	case v == 0:
		return "0"
	case a >= 999.5:
		return thousands(int64(math.Round(v)))
	case a >= 99.95:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case a >= 9.995:
		return trim(strconv.FormatFloat(v, 'f', 1, 64))
	case a >= 0.09995:
		return trim(strconv.FormatFloat(v, 'f', 2, 64))
	}
	return strconv.FormatFloat(v, 'g', 2, 64)
}

// trim removes the zeros that say nothing.
func trim(s string) string { return strings.TrimSuffix(strings.TrimRight(s, "0"), ".") }

// thousands writes an integer with its thousands apart.
func thousands(n int64) string {
	s := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, s = "-", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return sign + s
}

// duration writes seconds in the unit that suits them.
func duration(s float64) string {
	if s == 0 {
		return "0"
	}
	each, unit := unitOf(s)
	return figure(s/each, unit)
}

// unitOf returns the unit that suits so many seconds, and how many seconds it has.
func unitOf(s float64) (seconds float64, unit string) {
	switch {
	case s < 999.5e-9:
		return 1e-9, "ns"
	case s < 999.5e-6:
		return 1e-6, "µs"
	case s < 0.9995:
		return 1e-3, "ms"
	case s < 599.5:
		return 1, "s"
	case s < 2*3600:
		return 60, "min"
	}
	return 3600, "h"
}

// both writes two durations that belong together in one unit.
func both(a, b float64) string {
	if a == 0 && b == 0 {
		return dash
	}
	each, unit := unitOf(max(a, b))
	return strings.TrimSpace(figure(a/each, "")) + "+" + figure(b/each, unit)
}

// figure writes three significant digits, zeros at the end included, and the unit.
func figure(v float64, unit string) string {
	digits := 2
	if v >= 9.995 {
		digits = 1
	}
	if v >= 99.95 {
		digits = 0
	}
	return strconv.FormatFloat(v, 'f', digits, 64) + " " + unit
}

// size writes a number of bytes.
func size(n int64) string {
	v := float64(n)
	switch {
	case n == 0:
		return dash
	case v < 999.5:
		return strconv.FormatInt(n, 10) + " B"
	case v < 999.5*kib:
		return figure(v/kib, "KiB")
	case v < 999.5*mib:
		return figure(v/mib, "MiB")
	case v < 999.5*gib:
		return figure(v/gib, "GiB")
	}
	return figure(v/gib/kib, "TiB")
}

// count writes a number of things, a dash for none.
func count(n int64) string {
	if n == 0 {
		return dash
	}
	return thousands(n)
}

// times writes a ratio.
func times(v float64) string {
	if v == 0 {
		return dash
	}
	if v < 0.995 {
		return strconv.FormatFloat(v, 'f', 2, 64) + "×"
	}
	return strings.TrimSuffix(figure(v, ""), " ") + "×"
}

// percent writes a part.
func percent(v float64) string {
	switch {
	case v == 0:
		return dash
	case v < 0.0095:
		return fmt.Sprintf("%.1f %%", v*100)
	}
	return fmt.Sprintf("%.0f %%", v*100)
}

// beyondLimit stands where a tool took less than the least time.
const (
	beyondLimit      = ">100 %"
	beyondLimitMeans = "no limit for it: the tool does less than the formula counts (rsync hashes nothing), or the machine was slower when its limits were measured, and they are not to be believed."
)

// beatsLimit reports whether a row took less than the least time, by more than rounding.
func (r row) beatsLimit() bool { return r.ofLimit >= 1.005 }

// partOfLimit writes the least time as a part of the wall time.
func (r row) partOfLimit() string {
	if r.beatsLimit() {
		return beyondLimit
	}
	return percent(r.ofLimit)
}

// filesPerSecond writes the files of the work by the wall time.
func (r row) filesPerSecond() string {
	if r.wall <= 0 || r.files == 0 {
		return dash
	}
	return number(float64(r.files) / r.wall)
}

// mibPerSecond writes the bytes of the work by the wall time, but for operations that move
// none or few.
func (r row) mibPerSecond() string {
	if r.wall <= 0 || r.bytes == 0 || looks(r.operation) {
		return dash
	}
	return number(float64(r.bytes) / mib / r.wall)
}

// looks reports whether an operation looks at its files and moves few or none.
func looks(op string) bool {
	switch op {
	case OpUnchanged, OpStatus, OpChangedStatus, OpPushChurn, OpPullChurn, OpOneChanged, OpNextState:
		return true
	}
	return false
}

// between writes the least and the greatest wall time, or that there was one run.
func (r row) between() string {
	least, greatest := r.spread()
	if r.runs == 1 {
		return "one run"
	}
	a, b := duration(least), duration(greatest)
	if unit := strings.TrimLeft(b, "0123456789."); strings.HasSuffix(a, unit) {
		a = strings.TrimSuffix(a, unit)
	}
	return a + "–" + b
}
