package client_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"dfs/client"
	"dfs/client/worktree"
	"dfs/server/hub"
)

var steps = []worktree.Step{
	worktree.StepTemp, worktree.StepPlace, worktree.StepSwap, worktree.StepLook, worktree.StepDrop,
	worktree.StepRemove, worktree.StepGone, worktree.StepCarry, worktree.StepArrive, client.StepBase,
}

// edits are what a user may do to a path at any moment; each leaves value somewhere.
var edits = map[string]func(path, value string) error{
	"rewrite": func(path, value string) error { return os.WriteFile(path, []byte(value), 0o644) },
	"rename over": func(path, value string) error {
		if err := os.WriteFile(path+".new", []byte(value), 0o644); err != nil {
			return err
		}
		return os.Rename(path+".new", path)
	},
	"link": func(path, value string) error {
		return errors.Join(os.RemoveAll(path), os.Symlink(value, path))
	},
	"directory": func(path, value string) error {
		return errors.Join(os.RemoveAll(path), os.Mkdir(path, 0o755), os.WriteFile(path+"/in", []byte(value), 0o644))
	},
}

// states are the two trees between which the pulled side goes: files that are replaced,
// made, removed, renamed, change places, and turn into other kinds, in a directory of mode 0555.
func writeState(t *testing.T, dir string, n int) {
	t.Helper()
	script := []string{
		`mkdir -p ro; chmod 755 ro; rm -rf ro/*; echo one >ro/replaced; echo one >ro/gone; echo kind >ro/kind; echo mode >ro/mode; ln -s one ro/link; mkdir ro/dir; echo in >ro/dir/in; echo moved >ro/from; echo left >ro/swap; mkdir ro/sub; echo right >ro/sub/swap; echo last >ro/log; chmod 555 ro`,
		`chmod 755 ro; rm -rf ro/*; echo two, longer >ro/replaced; echo two >ro/made; mkdir ro/kind; echo in >ro/kind/in; echo mode >ro/mode; chmod 600 ro/mode; ln -s two ro/link; echo file >ro/dir; echo moved >ro/to; echo right >ro/swap; mkdir ro/sub; echo left >ro/sub/swap; echo next >ro/log; echo last >ro/log.1; chmod 555 ro`,
	}[n%2]
	cmd := exec.Command("sh", "-e", "-c", script)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// behind makes a replica in state 0 whose hub is in state 1.
func behind(t *testing.T) client.Config {
	t.Helper()
	h := openHub(t)
	a, b := t.TempDir(), t.TempDir()
	writeState(t, a, 0)
	mustPush(t, config(h, a))
	mustPull(t, config(h, b))
	writeState(t, a, 1)
	mustPush(t, config(h, a))
	return config(h, b)
}

// holds reports whether value is the content of a file, or the target of a link, below dir.
func holds(t *testing.T, dir, value string) bool {
	for _, what := range content(t, dir) {
		if strings.HasSuffix(what, " "+value) {
			return true
		}
	}
	return false
}

// TestEditsBetweenSteps edits a path at each step of a pull's change to it, in each way: the
// edit is in the directory afterwards, and after another pull.
func TestEditsBetweenSteps(t *testing.T) {
	for name, edit := range edits {
		for _, step := range steps {
			t.Run(fmt.Sprintf("%s before %s", name, step), func(t *testing.T) {
				t.Parallel()
				cfg := behind(t)
				b := cfg.Dir
				var done, edited []string
				cfg.OnStep(func(s worktree.Step, path string) {
					if s != step {
						return
					}
					if path == "" {
						path = "ro/replaced"
					}
					if slices.ContainsFunc(edited, func(dir string) bool { return strings.HasPrefix(path, dir+"/") }) {
						return // it lies in what this test has made
					}
					edited = append(edited, path)
					if info, err := os.Lstat(filepath.Join(b, path)); err == nil && info.IsDir() {
						path += "/edit"
					}
					value := "edit of " + path + " before " + string(s)
					if err := edit(filepath.Join(b, path), value); err != nil {
						t.Errorf("%s: %v", path, err)
					}
					done = append(done, value)
				})
				for range 2 {
					if _, err := client.Pull(t.Context(), cfg); err != nil {
						t.Fatal(err)
					}
					cfg.OnStep(nil)
					for _, value := range done {
						if !holds(t, b, value) {
							t.Errorf("lost: %s, in\n%v", value, content(t, b))
						}
					}
				}
				if len(done) == 0 {
					t.Error("there was no such step")
				}
			})
		}
	}
}

// TestWriterBetweenSteps writes to a file, at each step, through a descriptor that was open before.
func TestWriterBetweenSteps(t *testing.T) {
	for _, step := range steps {
		t.Run(string(step), func(t *testing.T) {
			t.Parallel()
			cfg := behind(t)
			b := cfg.Dir
			open := map[string]*os.File{}
			written := []string{"ro/replaced", "ro/gone", "ro/kind", "ro/from", "ro/swap", "ro/sub/swap", "ro/log"}
			for _, path := range written {
				f, err := os.OpenFile(filepath.Join(b, path), os.O_WRONLY|os.O_APPEND, 0)
				if err != nil {
					t.Fatal(err)
				}
				defer f.Close()
				open[path] = f
			}
			cfg.OnStep(func(s worktree.Step, path string) {
				if f := open[path]; s == step && f != nil {
					fmt.Fprintf(f, "edit of %s", path)
					f.Close()
					delete(open, path)
				}
			})
			if _, err := client.Pull(t.Context(), cfg); err != nil {
				t.Fatal(err)
			}
			for path, f := range open {
				fmt.Fprintf(f, "edit of %s", path)
			}
			all := fmt.Sprint(content(t, b))
			for _, path := range written {
				if !strings.Contains(all, "edit of "+path) {
					t.Errorf("lost what was written to %s: %s", path, all)
				}
			}
		})
	}
}

// killEnv tells the test's program to be a pull that kills itself: step, count, and the way:
// "edit" to edit the path right before, "before" to edit each path right before the
// exchange or the removal, or nothing.
const killEnv = "DFS_TEST_KILL"

// TestMain runs a pull that is to be killed, for TestKillsBetweenSteps.
func TestMain(m *testing.M) {
	spec, ok := os.LookupEnv(killEnv)
	if !ok {
		os.Exit(m.Run())
	}
	var step, way string
	var count int
	fmt.Sscanf(spec, "%s %d %s", &step, &count, &way)
	h, err := hub.Open(os.Args[1], hub.Options{})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	cfg := config(h, os.Args[2])
	cfg.OnStep(func(s worktree.Step, path string) {
		edit := func() { os.WriteFile(filepath.Join(os.Args[2], path), []byte("edit"), 0o644) }
		if way == "before" && (s == worktree.StepSwap || s == worktree.StepRemove) {
			edit()
		}
		if string(s) != step {
			return
		}
		if count--; count > 0 {
			return
		}
		if way == "edit" {
			edit()
		}
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
	})
	_, err = client.Pull(context.Background(), cfg)
	h.Close()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// killed runs a pull of dir that kills itself at the count'th time of a step, and
// reports whether it came so far.
func killed(t *testing.T, repository, dir string, step worktree.Step, count int, way string) bool {
	t.Helper()
	cmd := exec.Command(os.Args[0], repository, dir)
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %d %s", killEnv, step, count, way))
	out, err := cmd.CombinedOutput()
	if err == nil {
		return false
	}
	if cmd.ProcessState.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("pull to be killed at %s: %v\n%s", step, err, out)
	}
	return true
}

// withHub opens the repository for the time of fn.
func withHub(t *testing.T, repository string, fn func(h *hub.Hub)) {
	t.Helper()
	h, err := hub.Open(repository, hub.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	fn(h)
}

// TestKillsBetweenSteps kills pulls at each step: each path is as it was or as it will be, an
// edit that was made right before the kill is kept, and the next pull completes.
func TestKillsBetweenSteps(t *testing.T) {
	for _, step := range steps {
		ways := []string{"", "edit"}
		switch step {
		case client.StepBase:
			ways = ways[:1]
		case worktree.StepLook, worktree.StepGone:
			ways = append(ways, "before")
		}
		for _, way := range ways {
			// Not parallel: a child that is being started holds the lock of a closed repository.
			t.Run(string(step)+way, func(t *testing.T) {
				killAtEach(t, step, way)
			})
		}
	}
}

func killAtEach(t *testing.T, step worktree.Step, way string) {
	repository, a, b := t.TempDir(), t.TempDir(), t.TempDir()
	states := [2]map[string]string{}
	withHub(t, repository, func(h *hub.Hub) {
		for n := range states {
			writeState(t, a, n)
			mustPush(t, config(h, a))
			states[n] = content(t, a)
		}
		mustPull(t, config(h, b))
	})
	for n, count := 0, 1; ; n, count = n+1, count+1 {
		withHub(t, repository, func(h *hub.Hub) {
			writeState(t, a, n)
			mustPush(t, config(h, a))
		})
		want := content(t, a)
		alive := !killed(t, repository, b, step, count, way)
		checkKilled(t, b, states[:], way)
		withHub(t, repository, func(h *hub.Hub) { recoverKilled(t, h, a, b, want, way) })
		if alive && n%2 == 1 {
			if count < 2 {
				t.Errorf("the pull has only %d such steps", count-1)
			}
			return
		}
	}
}

// checkKilled looks at what a killed pull left: whole versions only.
func checkKilled(t *testing.T, dir string, states []map[string]string, way string) {
	for path, is := range content(t, dir) {
		if strings.Contains(path, ".dfs-tmp-") || strings.HasPrefix(is, "dir ") {
			continue
		}
		data := func(s string) string { d, _ := fileData(s); return d }
		ok := way != "" && data(is) == "edit"
		for _, state := range states {
			ok = ok || data(state[path]) == data(is) && (data(is) != "" || state[path] == is)
		}
		if !ok {
			t.Errorf("after the kill %s is %q", path, is)
		}
	}
}

// recoverKilled pulls once more, finds the edit, and makes the directory as it should be.
func recoverKilled(t *testing.T, h *hub.Hub, a, b string, want map[string]string, way string) {
	edited := holds(t, b, "edit")
	res, err := client.Pull(t.Context(), config(h, b))
	if err != nil {
		t.Fatal(err)
	}
	if edited != holds(t, b, "edit") {
		t.Fatalf("the edit is gone: %+v, in %v", res, content(t, b))
	}
	if way != "" {
		cmd := exec.Command("sh", "-c", "chmod 755 ro; rm -rf ro/*; cp -a $0/ro/* ro/; chmod 555 ro; rm -f ro.dfs-kept*", a)
		cmd.Dir = b
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		mustPull(t, config(h, b))
	}
	if got := content(t, b); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("after the next pull (%+v):\n%v, want\n%v", res, got, want)
	}
	if x, y := mtime(t, a+"/ro"), mtime(t, b+"/ro"); way == "" && x != y {
		t.Fatalf("after the next pull the directory's mtime is %v, not %v", y, x)
	}
	res, err = client.Push(t.Context(), config(h, b))
	if err != nil || res.Added+res.Modified+res.Moved+res.Deleted > 0 || len(res.Problems)+len(res.Conflicts) > 0 {
		t.Fatalf("push after that: %+v, %v", res, err)
	}
}

func mtime(t *testing.T, path string) time.Time {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.ModTime()
}
