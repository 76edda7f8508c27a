package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// conditionsDiffer names what two sets were made under, where it was not the same: the machine, the
// seed, and the scale of a workload.
func conditionsDiffer(old, new Set) (lines []string) {
	was, is := old.facts(), new.facts()
	for _, name := range slices.Sorted(maps.Keys(was)) {
		if now, ok := is[name]; ok && now != was[name] {
			lines = append(lines, fmt.Sprintf("%s: %s → %s", name, was[name], now))
		}
	}
	before, after := old.scales(), new.scales()
	for _, name := range slices.Sorted(maps.Keys(before)) {
		if now, ok := after[name]; ok && now != before[name] {
			lines = append(lines, fmt.Sprintf("scale of %s: %s → %s", name, before[name], now))
		}
	}
	return lines
}

// facts returns what is known of the machine, and the seed: of several headers, of the last one.
func (s Set) facts() map[string]string {
	facts := map[string]string{}
	if len(s.Headers) == 0 {
		return facts
	}
	last := s.Headers[len(s.Headers)-1]
	for _, fact := range machineLines(last.Machine) {
		facts[fact.Name] = fact.Value
	}
	facts["seed"] = fmt.Sprint(last.Seed)
	return facts
}

// scales returns at which scales each workload was measured.
func (s Set) scales() map[string]string {
	all := map[string][]float64{}
	for _, r := range s.Records {
		all[r.Workload] = append(all[r.Workload], r.Scale)
	}
	named := map[string]string{}
	for name, list := range all {
		slices.Sort(list)
		var parts []string
		for _, x := range slices.Compact(list) {
			parts = append(parts, number(x))
		}
		named[name] = strings.Join(parts, ", ")
	}
	return named
}

// versionDiffers names the tool of two rows, where its version is not the same.
func versionDiffers(was, is row) string {
	if was.version == "" || is.version == "" || was.version == is.version {
		return ""
	}
	return fmt.Sprintf("version of %s: %s → %s", is.tool, was.version, is.version)
}
