package client_test

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"dfs/cas"
	"dfs/client"
	"dfs/client/worktree"
	"dfs/manifest"
	"dfs/server/api"
)

// TestHolesAreNotRead pushes a large file with holes: only its data is read, the manifest is
// that of a file with the same bytes and no holes, and a pull makes holes.
func TestHolesAreNotRead(t *testing.T) {
	const size = 300<<20 + 12345
	h := openHub(t)
	a, b := t.TempDir(), t.TempDir()
	name := filepath.Join(a, "f")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	random := rand.NewChaCha8([32]byte{1})
	islands := map[int64]int64{1: 10, 5<<20 + 7: 100_000, 5<<20 + 300_000: 1, 100 << 20: 3 << 20, size - 100: 50}
	for at, n := range islands {
		if _, err := io.CopyN(io.NewOffsetWriter(f, at), random, n); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(f.Truncate(size), f.Close()); err != nil {
		t.Fatal(err)
	}
	res, err := client.Push(t.Context(), config(h, a))
	if err != nil || res.BytesHashed > 20<<20 {
		t.Fatalf("push: %d bytes hashed, %v", res.BytesHashed, err)
	}
	mustPull(t, config(h, b))
	if n := allocated(t, filepath.Join(b, "f")); n > 20<<20 {
		t.Errorf("the pulled file takes %d bytes", n)
	}

	data, err := os.ReadFile(filepath.Join(b, "f"))
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(name, data, 0o644), os.Chtimes(name, info.ModTime(), info.ModTime())); err != nil {
		t.Fatal(err)
	}
	res, err = client.Push(t.Context(), config(h, a))
	if err != nil || res.Modified > 0 || res.BytesHashed != size {
		t.Errorf("push of the same bytes without holes: %+v, %v", res.Summary, err)
	}
}

func allocated(t *testing.T, name string) int64 {
	t.Helper()
	var st syscall.Stat_t
	if err := syscall.Stat(name, &st); err != nil {
		t.Fatal(err)
	}
	return st.Blocks * 512
}

// badHub answers that blobs are damaged, for so many times each.
type badHub struct {
	api.Hub
	times map[cas.ID]int
}

func (h badHub) Blobs(ctx context.Context, req api.BlobsRequest, fn func(cas.Blob) error) error {
	for i, ref := range req.Refs {
		if h.times[ref.ID] > 0 {
			h.times[ref.ID]--
			req.Refs = req.Refs[:i]
			if err := h.Hub.Blobs(ctx, req, fn); err != nil {
				return err
			}
			return &cas.CorruptError{Ref: ref, Detail: "for a test"}
		}
	}
	return h.Hub.Blobs(ctx, req, fn)
}

// TestDamagedBlobs: what does not come whole is asked for once more; then the files that
// need it are left out and named, all others come, and a later pull brings them.
func TestDamagedBlobs(t *testing.T) {
	h := openHub(t)
	a := t.TempDir()
	for _, name := range []string{"good", "once", "never", "same as never"} {
		text := strings.TrimPrefix(name, "same as ")
		if err := os.WriteFile(filepath.Join(a, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	mustPush(t, config(h, a))
	b := t.TempDir()
	bad := badHub{h, map[cas.ID]int{cas.Sum([]byte("once")): 1, cas.Sum([]byte("never")): 2}}
	res, err := client.Pull(t.Context(), config(bad, b))
	if err != nil {
		t.Fatal(err)
	}
	var named []string
	for _, p := range res.Problems {
		named = append(named, p.Path)
		if !errors.Is(p.Err, cas.ErrCorrupt) {
			t.Errorf("%s: %v", p.Path, p.Err)
		}
	}
	if strings.Join(named, ", ") != "never, same as never" {
		t.Errorf("named: %q", named)
	}
	want := content(t, a)
	got := content(t, b)
	if len(got) != 2 || got["good"] != want["good"] || got["once"] != want["once"] {
		t.Errorf("after the pull there is %v", got)
	}
	mustPull(t, config(bad, b))
	if got := content(t, b); len(got) != len(want) {
		t.Errorf("after another pull there is %v", got)
	}
}

// TestCorruptionIsNoEdit: a file with other content than when it was read, and the same size,
// times and inode, is named and not pushed, until it is touched. The index is made
// to say that it had other content.
func TestCorruptionIsNoEdit(t *testing.T) {
	h := openHub(t)
	a, b := t.TempDir(), t.TempDir()
	name := filepath.Join(a, "f")
	if err := os.WriteFile(name, []byte("right"), 0o644); err != nil {
		t.Fatal(err)
	}
	mustPush(t, config(h, a))
	forge(t, a, "f", "wrong")

	rehash := config(h, a)
	rehash.Rehash = true
	for _, cfg := range []client.Config{config(h, a), rehash, rehash} {
		res, err := client.Push(t.Context(), cfg)
		if err != nil || len(res.Problems) != 1 || res.Problems[0].Path != "f" || res.Modified != 0 {
			t.Fatalf("push: %+v, %v", res, err)
		}
	}
	if err := os.WriteFile(name, []byte("right"), 0o644); err != nil {
		t.Fatal(err)
	}
	mustPush(t, rehash)
	mustPull(t, config(h, b))
	if got := content(t, b)["f"]; !strings.HasSuffix(got, " right") {
		t.Errorf("after a touch the hub has %q", got)
	}
}

// forge has the index of a replica say that the file at path has other content.
func forge(t *testing.T, dir, path, content string) {
	t.Helper()
	ix, err := worktree.OpenIndex(filepath.Join(dir, ".dfs"))
	if err != nil {
		t.Fatal(err)
	}
	defer ix.Close()
	found, ok := ix.Cursor().Find(path)
	if !ok {
		t.Fatalf("the index does not have %s", path)
	}
	rec := *found
	m, err := manifest.Decode(rec.Value)
	if err != nil {
		t.Fatal(err)
	}
	m.Runs = []manifest.Run{{ID: cas.Sum([]byte(content)), Size: uint32(len(content)), Count: 1}}
	if rec.Value, err = m.Encode(); err == nil {
		err = ix.Add(rec)
	}
	if err != nil {
		t.Fatal(err)
	}
}
