package main

import (
	"bufio"
	"bytes"
	"cmp"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// TestTeamChapter follows the chapter "Run a hub for your team" of README.md word for word: each user
// types what stands behind the prompt, in a home of its own, and sees what the chapter shows,
// but for keys, IDs, times and sizes. A free port takes the place of 8420.
func TestTeamChapter(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the chapter uses a POSIX shell")
	}
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	steps := stepsOf(t, string(readme), "## Run a hub for your team\n")
	dir := t.TempDir()
	program := filepath.Join(dir, "bin", "dfs")
	linkProgram(t, program)
	team := &team{t: t, dir: dir, path: filepath.Dir(program), port: freePort(t), env: map[string][]string{}, real: map[string]string{}}
	t.Cleanup(team.goHome)
	for _, s := range steps {
		team.follow(s)
	}
}

// A step is what a user types, and sees then.
type step struct {
	user, typed string
	shown       []string
}

var (
	prompt  = regexp.MustCompile(`^([a-z]+)\$ (.+)$`)
	joinKey = "join key: " // what is typed at a prompt of dfs login
)

// stepsOf returns the steps of the blocks of a chapter.
func stepsOf(t *testing.T, text, title string) (steps []step) {
	t.Helper()
	_, chapter, ok := strings.Cut(text, title)
	if !ok {
		t.Fatalf("no chapter %q", title)
	}
	chapter, _, _ = strings.Cut(chapter, "\n## ")
	for _, line := range strings.Split(chapter, "\n") {
		line, ok := strings.CutPrefix(line, "    ")
		if !ok {
			continue
		}
		switch m := prompt.FindStringSubmatch(line); {
		case m != nil:
			steps = append(steps, step{user: m[1], typed: m[2]})
		case len(steps) == 0:
			t.Fatalf("nobody has typed anything before %q", line)
		default:
			last := &steps[len(steps)-1]
			last.shown = append(last.shown, line)
		}
	}
	if len(steps) < 10 {
		t.Fatalf("%d steps in the chapter", len(steps))
	}
	return steps
}

// freePort returns a port on which nothing listens, below those that systems give to who asks for any: between now
// and its use no other test gets it.
func freePort(t *testing.T) string {
	t.Helper()
	for range 100 {
		port := strconv.Itoa(10_000 + rand.IntN(20_000))
		if ln, err := net.Listen("tcp", ":"+port); err == nil {
			ln.Close()
			return port
		}
	}
	t.Fatal("no port is free")
	return ""
}

// team is the users of the chapter, on one machine.
type team struct {
	t       *testing.T
	dir     string
	path    string // where dfs is
	port    string
	env     map[string][]string // what users have exported
	real    map[string]string   // what stands here for what the chapter shows: keys, fingerprints, IDs
	servers []*exec.Cmd
}

// goHome ends the servers, which must exit with 0.
func (m *team) goHome() {
	for _, cmd := range m.servers {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			m.t.Error(err)
		}
		if err := cmd.Wait(); err != nil {
			m.t.Errorf("%v: %v", cmd.Args, err)
		}
	}
}

// follow has a user type a step, and compares what is seen.
func (m *team) follow(s step) {
	m.t.Helper()
	var input string
	var shown []string
	for _, line := range s.shown {
		if key, ok := strings.CutPrefix(line, joinKey); ok {
			input += m.here(key) + "\n"
		} else {
			shown = append(shown, strings.ReplaceAll(line, "8420", m.port))
		}
	}
	typed := m.here(s.typed)
	if variable, ok := strings.CutPrefix(typed, "export "); ok {
		m.env[s.user] = append(m.env[s.user], variable)
		return
	}
	var out string
	var err error
	if command, ok := strings.CutSuffix(typed, " &"); ok {
		out, err = m.serve(s.user, command)
	} else {
		var b []byte
		cmd := m.shell(s.user, typed)
		cmd.Stdin = strings.NewReader(input)
		b, err = cmd.CombinedOutput()
		out = string(b)
	}
	m.t.Logf("%s$ %s\n%s", s.user, typed, out)
	fails := slices.ContainsFunc(shown, func(line string) bool { return strings.HasPrefix(line, "dfs: error: ") })
	if (err != nil) != fails {
		m.t.Fatalf("%s$ %s: %v", s.user, typed, err)
	}
	m.compare(out, shown)
}

// here returns a line of the chapter as it is here.
func (m *team) here(line string) string {
	line = strings.ReplaceAll(line, "8420", m.port)
	longest := func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) }
	for _, shown := range slices.SortedFunc(maps.Keys(m.real), longest) {
		line = strings.ReplaceAll(line, shown, m.real[shown])
	}
	return line
}

