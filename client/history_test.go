package client_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dfs/client"
	"dfs/client/reconcile"
)

// TestHistories runs random histories: two to four replicas of one volume, thirty operations of users
// and of dfs for each, while answers get lost and clients and hubs die. In the end all must be equal, and
// no value may ever be lost that no user who had it overwrote or removed, or come back.
//
// DFS_HISTORIES sets how many; DFS_SEED runs one once more and tells what happened in it.
func TestHistories(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the users of these histories have a POSIX system")
	}
	first, count := rand.Uint64()>>1, number(t, "DFS_HISTORIES", 20)
	if testing.Short() && os.Getenv("DFS_HISTORIES") == "" {
		count = 10
	}
	if os.Getenv("DFS_SEED") != "" {
		first, count = number(t, "DFS_SEED", 0), 1
	}
	run := &histories{t: t, dir: inMemory(t), first: first, count: count}
	var workers sync.WaitGroup
	for range min(count, 4*uint64(runtime.GOMAXPROCS(0))) { // most of the time is spent waiting for the file system's clock
		workers.Go(run.some)
	}
	workers.Wait()
	t.Logf("%d histories from seed %d:\n%v", min(run.next.Load(), count), first, &run.total)
}

// histories are those of one test.
type histories struct {
	t            *testing.T
	dir          string
	first, count uint64 // seeds
	next         atomic.Uint64
	failed       atomic.Bool
	total        histogram
}

// some runs histories until there are enough, or one failed, on one hub after the other.
func (all *histories) some() {
	const perHub = 50
	for n := all.next.Add(1); n <= all.count && !all.failed.Load(); {
		dir := filepath.Join(all.dir, fmt.Sprint("hub", n))
		box := newBox(dir)
		for range perHub {
			if n > all.count || all.failed.Load() {
				break
			}
			all.one(box, n)
			n = all.next.Add(1)
		}
		box.hub().Close()
		os.RemoveAll(dir)
	}
}

// one runs the n'th history.
func (all *histories) one(box *box, n uint64) {
	h := newHistory(box, all.first+n-1, filepath.Join(all.dir, fmt.Sprint(n)))
	defer os.RemoveAll(h.dir)
	err := h.run()
	all.total.add(h.did)
	switch {
	case err != nil:
		all.failed.Store(true)
		all.t.Errorf("after %d histories, DFS_SEED=%d: %v\n%s", n, h.seed, err, h.told())
	case all.count == 1:
		all.t.Log(h.told())
	}
}

// number reads a number from the environment.
func number(t *testing.T, name string, usual uint64) uint64 {
	t.Helper()
	if s := os.Getenv(name); s != "" {
		if _, err := fmt.Sscan(s, &usual); err != nil {
			t.Fatalf("%s=%s: %v", name, s, err)
		}
	}
	return usual
}

