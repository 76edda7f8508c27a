package client_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"dfs/cas"
	"dfs/client"
	"dfs/server/api"
)

// lossy is a hub of which answers to commits get lost at random, after the commit was made or
// before it.
type lossy struct {
	api.Hub
	rng *rand.Rand
}

var errLost = errors.New("the answer got lost")

func (l lossy) Commit(ctx context.Context, req api.CommitRequest) (api.CommitAnswer, error) {
	fate := l.rng.IntN(6)
	if fate == 0 {
		return api.CommitAnswer{}, errLost
	}
	answer, err := l.Hub.Commit(ctx, req)
	if fate == 1 && err == nil {
		return api.CommitAnswer{}, errLost
	}
	return answer, err
}

// sync syncs a replica and checks that nothing was lost: content that is gone from the directory
// is on the hub. Answers may get lost, and then the run ends with that error and no other.
func (m *model) sync(h api.Hub, dir, strategy string) *client.Result {
	before := content(m.t, dir)
	cfg := config(h, dir)
	cfg.Conflict = strategy
	res, err := client.Sync(m.t.Context(), cfg)
	if err != nil && !errors.Is(err, errLost) {
		m.t.Fatalf("sync %s with %s: %v", filepath.Base(dir), strategy, err)
	}
	after := content(m.t, dir)
	for path, was := range before {
		data, isFile := fileData(was)
		if now, _ := fileData(after[path]); !isFile || now == data {
			continue
		}
		ref := cas.Ref{Kind: cas.Chunk, ID: cas.Sum([]byte(data))}
		if err := m.hub.Blobs(m.t.Context(), api.BlobsRequest{Volume: m.volume(), Refs: []cas.Ref{ref}}, func(cas.Blob) error { return nil }); err != nil {
			m.t.Fatalf("sync %s with %s: %s had %q, which is nowhere on the hub: %v", filepath.Base(dir), strategy, path, data, err)
		}
	}
	m.nothingLeft(dir)
	if len(res.Problems) > 0 {
		m.t.Fatalf("sync %s: problems %v in\n%v", filepath.Base(dir), res.Problems, after)
	}
	return res
}

// resolve settles an open conflict at random, from one of the replicas.
func (m *model) resolve(h api.Hub, dir string) {
	desk, err := client.OpenConflicts(m.t.Context(), config(h, dir))
	if err != nil {
		m.t.Fatal(err)
	}
	defer desk.Close()
	list, err := collect(desk.List(m.t.Context(), false))
	if err != nil {
		m.t.Fatal(err)
	}
	if len(list) == 0 {
		return
	}
	c := list[m.rng.IntN(len(list))]
	take := []string{"ours", "theirs", "both", "base"}[m.rng.IntN(4)]
	if take == "base" && !c.BaseKnown() {
		take = "theirs"
	}
	_, err = client.Resolve(m.t.Context(), config(h, dir), client.Resolution{Names: []string{c.ID.String()}, Take: take})
	var usage *client.UsageError // what it is to take can lie in no file
	if errors.As(err, &usage) && c.Theirs == nil && take != "theirs" && take != "both" {
		return
	}
	if err != nil && !errors.Is(err, errLost) && !errors.Is(err, api.ErrMoved) {
		m.t.Fatalf("resolve %s: %v", take, err)
	}
}

// TestSyncConvergesWithAnyStrategy edits three replicas at random, with syncs of all strategies,
// pushes, pulls, resolutions and lost answers in between. With copies for what conflicts all come
// to be equal, no conflict is left, and a further sync does nothing.
func TestSyncConvergesWithAnyStrategy(t *testing.T) {
	seeds := 12
	if testing.Short() {
		seeds = 3
	}
	strategies := []string{"", "manual", "lww", "merge", "copy"}
	for range seeds {
		seed := rand.Uint64()
		if s := os.Getenv("DFS_SEED"); s != "" {
			fmt.Sscan(s, &seed)
		}
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			m := &model{t: t, rng: rand.New(rand.NewPCG(seed, 2)), hub: openHub(t)}
			h := lossy{m.hub, m.rng}
			for range 3 {
				m.dirs = append(m.dirs, t.TempDir())
				m.sync(m.hub, m.dirs[len(m.dirs)-1], "")
			}
			for range 60 {
				dir := m.dirs[m.rng.IntN(len(m.dirs))]
				switch m.rng.IntN(8) {
				case 0, 1:
					m.sync(h, dir, strategies[m.rng.IntN(len(strategies))])
				case 2:
					m.push(dir)
				case 3:
					m.pull(dir)
				case 4:
					m.resolve(h, dir)
				default:
					m.edit(dir)
				}
			}
			m.settleDown()
		})
	}
}

