package peer

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestPeersAreComplete(t *testing.T) {
	s := Site{Work: "/w", Source: "/s", Target: "/t", Store: "/r", Port: 1}
	names := map[string]bool{}
	for _, p := range All() {
		if p.Name == "" || names[p.Name] {
			t.Errorf("name %q is empty or taken", p.Name)
		}
		names[p.Name] = true
		if !strings.Contains(p.Doc, "sync") {
			t.Errorf("%s: its Doc says nothing about durability", p.Name)
		}
		if p.Mirror == p.Dedup {
			t.Errorf("%s: Mirror %v and Dedup %v", p.Name, p.Mirror, p.Dedup)
		}
		for _, steps := range [][]Step{p.Push(s), p.Pull(s)} {
			clocked := 0
			for _, step := range steps {
				if step.Timed {
					clocked++
				}
			}
			if clocked != 1 {
				t.Errorf("%s: %d timed steps", p.Name, clocked)
			}
		}
		if again, ok := Named(p.Name); !ok || again.Name != p.Name {
			t.Errorf("Named(%q) = %q, %v", p.Name, again.Name, ok)
		}
	}
	if All()[0].Name != "rsync" {
		t.Error("the baseline is not first")
	}
	if p, ok := Named("nobody"); ok {
		t.Errorf("Named(nobody) = %q", p.Name)
	}
}

func TestFindSaysWhatIsMissing(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	for _, p := range All() {
		if version, err := p.Find(); err == nil || !strings.Contains(err.Error(), "not installed") {
			t.Errorf("%s: version %q, error %v", p.Name, version, err)
		}
	}
}

// TestRestServer finds the REST server that is there, and syncs what it does not sync.
func TestRestServer(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a program is a script here")
	}
	for _, c := range []struct {
		programs []string
		runs     string
		syncs    bool
	}{
		{[]string{"rest-server", "rclone"}, "rest-server", false},
		{[]string{"rclone"}, "rclone", true},
		{nil, "rest-server", false},
	} {
		dir := t.TempDir()
		t.Setenv("PATH", dir)
		for _, name := range c.programs {
			if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		p, _ := Named("restic-rest")
		if argv := p.Daemon(Site{}).Argv; argv[0] != c.runs {
			t.Errorf("with %v: %v", c.programs, argv)
		}
		if syncs := p.Durable != nil; syncs != c.syncs || (p.Note != "") != c.syncs {
			t.Errorf("with %v: syncs %v, note %q", c.programs, syncs, p.Note)
		}
	}
}

// TestPeers runs each peer that is here: push, push again, change, push, pull, and
// compares what was pulled.
func TestPeers(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the steps need a POSIX shell")
	}
	for _, p := range All() {
		t.Run(p.Name, func(t *testing.T) {
			version, err := p.Find()
			if err != nil {
				t.Skip(err)
			}
			t.Log("version", version)
			roundTrip(t, p, newSite(t))
		})
	}
}

