package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"dfs/client"
)

// countingProxy passes connections on to a hub that may move, and counts what
// goes to it.
type countingProxy struct {
	ln      net.Listener
	sent    atomic.Int64
	mu      sync.Mutex
	hub     string
	reached *sync.Cond // sent has grown, or what a wait is for has ended
}

func newCountingProxy(t *testing.T) *countingProxy {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &countingProxy{ln: ln}
	p.reached = sync.NewCond(&p.mu)
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go p.pass(c)
		}
	}()
	return p
}

func (p *countingProxy) pass(c net.Conn) {
	defer c.Close()
	p.mu.Lock()
	hub := p.hub
	p.mu.Unlock()
	h, err := net.Dial("tcp", hub)
	if err != nil {
		return
	}
	defer h.Close()
	go func() {
		io.Copy(c, h)
		c.Close()
	}()
	io.Copy(io.MultiWriter(h, p), c)
}

// Write counts.
func (p *countingProxy) Write(b []byte) (int, error) {
	p.mu.Lock()
	p.sent.Add(int64(len(b)))
	p.mu.Unlock()
	p.reached.Broadcast()
	return len(b), nil
}

// wait returns when n bytes were sent in all, or ended is closed.
func (p *countingProxy) wait(n int64, ended <-chan struct{}) (reached bool) {
	over := false
	go func() {
		<-ended
		p.mu.Lock()
		over = true
		p.mu.Unlock()
		p.reached.Broadcast()
	}()
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.sent.Load() < n && !over {
		p.reached.Wait()
	}
	return p.sent.Load() >= n
}

// killer runs a push whose client and hub are killed.
type killer struct {
	t       *testing.T
	program string
	env     []string
	data    string
	src     string
	proxy   *countingProxy
	hub     *running
	push    *exec.Cmd
	output  *bytes.Buffer
	ended   chan struct{}
}

func (k *killer) startHub() {
	hub, err := startHub(filepath.Dir(k.program), k.env, "--data", k.data)
	if err != nil {
		k.t.Fatal(err)
	}
	k.hub = hub
	k.proxy.mu.Lock()
	k.proxy.hub = strings.TrimPrefix(hub.url, "http://")
	k.proxy.mu.Unlock()
}

func (k *killer) command(args ...string) *exec.Cmd {
	cmd := exec.Command(k.program, args...)
	cmd.Env = k.env
	return cmd
}

func (k *killer) startPush() {
	k.push = k.command("push", k.src, "--json", "--hub", "http://"+k.proxy.ln.Addr().String(), "--volume", "v")
	k.output = new(bytes.Buffer)
	k.push.Stdout, k.push.Stderr = k.output, k.output
	if err := k.push.Start(); err != nil {
		k.t.Fatal(err)
	}
	k.ended = make(chan struct{})
	go func(push *exec.Cmd, ended chan struct{}) {
		push.Wait()
		close(ended)
	}(k.push, k.ended)
}

// TestKilledPushGoesOn kills client and hub in turn, each time when a drawn amount of
// bytes has crossed the wire, and lets the push go on. What was stored before is not sent
// again: all bytes sum to at most the data and 8 MiB a kill. DFS_KILLS sets
// the number of kills.
func TestKilledPushGoesOn(t *testing.T) {
	kills, size := 6, int64(96<<20)
	if n, err := strconv.Atoi(os.Getenv("DFS_KILLS")); err == nil {
		kills, size = n, 1<<30
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	dir := t.TempDir()
	k := &killer{t: t, program: filepath.Join(dir, "bin", "dfs"), data: filepath.Join(dir, "hub"), src: filepath.Join(dir, "src"), proxy: newCountingProxy(t)}
	k.env = []string{"HOME=" + dir, "PATH=" + os.Getenv("PATH")}
	linkProgram(t, k.program)
	writeRandom(t, rng, k.src, size, 100)
	var moments []int64
	for range kills {
		moments = append(moments, rng.Int64N(size))
	}
	slices.Sort(moments)
	k.startHub()
	k.startPush()
	for i, moment := range moments {
		if !k.proxy.wait(moment, k.ended) {
			t.Fatalf("push ended before %d bytes: %s", moment, k.output)
		}
		if i%2 == 0 {
			k.push.Process.Kill()
			<-k.ended
			k.startPush()
			continue
		}
		k.hub.cmd.Process.Kill()
		k.hub.cmd.Wait()
		k.startHub()
	}
	<-k.ended
	if code := k.push.ProcessState.ExitCode(); code != 0 {
		t.Fatalf("push exits with %d: %s", code, k.output)
	}
	if sent, most := k.proxy.sent.Load(), size+int64(kills)*8<<20; sent > most {
		t.Errorf("%d bytes crossed the wire for %d bytes of data and %d kills, more than %d", sent, size, kills, most)
	} else {
		t.Logf("%d kills: %.1f MiB beyond the data crossed the wire", kills, float64(sent-size)/(1<<20))
	}
	k.checkPull(filepath.Join(dir, "copy"))
	if err := k.hub.stop(); err != nil {
		t.Error(err)
	}
}

func (k *killer) checkPull(dir string) {
	out, err := k.command("pull", dir, "--json", "--hub", k.hub.url, "--volume", "v").CombinedOutput()
	var sum client.Summary
	lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
	if err == nil {
		err = json.Unmarshal(lines[len(lines)-1], &sum)
	}
	if err != nil {
		k.t.Fatalf("pull: %v\n%s", err, out)
	}
	if out, err := exec.Command("diff", "-r", "--exclude=.dfs", k.src, dir).CombinedOutput(); err != nil {
		k.t.Errorf("the copy differs: %v\n%s", err, out)
	}
}

// linkProgram makes path run this test binary as dfs.
func linkProgram(t *testing.T, path string) {
	self, err := os.Executable()
	if err == nil {
		err = os.MkdirAll(filepath.Dir(path), 0o755)
	}
	if err == nil {
		err = os.Symlink(self, path)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// writeRandom makes files of size bytes in all, which do not compress.
func writeRandom(t *testing.T, rng *rand.Rand, dir string, size int64, files int) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	var seed [32]byte
	for i := range seed {
		seed[i] = byte(rng.Uint32())
	}
	source := rand.NewChaCha8(seed)
	for i := range files {
		f, err := os.Create(filepath.Join(dir, fmt.Sprintf("file%03d", i)))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.CopyN(f, source, size/int64(files)); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