// settleDown syncs with copies until nothing moves.
func (m *model) settleDown() {
	var last cas.ID // snapshot
	quiet := false
	for round := 0; round < 6 && !quiet; round++ {
		quiet = true
		for _, dir := range m.dirs {
			res := m.sync(m.hub, dir, "copy")
			changes := res.Added + res.Modified + res.Moved + res.Deleted + res.Settled
			quiet = quiet && changes == 0 && len(res.Conflicts) == 0 && res.Snapshot == last
			last = res.Snapshot
		}
	}
	if !quiet {
		m.t.Error("no rest after 6 rounds")
	}
	m.equal()
}

func collect(seq iter.Seq2[api.Conflict, error]) (list []api.Conflict, err error) {
	for c, err := range seq {
		if err != nil {
			return list, err
		}
		list = append(list, c)
	}
	return list, nil
}

func succeed(t *testing.T, do func(context.Context, client.Config) (*client.Result, error), cfg client.Config) {
	t.Helper()
	if res, err := do(t.Context(), cfg); err != nil {
		t.Fatalf("%v, %+v", err, res)
	}
}

// moving is a hub whose head moves whenever a conflict is about to be settled.
type moving struct {
	api.Hub
	move func()
}

func (m moving) Commit(ctx context.Context, req api.CommitRequest) (api.CommitAnswer, error) {
	if len(req.Settle) > 0 {
		m.move()
	}
	return m.Hub.Commit(ctx, req)
}

