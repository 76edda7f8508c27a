package bench

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// newMemoryGroup makes a control group that bounds memory: below this process's own
// where the controller is of version 1; with version 2, where groups that have
// processes cannot have such children, below the nearest one that can.
func newMemoryGroup(limit int64) (*memoryGroup, error) {
	own, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil, fmt.Errorf("memory cannot be bounded here: %w", err)
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("memory cannot be bounded here: %w", err)
	}
	parent, unified, err := memoryParent(own, mounts)
	if err != nil {
		return nil, fmt.Errorf("memory cannot be bounded here: %w", err)
	}
	dir, err := os.MkdirTemp(parent, "dfs-bench-")
	if err != nil {
		return nil, fmt.Errorf("memory cannot be bounded here: no control group can be made (that needs root, or a group that was delegated): %w", err)
	}
	g := &memoryGroup{dir: dir, limit: limit, events: "memory.oom_control"}
	bounds, swap, most := "memory.limit_in_bytes", "memory.memsw.limit_in_bytes", limit
	if unified {
		bounds, swap, most, g.events = "memory.max", "memory.swap.max", 0, "memory.events"
	}
	if err = g.write(bounds, limit); err == nil {
		if err = g.write(swap, most); errors.Is(err, fs.ErrNotExist) {
			err = nil // the kernel counts no swap
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("memory cannot be bounded here: %w", err), g.close())
	}
	return g, nil
}

// write sets a bound, which the kernel may round down to whole pages.
func (g *memoryGroup) write(name string, value int64) error {
	f, err := os.OpenFile(filepath.Join(g.dir, name), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(strconv.FormatInt(value, 10))
	return errors.Join(err, f.Close())
}

// memoryParent returns the directory in which a group that bounds memory can be made, and
// whether it is of version 2, from this process's lines of cgroup(7) and of its mountinfo.
func memoryParent(own, mounts []byte) (dir string, unified bool, err error) {
	for line := range bytes.Lines(own) {
		part := strings.SplitN(strings.TrimSpace(string(line)), ":", 3)
		if len(part) != 3 || !slices.Contains(strings.Split(part[1], ","), "memory") {
			continue
		}
		if point, dir := mounted(mounts, "cgroup", part[2]); point != "" {
			return dir, false, nil
		}
	}
	for line := range bytes.Lines(own) {
		group, ok := strings.CutPrefix(strings.TrimSpace(string(line)), "0::")
		if !ok {
			continue
		}
		if point, dir := mounted(mounts, "cgroup2", group); point != "" {
			dir, err = delegated(point, dir)
			return dir, true, err
		}
	}
	return "", false, errors.New("no control groups for memory are mounted, neither cgroup with memory nor cgroup2")
}

// mounted returns where a hierarchy of control groups is mounted, and there the directory of
// a group; nothing if it is not. Of version 1 it is the hierarchy with memory.
func mounted(mounts []byte, kind, group string) (point, dir string) {
	for line := range bytes.Lines(mounts) {
		head, tail, _ := strings.Cut(string(line), " - ")
		left, right := strings.Fields(head), strings.Fields(tail)
		if len(left) < 5 || len(right) < 3 || right[0] != kind {
			continue
		}
		if kind == "cgroup" && !slices.Contains(strings.Split(right[2], ","), "memory") {
			continue
		}
		// In a container a part of the hierarchy is mounted, and the group may be above it.
		if below, ok := strings.CutPrefix(group, strings.TrimSuffix(left[3], "/")); ok {
			return left[4], filepath.Join(left[4], below)
		}
		return left[4], left[4]
	}
	return "", ""
}

// delegated returns dir, or the nearest group above it up to point, whose children can
// have a bound on their memory.
func delegated(point, dir string) (string, error) {
	for at := dir; ; at = filepath.Dir(at) {
		controllers, err := os.ReadFile(filepath.Join(at, "cgroup.subtree_control"))
		if err == nil && slices.Contains(strings.Fields(string(controllers)), "memory") {
			return at, nil
		}
		if at == point || len(at) <= len(point) {
			return "", fmt.Errorf("neither the control group %s nor one above it has memory in cgroup.subtree_control", dir)
		}
	}
}
