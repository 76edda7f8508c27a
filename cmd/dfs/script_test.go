package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"dfs/cas"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"dfs": main, "statuses": askStatuses})
}

// TestScript runs each script of testdata/script twice: with a hub in process
// and with one behind HTTP. $HUB is the hub's location. Scripts may say
// [http] and [local], and [mounts] where file systems can be mounted.
func TestScript(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the scripts use a POSIX system's commands")
	}
	deadline, _ := t.Deadline() // what hangs then is interrupted, and its script's log is printed
	for _, kind := range []string{"local", "http"} {
		t.Run(kind, func(t *testing.T) {
			testscript.RunT(scanned{t}, testscript.Params{
				Dir:                 "../../testdata/script",
				RequireExplicitExec: true,
				RequireUniqueNames:  true,
				Deadline:            deadline,
				Setup:               func(env *testscript.Env) error { return setUp(env, kind) },
				Condition: func(cond string) (bool, error) {
					switch cond {
					case "local", "http":
						return cond == kind, nil
					case "mounts":
						return os.Geteuid() == 0, nil
					}
					return false, fmt.Errorf("unknown condition %q", cond)
				},
				Cmds: map[string]func(*testscript.TestScript, bool, []string){
					"exits":     exits,
					"json":      jsonFields,
					"same":      same,
					"stall":     stall,
					"drop":      drop,
					"amid":      amid,
					"serve":     serveCommand,
					"unserve":   unserveCommand,
					"interrupt": interrupt,

					"filesystem": filesystem,
					"unmount":    unmount,
					"damage":     damage,
				},
			})
		})
	}
}

// setUp gives a script a home of its own and its hub.
func setUp(env *testscript.Env, kind string) error {
	env.Setenv("HOME", filepath.Join(env.WorkDir, "home"))
	for _, name := range []string{"XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"} {
		env.Setenv(name, "")
	}
	env.Setenv("GORACE", os.Getenv("GORACE"))
	env.Setenv("REPO", filepath.Join(env.WorkDir, "hub"))
	env.Setenv("HUB", env.Getenv("REPO"))
	env.Setenv("DFS_HUB", env.Getenv("HUB"))
	env.Values[stallsKey{}] = map[string]*stalled{}
	env.Values[serversKey{}] = map[string]*running{}
	if err := os.Mkdir(env.Getenv("HOME"), 0o777); err != nil || kind == "local" {
		return err
	}
	s, err := startHub(env.Getenv("PATH"), env.Vars, "--data", env.Getenv("REPO"))
	if err != nil {
		return err
	}
	env.Defer(func() {
		if err := s.stop(); err != nil {
			env.T().Fatal(err)
		}
	})
	env.Setenv("HUB", s.url)
	env.Setenv("DFS_HUB", s.url)
	return nil
}

// A running is a "dfs serve" that is ready.
type running struct {
	cmd    *exec.Cmd
	url    string
	before string      // what it printed until it was ready
	output chan string // what it printed then, once it has ended
	said   string      // that, once it was stopped
	logs   bool        // it prints what it refuses
}

func startHub(path string, env []string, args ...string) (*running, error) {
	var program string
	for _, dir := range filepath.SplitList(path) {
		if program = filepath.Join(dir, "dfs"); isFile(program) {
			break
		}
	}
	return startService(hubCommand(program, env, args...))
}

// hubCommand returns the command that serves on a port of its own choice.
func hubCommand(program string, env []string, args ...string) *exec.Cmd {
	cmd := exec.Command(program, append([]string{"serve", "--listen", "127.0.0.1:0"}, args...)...)
	cmd.Env = env
	return cmd
}

