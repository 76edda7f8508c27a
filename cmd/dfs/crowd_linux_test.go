package main

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// crowdMemory is how many bytes of anonymous memory a hub may have while a crowd uses it.
const crowdMemory = 300 << 20

// TestCrowd has clients push and pull at the same time, each a process after the other with a home of its own, four
// to a volume: none sees an error, all end with the same, the hub's memory is bounded, and none falls far behind. How long
// a status takes meanwhile is printed. Without more it ends with the first who has done its rounds. DFS_CLIENTS=64 sets how
// many clients there are, DFS_FOR=5m for how long.
func TestCrowd(t *testing.T) {
	m := newCrowd(t)
	stop := make(chan struct{})
	var watchers, members sync.WaitGroup
	watchers.Go(func() { m.watchMemory(stop) })
	watchers.Go(func() { m.watchStatus(stop) })
	for _, one := range m.members {
		members.Go(one.work)
	}
	members.Wait()
	close(stop)
	watchers.Wait()
	m.compare()
	m.report()
	if err := m.hub.stop(); err != nil {
		t.Error(err)
	}
}

// A crowd is clients of a hub.
type crowd struct {
	t       *testing.T
	hub     *running
	program string
	members []*member
	rounds  int       // after which a member is done; 0: not bounded
	until   time.Time // when all are done; zero: not bounded
	done    atomic.Bool

	peak     int64           // of the hub's anonymous memory, in bytes
	statuses []time.Duration // how long each took
}

func newCrowd(t *testing.T) *crowd {
	clients := 8
	m := &crowd{t: t, rounds: 5}
	if s := os.Getenv("DFS_CLIENTS"); s != "" {
		var err error
		if clients, err = strconv.Atoi(s); err != nil || clients < 1 {
			t.Fatalf("DFS_CLIENTS=%s: %v", s, err)
		}
	}
	dir := t.TempDir()
	m.program = filepath.Join(dir, "bin", "dfs")
	linkProgram(t, m.program)
	env := func(home string) []string {
		return append(os.Environ(), "HOME="+home, "XDG_STATE_HOME=", "XDG_CONFIG_HOME=", "XDG_DATA_HOME=", "XDG_CACHE_HOME=", "DFS_HUB=", "GORACE=atexit_sleep_ms=0")
	}
	var err error
	if m.hub, err = startService(asService(hubCommand(m.program, env(dir), "--data", filepath.Join(dir, "hub")))); err != nil {
		t.Fatal(err)
	}
	for n := range clients {
		home := filepath.Join(dir, fmt.Sprintf("home%02d", n))
		m.members = append(m.members, &member{
			of: m, name: fmt.Sprintf("member%02d", n), volume: fmt.Sprint("volume", n/4), dir: filepath.Join(home, "files"), env: env(home),
		})
	}
	if s := os.Getenv("DFS_FOR"); s != "" {
		d, err := time.ParseDuration(s)
		if err != nil {
			t.Fatalf("DFS_FOR=%s: %v", s, err)
		}
		m.rounds, m.until = 0, time.Now().Add(d)
	}
	return m
}

// A member is a client with a replica of a volume, in which it changes what lies in a directory of its name.
type member struct {
	of           *crowd
	name, volume string
	dir          string
	env          []string
	rounds       int // done
}

// work does rounds until it is time to end: it changes files, pushes, and pulls what the others did.
func (b *member) work() {
	m := b.of
	for !m.done.Load() {
		for path, content := range b.files(b.rounds) {
			path = filepath.Join(b.dir, path)
			err := os.MkdirAll(filepath.Dir(path), 0o755)
			if err == nil {
				err = os.WriteFile(path, content, 0o644)
			}
			if err != nil {
				m.t.Error(err)
				m.done.Store(true)
				return
			}
		}
		if !b.run("push") || !b.run("pull") {
			m.done.Store(true)
			return
		}
		b.rounds++
		if b.rounds == m.rounds || !m.until.IsZero() && time.Now().After(m.until) {
			m.done.Store(true)
		}
	}
}

// files are what the member changes in a round: some small files, and one of 256 KiB, or each fourth time 2 MiB, that no other has.
func (b *member) files(round int) map[string][]byte {
	all := map[string][]byte{}
	for i := range 5 {
		all[filepath.Join(b.name, fmt.Sprint("note", (round+i)%12))] = fmt.Appendf(nil, "%s %d %d\n", b.name, round, i)
	}
	name, size := "picture", 256<<10
	if round%4 == 3 {
		name, size = "film", 2<<20
	}
	var seed [32]byte
	copy(seed[:], fmt.Sprint(b.name, " ", round))
	content := make([]byte, size)
	// It never fails.
	_, _ = rand.NewChaCha8(seed).Read(content)
	all[filepath.Join(b.name, name)] = content
	return all
}

