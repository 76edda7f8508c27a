package badgerstore

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/dgraph-io/badger/v4"

	"dfs/cas"
	"dfs/cas/castest"
)

// small makes files small, so that they are rotated often.
var small = Options{MemTable: 1 << 20, LogFile: 4 << 20}

func openStore(t *testing.T, dir string, opts Options) *Store {
	t.Helper()
	s, err := Open(dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func closeStore(t *testing.T, s *Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
}

func TestStore(t *testing.T) {
	for name, opts := range map[string]Options{"Default": {}, "Small": small} {
		t.Run(name, func(t *testing.T) {
			castest.TestStore(t, func(t *testing.T) cas.Store { return openStore(t, t.TempDir(), opts) })
		})
	}
}

// blobs returns n blobs of kind chunk, of sizes on both sides of every limit.
func blobs(seed, n int) []cas.Blob {
	sizes := []int{10, 127, 128, 129, 700, 1023, 1024, 3 << 10, 9000, 64 << 10}
	out := make([]cas.Blob, n)
	for i := range out {
		out[i] = cas.Seal(cas.Chunk, castest.Bytes(uint64(seed)<<32|uint64(i), sizes[i%len(sizes)]+i))
	}
	return out
}

// whole counts the refs that scope sees, and fails the test for those whose
// bytes cannot be read nevertheless.
func whole(t *testing.T, s *Store, scope cas.Scope, refs []cas.Ref) int {
	t.Helper()
	var stranger cas.VolumeID
	if _, err := rand.Read(stranger[:]); err != nil {
		t.Fatal(err)
	}
	sizes, err := s.Sizes(t.Context(), stranger, scope, refs)
	if err != nil {
		t.Fatal(err)
	}
	var present []cas.Ref
	for i, ref := range refs {
		if sizes[i] != cas.Absent {
			present = append(present, ref)
			continue
		}
		err := s.Get(t.Context(), scope, []cas.Ref{ref}, func(cas.Blob) error { return nil })
		if !errors.Is(err, cas.ErrNotFound) {
			t.Errorf("%v is missing, but Get says %v", ref, err)
		}
	}
	found := 0
	if err := s.Get(t.Context(), scope, present, func(cas.Blob) error { found++; return nil }); err != nil {
		t.Errorf("of %d blobs that are present, number %d: %v", len(present), found, err)
	}
	return found
}

func TestReopen(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deep", "store")
	var refs []cas.Ref
	for round := range 4 {
		s := openStore(t, dir, small)
		if got := whole(t, s, cas.Everything(), refs); got != len(refs) {
			t.Errorf("round %d: %d of %d blobs", round, got, len(refs))
		}
		b := blobs(round, 200)
		if err := s.Put(t.Context(), castest.Volume(1), b); err != nil {
			t.Fatal(err)
		}
		refs = append(refs, castest.Refs(b)...)
		closeStore(t, s)
	}
}

func TestLocked(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir, Options{})
	_, err := Open(dir, Options{})
	if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), fmt.Sprint(os.Getpid())) {
		t.Errorf("second Open: %v", err)
	}
	closeStore(t, s)
	closeStore(t, openStore(t, dir, Options{}))
}

func TestOtherRelease(t *testing.T) {
	dir := t.TempDir()
	closeStore(t, openStore(t, dir, Options{}))
	path := filepath.Join(dir, stateName)
	state, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	state[len(stateMagic)-1]++
	if err := os.WriteFile(path, state, 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err := Open(dir, Options{}); err == nil {
		closeStore(t, s)
		t.Error("a store of format 2 was opened")
	}
	if again, err := os.ReadFile(path); err != nil || !bytes.Equal(again, state) {
		t.Errorf("STORE was changed: %x, %v", again, err)
	}
}

// TestState holds STORE to the package comment.
func TestState(t *testing.T) {
	const golden = "6466732d63617331" + "0000000000000005" + "0000000001000000" + "01" + "46def77a"
	path := filepath.Join(t.TempDir(), stateName)
	s, err := openState(path, 16<<20)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.markClean(5), s.close()); err != nil {
		t.Fatal(err)
	}
	written, err := os.ReadFile(path)
	if err != nil || hex.EncodeToString(written) != golden {
		t.Errorf("%x, %v", written, err)
	}
	if got, err := parseState(written); err != nil || got != (state{5, 16 << 20, true}) {
		t.Errorf("%+v, %v", got, err)
	}
	for i := range written {
		damaged := bytes.Clone(written)
		damaged[i] ^= 1
		if got, err := parseState(damaged); got != (state{}) || (err != nil) != (i == len(stateMagic)-1) {
			t.Errorf("byte %d damaged: %+v, %v", i, got, err)
		}
	}
	if got, err := parseState(written[:stateSize-1]); got != (state{}) || err != nil {
		t.Errorf("truncated: %+v, %v", got, err)
	}
}

