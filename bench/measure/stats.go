package measure

import "slices"

// Stats sums up measurements of one thing.
type Stats struct {
	N                int
	Min, Median, Max float64
	Spread           float64 // (Max - Min) / Median, 0 where the median is 0
}

// Summarize sums up values, of which none gives the zero Stats.
func Summarize(values []float64) Stats {
	n := len(values)
	if n == 0 {
		return Stats{}
	}
	v := slices.Sorted(slices.Values(values))
	s := Stats{N: n, Min: v[0], Median: (v[(n-1)/2] + v[n/2]) / 2, Max: v[n-1]}
	if s.Median != 0 {
		s.Spread = (s.Max - s.Min) / s.Median
	}
	return s
}
