package badgerstore

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"dfs/cas"
	"dfs/cas/castest"
)

// flip changes one byte of a file.
func flip(t *testing.T, path string, at int64) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 1)
	_, err = f.ReadAt(b, at)
	b[0] ^= 0x10
	_, err2 := f.WriteAt(b, at)
	if err := errors.Join(err, err2, f.Close()); err != nil {
		t.Fatal(err)
	}
}

// TestBitRot flips bytes of a store's files: the store does not open, or says
// which blobs are corrupt, and never returns wrong bytes.
func TestBitRot(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir, small)
	b := blobs(1, 600)
	if err := s.Put(t.Context(), castest.Volume(1), b); err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
	rng := rand.New(rand.NewPCG(1, 1))
	corrupt := 0
	for range 40 {
		copied := t.TempDir()
		if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		paths := append(logFiles(t, copied, ".vlog"), logFiles(t, copied, ".sst")...)
		path := paths[rng.IntN(len(paths))]
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Size() == 0 {
			continue
		}
		flip(t, path, rng.Int64N(info.Size()))
		s, err := Open(copied, small)
		if err != nil {
			continue
		}
		for _, blob := range b {
			err := s.Get(t.Context(), cas.Everything(), []cas.Ref{blob.Ref()}, func(got cas.Blob) error {
				if !bytes.Equal(got.Plain(), blob.Plain()) {
					t.Errorf("%s: wrong bytes", filepath.Base(path))
				}
				return nil
			})
			var named *cas.CorruptError
			switch {
			case errors.As(err, &named) && named.Ref == blob.Ref():
				corrupt++
			case err != nil && strings.HasSuffix(path, ".vlog"):
				t.Errorf("%s: %v", filepath.Base(path), err)
			}
		}
		_ = s.Close() // it may or may not have met the damage
	}
	if corrupt == 0 {
		t.Error("no damage was found")
	}
	t.Logf("%d corrupt blobs", corrupt)
}

// TestLostCommits damages the log of a store that was killed: commits that were
// durable are missing, and the store does not open.
func TestLostCommits(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir, Options{})
	err := errors.Join(s.Put(t.Context(), castest.Volume(1), blobs(1, 10)), s.Barrier(t.Context()),
		s.Put(t.Context(), castest.Volume(1), blobs(2, 10)), s.Barrier(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	crashed := copyLive(t, dir)
	closeStore(t, s)
	for _, path := range logFiles(t, crashed, ".mem") {
		flip(t, path, 200)
	}
	if s, err := Open(crashed, Options{}); err == nil {
		t.Error("opened without its durable commits")
		_ = s.Close()
	}
}

// copyLive copies the files of an open store, which are what a killed process leaves.
func copyLive(t *testing.T, dir string) string {
	t.Helper()
	copied := t.TempDir()
	if out, err := exec.Command("cp", "-r", "--sparse=always", dir+"/.", copied).CombinedOutput(); err != nil {
		t.Fatalf("cp: %v: %s", err, out)
	}
	return copied
}

// TestEmptyLogs: what is left of a log that was being created or removed when the
// process died does not keep the store from opening.
func TestEmptyLogs(t *testing.T) {
	dir := t.TempDir()
	p := startChild(t, dir)
	p.await(t, 3)
	p.kill()
	for _, name := range []string{"99999.mem", "999999.vlog"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	checkRounds(t, dir, 3)
}

// TestDanglingPointers destroys values that no barrier covered, as a power cut does:
// their blobs are gone for all volumes, others stay, and a later Put brings them back.
func TestDanglingPointers(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir, Options{LogFile: 16 << 20})
	durable, lost := blobs(1, 50), blobs(2, 50)
	for v := range 3 {
		if err := s.Put(t.Context(), castest.Volume(v), durable); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Barrier(t.Context()); err != nil {
		t.Fatal(err)
	}
	durableEnd := vlogEnd(t, dir)
	for v := range 3 {
		if err := s.Put(t.Context(), castest.Volume(v), lost); err != nil {
			t.Fatal(err)
		}
	}
	crashed := copyLive(t, dir)
	closeStore(t, s)
	vlog := logFiles(t, crashed, ".vlog")[0]
	if err := os.Truncate(vlog, durableEnd); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(vlog, 32<<20); err != nil {
		t.Fatal(err)
	}
	s = openStore(t, crashed, Options{LogFile: 16 << 20})
	defer closeStore(t, s)
	inline := 0 // those below the threshold are in the other log
	for _, b := range lost {
		if b.Size() < valueThreshold {
			inline++
		}
	}
	for v := range 3 {
		scope := cas.Scope{Volumes: []cas.VolumeID{castest.Volume(v)}}
		if got := whole(t, s, scope, castest.Refs(durable)); got != len(durable) {
			t.Errorf("volume %d: %d of %d durable blobs", v, got, len(durable))
		}
		if got := whole(t, s, scope, castest.Refs(lost)); got != inline {
			t.Errorf("volume %d: %d of the lost blobs, want %d", v, got, inline)
		}
	}
	if err := s.Put(t.Context(), castest.Volume(0), lost); err != nil {
		t.Fatal(err)
	}
	if got := whole(t, s, cas.Scope{Volumes: []cas.VolumeID{castest.Volume(0)}}, castest.Refs(lost)); got != len(lost) {
		t.Errorf("%d of %d after Put", got, len(lost))
	}
}

// vlogEnd returns where the last bytes of the only value log are.
func vlogEnd(t *testing.T, dir string) int64 {
	t.Helper()
	data, err := os.ReadFile(logFiles(t, dir, ".vlog")[0])
	if err != nil {
		t.Fatal(err)
	}
	return int64(len(bytes.TrimRight(data, "\x00")))
}

// TestDamagedRewrite: two volumes both write a blob; when the later copy is lost,
// the earlier one serves.
func TestDamagedRewrite(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir, Options{LogFile: 16 << 20})
	b := blobs(1, 10)
	if err := errors.Join(s.Put(t.Context(), castest.Volume(1), b), s.Barrier(t.Context())); err != nil {
		t.Fatal(err)
	}
	end := vlogEnd(t, dir)
	if err := s.Put(t.Context(), castest.Volume(2), b); err != nil {
		t.Fatal(err)
	}
	crashed := copyLive(t, dir)
	closeStore(t, s)
	if err := os.Truncate(logFiles(t, crashed, ".vlog")[0], end); err != nil {
		t.Fatal(err)
	}
	s = openStore(t, crashed, Options{LogFile: 16 << 20})
	defer closeStore(t, s)
	for _, v := range []cas.VolumeID{castest.Volume(1), castest.Volume(2)} {
		if got := whole(t, s, cas.Scope{Volumes: []cas.VolumeID{v}}, castest.Refs(b)); got != len(b) {
			t.Errorf("%v: %d of %d blobs", v, got, len(b))
		}
	}
}

// TestDamagedCopy: when bits of one volume's copy of a blob rot, that of another serves both.
func TestDamagedCopy(t *testing.T) {
	b := []cas.Blob{cas.Seal(cas.Chunk, castest.Bytes(1, 64<<10))}
	var between []cas.Blob // so that the copies are in different logs
	for i := range 10 {
		between = append(between, cas.Seal(cas.Chunk, castest.Bytes(uint64(2+i), cas.MaxSize)))
	}
	dir := t.TempDir()
	s := openStore(t, dir, small)
	err := errors.Join(s.Put(t.Context(), castest.Volume(1), b), s.Put(t.Context(), castest.Volume(3), between),
		s.Put(t.Context(), castest.Volume(2), b))
	if err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
	flip(t, logFiles(t, dir, ".vlog")[0], 1000)
	s = openStore(t, dir, small)
	defer closeStore(t, s)
	for v := 1; v <= 2; v++ {
		if got := whole(t, s, cas.Scope{Volumes: []cas.VolumeID{castest.Volume(v)}}, castest.Refs(b)); got != len(b) {
			t.Errorf("volume %d: the blob is damaged", v)
		}
	}
}

// tmpfs mounts a filesystem of a size, in MiB.
func tmpfs(t *testing.T, size string) string {
	t.Helper()
	if runtime.GOOS != "linux" || os.Geteuid() != 0 {
		t.Skip("a small filesystem needs Linux and root")
	}
	dir := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size="+size+"m", "tmpfs", dir).CombinedOutput(); err != nil {
		t.Skipf("mount tmpfs: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
	})
	return dir
}