// TestSmallerTables opens a store that was killed with smaller tables than its logs need.
func TestSmallerTables(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir, Options{})
	var b []cas.Blob
	for i := range 8000 {
		b = append(b, cas.Seal(cas.Node, castest.Bytes(uint64(i), 100)))
	}
	if err := s.Put(t.Context(), castest.Volume(1), b); err != nil {
		t.Fatal(err)
	}
	crashed := copyLive(t, dir)
	closeStore(t, s)
	s = openStore(t, crashed, small)
	if got := whole(t, s, cas.Everything(), castest.Refs(b)); got != len(b) {
		t.Errorf("%d of %d blobs", got, len(b))
	}
	closeStore(t, s)
}

func TestOptionsRefused(t *testing.T) {
	for _, opts := range []Options{{Reserve: -1}, {MemTable: 1}, {LogFile: 1}, {LogFile: -1}} {
		if s, err := Open(t.TempDir(), opts); err == nil {
			closeStore(t, s)
			t.Errorf("%+v accepted", opts)
		}
	}
}

// TestLayout holds the keys and values to the package comment.
func TestLayout(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{})
	defer closeStore(t, s)
	text := bytes.Repeat([]byte("abc"), 100)
	packed := cas.NewCodec(cas.CompressBulk).Compress(cas.Seal(cas.Node, text), nil)
	v, w := cas.VolumeID{15: 1}, cas.VolumeID{15: 2}
	if err := s.Put(t.Context(), v, []cas.Blob{cas.Seal(cas.Chunk, []byte("abc")), packed}); err != nil {
		t.Fatal(err)
	}
	abc, texts := cas.Sum([]byte("abc")), cas.Sum(text)
	if _, err := s.Sizes(t.Context(), w, cas.Everything(), []cas.Ref{{Kind: cas.Chunk, ID: abc}}); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"c" + string(abc[:]):                  "0|abc",
		"c" + string(abc[:]) + string(v[:]):   "0|\x00\x00\x03",
		"c" + string(abc[:]) + string(w[:]):   "0|\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x03",
		"n" + string(texts[:]):                "1|\x00\x01\x2c" + string(packed.Data()),
		"n" + string(texts[:]) + string(v[:]): "0|\x00\x01\x2c",
	}
	got := map[string]string{}
	err := s.db.View(func(txn *badger.Txn) error {
		it := txn.NewIterator(badger.DefaultIteratorOptions)
		defer it.Close()
		for it.Rewind(); it.Valid(); it.Next() {
			value, err := it.Item().ValueCopy(nil)
			if err != nil {
				return err
			}
			got[string(it.Item().Key())] = fmt.Sprintf("%d|%s", it.Item().UserMeta(), value)
		}
		return nil
	})
	if err != nil || len(got) != len(want) {
		t.Errorf("%d keys, want %d; %v", len(got), len(want), err)
	}
	for k, v := range want {
		if got[k] != v {
			t.Errorf("key %x: %q, want %q", k, got[k], v)
		}
	}
}

func TestConcurrentSameBlobs(t *testing.T) {
	s := openStore(t, t.TempDir(), small)
	defer closeStore(t, s)
	b := blobs(1, 300)
	var wg sync.WaitGroup
	for g := range 6 {
		wg.Go(func() {
			for range 3 {
				if err := s.Put(t.Context(), castest.Volume(g), b); err != nil {
					t.Errorf("Put: %v", err)
				}
			}
			if err := s.Barrier(t.Context()); err != nil {
				t.Errorf("Barrier: %v", err)
			}
		})
	}
	wg.Wait()
	for g := range 6 {
		if got := whole(t, s, cas.Scope{Volumes: []cas.VolumeID{castest.Volume(g)}}, castest.Refs(b)); got != len(b) {
			t.Errorf("volume %d holds %d of %d", g, got, len(b))
		}
	}
}