// shell returns a command of a user, in its home.
func (m *team) shell(user, typed string) *exec.Cmd {
	m.t.Helper()
	home := filepath.Join(m.dir, user)
	if err := os.MkdirAll(home, 0o700); err != nil {
		m.t.Fatal(err)
	}
	cmd := exec.Command("sh", "-c", typed)
	cmd.Dir = home
	cmd.Env = append([]string{"HOME=" + home, "PATH=" + m.path + string(filepath.ListSeparator) + os.Getenv("PATH"), "GORACE=" + os.Getenv("GORACE")}, m.env[user]...)
	return cmd
}

// serve runs a server, and returns what it prints until it is ready.
func (m *team) serve(user, typed string) (string, error) {
	m.t.Helper()
	cmd := m.shell(user, "exec "+typed)
	r, w, err := os.Pipe()
	if err != nil {
		m.t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = w, w
	if err := cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	w.Close()
	m.servers = append(m.servers, cmd)
	var out bytes.Buffer
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadString('\n')
		out.WriteString(line)
		if err != nil {
			return out.String(), fmt.Errorf("it is not ready: %w", err)
		}
		if strings.HasPrefix(line, "listening on ") {
			go io.Copy(io.Discard, lines)
			return out.String(), nil
		}
	}
}

// compare holds what was printed to what is shown.
func (m *team) compare(out string, shown []string) {
	m.t.Helper()
	var printed []string
	if out != "" {
		printed = strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	}
	if len(printed) != len(shown) {
		m.t.Fatalf("%d lines are printed, %d shown", len(printed), len(shown))
	}
	for i, line := range shown {
		line, got := stable(line), stable(printed[i])
		values := varying.FindAllString(line, -1)
		match := regexp.MustCompile("^" + pattern(line) + "$").FindStringSubmatch(got)
		if match == nil {
			m.t.Fatalf("shown   %s\nprinted %s", line, got)
		}
		for i, value := range values {
			m.learn(value, match[i+1])
		}
	}
}

var (
	blanks = regexp.MustCompile(` {2,}`)
	speed  = regexp.MustCompile(` at [0-9.]+ [KMG]?i?B/s`)

	// varying is what differs from one time to the next: keys and fingerprints, which the chapter cuts, IDs,
	// times, sizes, durations.
	varying = regexp.MustCompile(`(?:dfs_token_|dfs_join_|sha256:)[0-9a-f]+…?|\b[0-9a-f]{8,64}\b…?|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d|` +
		`\b[0-9.]+ [KMG]?i?B\b|\b(?:\d+h)?(?:\d+m)?\d+(?:\.\d+)?s\b`)
	hexadecimal = regexp.MustCompile(`^[0-9a-f]{8,64}…?$`)
)

// stable returns a line without what a table's widths, the machine's speed and its having IPv6 make of it.
func stable(line string) string {
	line = strings.ReplaceAll(line, "//0.0.0.0:", "//[::]:")
	return speed.ReplaceAllString(blanks.ReplaceAllString(strings.TrimRight(line, " "), "  "), "")
}

// pattern returns what matches a line with other values, each of which is a group.
func pattern(line string) string {
	var p strings.Builder
	for end := 0; ; {
		at := varying.FindStringIndex(line[end:])
		if at == nil {
			return p.String() + regexp.QuoteMeta(line[end:])
		}
		p.WriteString(regexp.QuoteMeta(line[end : end+at[0]]))
		switch value := line[end+at[0] : end+at[1]]; {
		case hexadecimal.MatchString(value):
			p.WriteString(`([0-9a-f]{8,64})`)
		case strings.HasPrefix(value, "dfs_"), strings.HasPrefix(value, "sha256:"):
			prefix := value[:strings.IndexAny(value, "_:")+1]
			p.WriteString(`(` + prefix + `[a-z_]*[0-9a-f]{64})`)
		default:
			p.WriteString(`([0-9a-z:. KMGiB-]+?)`)
		}
		end += at[1]
	}
}

// learn takes note of what stands here for a value that is shown, of an ID also for its first digits.
func (m *team) learn(shown, here string) {
	m.t.Helper()
	isID := hexadecimal.MatchString(shown)
	if !isID && !strings.HasPrefix(shown, "dfs_") && !strings.HasPrefix(shown, "sha256:") {
		return
	}
	if isID {
		shown = strings.TrimSuffix(shown, "…")
		shown, here = shown[:8], here[:8]
	}
	if known, ok := m.real[shown]; ok && known != here {
		m.t.Errorf("%s is shown for two: %s and %s", shown, known, here)
	}
	m.real[shown] = here
}
