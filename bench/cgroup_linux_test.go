package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"dfs/bench/measure"
	"dfs/bench/report"
)

// group makes a control group, or skips the test.
func group(t *testing.T, limit int64) *memoryGroup {
	t.Helper()
	g, err := newMemoryGroup(limit)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() {
		if err := g.close(); err != nil {
			t.Error(err)
		}
	})
	return g
}

// inside runs a script in a group and returns its exit code and output.
func inside(t *testing.T, g *memoryGroup, script string) (int, string) {
	t.Helper()
	use, err := measure.Run(t.Context(), append(g.enter(), "sh", "-c", script), nil, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return use.Exit, string(use.Stdout) + string(use.Stderr)
}

// TestMemoryGroup runs what fits, what fits since pages of files are given up, and what
// does not.
func TestMemoryGroup(t *testing.T) {
	g := group(t, 64<<20)
	if _, out := inside(t, g, "cat /proc/self/cgroup"); !strings.Contains(out, filepath.Base(g.dir)) {
		t.Errorf("not in the group %s:\n%s", g.dir, out)
	}
	if exit, out := inside(t, g, "dd if=/dev/zero of=file bs=1M count=150"); exit != 0 || g.kills() != 0 {
		t.Errorf("writing more than fits: exit %d, %d killed: %s", exit, g.kills(), out)
	}
	if used := peak(t, g); used < 32<<20 || used > 64<<20 {
		t.Errorf("pages of files took %d bytes at most, want nearly the bound", used)
	}
	if inside(t, g, "head -c 150000000 /dev/zero | tail -n 1 | wc -c"); g.kills() == 0 {
		t.Error("what does not fit was not killed")
	}
}

// TestMemoryTooSmall: a hub that cannot even start says why.
func TestMemoryTooSmall(t *testing.T) {
	r := smallOfDfs(t)
	r.group = group(t, 1<<20)
	if _, err := r.startHub(t.TempDir()); err == nil || !strings.HasPrefix(err.Error(), "1 MiB was not enough") {
		t.Error(err)
	}
}

// peak returns the most that a group took, or skips the test where that is not told.
func peak(t *testing.T, g *memoryGroup) int64 {
	t.Helper()
	for _, name := range []string{"memory.max_usage_in_bytes", "memory.peak"} {
		if b, err := os.ReadFile(filepath.Join(g.dir, name)); err == nil {
			n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Skip("the kernel does not tell a group's peak")
	return 0
}

// TestMemoryParent finds the place for a group from what the kernel tells.
func TestMemoryParent(t *testing.T) {
	point := t.TempDir()
	for path, controllers := range map[string]string{"": "cpu memory\n", "user": "cpu memory pids\n", "user/session": "\n", "bare": "cpu\n"} {
		dir := filepath.Join(point, path)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte(controllers), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	first := "30 29 0:26 / /cg/memory rw - cgroup cgroup rw,memory\n31 29 0:27 / /cg/cpu rw - cgroup cgroup rw,cpu,cpuacct\n"
	partial := "30 29 0:26 /pod/7 /cg/memory rw - cgroup cgroup rw,memory\n"
	second := "40 29 0:30 / " + point + " rw - cgroup2 cgroup2 rw\n"
	for _, c := range []struct {
		name, own, mounts string
		dir               string
		unified           bool
	}{
		{"version 1", "5:cpu,cpuacct:/x\n4:memory:/a/b\n0::/\n", first + second, "/cg/memory/a/b", false},
		{"version 1 in a container", "4:memory:/pod/7/c\n", partial, "/cg/memory/c", false},
		{"version 1, above the mount", "4:memory:/other\n", partial, "/cg/memory", false},
		{"version 2, the parent is delegated", "0::/user/session\n", second, filepath.Join(point, "user"), true},
		{"version 2, the root", "0::/\n", second, point, true},
		{"version 2, not below the group", "0::/bare\n", second, point, true},
		{"both, memory in version 2", "5:cpu:/x\n0::/user\n", first + second, filepath.Join(point, "user"), true},
	} {
		dir, unified, err := memoryParent([]byte(c.own), []byte(c.mounts))
		if err != nil || dir != c.dir || unified != c.unified {
			t.Errorf("%s: %s, %v, %v, want %s", c.name, dir, unified, err, c.dir)
		}
	}
	for name, c := range map[string][2]string{
		"nothing mounted": {"4:memory:/\n0::/\n", ""},
		"not delegated":   {"0::/bare\n", strings.Replace(second, point, filepath.Join(point, "bare"), 1)},
	} {
		if dir, _, err := memoryParent([]byte(c[0]), []byte(c[1])); err == nil {
			t.Errorf("%s: %s", name, dir)
		}
	}
}

// TestMemory runs dfs and its hub in a control group, and says so in the record.
func TestMemory(t *testing.T) {
	r := smallOfDfs(t)
	r.group = group(t, 256<<20)
	err := r.once("diff-10k", func(d *dfsTool, blank report.Record) error {
		groups, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", d.hub.cmd.Process.Pid))
		if err != nil || !strings.Contains(string(groups), filepath.Base(r.group.dir)) {
			t.Errorf("the hub is not in %s: %v\n%s", r.group.dir, err, groups)
		}
		return r.timed(d, report.OpPush, blank, pushing)
	})
	if err != nil {
		t.Fatal(err)
	}
	if rec := r.set.Records[0]; rec.Cache != "warm, dfs in 256 MiB" {
		t.Errorf("the record says %q", rec.Cache)
	}
}
