package hub

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"dfs/cas"
	"dfs/server/api"
)

// childDir in the environment makes this test program commit to a hub until it is killed.
const childDir = "DFS_TEST_HUB_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		err := commitForever(dir, os.Stdout)
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if dir := os.Getenv(accountsDir); dir != "" {
		err := accountForever(dir, os.Stdout)
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// ack is a commit that the child was told to be done.
type ack struct {
	Volume  cas.VolumeID
	Session api.SessionID
	Key     cas.VolumeID
	Head    api.Head
	Path    string
}

// commitForever commits one file after the other and writes an ack for each, once it has the answer.
func commitForever(dir string, w io.Writer) error {
	ctx := context.Background()
	h, err := Open(dir, Options{})
	if err != nil {
		return err
	}
	id := randomID()
	if _, err := h.CreateVolume(ctx, "of "+id.String(), id); err != nil {
		return err
	}
	c := newClient(h, id)
	for n := 0; ; n++ {
		a, err := c.commitStep(ctx, n)
		if err != nil {
			return err
		}
		line, err := json.Marshal(a)
		if err != nil {
			return err
		}
		if _, err := w.Write(append(line, '\n')); err != nil {
			return err
		}
	}
}

// commitStep commits one new file: by turns a small one at once, and one of pages after
// staging and sending it.
func (c *client) commitStep(ctx context.Context, n int) (ack, error) {
	if err := c.pull(ctx); err != nil {
		return ack{}, err
	}
	s, err := c.start(ctx, randomID())
	if err != nil {
		return ack{}, err
	}
	a := ack{Volume: c.volume, Session: s.Session, Key: randomID(), Path: fmt.Sprintf("f%d", n)}
	req := api.CommitRequest{Session: a.Session, Key: a.Key, Seen: c.seen.Snapshot}
	if n%2 == 0 {
		m, blob := file(randomID().String())
		req.Edits, req.Blobs = c.build(edits{a.Path: m}), []cas.Blob{blob}
	} else {
		m, blobs, err := makePages(randomID().String())
		if err != nil {
			return ack{}, err
		}
		if _, err := c.hub.Diff(ctx, api.DiffRequest{Session: a.Session, Edits: c.build(edits{a.Path: m})}); err != nil {
			return ack{}, err
		}
		if err := c.hub.Upload(ctx, a.Session, blobs); err != nil {
			return ack{}, err
		}
		req.Parts = 1
	}
	answer, err := c.hub.Commit(ctx, req)
	a.Head = answer.Head
	return a, err
}

// child starts the program that commits to the hub in dir, and returns what it says.
func child(t *testing.T, dir string) (*exec.Cmd, *json.Decoder) {
	t.Helper()
	return childOf(t, childDir+"="+dir)
}

// childOf starts this test program with a variable that says what it does.
func childOf(t *testing.T, variable string) (*exec.Cmd, *json.Decoder) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), variable)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if cmd.ProcessState == nil {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	})
	return cmd, json.NewDecoder(bufio.NewReader(out))
}

// readAcks reads n acks, or all that are left when n is 0.
func readAcks(t *testing.T, from *json.Decoder, n int) (acks []ack) {
	t.Helper()
	for n == 0 || len(acks) < n {
		var a ack
		err := from.Decode(&a)
		if n == 0 && err != nil {
			return acks // the last line may be cut
		}
		if err != nil {
			t.Fatal(err)
		}
		acks = append(acks, a)
	}
	return acks
}