// TestStoredOnce has many volumes take over large blobs of one that they see: the value logs
// grow once. A stranger's Put of the same takes what one of new blobs does, and once only.
func TestStoredOnce(t *testing.T) {
	b := blobs(1, 100)
	plain := int64(0)
	for _, blob := range b {
		plain += int64(blob.Size())
	}
	for name, c := range map[string]struct {
		strangers int
		copies    int64
	}{"seen": {0, 1}, "strange": {2, 3}} {
		dir := t.TempDir()
		s := openStore(t, dir, Options{})
		first := castest.Volume(0)
		err := s.Put(t.Context(), first, b)
		for v := 1; v < 20 && err == nil; v++ {
			_, err = s.Sizes(t.Context(), castest.Volume(v), cas.Scope{Volumes: []cas.VolumeID{first}}, castest.Refs(b))
		}
		for i := 0; i < 2*c.strangers && err == nil; i++ {
			err = s.Put(t.Context(), castest.Volume(100+i/2), b)
		}
		if err != nil {
			t.Fatal(err)
		}
		closeStore(t, s)
		stored := int64(0)
		for _, path := range logFiles(t, dir, ".vlog") {
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			stored += info.Size()
		}
		if want := c.copies * plain; stored < want*9/10 || stored > want*11/10 {
			t.Errorf("%s: %d bytes of blobs take %d in value logs, want %d times that", name, plain, stored, c.copies)
		}
	}
}

func logFiles(t *testing.T, dir, ext string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*"+ext))
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(paths)
	return paths
}

// faultyFsync syncs, counts, and fails on demand.
type faultyFsync struct {
	calls atomic.Int64
	fail  atomic.Bool
	hold  atomic.Pointer[chan struct{}] // when set, every call receives from it
}

var errInjected = errors.New("injected I/O error")

func (f *faultyFsync) sync(file *os.File) error {
	f.calls.Add(1)
	if hold := f.hold.Load(); hold != nil {
		<-*hold
	}
	if f.fail.Load() {
		return &fs.PathError{Op: "fsync", Path: file.Name(), Err: errInjected}
	}
	return file.Sync()
}

func TestPoisoned(t *testing.T) {
	dir := t.TempDir()
	f := new(faultyFsync)
	s, err := open(dir, Options{}, f.sync)
	if err != nil {
		t.Fatal(err)
	}
	b := blobs(1, 20)
	put := func(from, to int) error { return s.Put(t.Context(), castest.Volume(1), b[from:to]) }
	if err := errors.Join(put(0, 10), s.Barrier(t.Context()), put(10, 15)); err != nil {
		t.Fatal(err)
	}
	f.fail.Store(true)
	if err := s.Barrier(t.Context()); !errors.Is(err, cas.ErrPoisoned) || !errors.Is(err, errInjected) {
		t.Errorf("failing Barrier: %v", err)
	}
	f.fail.Store(false)
	_, adopt := s.Sizes(t.Context(), castest.Volume(2), cas.Everything(), castest.Refs(b[:1]))
	for name, err := range map[string]error{"Put": put(15, 20), "Sizes": adopt, "Barrier": s.Barrier(t.Context()), "Err": s.Err()} {
		if !errors.Is(err, cas.ErrPoisoned) {
			t.Errorf("%s of a poisoned store: %v", name, err)
		}
	}
	if err := s.Get(t.Context(), cas.Everything(), castest.Refs(b[:15]), func(cas.Blob) error { return nil }); err != nil {
		t.Errorf("Get of a poisoned store: %v", err)
	}
	if err := s.Close(); !errors.Is(err, cas.ErrPoisoned) {
		t.Errorf("Close of a poisoned store: %v", err)
	}
	s = openStore(t, dir, Options{})
	if got := whole(t, s, cas.Everything(), castest.Refs(b[:10])); got != 10 {
		t.Errorf("%d of 10 durable blobs after reopening", got)
	}
	if err := errors.Join(put(10, 20), s.Barrier(t.Context())); err != nil {
		t.Errorf("after reopening: %v", err)
	}
	closeStore(t, s)
}

