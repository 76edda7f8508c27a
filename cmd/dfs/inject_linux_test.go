package main

import (
	"encoding/json"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The tests of faults run dfs as a program under strace, which kills it at a system
// call or lets the call fail. strace counts calls by thread, so the Nth call is
// not always the same one; each run logs which it was. DFS_EVERY=1 tries every
// N, and not only one in some.

// rootsPowers are root's over what has no permission for it.
const rootsPowers = "-dac_override,-dac_read_search"

// site is a home with a hub, at which dfs runs.
type site struct {
	t       *testing.T
	dir     string
	program string
	strace  string
	env     []string
	without string // the powers of root that dfs runs without
	rng     *rand.Rand
}

func newSite(t *testing.T) *site {
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("strace is not installed")
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	s := &site{t: t, dir: quickDir(t), strace: strace, rng: rand.New(rand.NewPCG(seed, 0))}
	s.program = filepath.Join(s.dir, "bin", "dfs")
	linkProgram(t, s.program)
	if out, err := exec.Command(strace, "-f", "-o", os.DevNull, s.program, "version").CombinedOutput(); err != nil {
		t.Skipf("strace cannot trace here: %v\n%s", err, out)
	}
	// The race detector would sleep for a second at the end of each run.
	s.env = []string{"HOME=" + s.dir, "PATH=" + os.Getenv("PATH"), "GORACE=atexit_sleep_ms=0"}
	hub, err := startHub(filepath.Dir(s.program), s.env, "--data", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := hub.stop(); err != nil {
			t.Error(err)
		}
	})
	s.env = append(s.env, "DFS_HUB="+hub.url, "DFS_MAX_DELETE=100%")
	return s
}

// quickDir is a temporary directory, in memory where the system has that.
func quickDir(t *testing.T) string {
	dir, err := os.MkdirTemp("/dev/shm", "dfs")
	if err != nil {
		dir = t.TempDir()
	}
	t.Cleanup(func() {
		openUp(dir)
		os.RemoveAll(dir)
	})
	return dir
}

// reported is what the tests look at in a line of JSON.
type reported struct {
	Type, Path, Op, Message         string
	Added, Modified, Moved, Deleted int
}

// ended is what a run of dfs came to.
type ended struct {
	code   int // -1: killed
	lines  []reported
	output string
	trace  string
}

// dfs runs dfs with --json.
func (s *site) dfs(args ...string) ended { return s.run(nil, args) }

// traced runs dfs under strace with the options.
func (s *site) traced(options []string, args ...string) ended {
	s.t.Helper()
	log := filepath.Join(s.dir, "trace")
	o := s.run(append([]string{s.strace, "-f", "-y", "-qqq", "-o", log}, options...), args)
	trace, err := os.ReadFile(log)
	if err != nil {
		s.t.Fatal(err)
	}
	o.trace = string(trace)
	return o
}

func (s *site) run(before, args []string) ended {
	s.t.Helper()
	words := slices.Concat(before, []string{s.program}, args, []string{"--json"})
	if s.without != "" && os.Geteuid() == 0 {
		words = append([]string{"setpriv", "--bounding-set", s.without}, words...)
	}
	cmd := exec.Command(words[0], words[1:]...)
	cmd.Env = s.env
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		s.t.Fatal(err)
	}
	o := ended{code: cmd.ProcessState.ExitCode(), output: stdout.String() + stderr.String()}
	for text := range strings.Lines(stdout.String()) {
		var l reported
		if err := json.Unmarshal([]byte(text), &l); err != nil && o.code >= 0 {
			s.t.Fatalf("%v prints %q: %v", args, text, err)
		}
		o.lines = append(o.lines, l)
	}
	return o
}

// must requires a run to exit with the code.
func (s *site) must(code int, o ended) ended {
	s.t.Helper()
	if o.code != code {
		s.t.Fatalf("exit code %d, want %d: %s", o.code, code, o.output)
	}
	return o
}

// of returns the paths of the lines of a type, in order.
func (o ended) of(kind string) (paths []string) {
	for _, l := range o.lines {
		if l.Type == kind {
			paths = append(paths, l.Op+l.Path)
		}
	}
	return paths
}

// idle requires that a pull or push found nothing to do.
func (s *site) idle(o ended) {
	s.t.Helper()
	if last := o.lines[len(o.lines)-1]; last.Type != "summary" || last.Added+last.Modified+last.Moved+last.Deleted > 0 {
		s.t.Errorf("there was something left to do: %s", o.output)
	}
}

// at returns the call at which strace killed dfs, or which it let fail; "" when it did neither.
func (o ended) at() (call string) {
	for text := range strings.Lines(o.trace) {
		switch {
		case strings.Contains(text, "(INJECTED)"):
			return strings.TrimSpace(text)
		case o.code < 0 && strings.Contains(text, "("):
			call = strings.TrimSpace(text)
		}
	}
	return call
}

// injected returns the calls that strace let fail, those whole that it wrote in two pieces.
func (o ended) injected() (calls []string) {
	begun := map[string]string{} // by thread
	for text := range strings.Lines(o.trace) {
		thread, call, _ := strings.Cut(strings.TrimSpace(text), " ")
		if first, ok := strings.CutSuffix(call, "<unfinished ...>"); ok {
			begun[thread] = first
		}
		if strings.HasPrefix(strings.TrimSpace(call), "<... ") {
			call = begun[thread] + call
		}
		if strings.Contains(call, "(INJECTED)") {
			calls = append(calls, call)
		}
	}
	return calls
}