// run runs a command that must not fail, and says nothing on stderr.
func (b *member) run(command string) bool {
	cmd := exec.Command(b.of.program, command, b.dir, "--json", "--hub", b.of.hub.url, "--volume", b.volume)
	cmd.Env = b.env
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err == nil && stderr.Len() > 0 {
		err = errors.New("it says something on stderr")
	}
	if err != nil {
		b.of.t.Errorf("%s of %s, round %d: %v\n%s%s", command, b.name, b.rounds, err, out, stderr.Bytes())
	}
	return err == nil
}

// watchMemory samples the hub's memory until stop.
func (m *crowd) watchMemory(stop <-chan struct{}) {
	for tick := time.Tick(50 * time.Millisecond); ; {
		n, err := anonymous(m.hub)
		if err != nil {
			m.t.Error(err)
			return
		}
		m.peak = max(m.peak, n)
		select {
		case <-tick:
		case <-stop:
			return
		}
	}
}

// anonymous returns the bytes of a hub's anonymous memory.
func anonymous(hub *running) (bytes int64, err error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", hub.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(status), "RssAnon:")
	_, err = fmt.Sscan(rest, &bytes)
	return bytes << 10, err
}

// watchStatus has a program ask for the status of the first volume again and again until stop. It is a
// service too: what it measures is not how long it waits among the crowd for a processor.
func (m *crowd) watchStatus(stop <-chan struct{}) {
	program := filepath.Join(filepath.Dir(m.program), "statuses")
	linkProgram(m.t, program)
	cmd := asService(exec.Command(program, m.hub.url+"/api/sync/status?volume=volume0"))
	stdin, err := cmd.StdinPipe()
	if err != nil {
		m.t.Error(err)
		return
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		m.t.Error(err)
		return
	}
	<-stop
	stdin.Close()
	if err := cmd.Wait(); err != nil {
		m.t.Errorf("statuses: %v: %s", err, stderr.Bytes())
	}
	for line := range strings.Lines(stdout.String()) {
		n, err := strconv.ParseInt(strings.TrimSpace(line), 10, 64)
		if err != nil {
			m.t.Error(err)
		}
		m.statuses = append(m.statuses, time.Duration(n))
	}
}

// asService gives a command a session of its own, as a service manager does: systems that schedule by sessions
// share the processors between it and the crowd, not between its threads and those of each client.
func asService(cmd *exec.Cmd) *exec.Cmd {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return cmd
}

// compare has each member pull once more: then all of a volume have what each of them had last.
func (m *crowd) compare() {
	for _, one := range m.members {
		if !one.run("pull") {
			return
		}
	}
	for _, at := range m.members {
		for _, of := range m.members {
			if at.volume != of.volume {
				continue
			}
			want := map[string][]byte{}
			for round := max(of.rounds-12, 0); round < of.rounds; round++ {
				for path, content := range of.files(round) {
					want[path] = content
				}
			}
			for path, content := range want {
				if got, err := os.ReadFile(filepath.Join(at.dir, path)); err != nil || !bytes.Equal(got, content) {
					m.t.Errorf("%s is not what %s made of it, with %s: %v", path, of.name, at.name, err)
				}
			}
		}
	}
}

// report prints what was measured, and holds memory and progress to their bounds.
func (m *crowd) report() {
	var rounds []int
	for _, one := range m.members {
		rounds = append(rounds, one.rounds)
	}
	slices.Sort(rounds)
	least, median := rounds[0], rounds[len(rounds)/2]
	m.t.Logf("%d clients: %d rounds the slowest, %d the median, %d the fastest; at most %d MiB of anonymous memory",
		len(rounds), least, median, rounds[len(rounds)-1], m.peak>>20)
	if 3*(least+1) < median { // one that is amid a round when all end has nearly done it
		m.t.Errorf("the slowest did %d rounds, not a third of the median, %d", least, median)
	}
	if m.peak > crowdMemory && !raced {
		m.t.Errorf("%d MiB of anonymous memory, more than %d", m.peak>>20, crowdMemory>>20)
	}
	slices.Sort(m.statuses)
	if n := len(m.statuses); n > 0 {
		m.t.Logf("status, %d times: %v the median, %v the 99th percentile, %v at most", n, m.statuses[n/2], m.statuses[n*99/100], m.statuses[n-1])
	}
}
