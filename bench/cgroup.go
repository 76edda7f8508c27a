package bench

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// memoryGroup is a control group that bounds the memory of all that runs in it, the
// page cache that it fills included. A nil group bounds nothing.
type memoryGroup struct {
	dir    string
	limit  int64
	events string // the file of dir that counts the processes killed for want of memory
}

// enter returns what to put before a command line to run it in the group: a shell that
// joins it and becomes the command.
func (g *memoryGroup) enter() []string {
	if g == nil {
		return nil
	}
	return []string{"sh", "-euc", `echo $$ >"$1"; shift; exec "$@"`, "sh", filepath.Join(g.dir, "cgroup.procs")}
}

// kills returns how many processes of the group were killed for want of memory.
func (g *memoryGroup) kills() int64 {
	if g == nil {
		return 0
	}
	lines, err := os.ReadFile(filepath.Join(g.dir, g.events))
	if err != nil {
		return 0
	}
	for line := range bytes.Lines(lines) {
		if count, ok := strings.CutPrefix(strings.TrimSpace(string(line)), "oom_kill "); ok {
			n, err := strconv.ParseInt(count, 10, 64)
			if err != nil {
				return 0
			}
			return n
		}
	}
	return 0
}

// explain adds to an error that memory was not enough, where that is so.
func (g *memoryGroup) explain(err error) error {
	if n := g.kills(); n > 0 {
		return fmt.Errorf("%v was not enough, and the kernel killed processes (%d): %w", g, n, err)
	}
	return err
}

// String names the bound as reports do.
func (g *memoryGroup) String() string {
	if g == nil {
		return ""
	}
	return fmt.Sprintf("%d MiB", g.limit>>20)
}

// close removes the group. What ran in it has ended, or was killed and is about to.
func (g *memoryGroup) close() (err error) {
	if g == nil {
		return nil
	}
	for range 100 {
		if err = os.Remove(g.dir); err == nil {
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	return fmt.Errorf("control group: %w", err)
}