func roundTrip(t *testing.T, p Peer, s Site) {
	plant(t, s.Source)
	if p.Daemon != nil {
		start(t, *p.Daemon(s), s.Port)
	}
	run(t, p.Setup(s))
	push := func() {
		t.Helper()
		run(t, p.Push(s))
		if p.Durable != nil {
			run(t, p.Durable(s))
		}
		if p.Mirror {
			compare(t, s, p.NoModes)
		}
	}
	pull := func() {
		t.Helper()
		run(t, p.Pull(s))
		if p.DurablePull != nil {
			run(t, p.DurablePull(s))
		}
		compare(t, s, p.NoModes)
	}
	push()
	push()
	change(t, s.Source, "the first change\n")
	push()
	if err := os.Rename(s.Target, s.Target+".away"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	pull()
	change(t, s.Source, "another change, with more in it\n")
	if !p.Mirror {
		push()
	}
	pull()
	compareOutside(t)
}

// newSite returns a site below one directory, whose name needs quoting in shells.
func newSite(t *testing.T) Site {
	t.Helper()
	root := filepath.Join(t.TempDir(), "a site")
	s := Site{Work: filepath.Join(root, "work"), Source: filepath.Join(root, "source"),
		Target: filepath.Join(root, "target"), Store: filepath.Join(root, "store"), Port: freePort(t)}
	for _, dir := range []string{s.Work, s.Source, filepath.Join(root, "home")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	// Nothing may come into the user's home: with one of our own it can be seen.
	t.Setenv("HOME", filepath.Join(root, "home"))
	for _, name := range []string{"XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME"} {
		t.Setenv(name, "") // restored after the test
		os.Unsetenv(name)
	}
	return s
}

// compareOutside fails for each thing that came into the home directory.
func compareOutside(t *testing.T) {
	t.Helper()
	entries, err := os.ReadDir(os.Getenv("HOME"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		t.Errorf("%s came into the home directory", e.Name())
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func command(step Step) *exec.Cmd {
	cmd := exec.Command(step.Argv[0], step.Argv[1:]...)
	cmd.Env = append(os.Environ(), step.Env...)
	cmd.Dir = step.Dir
	return cmd
}

func run(t *testing.T, steps []Step) {
	t.Helper()
	for _, step := range steps {
		if out, err := command(step).CombinedOutput(); err != nil {
			t.Fatalf("%q: %v\n%s", step.Argv, err, out)
		}
	}
}

// start starts a daemon, waits until it listens, and stops it after the test.
func start(t *testing.T, step Step, port int) {
	t.Helper()
	cmd := command(step)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		cmd.Wait()
		close(ended)
	}()
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		<-ended
	})
	for range 200 {
		conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			conn.Close()
			return
		}
		select {
		case <-ended:
			t.Fatalf("%q ended: %s", step.Argv, out.String())
		case <-time.After(50 * time.Millisecond):
		}
	}
	t.Fatalf("%q does not listen", step.Argv)
}

// plant makes a small tree with what tools stumble over.
func plant(t *testing.T, root string) {
	t.Helper()
	write := func(name, content string, mode fs.FileMode) {
		t.Helper()
		path := filepath.Join(root, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(content), mode), os.Chmod(path, mode)); err != nil {
			t.Fatal(err)
		}
	}
	write("plain.txt", "plain\n", 0o644)
	write("empty", "", 0o600)
	write("a/b/c/run.sh", "#!/bin/sh\n", 0o755)
	write("a/name with spaces, ü and 'quotes'", strings.Repeat("text ", 1000), 0o640)
	write("a/large", strings.Repeat("0123456789abcdef", 1<<14), 0o644)
	write(".hidden/file", "hidden\n", 0o644)
	if err := errors.Join(os.Mkdir(filepath.Join(root, "nothing here"), 0o755), os.Symlink("plain.txt", filepath.Join(root, "link"))); err != nil {
		t.Fatal(err)
	}
	old := time.Date(2020, 2, 3, 4, 5, 6, 0, time.UTC)
	if err := os.Chtimes(filepath.Join(root, "plain.txt"), old, old); err != nil {
		t.Fatal(err)
	}
}

// change edits one file and adds another.
func change(t *testing.T, root, text string) {
	t.Helper()
	for _, name := range []string{"a/large", "a/added"} {
		f, err := os.OpenFile(filepath.Join(root, name), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		if err != nil {
			t.Fatal(err)
		}
		_, err = f.WriteString(text)
		if err := errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
	}
}

// compare fails for each difference of source and target: kinds, modes and times of
// files, contents, and where links point to.
func compare(t *testing.T, s Site, noModes bool) {
	t.Helper()
	w, g := list(t, s.Source, noModes), list(t, s.Target, noModes)
	for name, line := range w {
		if g[name] != line {
			t.Errorf("%s is %q, want %q", name, g[name], line)
		}
		delete(g, name)
	}
	for name := range g {
		t.Errorf("%s is there too", name)
	}
}

func list(t *testing.T, root string, noModes bool) map[string]string {
	t.Helper()
	lines := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == root {
			return err
		}
		name, _ := filepath.Rel(root, path)
		lines[name], err = describe(path, d, noModes)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

func describe(path string, d fs.DirEntry, noModes bool) (string, error) {
	info, err := d.Info()
	if err != nil {
		return "", err
	}
	switch {
	case d.IsDir():
		return "directory", nil
	case info.Mode()&fs.ModeSymlink != 0:
		target, err := os.Readlink(path)
		return "link to " + target, err
	}
	data, err := os.ReadFile(path)
	if len(data) > 40 {
		data = append([]byte(fmt.Sprint(len(data), " bytes … ")), data[len(data)-40:]...)
	}
	mode := info.Mode()
	if noModes {
		mode = mode.Type()
	}
	return fmt.Sprintf("%v %d %s", mode, info.ModTime().Unix(), data), err
}
