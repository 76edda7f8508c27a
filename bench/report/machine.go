package report

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// named is a line of a description: a name and what it is.
type named struct{ Name, Value string }

// limitLines describes a machine's limits, those of bytes first.
func limitLines(limits map[string]float64) []named {
	order := []string{LimitCores, LimitRead, LimitRabin, LimitSHA256, LimitLoopback, LimitWriteSync, LimitOpen, LimitStat, LimitCreate, LimitFsync}
	for _, other := range slices.Sorted(maps.Keys(limits)) {
		if !slices.Contains(order, other) {
			order = append(order, other)
		}
	}
	var lines []named
	for _, name := range order {
		v, ok := limits[name]
		if !ok {
			continue
		}
		text := number(v)
		switch name {
		case LimitRead, LimitRabin, LimitSHA256, LimitLoopback, LimitWriteSync:
			text = number(v/mib) + " MiB/s"
		case LimitOpen, LimitStat, LimitCreate:
			text = number(v) + " files/s"
		case LimitFsync:
			text = number(v) + " syncs/s"
		}
		lines = append(lines, named{name, text})
	}
	return lines
}

// machineLines describes a machine, whatever it is made of: the fields of an object
// in their order by name, those of objects inside it with both names. What is called
// bytes or memory is a size.
func machineLines(machine any) []named {
	data, err := json.Marshal(machine)
	if err != nil {
		return []named{{"machine", fmt.Sprint(machine)}}
	}
	var v any
	if json.Unmarshal(data, &v) != nil || v == nil {
		return nil
	}
	return flatten("", v)
}

func flatten(name string, v any) []named {
	switch v := v.(type) {
	case map[string]any:
		var lines []named
		for _, field := range slices.Sorted(maps.Keys(v)) {
			inner := field
			if name != "" {
				inner = name + " " + field
			}
			lines = append(lines, flatten(inner, v[field])...)
		}
		return lines
	case float64:
		if strings.HasSuffix(name, "bytes") || strings.HasSuffix(name, "memory") {
			return []named{{name, size(int64(v))}}
		}
		if v == float64(int64(v)) {
			return []named{{name, thousands(int64(v))}}
		}
		return []named{{name, number(v)}}
	}
	if name == "" {
		name = "machine"
	}
	return []named{{name, fmt.Sprint(v)}}
}