// inMemory makes a directory that is in memory, where the system has such a place: there a
// history takes as long as what is tested and not as long as a disk's syncs.
func inMemory(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "dfs-history-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// histogram counts operations; safe for concurrent use.
type histogram struct {
	mu   sync.Mutex
	done map[string]int
}

func (g *histogram) count(op string, n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.done == nil {
		g.done = map[string]int{}
	}
	g.done[op] += n
}

func (g *histogram) add(done map[string]int) {
	for op, n := range done {
		g.count(op, n)
	}
}

func (g *histogram) String() string {
	var b strings.Builder
	for _, op := range slices.Sorted(maps.Keys(g.done)) {
		fmt.Fprintf(&b, "%9d %s\n", g.done[op], op)
	}
	return b.String()
}

// history is some replicas of one volume with what happened to them.
type history struct {
	seed     uint64
	rng      *rand.Rand
	dir      string
	box      *box
	volume   string
	replicas []*member
	ledger
	did   map[string]int
	trace []string
	next  int // number of the next value
}

// member is one replica with its user.
type member struct {
	name    string
	dir     string
	tree    tree              // as it was when last looked at
	touched map[value]bool    // what its user wrote, moved or altered since it was last in accord with the hub
	moved   map[spot][]string // where its values were before its user moved them, since then too, by value and path
	away    int               // operations for which it does not speak to the hub
	adopt   bool              // its .dfs is lost, and it must be told to go on
	kept    string            // a copy of an older .dfs
	sly     bool              // there was an edit that size and mtime do not tell
}

// spot is a path at which a value is.
type spot struct {
	value value
	path  string
}

func newHistory(box *box, seed uint64, dir string) *history {
	h := &history{seed: seed, rng: rand.New(rand.NewPCG(seed, 1)), dir: dir, box: box, did: map[string]int{}}
	h.volume = fmt.Sprintf("v%d", seed)
	h.ledger = newLedger()
	for n := range 2 + h.rng.IntN(3) {
		m := &member{name: string(rune('A' + n)), tree: tree{}, touched: map[value]bool{}, moved: map[spot][]string{}}
		m.dir = filepath.Join(dir, m.name)
		h.replicas = append(h.replicas, m)
	}
	return h
}

// failure is what a history panics with when something is not as it must be.
type failure struct{ error }

func (h *history) fail(format string, args ...any) { panic(failure{fmt.Errorf(format, args...)}) }

func (h *history) tell(format string, args ...any) {
	h.trace = append(h.trace, fmt.Sprintf(format, args...))
}

// told is all that happened, one operation a line.
func (h *history) told() string { return strings.Join(h.trace, "\n") }

// count counts an operation for the histogram.
func (h *history) count(op string) { h.did[op]++ }

func (h *history) run() (err error) {
	defer func() {
		if r := recover(); r != nil {
			f, ok := r.(failure)
			if !ok {
				panic(fmt.Sprintf("DFS_SEED=%d: %v\n%s", h.seed, r, h.told()))
			}
			err = f.error
		}
	}()
	for _, m := range h.replicas {
		if err := os.MkdirAll(m.dir, 0o755); err != nil {
			return err
		}
		for range h.rng.IntN(4) {
			h.user(m)
		}
	}
	h.must(h.replicas[0], push, reconcile.Manual)
	for range 30 * len(h.replicas) {
		h.step(h.replicas[h.rng.IntN(len(h.replicas))])
	}
	h.stabilise()
	return nil
}

// step does one operation.
func (h *history) step(m *member) {
	m.away = max(m.away-1, 0)
	n := h.rng.IntN(100)
	switch {
	case n < 55 || n < 96 && m.away > 0:
		h.user(m)
	case n < 64:
		h.try(m, push)
	case n < 72:
		h.try(m, pull)
	case n < 90:
		h.try(m, synchronise)
	case n < 93:
		h.resolve()
	case n < 96:
		h.count("is offline for long")
		m.away = 10 + h.rng.IntN(60)
		h.tell("%s is offline", m.name)
	case n < 98:
		h.keepState(m)
	case n == 98:
		h.rollBack(m)
	default:
		h.lose(m)
	}
}

// keepState copies a replica's .dfs, for rollBack.
func (h *history) keepState(m *member) {
	m.kept = filepath.Join(h.dir, "kept-"+m.name)
	os.RemoveAll(m.kept)
	if err := os.CopyFS(m.kept, os.DirFS(filepath.Join(m.dir, ".dfs"))); err != nil {
		m.kept = "" // there is none yet
	}
}

// rollBack puts an older state into a replica's .dfs, as if its disk had been restored from a backup. The
// identity stays: a file of another inode would be noticed.
func (h *history) rollBack(m *member) {
	if m.kept == "" || m.adopt {
		return
	}
	for _, name := range []string{"heard", "base", "index", "journal"} {
		if m.sly && (name == "index" || name == "journal") {
			continue
		}
		old, err := os.ReadFile(filepath.Join(m.kept, name))
		now := filepath.Join(m.dir, ".dfs", name)
		if err != nil {
			os.Remove(now)
		} else if err := os.WriteFile(now, old, 0o600); err != nil {
			h.fail("%v", err)
		}
	}
	h.count("rolls .dfs back")
	h.tell("%s: .dfs is rolled back", m.name)
	h.taint(m)
}

// lose removes a replica's .dfs.
func (h *history) lose(m *member) {
	if err := os.RemoveAll(filepath.Join(m.dir, ".dfs")); err != nil {
		h.fail("%v", err)
	}
	h.count("loses .dfs")
	h.tell("%s: .dfs is lost", m.name)
	m.adopt, m.kept = true, ""
	h.taint(m)
}

// taint notes that a replica no longer knows what in its tree is an edit.
func (h *history) taint(m *member) {
	h.tainted = true
	for _, n := range m.tree {
		m.touched[n.value] = true
	}
}

// command is a subcommand of dfs.
type command string

const (
	push        command = "push"
	pull        command = "pull"
	synchronise command = "sync"
)

func (c command) run(ctx context.Context, cfg client.Config) (*client.Result, error) {
	switch c {
	case push:
		return client.Push(ctx, cfg)
	case pull:
		return client.Pull(ctx, cfg)
	}
	return client.Sync(ctx, cfg)
}

var strategies = []reconcile.Strategy{reconcile.Manual, reconcile.LWW, reconcile.Merge, reconcile.Copy}

func (h *history) config(m *member, w *wire, strategy reconcile.Strategy) client.Config {
	return client.Config{
		Dir: m.dir, NewHub: "test", Volume: h.volume, Jobs: 2, Wait: 5 * time.Second, Host: m.name,
		MaxDelete: client.DeleteLimit{Given: true, Percent: 100}, Adopt: m.adopt, Conflict: string(strategy),
		Dial: func(context.Context, string) (client.Conn, error) { return w, nil },
	}
}

// try runs a command in which something may go wrong.
func (h *history) try(m *member, c command) {
	strategy := reconcile.Manual
	if c == synchronise {
		strategy = strategies[h.rng.IntN(len(strategies))]
	}
	if h.rng.IntN(3) > 0 {
		res := h.must(m, c, strategy)
		if c == synchronise && clean(res) && h.rng.IntN(4) == 0 {
			h.again(m)
		}
		return
	}
	t := h.drawTrouble(c)
	h.count(fmt.Sprintf("%s, %s", c, t.kind))
	res, err := h.command(m, c, strategy, t)
	h.check(m, c, res, err, t)
}

// must runs a command in which nothing goes wrong.
func (h *history) must(m *member, c command, strategy reconcile.Strategy) *client.Result {
	what := string(c)
	if c == synchronise {
		what += " --conflict " + string(strategy)
	}
	h.count(what)
	var f *foreseen
	if c == synchronise && h.rng.IntN(3) == 0 {
		f = h.foretell(m, strategy)
	}
	res, err := h.command(m, c, strategy, &trouble{})
	if err != nil {
		h.fail("%s %s: %v", m.name, what, err)
	}
	h.check(m, c, res, err, &trouble{})
	h.came(m, f, res)
	m.adopt = false
	return res
}

// clean reports whether a command leaves nothing to be done.
func clean(res *client.Result) bool {
	return res != nil && len(res.Conflicts)+len(res.Problems)+len(res.Kept) == 0
}
