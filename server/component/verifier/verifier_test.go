package verifier_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"dfs/cas"
	"dfs/cas/badgerstore"
	"dfs/manifest"
	"dfs/server/api"
	"dfs/server/component/verifier"
	"dfs/server/events"
	"dfs/server/hub"
)

func random(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rand.Uint32())
	}
	return b
}

func id() cas.VolumeID { return cas.VolumeID(random(16)) }

// chunk returns a file of one chunk.
func chunk() (*manifest.Manifest, cas.Blob) {
	b := cas.Seal(cas.Chunk, random(5000))
	return &manifest.Manifest{
		Kind: manifest.File, Mode: 0o644, Profile: 1, Size: uint64(b.Size()),
		Runs: []manifest.Run{{ID: b.ID(), Size: uint32(b.Size()), Count: 1}},
	}, b
}

// commit makes a volume with the entry f and returns the event that tells it.
func commit(t *testing.T, h *hub.Hub, m *manifest.Manifest, blobs ...cas.Blob) events.SnapshotCommitted {
	t.Helper()
	v := id()
	if _, err := h.CreateVolume(t.Context(), "of "+v.String(), v); err != nil {
		t.Fatal(err)
	}
	s, err := h.Start(t.Context(), api.StartRequest{Protocol: api.ProtocolVersion, Replica: id(), Volume: v, Run: id()})
	if err != nil {
		t.Fatal(err)
	}
	answer, err := h.Commit(t.Context(), api.CommitRequest{Session: s.Session, Key: id(), Edits: []api.Edit{{Path: "f", New: m}}, Blobs: blobs})
	if err != nil {
		t.Fatal(err)
	}
	return events.SnapshotCommitted{Volume: v, Snapshot: answer.Head.Snapshot, Parent: s.Head.Snapshot}
}

// verified returns what a verifier publishes of a snapshot.
func verified(t *testing.T, h verifier.Hub, e events.SnapshotCommitted, opts verifier.Options) (result events.BlobsVerified, alarms []events.BlobDamaged) {
	t.Helper()
	var in, out events.Bus
	heard := events.Subscribe[events.Event](&out, 0)
	sub := events.Subscribe[events.Event](&in, 0)
	in.Publish(e)
	in.Close()
	verifier.New(h, &out, opts).Run(context.Background(), sub)
	out.Close()
	for {
		switch e, err := heard.Next(t.Context()); e := e.(type) {
		case events.BlobsVerified:
			result = e
		case events.BlobDamaged:
			alarms = append(alarms, e)
		default:
			if err == nil {
				t.Fatalf("%+v", e)
			}
			return result, alarms
		}
	}
}

