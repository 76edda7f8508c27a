package measure

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// look samples the process pid and all below it. It says false where there is
// no such process, or it has ended and nobody waited for it yet.
func look(pid int) (s sample, ok bool) {
	if ok = s.add(pid); !ok {
		return s, false
	}
	// What a thread of the process started is in the thread's file. A process that
	// is missed because it comes or goes just now is in the next sample. One that was
	// forked and not executed yet shares its parent's memory, and counts twice.
	for queue := children(pid); len(queue) > 0; queue = queue[1:] {
		if s.add(queue[0]) {
			queue = append(queue, children(queue[0])...)
		}
	}
	return s, true
}

// add adds one process.
func (s *sample) add(pid int) bool {
	dir := filepath.Join("/proc", strconv.Itoa(pid))
	status, err := os.ReadFile(dir + "/status")
	if err != nil {
		return false
	}
	stat, err := os.ReadFile(dir + "/stat")
	if err != nil {
		return false
	}
	user, sys, ok := cpu(string(stat))
	rss, high := row(status, "VmRSS:"), row(status, "VmHWM:")
	if !ok || rss == 0 {
		return false // a zombie has no memory
	}
	s.user += user
	s.sys += sys
	s.rss += rss
	s.anon += row(status, "RssAnon:")
	s.high = max(s.high, high)
	return true
}

// children returns the processes that the threads of pid started.
func children(pid int) (list []int) {
	tasks := filepath.Join("/proc", strconv.Itoa(pid), "task")
	dir, err := os.Open(tasks)
	if err != nil {
		return nil
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil
	}
	for _, name := range names {
		b, err := os.ReadFile(filepath.Join(tasks, name, "children"))
		if err != nil {
			continue
		}
		for _, word := range strings.Fields(string(b)) {
			if child, err := strconv.Atoi(word); err == nil {
				list = append(list, child)
			}
		}
	}
	return list
}

// row returns a row of a status file, given in kB, in bytes.
func row(status []byte, name string) int64 {
	for line := range bytes.Lines(status) {
		if value, ok := bytes.CutPrefix(line, []byte(name)); ok {
			n, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(string(value)), " kB"), 10, 64)
			if err != nil {
				return 0
			}
			return n << 10
		}
	}
	return 0
}

// cpu returns the CPU seconds of a process and of its children that have
// ended, from its stat file (see proc_pid_stat(5)), which counts in 1/100 s.
func cpu(stat string) (user, sys float64, ok bool) {
	// The name in parentheses may hold anything; the state is the first field after it.
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	const utime, hertz = 11, 100
	if len(fields) < utime+4 {
		return 0, 0, false
	}
	var ticks [4]float64 // utime, stime, cutime, cstime
	for i := range ticks {
		n, err := strconv.ParseInt(fields[utime+i], 10, 64)
		if err != nil {
			return 0, 0, false
		}
		ticks[i] = float64(n)
	}
	return (ticks[0] + ticks[2]) / hertz, (ticks[1] + ticks[3]) / hertz, true
}
