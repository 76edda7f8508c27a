package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"dfs/client"
)

// TestConcurrentCommits has processes with a replica each commit to one volume at the same time: none
// fails, and all that they changed is in the head. DFS_COMMITS=32x50 sets how many processes, and how many
// commits of each.
func TestConcurrentCommits(t *testing.T) {
	processes, commits := 8, 5
	if s := os.Getenv("DFS_COMMITS"); s != "" {
		if _, err := fmt.Sscanf(s, "%dx%d", &processes, &commits); err != nil {
			t.Fatalf("DFS_COMMITS=%s: %v", s, err)
		}
	}
	c := &committers{t: t, dir: t.TempDir()}
	c.program = filepath.Join(c.dir, "bin", "dfs")
	linkProgram(t, c.program)
	c.env = append(os.Environ(), "HOME="+c.dir, "XDG_STATE_HOME=", "XDG_CONFIG_HOME=", "XDG_DATA_HOME=", "XDG_CACHE_HOME=", "DFS_HUB=")
	server, err := startHub(filepath.Dir(c.program), c.env, "--data", filepath.Join(c.dir, "hub"))
	if err != nil {
		t.Fatal(err)
	}
	c.hub = server.url
	var all sync.WaitGroup
	for n := range processes {
		all.Go(func() { c.commit(n, commits) })
	}
	all.Wait()
	c.checkHead(processes, commits)
	t.Logf("%d processes, %d commits each: %d of them merged with others, %d requests repeated",
		processes, commits, c.merged.Load(), c.retries.Load())
	if err := server.stop(); err != nil {
		t.Error(err)
	}
}

// committers are processes that commit to one volume.
type committers struct {
	t               *testing.T
	dir             string
	program         string
	env             []string
	hub             string
	merged, retries atomic.Int64
}

// committed is the path of what process n changes with commit i: half of them lie in a directory that all change.
func committed(n, i int) string {
	if i%2 == 0 {
		return fmt.Sprintf("all/%02d-%02d", n, i)
	}
	return fmt.Sprintf("%02d/%02d", n, i)
}

// commit makes one change after the other in a replica and pushes each. All also append to a log of their own.
func (c *committers) commit(n, commits int) {
	dir := filepath.Join(c.dir, fmt.Sprintf("replica%02d", n))
	log := ""
	for i := range commits {
		log += fmt.Sprintf("commit %d\n", i)
		for path, content := range map[string]string{committed(n, i): fmt.Sprintf("%d of %d", i, n), fmt.Sprintf("%02d/log", n): log} {
			path = filepath.Join(dir, path)
			err := os.MkdirAll(filepath.Dir(path), 0o755)
			if err == nil {
				err = os.WriteFile(path, []byte(content), 0o644)
			}
			if err != nil {
				c.t.Error(err)
				return
			}
		}
		if !c.run(n, "push", dir) {
			return
		}
	}
}

// run runs a command that must not fail, and adds up what it tells.
func (c *committers) run(n int, command, dir string) bool {
	cmd := exec.Command(c.program, command, dir, "--json", "--hub", c.hub, "--volume", "v")
	cmd.Env = c.env
	out, err := cmd.Output()
	var sum client.Summary
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if err == nil {
		err = json.Unmarshal([]byte(lines[len(lines)-1]), &sum)
	}
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = fmt.Errorf("%w: %s", err, exit.Stderr)
		}
		c.t.Errorf("%s of process %d: %v\n%s", command, n, err, out)
		return false
	}
	c.retries.Add(sum.Retries)
	if sum.Merged {
		c.merged.Add(1)
	}
	return true
}

// checkHead pulls the head and looks for each change.
func (c *committers) checkHead(processes, commits int) {
	dir := filepath.Join(c.dir, "head")
	if !c.run(-1, "pull", dir) {
		return
	}
	for n := range processes {
		for i := range commits {
			want := fmt.Sprintf("%d of %d", i, n)
			if got, err := os.ReadFile(filepath.Join(dir, committed(n, i))); err != nil || string(got) != want {
				c.t.Errorf("commit %d of process %d: %q, %v", i, n, got, err)
			}
		}
		log, err := os.ReadFile(filepath.Join(dir, fmt.Sprintf("%02d/log", n)))
		if err != nil || strings.Count(string(log), "\n") != commits {
			c.t.Errorf("the log of process %d: %q, %v", n, log, err)
		}
	}
}
