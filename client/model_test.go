package client_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"dfs/cas"
	"dfs/client"
	"dfs/server/api"
	"dfs/server/hub"
)

// inProcess is a hub in process as a run's connection.
type inProcess struct{ api.Hub }

func (h inProcess) Tell(ctx context.Context, session api.SessionID, state api.State) {
	h.Report(ctx, session, state)
}
func (inProcess) Traffic() client.Traffic { return client.Traffic{} }
func (inProcess) Close() error            { return nil }

func openHub(t testing.TB) *hub.Hub {
	t.Helper()
	h, err := hub.Open(t.TempDir(), hub.Options{Store: func(string) (cas.Store, error) { return new(cas.Mem), nil }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}

func config(h api.Hub, dir string) client.Config {
	return client.Config{
		Dir: dir, NewHub: "test", Volume: "v", Jobs: 2, Wait: time.Minute, Host: "test",
		Dial: func(context.Context, string) (client.Conn, error) { return inProcess{h}, nil },
	}
}

// content tells what a directory holds: kind, mode and content of each path.
func content(t testing.TB, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(dir, path)
		if rel == ".dfs" {
			return fs.SkipDir
		}
		if rel == "." {
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		switch {
		case d.IsDir():
			found[rel] = fmt.Sprintf("dir %v", info.Mode().Perm())
		case d.Type() == fs.ModeSymlink:
			target, err := os.Readlink(path)
			if err != nil {
				return err
			}
			found[rel] = "link " + target
		default:
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			found[rel] = fmt.Sprintf("file %v %d %s", info.Mode().Perm(), info.ModTime().UnixNano(), data)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// model is some replicas of one volume, changed and synchronised at random.
type model struct {
	t    *testing.T
	rng  *rand.Rand
	hub  *hub.Hub
	dirs []string
	next int
}

func (m *model) path(dir string) string {
	parts := []string{dir}
	for range 1 + m.rng.IntN(3) {
		parts = append(parts, string(rune('a'+m.rng.IntN(4))))
	}
	return filepath.Join(parts...)
}

// edit changes something in a directory, as a user would.
func (m *model) edit(dir string) {
	path := m.path(dir)
	switch m.rng.IntN(11) {
	case 0:
		os.RemoveAll(path)
	case 1:
		os.Mkdir(path, 0o755)
	case 2:
		os.Symlink(fmt.Sprintf("target%d", m.rng.IntN(3)), path)
	case 3:
		os.Chmod(path, []os.FileMode{0o700, 0o755}[m.rng.IntN(2)])
	case 4, 5:
		os.Rename(path, m.path(dir))
	case 6, 7:
		m.rotate(dir)
	default:
		os.MkdirAll(filepath.Dir(path), 0o755)
		m.next++
		os.WriteFile(path, []byte(fmt.Sprintf("value %d;", m.next)), 0o644)
	}
}

// rotate has two or three files change places, or go where the next was.
func (m *model) rotate(dir string) {
	files := slices.DeleteFunc(slices.Sorted(maps.Keys(content(m.t, dir))), func(path string) bool {
		info, err := os.Lstat(filepath.Join(dir, path))
		return err != nil || !info.Mode().IsRegular()
	})
	m.rng.Shuffle(len(files), func(i, j int) { files[i], files[j] = files[j], files[i] })
	if len(files) < 2 {
		return
	}
	files = files[:min(len(files), 2+m.rng.IntN(2))]
	aside := filepath.Join(dir, "aside")
	os.Rename(filepath.Join(dir, files[0]), aside)
	for i := range files[1:] {
		os.Rename(filepath.Join(dir, files[i+1]), filepath.Join(dir, files[i]))
	}
	if m.rng.IntN(3) == 0 {
		os.Remove(aside)
		return
	}
	os.Rename(aside, filepath.Join(dir, files[len(files)-1]))
}

func (m *model) push(dir string) *client.Result {
	res, err := client.Push(m.t.Context(), config(m.hub, dir))
	if err != nil {
		m.t.Fatalf("push %s: %v", filepath.Base(dir), err)
	}
	m.nothingLeft(dir)
	return res
}

// pull pulls and checks that nothing was lost: content that is gone from the
// directory is on the hub.
func (m *model) pull(dir string) *client.Result {
	before := content(m.t, dir)
	if os.Getenv("DFS_SEED") != "" {
		m.t.Logf("before pull %s: %v", filepath.Base(dir), before)
	}
	res, err := client.Pull(m.t.Context(), config(m.hub, dir))
	if err != nil {
		m.t.Fatalf("pull %s: %v", filepath.Base(dir), err)
	}
	after := content(m.t, dir)
	for path, was := range before {
		data, isFile := fileData(was)
		if now, _ := fileData(after[path]); !isFile || now == data {
			continue
		}
		v := m.volume()
		ref := cas.Ref{Kind: cas.Chunk, ID: cas.Sum([]byte(data))}
		if err := m.hub.Blobs(m.t.Context(), api.BlobsRequest{Volume: v, Refs: []cas.Ref{ref}}, func(cas.Blob) error { return nil }); err != nil {
			m.t.Fatalf("pull %s: %s had %q, which is nowhere on the hub: %v", filepath.Base(dir), path, data, err)
		}
	}
	m.nothingLeft(dir)
	return res
}

func fileData(s string) (string, bool) {
	parts := strings.SplitN(s, " ", 4)
	if len(parts) < 4 || parts[0] != "file" {
		return "", false
	}
	return parts[3], true
}

func (m *model) volume() cas.VolumeID {
	volumes, err := m.hub.Volumes(m.t.Context(), "v")
	if err != nil || len(volumes) != 1 {
		m.t.Fatalf("volumes: %v, %v", volumes, err)
	}
	return volumes[0].ID
}

// nothingLeft checks that a run left no temporary files.
func (m *model) nothingLeft(dir string) {
	filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && (strings.Contains(d.Name(), ".dfs-tmp") || strings.Contains(d.Name(), ".new-")) {
			m.t.Fatalf("left behind: %s", path)
		}
		return nil
	})
}

// settle makes a replica give way at each of its conflicts.
func (m *model) settle(dir string, conflicts []string) {
	for _, path := range conflicts {
		path = filepath.Join(dir, path)
		for _, err := os.Lstat(path); errors.Is(err, syscall.ENOTDIR); _, err = os.Lstat(path) {
			path = filepath.Dir(path)
		}
		if err := os.RemoveAll(path); err != nil {
			m.t.Fatal(err)
		}
	}
}

// TestReplicasConverge edits three replicas at random, pushing and pulling in between, and
// then synchronises until nothing moves: all must be equal, and nothing that
// was written may have vanished without being on the hub.
func TestReplicasConverge(t *testing.T) {
	seeds := 12
	if testing.Short() {
		seeds = 3
	}
	for range seeds {
		seed := rand.Uint64()
		if s := os.Getenv("DFS_SEED"); s != "" {
			fmt.Sscan(s, &seed)
		}
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			m := &model{t: t, rng: rand.New(rand.NewPCG(seed, 1)), hub: openHub(t)}
			for range 3 {
				m.dirs = append(m.dirs, t.TempDir())
			}
			m.push(m.dirs[0])
			for _, dir := range m.dirs[1:] {
				m.pull(dir)
			}
			for range 60 {
				dir := m.dirs[m.rng.IntN(len(m.dirs))]
				switch m.rng.IntN(5) {
				case 0:
					m.push(dir)
				case 1:
					m.pull(dir)
				default:
					m.edit(dir)
				}
			}
			m.converge()
		})
	}
}

func (m *model) converge() {
	for round := range 12 {
		quiet := true
		for _, dir := range m.dirs {
			pulled := m.pull(dir)
			m.settle(dir, pulled.Conflicts)
			pushed := m.push(dir)
			m.settle(dir, pushed.Conflicts)
			if len(pulled.Problems)+len(pushed.Problems) > 0 {
				m.t.Fatalf("problems: %v %v in\n%v", pulled.Problems, pushed.Problems, content(m.t, dir))
			}
			changes := pulled.Added + pulled.Modified + pulled.Moved + pulled.Deleted + pushed.Added + pushed.Modified + pushed.Moved + pushed.Deleted
			quiet = quiet && changes == 0 && len(pulled.Conflicts)+len(pushed.Conflicts) == 0 && pushed.Snapshot == pulled.Snapshot
		}
		if quiet && round > 0 {
			break
		}
	}
	m.equal()
}

// equal checks that all replicas hold the same, and that none knows of a change.
func (m *model) equal() {
	want := content(m.t, m.dirs[0])
	for _, dir := range m.dirs[1:] {
		got := content(m.t, dir)
		for _, path := range slices.Sorted(maps.Keys(mergeKeys(want, got))) {
			if got[path] != want[path] {
				m.t.Errorf("%s: replica 0 has %q, %s has %q", path, want[path], filepath.Base(dir), got[path])
			}
		}
	}
	for _, dir := range m.dirs {
		st, err := client.Inspect(m.t.Context(), config(m.hub, dir), false, func(c client.Change) error {
			m.t.Errorf("status after convergence: %+v", c)
			return nil
		})
		if err != nil || st.Seen != st.Head {
			m.t.Errorf("status: %+v, %v", st, err)
		}
	}
}

func mergeKeys(a, b map[string]string) map[string]string {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

func mustPush(t *testing.T, cfg client.Config) {
	t.Helper()
	if res, err := client.Push(t.Context(), cfg); err != nil || len(res.Problems)+len(res.Conflicts) > 0 {
		t.Fatalf("push: %+v, %v", res, err)
	}
}

func mustPull(t *testing.T, cfg client.Config) {
	t.Helper()
	if res, err := client.Pull(t.Context(), cfg); err != nil || len(res.Problems)+len(res.Conflicts) > 0 {
		t.Fatalf("pull: %+v, %v", res, err)
	}
}