// startService starts a hub's command, and returns when the hub is ready.
func startService(cmd *exec.Cmd) (*running, error) {
	s := &running{cmd: cmd, output: make(chan string, 1), logs: slices.Contains(cmd.Args, "-v")}
	stderr, err := s.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewReader(stderr)
	first, err := lines.ReadString('\n')
	for err == nil && !strings.HasPrefix(first, "listening on ") {
		s.before += first
		first, err = lines.ReadString('\n')
	}
	url, ok := strings.CutPrefix(strings.TrimSpace(first), "listening on ")
	if err != nil || !ok {
		s.cmd.Process.Kill()
		rest, _ := io.ReadAll(lines)
		return nil, fmt.Errorf("serve printed %q %q %q, then %v", s.before, first, rest, s.cmd.Wait())
	}
	s.url = url
	go func() {
		rest, _ := io.ReadAll(lines)
		s.output <- first + string(rest)
	}()
	return s, nil
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// stop ends the server as a system would. It must then exit with 0 and have
// printed nothing but the one line.
func (s *running) stop() error {
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	output := <-s.output
	if err := s.cmd.Wait(); err != nil {
		return fmt.Errorf("serve: %v\n%s", err, output)
	}
	if strings.Count(output, "\n") != 1 && !s.logs {
		return fmt.Errorf("serve printed more than one line:\n%s", output)
	}
	if secrets.MatchString(output) {
		return errors.New("serve printed a secret after it was ready")
	}
	s.said = output
	return nil
}

// serveCommand runs a further server until the script ends: serve VAR args…
// sets VAR to its URL and VAR_ADDR to its address, and writes what it printed before it was
// ready to the file VAR. With -v among the args it may print more then.
func serveCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: serve VAR args...")
	}
	env := []string{"HOME=" + ts.Getenv("HOME"), "PATH=" + ts.Getenv("PATH")}
	s, err := startHub(ts.Getenv("PATH"), env, args[1:]...)
	ts.Check(err)
	servers := ts.Value(serversKey{}).(map[string]*running)
	servers[args[0]] = s
	ts.Defer(func() {
		if servers[args[0]] == s {
			ts.Check(s.stop())
		}
	})
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(s.before), 0o600))
	ts.Setenv(args[0], s.url)
	_, addr, _ := strings.Cut(s.url, "://")
	ts.Setenv(args[0]+"_ADDR", addr)
}

// serversKey is the key of a script's servers by variable.
type serversKey struct{}

// unserveCommand ends a server: unserve VAR writes what it printed while it ran to the file VAR.log.
func unserveCommand(ts *testscript.TestScript, neg bool, args []string) {
	servers := ts.Value(serversKey{}).(map[string]*running)
	if neg || len(args) != 1 || servers[args[0]] == nil {
		ts.Fatalf("usage: unserve VAR")
	}
	s := servers[args[0]]
	delete(servers, args[0])
	ts.Check(s.stop())
	ts.Check(os.WriteFile(ts.MkAbs(args[0]+".log"), []byte(s.said), 0o666))
}

// exits runs a program and requires its exit code: exits 4 dfs push. With -bounded
// before the program, root's power to read every file is dropped.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE [-bounded] program args...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	args = args[1:]
	if args[0] == "-bounded" {
		args = args[1:]
		if os.Geteuid() == 0 {
			args = append([]string{"setpriv", "--bounding-set", "-dac_override,-dac_read_search"}, args...)
		}
	}
	if got := exitStatus(ts, ts.Exec(args[0], args[1:]...)); got != want {
		ts.Fatalf("%v exits with %d, want %d", args, got, want)
	}
}

func exitStatus(ts *testscript.TestScript, err error) int {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.ExitCode()
	}
	ts.Fatalf("%v", err)
	return 0
}

// jsonFields looks at the lines of JSON on stdout: json TYPE name=value… wants
// a line of that type with those values; json -last TYPE … the last line to be
// one; ! json TYPE … no such line. A name may be like local.added. A value is
// as JSON writes it, a string without quotes; * is any but the empty one; >N a
// greater number.
func jsonFields(ts *testscript.TestScript, neg bool, args []string) {
	last := len(args) > 0 && args[0] == "-last"
	if last {
		args = args[1:]
	}
	if len(args) == 0 {
		ts.Fatalf("usage: json [-last] TYPE name=value...")
	}
	lines := strings.Split(strings.TrimSuffix(ts.ReadFile("stdout"), "\n"), "\n")
	if last {
		lines = lines[len(lines)-1:]
	}
	found := false
	var why error
	for _, line := range lines {
		var object map[string]any
		d := json.NewDecoder(strings.NewReader(line))
		d.UseNumber()
		if err := d.Decode(&object); err != nil {
			ts.Fatalf("stdout: %q: %v", line, err)
		}
		if object["type"] != args[0] {
			continue
		}
		if why = matchFields(object, args[1:]); why == nil {
			found = true
		}
	}
	if found == neg {
		ts.Fatalf("line %v: found=%v %v", args, found, why)
	}
}

