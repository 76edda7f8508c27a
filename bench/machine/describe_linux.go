package machine

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// describe fills in what Linux tells. dir is absolute and without symbolic links.
func describe(m *Machine, dir string) error {
	cpu, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return err
	}
	m.CPU = field(cpu, "model name")
	memory, err := meminfo("MemTotal")
	if err != nil {
		return err
	}
	m.MemoryBytes = memory
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return err
	}
	m.Kernel = unix.ByteSliceToString(u.Release[:])
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	m.FS = fileSystem(mounts, dir)
	if release, err := os.ReadFile("/etc/os-release"); err == nil {
		if name := assigned(release, "PRETTY_NAME"); name != "" {
			m.OS += ", " + name
		}
	}
	return nil
}

// field returns the first value of name in lines "name : value".
func field(lines []byte, name string) string {
	for line := range bytes.Lines(lines) {
		key, value, ok := strings.Cut(string(line), ":")
		if ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// assigned returns the value of name in lines "name=value" or "name="value"".
func assigned(lines []byte, name string) string {
	for line := range bytes.Lines(lines) {
		if value, ok := strings.CutPrefix(string(line), name+"="); ok {
			return strings.Trim(strings.TrimSpace(value), `"'`)
		}
	}
	return ""
}

// meminfo returns a row of /proc/meminfo in bytes.
func meminfo(row string) (int64, error) {
	lines, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, err
	}
	kib, err := strconv.ParseInt(strings.TrimSuffix(field(lines, row), " kB"), 10, 64)
	return kib << 10, err
}

// fileSystem returns type and options of the file system that holds dir,
// looked up in the lines of a mountinfo file (see proc_pid_mountinfo(5)).
func fileSystem(mounts []byte, dir string) string {
	var found, point string
	for line := range bytes.Lines(mounts) {
		head, tail, ok := strings.Cut(string(line), " - ")
		left, right := strings.Fields(head), strings.Fields(tail)
		if !ok || len(left) < 6 || len(right) < 3 {
			continue
		}
		// Of two on one point the later one hides the other.
		if at := unescape(left[4]); holds(at, dir) && len(at) >= len(point) {
			found, point = right[0]+" ("+left[5]+"; "+right[2]+")", at
		}
	}
	return found
}

// holds says whether path is at or below the directory at.
func holds(at, path string) bool {
	return at == "/" || path == at || strings.HasPrefix(path, at+"/")
}

// unescape resolves the octal escapes of mountinfo.
func unescape(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}

// available returns how much memory can be taken without pushing out what is
// in use, 0 if that cannot be found out: what the system says, and no more
// than the process's control groups leave.
func available() int64 {
	free, err := meminfo("MemAvailable")
	if err != nil {
		return 0
	}
	groups, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return free
	}
	for line := range bytes.Lines(groups) {
		part := strings.SplitN(strings.TrimSpace(string(line)), ":", 3)
		if len(part) != 3 {
			continue
		}
		switch {
		case part[1] == "":
			free = min(free, left("/sys/fs/cgroup", part[2], "memory.max", "memory.current"))
		case part[1] == "memory":
			free = min(free, left("/sys/fs/cgroup/memory", part[2], "memory.limit_in_bytes", "memory.usage_in_bytes"))
		}
	}
	return max(0, free)
}

// left returns the least that a control group below root, or one above it,
// leaves of its limit.
func left(root, group, limit, usage string) int64 {
	const unlimited = 1 << 62
	free := int64(unlimited)
	for ; ; group = filepath.Dir(group) {
		l, err1 := number(filepath.Join(root, group, limit))
		u, err2 := number(filepath.Join(root, group, usage))
		if err1 == nil && err2 == nil {
			free = min(free, l-u)
		}
		if group == "/" || group == "." {
			return free
		}
	}
}

// number reads a file that holds a number; "max" is an error.
func number(path string) (int64, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
}
