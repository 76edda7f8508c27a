package bench

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"dfs/bench/peer"
	"dfs/bench/workload"
)

// The most that options may ask for: far beyond what anyone measures, and near enough for no
// figure to run over.
const (
	mostScale = 1000
	mostBytes = 1 << 44 // of memory
	mostRate  = 1e12    // bit/s
)

// Check says what is wrong with the options, before anything is made or measured.
func (o Options) Check() error {
	if len(o.Workloads) == 0 {
		return fmt.Errorf("no workload is named; there are %s", strings.Join(Names(), ", "))
	}
	for _, name := range o.Workloads {
		if _, ok := named(name); !ok {
			return fmt.Errorf("workload %q is not known; there are %s", name, strings.Join(Names(), ", "))
		}
	}
	for _, name := range o.Peers {
		if _, ok := peer.Named(name); !ok {
			return fmt.Errorf("peer %q is not known; there are %s", name, strings.Join(PeerNames(), ", "))
		}
	}
	if doubled(o.Workloads) || doubled(o.Peers) || doubled(o.Scales) {
		return errors.New("a workload, a peer or a scale is named twice")
	}
	for _, x := range o.Scales {
		if !(x > 0 && x <= mostScale) { // NaN is neither
			return fmt.Errorf("the scale %g is not above 0 and up to %d", x, mostScale)
		}
	}
	switch {
	case o.Rounds < 1:
		return fmt.Errorf("%d rounds measure nothing", o.Rounds)
	case o.Touch < 0 || o.Touch > mostBytes || o.Memory < 0 || o.Memory > mostBytes:
		return fmt.Errorf("memory is from 0 to %d MiB", mostBytes>>20)
	case o.Link.RTT < 0 || o.Link.BitsPerSecond < 0 || float64(o.Link.BitsPerSecond) > mostRate:
		return fmt.Errorf("a link's round trip is not below 0, and its rate from 0 to %d Mbit/s", int64(mostRate/1e6))
	}
	return nil
}

// Names lists all workloads and special measurements.
func Names() (names []string) {
	for _, w := range workload.All() {
		names = append(names, w.Name)
	}
	return append(names, slices.Sorted(maps.Keys(specials()))...)
}

// PeerNames lists the tools that can be measured beside dfs.
func PeerNames() (names []string) {
	for _, p := range peer.All() {
		names = append(names, p.Name)
	}
	return names
}

// named returns what measures the workload of that name.
func named(name string) (work, bool) {
	if one, ok := specials()[name]; ok {
		return one, true
	}
	w, ok := workload.Named(name)
	return work{measure: func(r *run) error { return r.transfers(w) }}, ok
}

// doubled reports whether a value is there twice.
func doubled[T comparable](list []T) bool {
	seen := make(map[T]bool, len(list))
	for _, v := range list {
		if seen[v] {
			return true
		}
		seen[v] = true
	}
	return false
}
