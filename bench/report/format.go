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
	switch {
	case s == 0:
		return "0"
	case s < 999.5e-9:
		return figure(s*1e9, "ns")
	case s < 999.5e-6:
		return figure(s*1e6, "µs")
	case s < 0.9995:
		return figure(s*1e3, "ms")
	case s < 599.5:
		return figure(s, "s")
	case s < 2*3600:
		return figure(s/60, "min")
	}
	return figure(s/3600, "h")
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

// pair writes a client's figure and a hub's, where there is one.
func pair(client, hub string) string {
	if hub == dash || hub == "0" {
		return client
	}
	return client + " + " + hub
}

// rate writes how fast a row is: in bytes where its files are large and their content
// moves, else in files.
func (r row) rate() string {
	switch {
	case r.wall <= 0 || r.bytes == 0 && r.files == 0:
		return dash
	case r.files == 0 || r.bytes/r.files >= 64*kib && !looks(r.operation):
		return number(float64(r.bytes)/mib/r.wall) + " MiB/s"
	}
	return number(float64(r.files)/r.wall) + " files/s"
}

// looks reports whether an operation looks at its files and moves few or none.
func looks(op string) bool {
	return op == OpUnchanged || op == OpStatus || op == OpPushChurn || op == OpPullChurn
}

// memory writes the peaks of anonymous memory, or of resident where only that is known.
func (r row) memory() string {
	client, hub := size(r.anon), size(r.hubAnon)
	if r.anon == 0 && r.rss > 0 {
		client = size(r.rss) + "*"
	}
	if r.hubAnon == 0 && r.hubRSS > 0 {
		hub = size(r.hubRSS) + "*"
	}
	return pair(client, hub)
}

// processor writes the seconds of processors.
func (r row) processor() string { return pair(duration(r.cpu), duration(r.hubCPU)) }

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