// TestDamage changes bytes of a chunk in the files of a store that is open.
func TestDamage(t *testing.T) {
	dir := t.TempDir()
	h, err := hub.Open(dir, hub.Options{Store: func(dir string) (cas.Store, error) {
		return badgerstore.Open(dir, badgerstore.Options{MemTable: 1 << 20, LogFile: 4 << 20})
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	m, blob := chunk()
	sound := commit(t, h, m, blob)
	if result, alarms := verified(t, h, sound, verifier.Options{}); result.Blobs != 1 || result.Bytes != 5000 || len(alarms) != 0 {
		t.Fatalf("%+v, %+v", result, alarms)
	}
	damage(t, dir, blob.Plain()[1000:1100])
	result, alarms := verified(t, h, sound, verifier.Options{})
	if result.Damaged != 1 || len(alarms) != 1 || alarms[0].Blob != blob.ID() || alarms[0].Path != "f" || alarms[0].Kind != "chunk" ||
		alarms[0].Volume != sound.Volume || alarms[0].Snapshot != sound.Snapshot || alarms[0].Code != api.ErrCorrupt.Code || alarms[0].Detail == "" {
		t.Errorf("%+v, %+v", result, alarms)
	}
}

// damage changes the only place below dir that holds the bytes.
func damage(t *testing.T, dir string, content []byte) {
	t.Helper()
	changed := 0
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		at := bytes.Index(data, content)
		if err != nil || at < 0 {
			return err
		}
		changed++
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		_, err = f.WriteAt([]byte{data[at] ^ 1}, int64(at))
		return errors.Join(err, f.Close())
	})
	if err != nil || changed != 1 {
		t.Fatalf("%d places were damaged: %v", changed, err)
	}
}

// failing is a hub whose store lacks what it had.
type failing struct {
	*hub.Hub
	lacks cas.Kind
	err   error
}

func (f failing) Reread(ctx context.Context, v cas.VolumeID, refs []cas.Ref, fn func(cas.Blob) error) error {
	if refs[0].Kind == f.lacks {
		return f.err
	}
	return f.Hub.Reread(ctx, v, refs, fn)
}

func openMem(t *testing.T) *hub.Hub {
	t.Helper()
	h, err := hub.Open(t.TempDir(), hub.Options{Store: func(string) (cas.Store, error) { return new(cas.Mem), nil }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}

// paged returns a file of 2000 chunks, with two levels of pages, and all its blobs, pages after what they name.
func paged(t *testing.T) (*manifest.Manifest, []cas.Blob) {
	t.Helper()
	m := &manifest.Manifest{Kind: manifest.File, Mode: 0o644, Profile: 1}
	var chunks, pages []cas.Blob
	b := manifest.NewBuilder(func(page cas.Blob) error {
		pages = append(pages, cas.Seal(cas.Page, bytes.Clone(page.Plain())))
		return nil
	})
	for n := range 2000 { // what they are decides where pages end
		blob := cas.Seal(cas.Chunk, fmt.Appendf(nil, "%0100d", n))
		chunks = append(chunks, blob)
		if err := b.Add(manifest.Run{ID: blob.ID(), Size: 100, Count: 1}); err != nil {
			t.Fatal(err)
		}
		m.Size += 100
	}
	if err := b.Finish(m); err != nil {
		t.Fatal(err)
	}
	return m, append(chunks, pages...)
}

// TestPages: of a file with pages all on the way down to a chunk is read.
func TestPages(t *testing.T) {
	h := openMem(t)
	m, blobs := paged(t)
	e := commit(t, h, m, blobs...)
	if result, alarms := verified(t, h, e, verifier.Options{}); result.Blobs != 3 || len(alarms) != 0 {
		t.Errorf("%+v, %+v", result, alarms)
	}
	if result, alarms := verified(t, failing{h, cas.Chunk, cas.ErrCorrupt}, e, verifier.Options{}); result.Blobs != 3 || len(alarms) != 1 || alarms[0].Kind != "chunk" {
		t.Errorf("%+v, %+v", result, alarms)
	}
	if result, alarms := verified(t, failing{h, cas.Page, cas.ErrCorrupt}, e, verifier.Options{}); result.Blobs != 1 || len(alarms) != 1 || alarms[0].Kind != "page" {
		t.Errorf("%+v, %+v", result, alarms)
	}
}

// TestReasons: a blob that is not there is an alarm, a hub that stops is none.
func TestReasons(t *testing.T) {
	h := openMem(t)
	m, blob := chunk()
	e := commit(t, h, m, blob)
	for _, c := range []struct {
		err    error
		alarms int
	}{
		{api.ErrNoBlob, 1}, {api.ErrCorrupt, 1}, {errors.New("input/output error"), 1},
		{api.ErrBusy, 0}, {api.ErrNotFound, 0}, {context.Canceled, 0},
	} {
		if _, alarms := verified(t, failing{h, cas.Chunk, c.err}, e, verifier.Options{}); len(alarms) != c.alarms {
			t.Errorf("%v: %+v", c.err, alarms)
		}
	}
}

// endless is a hub of one snapshot of many files.
type endless struct {
	files int
	size  int
	read  int
	late  int // of those that were read, from the second half of the files
}

func (h *endless) Recompare(context.Context, api.ChangesRequest) iter.Seq2[api.Change, error] {
	return func(yield func(api.Change, error) bool) {
		for i := range h.files {
			run := manifest.Run{ID: cas.ID{byte(i >> 8), byte(i), 1}, Size: uint32(h.size), Count: 1}
			if !yield(api.Change{Path: "f", New: &manifest.Manifest{Kind: manifest.File, Runs: []manifest.Run{run}}}, nil) {
				return
			}
		}
	}
}

func (h *endless) Reread(_ context.Context, _ cas.VolumeID, refs []cas.Ref, fn func(cas.Blob) error) error {
	h.read++
	if i := int(refs[0].ID[0])<<8 | int(refs[0].ID[1]); i >= h.files/2 {
		h.late++
	}
	return fn(cas.Seal(cas.Chunk, make([]byte, h.size)))
}

// TestBounds: of many files a sample is read, and that no faster than it may be.
func TestBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &endless{files: 10_000, size: 100_000}
		began := time.Now()
		result, _ := verified(t, h, events.SnapshotCommitted{}, verifier.Options{Sample: 50, Rate: 1 << 20})
		if h.late == 0 || h.late == 50 { // by chance once in 10¹⁵ runs
			t.Errorf("%d of 50 are of the second half", h.late)
		}
		if h.read != 50 || result.Blobs != 50 || result.Bytes != 5_000_000 {
			t.Errorf("%d reads, %+v", h.read, result)
		}
		// 10,000 changes of 256 bytes and 5 MB, on a clock that stands still while anything runs.
		if took := time.Since(began); took < 7*time.Second || took > 8*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

// TestTooManySnapshots: those for which there is no place in the queue are not read, and it is said how many they are.
func TestTooManySnapshots(t *testing.T) {
	var in, out events.Bus
	heard := events.Subscribe[events.SnapshotsUnverified](&out, 0)
	sub := events.Subscribe[events.SnapshotCommitted](&in, 2)
	for range 5 {
		in.Publish(events.SnapshotCommitted{})
	}
	in.Close()
	h := &endless{files: 1, size: 1}
	verifier.New(h, &out, verifier.Options{}).Run(t.Context(), sub)
	out.Close()
	e, err := heard.Next(t.Context())
	if told, ok := e.(events.SnapshotsUnverified); !ok || told.Snapshots != 3 || h.read != 2 {
		t.Errorf("%+v, %v after %d reads", e, err, h.read)
	}
}