// mattered reports whether a call failed on which the truth of a pull depends. What the lock holds is for people. Where
// the trial of what the file system keeps fails, all is taken to be kept: the pull then sets, and compares, no less than else.
func (o ended) mattered() bool {
	return slices.ContainsFunc(o.injected(), func(call string) bool {
		return !strings.Contains(call, "/.dfs/lock>") && !strings.Contains(call, "/.dfs/traits>")
	})
}

// TestMattered reads traces, among them one whose call another thread's comes between.
func TestMattered(t *testing.T) {
	const failed = " = -1 EIO (Input/output error) (INJECTED)\n"
	for trace, want := range map[string]bool{
		"":                                      false,
		"71  fchmod(9</r/file>, 0640) = 0\n":    false,
		"71  fchmod(9</r/file>, 0640)" + failed: true,
		"71  fchmod(9</r/.dfs/traits>, 0640)" + failed:                                           false,
		"71  pwrite64(9</r/.dfs/lock>, \"71\", 2, 0)" + failed:                                   false,
		"71  fchmod(9</r/.dfs/traits>, 0640)" + failed + "72  fchmod(9</r/file>, 0640)" + failed: true,
		"71  fchmod(9</r/.dfs/traits>, <unfinished ...>\n72  fchmod(8</r/file>, <unfinished ...>\n71  <... fchmod resumed>0640)" + failed + "72  <... fchmod resumed>0640) = 0\n": false,
		"71  fchmod(9</r/.dfs/traits>, <unfinished ...>\n72  fchmod(8</r/file>, <unfinished ...>\n72  <... fchmod resumed>0640)" + failed + "71  <... fchmod resumed>0640) = 0\n": true,
	} {
		if got := (ended{trace: trace}).mattered(); got != want {
			t.Errorf("%v of %s", got, trace)
		}
	}
}

// each calls try with N = 1 and further N, the mean step being every, until it
// reports that nothing happened at N. It returns how often something did.
func (s *site) each(every int, try func(n int) bool) (count int) {
	if v, err := strconv.Atoi(os.Getenv("DFS_EVERY")); err == nil && v > 0 {
		every = v
	}
	for n := 1; try(n); n += 1 + s.rng.IntN(2*every-1) {
		count++
	}
	return count
}

// node is a file, directory or symlink of a tree: its type is that of mode, text
// its content or target.
type node struct {
	path string
	mode fs.FileMode
	text string
	hour int // of its modification time
}

// plant makes dir hold what nodes say and nothing else but its .dfs.
func plant(t *testing.T, dir string, nodes []node) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	openUp(dir)
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		if e.Name() != ".dfs" && err == nil {
			err = os.RemoveAll(filepath.Join(dir, e.Name()))
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	edit(t, dir, nodes)
}

// openUp lets the directories below dir be written into.
func openUp(dir string) {
	filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && path != dir {
			os.Chmod(path, 0o755)
		}
		return nil
	})
}

// edit puts nodes into dir, parents first, each in the place of what is there.
func edit(t *testing.T, dir string, nodes []node) {
	t.Helper()
	for _, n := range nodes {
		name := filepath.Join(dir, n.path)
		var err error
		switch n.mode.Type() {
		case fs.ModeDir:
			err = os.MkdirAll(name, 0o755)
		case fs.ModeSymlink:
			err = os.Symlink(n.text, name)
		default:
			err = os.WriteFile(name, []byte(n.text), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range slices.Backward(nodes) {
		name := filepath.Join(dir, n.path)
		var err error
		if n.mode.Type() != fs.ModeSymlink {
			err = os.Chmod(name, n.mode.Perm())
		}
		if err == nil {
			when := unix.NsecToTimespec(time.Date(2020, 1, 1, n.hour, 0, 0, n.hour, time.UTC).UnixNano())
			err = unix.UtimesNanoAt(unix.AT_FDCWD, name, []unix.Timespec{when, when}, unix.AT_SYMLINK_NOFOLLOW)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// look describes a tree as it may be compared: without the times of
// directories.
func look(t *testing.T, dir string) map[string]string {
	t.Helper()
	all, err := describe(dir)
	if err != nil {
		t.Fatal(err)
	}
	for path, what := range all {
		if what[0] == 'd' {
			all[path], _, _ = strings.Cut(what, " ")
		}
	}
	return all
}

// contentOf leaves kind and content, or target, of what look says.
func contentOf(what string) string {
	if what == "" {
		return "absent"
	}
	_, rest, _ := strings.Cut(what, " UTC")
	return what[:1] + rest
}

// compareStates reports where a tree is not as wanted.
func compareStates(t *testing.T, when string, got, want map[string]string) {
	t.Helper()
	for path := range union(got, want) {
		if got[path] != want[path] {
			t.Errorf("%s: %q is %q, want %q", when, path, got[path], want[path])
		}
	}
}

func union(maps ...map[string]string) map[string]string {
	all := map[string]string{}
	for _, m := range maps {
		for path := range m {
			all[path] = ""
		}
	}
	return all
}

// checkWhole reports each path that has neither its state before nor that after, and
// returns how many temporaries there are. Where only attributes change they
// may have come half the way, and those of directories are set last.
func checkWhole(t *testing.T, when string, now, before, after map[string]string) (temps int) {
	t.Helper()
	for path := range union(now, before, after) {
		if strings.HasPrefix(filepath.Base(path), ".dfs-tmp-") {
			temps++
			continue
		}
		is, old, new := now[path], before[path], after[path]
		if is == old || is == new {
			continue
		}
		c := contentOf(is)
		alike := contentOf(old) == contentOf(new) || c == "d"
		if !alike || c != contentOf(old) && c != contentOf(new) {
			t.Errorf("%s: %q is %q, neither %q nor %q", when, path, is, old, new)
		}
	}
	return temps
}