func matchFields(object map[string]any, fields []string) error {
	for _, field := range fields {
		name, want, _ := strings.Cut(field, "=")
		var value any = object
		for _, part := range strings.Split(name, ".") {
			m, _ := value.(map[string]any)
			var ok bool
			if value, ok = m[part]; !ok {
				return fmt.Errorf("no field %s", name)
			}
		}
		b, err := json.Marshal(value)
		if err != nil {
			return err
		}
		got := string(b)
		if _, ok := value.(string); ok {
			got = got[1 : len(got)-1]
		}
		if !matchValue(got, want) {
			return fmt.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	return nil
}

func matchValue(got, want string) bool {
	if bound, ok := strings.CutPrefix(want, ">"); ok {
		g, err1 := strconv.ParseFloat(got, 64)
		b, err2 := strconv.ParseFloat(bound, 64)
		return err1 == nil && err2 == nil && g > b
	}
	return got == want || want == "*" && got != ""
}

// same compares two trees but for their .dfs: names, kinds, modes, modification
// times, link targets and contents.
func same(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: same DIR DIR")
	}
	a, err := describe(ts.MkAbs(args[0]))
	ts.Check(err)
	b, err := describe(ts.MkAbs(args[1]))
	ts.Check(err)
	var differences []string
	for name, what := range a {
		if b[name] != what {
			differences = append(differences, fmt.Sprintf("%q: %s | %s", name, what, b[name]))
		}
	}
	for name, what := range b {
		if _, ok := a[name]; !ok {
			differences = append(differences, fmt.Sprintf("%q: absent | %s", name, what))
		}
	}
	switch {
	case neg && len(differences) == 0:
		ts.Fatalf("%s and %s are the same", args[0], args[1])
	case !neg && len(differences) > 0:
		ts.Fatalf("%s and %s differ:\n%s", args[0], args[1], strings.Join(differences, "\n"))
	}
}

// describe lists all below root but .dfs.
func describe(root string) (map[string]string, error) {
	all := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == root {
			return err
		}
		if d.Name() == ".dfs" {
			return fs.SkipDir
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		what := fmt.Sprintf("%v %v", info.Mode(), info.ModTime().UTC())
		switch {
		case info.Mode().IsRegular():
			var content []byte
			content, err = os.ReadFile(path)
			what += fmt.Sprintf(" %d bytes %.40q %v", len(content), content, cas.Sum(content))
		case info.Mode()&fs.ModeSymlink != 0:
			var target string
			target, err = os.Readlink(path)
			what += fmt.Sprintf(" -> %q", target)
		}
		all[strings.TrimPrefix(path, root)] = what
		return err
	})
	return all, err
}

// stallsKey is the key of a script's stalls by URL.
type stallsKey struct{}

// stall runs a proxy of the hub that answers no request whose path ends with PART:
// stall VAR PART sets VAR to the proxy's URL. With PART "" it answers none, and needs no hub.
func stall(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: stall VAR PART")
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	target, err := url.Parse(ts.Getenv("HUB"))
	ts.Check(err)
	st := &stalled{suffix: args[1], proxy: httputil.NewSingleHostReverseProxy(target)}
	srv := &http.Server{Handler: st}
	go srv.Serve(ln)
	ts.Defer(func() { srv.Close() })
	ts.Setenv(args[0], "http://"+ln.Addr().String())
	ts.Value(stallsKey{}).(map[string]*stalled)[ts.Getenv(args[0])] = st
}

type stalled struct {
	suffix string
	proxy  http.Handler

	mu      sync.Mutex
	reached chan struct{} // closed by the next request that hangs
}

// next returns a channel that is closed when the next request hangs.
func (s *stalled) next() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reached = make(chan struct{})
	return s.reached
}

func (s *stalled) hang() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reached != nil {
		close(s.reached)
		s.reached = nil
	}
}

func (s *stalled) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !strings.HasSuffix(r.URL.Path, s.suffix) {
		s.proxy.ServeHTTP(w, r)
		return
	}
	s.hang()
	io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
}

// interrupt runs a program until it has come to a stall, sends it the signal
// and requires exit code 130: interrupt INT URL dfs push a. What stands after --
// is for exits, while the program hangs: … -- 8 dfs push a --wait 0s.
func interrupt(ts *testscript.TestScript, neg bool, args []string) {
	signals := map[string]syscall.Signal{"INT": syscall.SIGINT, "TERM": syscall.SIGTERM}
	if neg || len(args) < 3 || signals[args[0]] == 0 {
		ts.Fatalf("usage: interrupt INT|TERM URL program args... [-- CODE program args...]")
	}
	hung, ok := ts.Value(stallsKey{}).(map[string]*stalled)[args[1]]
	if !ok {
		ts.Fatalf("%s is no stall", args[1])
	}
	var meanwhile []string
	command := args[2:]
	for i, arg := range command {
		if arg == "--" {
			command, meanwhile = command[:i], command[i+1:]
			break
		}
	}
	var out bytes.Buffer
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = append(os.Environ(), "HOME="+ts.Getenv("HOME"))
	cmd.Stdout, cmd.Stderr = &out, &out
	reached := hung.next()
	ts.Check(cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case <-reached:
	case err := <-ended:
		ts.Fatalf("%v ended before it came to the stall: %v\n%s", command, err, out.Bytes())
	}
	if meanwhile != nil {
		exits(ts, false, meanwhile)
	}
	ts.Check(cmd.Process.Signal(signals[args[0]]))
	err := <-ended
	ts.Logf("%v:\n%s", command, out.Bytes())
	if got := exitStatus(ts, err); got != exitInterrupted {
		ts.Fatalf("%v exits with %d, want %d", command, got, exitInterrupted)
	}
}