// TestReserve fills a filesystem. A store that writes past its end dies by SIGBUS.
func TestReserve(t *testing.T) {
	for name, size := range map[string]int{"Small": 16, "Chunks": 64 << 10} {
		t.Run(name, func(t *testing.T) {
			dir := tmpfs(t, "40")
			opts := Options{Reserve: 8 << 20, MemTable: 1 << 20, LogFile: 4 << 20}
			s := openStore(t, filepath.Join(dir, "store"), opts)
			var stored []cas.Ref
			err := s.Room()
			for n := uint64(0); err == nil; n++ {
				var b []cas.Blob
				for i := range uint64(max(1, 1<<20/size/16)) {
					b = append(b, cas.Seal(cas.Chunk, castest.Bytes(n<<32|i, size)))
				}
				if err = s.Put(t.Context(), castest.Volume(1), b); err == nil {
					stored = append(stored, castest.Refs(b)...)
				} else if got := whole(t, s, cas.Everything(), castest.Refs(b)); got != 0 {
					t.Errorf("%d blobs of the refused Put are there", got)
				}
			}
			if !errors.Is(err, cas.ErrNoSpace) || s.Err() != nil {
				t.Fatalf("after %d blobs: %v, %v", len(stored), err, s.Err())
			}
			// Small blobs lie in tables, of which a compaction may have freed some meanwhile.
			if err := s.Room(); !errors.Is(err, cas.ErrNoSpace) && (size > 1000 || err != nil) {
				t.Errorf("there is room in a full filesystem: %v", err)
			}
			if free, _, err := diskSpace(dir); err != nil || free < opts.Reserve {
				t.Errorf("%d bytes are free, want %d; %v", free, opts.Reserve, err)
			}
			if plain := int64(len(stored) * size); size > 1000 && plain < 12<<20 {
				t.Errorf("only %d bytes were stored", plain)
			}
			closeStore(t, s)
			s = openStore(t, filepath.Join(dir, "store"), opts)
			sample := stored[:min(len(stored), 2000)]
			if got := whole(t, s, cas.Scope{Volumes: []cas.VolumeID{castest.Volume(1)}}, sample); got != len(sample) {
				t.Errorf("%d of %d blobs after reopening", got, len(sample))
			}
			closeStore(t, s)
		})
	}
}