// TestTheHeadMovesWhileSettling: a strategy looks again, and gives up when that has no end; a file is
// not taken for what its author has not seen.
func TestTheHeadMovesWhileSettling(t *testing.T) {
	for _, moves := range []int{1, 100} {
		h := openHub(t)
		a, b := t.TempDir(), t.TempDir()
		write := func(dir, text string) {
			if err := os.WriteFile(filepath.Join(dir, "f"), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		write(a, "base")
		succeed(t, client.Push, config(h, a))
		succeed(t, client.Pull, config(h, b))
		write(a, "from a")
		write(b, "from b, longer")
		succeed(t, client.Push, config(h, a))
		n, left := 0, moves
		m := moving{h, func() {
			if left--; left >= 0 {
				n++
				write(a, strings.Repeat("again from a ", n))
				succeed(t, client.Push, config(h, a))
			}
		}}
		cfg := config(m, b)
		cfg.Conflict = "copy"
		res, err := client.Sync(t.Context(), cfg)
		if err != nil || res.Unfinished != (moves == 100) || len(res.Conflicts) != moves/100 || res.Settled != int64(1-moves/100) {
			t.Fatalf("%d moves: %+v, %v", moves, res, err)
		}
		if moves == 1 {
			if got := content(t, b)["f"]; !strings.HasSuffix(got, " again from a ") {
				t.Errorf("b has %q", got)
			}
			continue
		}
		left = 1
		_, err = client.Resolve(t.Context(), config(m, b), client.Resolution{Names: []string{"f"}, File: filepath.Join(a, "f")})
		if !errors.Is(err, api.ErrMoved) {
			t.Errorf("Resolve with a file: %v", err)
		}
		if _, err = client.Resolve(t.Context(), config(h, b), client.Resolution{Names: []string{"f"}, Take: "theirs"}); err != nil {
			t.Error(err)
		}
	}
}

// editing is a hub that tells what changed only after something was done in the directory, and counts commits.
type editing struct {
	api.Hub
	edit    func()
	commits *int
}

func (e editing) Changes(ctx context.Context, req api.ChangesRequest) iter.Seq2[api.Change, error] {
	e.edit()
	return e.Hub.Changes(ctx, req)
}

func (e editing) Commit(ctx context.Context, req api.CommitRequest) (api.CommitAnswer, error) {
	*e.commits++
	return e.Hub.Commit(ctx, req)
}

// TestAConflictArisesInThePull: what is edited between the push and the pull of a sync is pushed in another round, so
// that the hub has it and the strategy is applied. A conflict that is known takes no other round.
func TestAConflictArisesInThePull(t *testing.T) {
	for strategy, conflicts := range map[string]int{"manual": 1, "copy": 0} {
		h := openHub(t)
		a, b := t.TempDir(), t.TempDir()
		write := func(dir, text string) {
			if err := os.WriteFile(filepath.Join(dir, "f"), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		write(a, "base")
		succeed(t, client.Push, config(h, a))
		succeed(t, client.Pull, config(h, b))
		write(a, "from a")
		succeed(t, client.Push, config(h, a))
		commits := 0
		edit := sync.OnceFunc(func() { write(b, "from b, longer") })
		cfg := config(editing{h, edit, &commits}, b)
		cfg.Conflict = strategy
		res, err := client.Sync(t.Context(), cfg)
		if err != nil || len(res.Conflicts) != conflicts || res.Settled != int64(1-conflicts) {
			t.Errorf("%s: %+v, %v", strategy, res, err)
		}
		desk, err := client.OpenConflicts(t.Context(), config(h, b))
		if err != nil {
			t.Fatal(err)
		}
		list, err := collect(desk.List(t.Context(), true))
		desk.Close()
		if err != nil || len(list) != 1 || list[0].Open != (conflicts == 1) || list[0].Ours.Size != uint64(len("from b, longer")) {
			t.Errorf("%s: the hub has %+v, %v", strategy, list, err)
		}
		commits = 0
		if res, err = client.Sync(t.Context(), cfg); err != nil || len(res.Conflicts) != conflicts || commits != conflicts {
			t.Errorf("%s: the next sync takes %d commits: %+v, %v", strategy, commits, res, err)
		}
	}
}

// restless is a hub of which the head moves whenever a session starts, and that tells what changed only after something
// was done in the directory.
type restless struct {
	editing
	move func()
}

func (r restless) Start(ctx context.Context, req api.StartRequest) (api.StartAnswer, error) {
	r.move()
	return r.Hub.Start(ctx, req)
}

// TestSyncOfWhatNeverRests: a sync gives up in the end, and says which paths it left to the next.
func TestSyncOfWhatNeverRests(t *testing.T) {
	const files = 40
	h := openHub(t)
	a, b := t.TempDir(), t.TempDir()
	name := func(n int) string { return fmt.Sprintf("f%02d", n) }
	for n := range files {
		if err := os.WriteFile(filepath.Join(a, name(n)), []byte("base"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	succeed(t, client.Push, config(h, a))
	succeed(t, client.Pull, config(h, b))
	n, commits := -1, 0
	hub := restless{editing{h, func() {
		if err := os.WriteFile(filepath.Join(b, name(n)), []byte("edited"), 0o644); err != nil {
			t.Fatal(err)
		}
	}, &commits}, func() {
		n++
		if err := os.Remove(filepath.Join(a, name(n))); err != nil {
			t.Fatal(err)
		}
		succeed(t, client.Push, config(h, a))
	}}
	res, err := client.Sync(t.Context(), config(hub, b))
	left := len(res.Problems)
	if err != nil || !res.Unfinished || left == 0 || res.Problems[left-1].Path != name(n) || len(res.Conflicts) != 0 {
		t.Fatalf("with the deletion of %s: %+v, %v", name(n), res, err)
	}
	res, err = client.Sync(t.Context(), config(h, b))
	if err != nil || res.Unfinished || len(res.Problems) != 0 || res.Added+res.Modified != int64(left) {
		t.Fatalf("the next: %+v, %v", res, err)
	}
	succeed(t, client.Sync, config(h, a))
	if got := content(t, a)[name(n)]; !strings.HasSuffix(got, " edited") {
		t.Errorf("%s is %q", name(n), got)
	}
}
