package badgerstore

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"

	"dfs/cas"
	"dfs/cas/castest"
)

// TestMain also serves as the child process of the crash tests.
func TestMain(m *testing.M) {
	dir, ok := os.LookupEnv("BADGERSTORE_CHILD")
	if !ok {
		os.Exit(m.Run())
	}
	if err := child(dir, os.Getenv("BADGERSTORE_BARRIER") != ""); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

const perRound = 2100

// roundOf returns the blobs of the child's round n: some of all sizes, and so many
// tiny ones that tables and their logs are rotated in every round.
func roundOf(n int) []cas.Blob {
	b := blobs(1000+n, perRound/50)
	for i := range perRound - len(b) {
		b = append(b, cas.Seal(cas.Node, castest.Bytes(uint64(n)<<32|uint64(i), 100)))
	}
	return b
}

// child puts round after round and writes a line with the number of each, when it
// returned, or when the barrier after it did. It ends when the filesystem is full.
func child(dir string, barrier bool) error {
	s, err := Open(dir, small)
	if err != nil {
		return err
	}
	for n := 0; ; n++ {
		b := roundOf(n)
		var errs [3]error
		var wg sync.WaitGroup
		for i := range errs {
			wg.Go(func() {
				errs[i] = s.Put(context.Background(), castest.Volume(1), b[i*perRound/3:(i+1)*perRound/3])
			})
		}
		wg.Wait()
		err := errors.Join(errs[:]...)
		if barrier && err == nil {
			err = s.Barrier(context.Background())
		}
		if errors.Is(err, cas.ErrNoSpace) {
			fmt.Println("full")
			select {}
		}
		if err != nil {
			return err
		}
		fmt.Println(n)
	}
}

// process is a running child.
type process struct {
	*exec.Cmd
	rounds chan int // the numbers it writes, then closed
	ended  bool
}

func startChild(t *testing.T, dir string, env ...string) *process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{Cmd: exec.Command(self), rounds: make(chan int, 1<<16)}
	p.Env = append(os.Environ(), append(env, "BADGERSTORE_CHILD="+dir)...)
	p.Stderr = os.Stderr
	out, err := p.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	go p.listen(out)
	t.Cleanup(func() { p.kill() })
	return p
}

func (p *process) listen(out io.Reader) {
	defer close(p.rounds)
	for lines := bufio.NewScanner(out); lines.Scan(); {
		n, err := strconv.Atoi(lines.Text())
		if err != nil {
			return // full, or a line that was cut
		}
		p.rounds <- n
	}
}

// kill ends the child with SIGKILL, and returns the rounds that it had reported and
// nobody has read.
func (p *process) kill() (last int, any bool) {
	if p.ended {
		return 0, false
	}
	p.ended = true
	_ = p.Process.Kill() // it may be gone
	for n := range p.rounds {
		last, any = n, true
	}
	_ = p.Wait() // killed
	return last, any
}

// await returns when the child has reported round n, or is full.
func (p *process) await(t *testing.T, n int) {
	t.Helper()
	for got := range p.rounds {
		if got == n {
			return
		}
	}
	t.Logf("the child ended before round %d", n)
}

// checkRounds opens the store that a crash left: all blobs of the rounds up to last
// are there and whole, and so is what it has of later ones. It goes on working.
func checkRounds(t *testing.T, dir string, last int) {
	t.Helper()
	s := openStore(t, dir, small)
	for n := 0; n <= last+3; n++ {
		refs := castest.Refs(roundOf(n))
		got := whole(t, s, cas.Scope{Volumes: []cas.VolumeID{castest.Volume(1)}}, refs)
		if n <= last && got != len(refs) {
			t.Errorf("round %d of %d: %d of %d blobs", n, last, got, len(refs))
		}
	}
	if err := s.Put(t.Context(), castest.Volume(1), roundOf(last+2)); err != nil && !errors.Is(err, cas.ErrNoSpace) {
		t.Error(err)
	}
	if err := s.Barrier(t.Context()); err != nil {
		t.Error(err)
	}
	closeStore(t, s)
}

// TestKilled: what Put returned survives the death of the process, without a barrier.
func TestKilled(t *testing.T) {
	dir := t.TempDir()
	for _, rounds := range []int{1, 10, 4} {
		p := startChild(t, dir)
		p.await(t, rounds)
		last, any := p.kill()
		if !any {
			last = rounds
		}
		checkRounds(t, dir, last)
	}
}