// checkAcks opens the hub in dir and checks that it has everything it has acknowledged, whole.
func checkAcks(t *testing.T, dir string, acks []ack) {
	t.Helper()
	h, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := h.Close(); err != nil {
			t.Fatal(err)
		}
	}()
	volumes := make(map[cas.VolumeID]*client)
	for _, a := range acks {
		c := volumes[a.Volume]
		if c == nil {
			c = newClient(h, a.Volume)
			c.mustPull(t)
			mustCheck(t, h, a.Volume)
			volumes[a.Volume] = c
		}
		if c.base[a.Path] == nil || c.seen.Seq < a.Head.Seq {
			t.Fatalf("head %+v lacks %s, which was acknowledged as %+v", c.seen, a.Path, a.Head)
		}
		s, err := h.Snapshot(t.Context(), a.Volume, a.Head.Snapshot)
		if err != nil || s.Record.Seq != a.Head.Seq || s.Record.Root != a.Head.Root {
			t.Fatalf("snapshot %+v, acknowledged as %+v: %v", s, a.Head, err)
		}
	}
	last := acks[len(acks)-1]
	c := volumes[last.Volume]
	if c.seen.Seq-last.Head.Seq < maxAnswers { // more commits may be there than were heard of
		answer, err := h.Commit(t.Context(), api.CommitRequest{Session: last.Session, Key: last.Key})
		if err != nil || answer.Head != last.Head {
			t.Fatalf("answer %+v, which was %+v: %v", answer, last, err)
		}
	}
	c.must(t, edits{"after": link(randomID().String())}) // and it goes on
	mustCheck(t, h, last.Volume)
}

func TestKilledHubKeepsItsCommits(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var acks []ack
	for round := range 3 {
		cmd, out := child(t, dir)
		acks = append(acks, readAcks(t, out, 3+7*round)...)
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		acks = append(acks, readAcks(t, out, 0)...)
		if err := cmd.Wait(); err == nil {
			t.Fatal("the child ended by itself")
		}
		checkAcks(t, dir, acks)
	}
}

// TestConcurrentPushes has many replicas push at once.
func TestConcurrentPushes(t *testing.T) {
	t.Parallel()
	h := open(t, t.TempDir(), Options{})
	v := newTestVolume(t, h)
	const replicas, each = 8, 5
	errs := make(chan error, replicas)
	for r := range replicas {
		go func() {
			c := newClient(h, v)
			for n := range each {
				a, err := c.commitStep(context.Background(), r*each+n)
				if err == nil {
					// A doubled request, and a look at the hub meanwhile.
					_, err = h.Commit(context.Background(), api.CommitRequest{Session: a.Session, Key: a.Key})
				}
				if err == nil {
					_, err = h.Status(context.Background(), v)
				}
				if err != nil {
					errs <- err
					return
				}
			}
			errs <- nil
		}()
	}
	for range replicas {
		if err := <-errs; err != nil {
			t.Fatal(err)
		}
	}
	c := newClient(h, v)
	c.mustPull(t)
	if len(c.base) != replicas*each || c.seen.Seq != 1+replicas*each {
		t.Fatalf("%d files at %d", len(c.base), c.seen.Seq)
	}
	mustCheck(t, h, v)
}

// TestDoubledCommit sends one commit many times at once: all get the same answer, also
// those that waited for the first.
func TestDoubledCommit(t *testing.T) {
	t.Parallel()
	h := openTest(t, t.TempDir(), nil, Options{})
	id := newTestVolume(t, h)
	v, err := h.volume(id)
	if err == nil {
		err = v.acquire(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	c := newClient(h, id)
	s, err := c.start(t.Context(), randomID())
	if err != nil {
		t.Fatal(err)
	}
	req := api.CommitRequest{Session: s.Session, Key: randomID(), Edits: c.build(edits{"f": link("x")})}
	type result struct {
		answer api.CommitAnswer
		err    error
	}
	const doubles = 8
	results := make(chan result)
	for range doubles {
		go func() {
			answer, err := h.Commit(context.Background(), req)
			results <- result{answer, err}
		}()
	}
	for waiting(h) < doubles {
		runtime.Gosched()
	}
	v.release()
	first := <-results
	for range doubles - 1 {
		if r := <-results; r.err != nil || r.answer.Head != first.answer.Head {
			t.Errorf("%+v and %+v", r, first)
		}
	}
	if first.err != nil || first.answer.Head.Seq != 2 {
		t.Fatalf("%+v", first)
	}
}

// waiting returns how many commits of h wait for their volume's lock.
func waiting(h *Hub) int {
	stacks := make([]byte, 4<<20)
	n := 0
	for _, s := range strings.Split(string(stacks[:runtime.Stack(stacks, true)]), "\n\n") {
		if strings.Contains(s, "[select") && strings.Contains(s, fmt.Sprintf("(*Hub).commit(%p", h)) {
			n++
		}
	}
	return n
}
