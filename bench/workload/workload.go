// Package workload makes directory trees to measure with, and changes them.
//
// Everything follows from a seed: two runs with the same seed and scale make
// trees with the same names, bytes and times (the modes are 0644 and 0755 less
// the umask), and the same changes in them. All content comes from splitmix64,
// in segments of 1 MiB that are seeded one by one, so that it can be made on
// all cores; it is made faster than it can be written.
//
// Nothing is synced: the pages are dirty when a function returns.
package workload

import (
	"context"
	"math"
)

// A Workload is a tree with a name.
type Workload struct {
	Name string
	Doc  string // what it is, in one or two sentences

	// Make makes the tree as the new directory dir; its parent must exist.
	// Scale 1 is the size that Doc tells; the number of files, or of bytes
	// where there is one file, grows in proportion to scale.
	Make func(ctx context.Context, dir string, seed uint64, scale float64) (Size, error)
}

// A Size is what a tree holds: regular files, directories without the root,
// and the files' bytes.
type Size struct{ Files, Dirs, Bytes int64 }

// All returns the workloads, each time in the same order.
func All() []Workload {
	return []Workload{
		{"1k-1gib", "1,000 files of log-normal sizes in 50 directories, 1 GiB in all; incompressible.", make1k},
		{"1k-1gib-half", "The same sizes; of each 4 KiB one half is random and the other a repeated sentence.", make1kHalf},
		{"small-100k", "100,000 files of 3 KiB on average in 5,050 directories; text like source code.", makeSmall},
		{"4k-1000", "1,000 files of exactly 4 KiB in 10 directories; incompressible.", make4k},
		{"flat-1m", "1,000,000 files of 256 bytes on average in one directory; text like source code.", makeFlat},
		{"deep", "10,000 directories in 30 levels, each with one file of 1 KiB; text like source code.", makeDeep},
		{"big-10g", "One file of 10 GiB; incompressible.", makeBig},
		{"versions", "4,000 files of 8 KiB on average in 220 directories, like source code: the first of 20 states, of which NextVersion makes the others.", makeVersions},
		{"duplicates", "1,000 files, 1 GiB in all, incompressible: each second file repeats the one before it, every other time behind some inserted bytes.", makeDuplicates},
		{"diff-10k", "10,000 files of 4 KiB on average in 100 directories; incompressible.", makeDiff},
	}
}

// Named returns the workload of that name.
func Named(name string) (Workload, bool) {
	for _, w := range All() {
		if w.Name == name {
			return w, true
		}
	}
	return Workload{}, false
}

// scaled is n × scale, at least 1.
func scaled(n int64, scale float64) int64 {
	return max(1, int64(math.Round(float64(n)*scale)))
}