// TestComplaints: Badger reports failures of its background work to its logger alone.
func TestComplaints(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{})
	log := s.db.Opts().Logger
	log.Errorf("Unable to read: Key: %v, Version : %v, meta: %v, userMeta: %v Error: %v", 1, 2, 3, 4, 5)
	log.Warningf("%s might be too small. Metrics: %s\n", "Index cache", "")
	log.Infof("all is well")
	if err := s.Put(t.Context(), castest.Volume(1), blobs(1, 1)); err != nil {
		t.Errorf("after harmless messages: %v", err)
	}
	log.Warningf("While running doCompact: %v\n", errInjected)
	if err := s.Put(t.Context(), castest.Volume(1), blobs(2, 1)); !errors.Is(err, cas.ErrPoisoned) || !strings.Contains(err.Error(), errInjected.Error()) {
		t.Errorf("after a failed compaction: %v", err)
	}
	if err := s.Close(); !errors.Is(err, cas.ErrPoisoned) {
		t.Errorf("Close: %v", err)
	}
}

func TestBarrierIsCheap(t *testing.T) {
	f := new(faultyFsync)
	s, err := open(t.TempDir(), Options{}, f.sync)
	if err != nil {
		t.Fatal(err)
	}
	defer closeStore(t, s)
	barrier := func() int64 {
		before := f.calls.Load()
		if err := s.Barrier(t.Context()); err != nil {
			t.Fatal(err)
		}
		return f.calls.Load() - before
	}
	if n := barrier(); n != 0 {
		t.Errorf("an empty store: %d fsyncs", n)
	}
	refs := castest.Refs(blobs(1, 10))
	if err := s.Put(t.Context(), castest.Volume(1), blobs(1, 10)); err != nil {
		t.Fatal(err)
	}
	if n := barrier(); n != 2 {
		t.Errorf("after Put: %d fsyncs, want a .mem and a .vlog", n)
	}
	if n := barrier(); n != 0 {
		t.Errorf("nothing new: %d fsyncs", n)
	}
	if _, err := s.Sizes(t.Context(), castest.Volume(2), cas.Everything(), refs); err != nil {
		t.Fatal(err)
	}
	if n := barrier(); n != 2 {
		t.Errorf("after adoption: %d fsyncs, want a .mem and a .vlog", n)
	}
}

// TestBarrierShared: calls that arrive during a run share the next one.
func TestBarrierShared(t *testing.T) {
	f := new(faultyFsync)
	s, err := open(t.TempDir(), Options{}, f.sync)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Put(t.Context(), castest.Volume(1), blobs(1, 1)); err != nil {
		t.Fatal(err)
	}
	hold := make(chan struct{})
	f.hold.Store(&hold)
	running := s.barriers.join(s.sync)
	hold <- struct{}{} // it has begun, and waits in its second sync
	if err := s.Put(t.Context(), castest.Volume(1), blobs(2, 1)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Barrier(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	first := s.barriers.join(s.sync)
	if second := s.barriers.join(s.sync); second != first || first == running {
		t.Error("two calls during a run do not share the next")
	}
	close(hold)
	<-first.done
	if first.err != nil || s.synced.Load() != s.applied.Load() {
		t.Errorf("%v, synced to %d of %d", first.err, s.synced.Load(), s.applied.Load())
	}
	closeStore(t, s)
}

// TestBarrierCoversRotatedLogs: every log with bytes is synced before Barrier
// returns, whether or not it was rotated since the last.
func TestBarrierCoversRotatedLogs(t *testing.T) {
	var mu sync.Mutex
	synced := map[string]bool{}
	dir := t.TempDir()
	s, err := open(dir, small, func(f *os.File) error {
		mu.Lock()
		defer mu.Unlock()
		synced[f.Name()] = true
		return f.Sync()
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Put(t.Context(), castest.Volume(1), blobs(1, 5000)); err != nil {
		t.Fatal(err)
	}
	if err := s.Barrier(t.Context()); err != nil {
		t.Fatal(err)
	}
	logs := append(logFiles(t, dir, ".vlog"), logFiles(t, dir, ".mem")...)
	if len(logs) < 10 {
		t.Fatalf("only %d logs: nothing was rotated", len(logs))
	}
	for _, path := range append(logs, dir) {
		if !synced[path] {
			t.Errorf("%s was not synced", path)
		}
	}
	if open := len(s.logs.open); open > 4 {
		t.Errorf("%d descriptors stay open", open)
	}
	closeStore(t, s)
}
