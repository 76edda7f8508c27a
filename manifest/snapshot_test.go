package manifest

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"dfs/cas"
)

func snapshots() map[string]Snapshot {
	first := Snapshot{Volume: cas.VolumeID{1}, Seq: 1, Root: cas.Sum(nil)}
	full := Snapshot{
		Volume: cas.VolumeID{15: 2}, Seq: 1<<64 - 1, Root: cas.Sum([]byte("root")),
		Parents: []cas.ID{cas.Sum([]byte("a")), cas.Sum([]byte("b"))},
		Client:  "höst", Replica: cas.VolumeID{3}, Time: Time{1795372800, 5}, Message: "two\nlines",
	}
	largest := full
	largest.Parents = make([]cas.ID, MaxParents)
	largest.Client, largest.Message = strings.Repeat("c", MaxClient), strings.Repeat("m", MaxMessage)
	return map[string]Snapshot{"first": first, "full": full, "largest": largest}
}

func TestSnapshotVectors(t *testing.T) {
	t.Parallel()
	got := make(map[string][]byte)
	for name, s := range snapshots() {
		b, err := s.Encode()
		if err != nil {
			t.Fatal(err)
		}
		got[name] = b
		if back, err := DecodeSnapshot(b); err != nil || !reflect.DeepEqual(back, s) {
			t.Errorf("%s: decodes to %+v, %v", name, back, err)
		}
		for n := range b {
			if _, err := DecodeSnapshot(b[:n]); err == nil {
				t.Errorf("%s: the first %d of %d bytes decode", name, n, len(b))
			}
		}
		if _, err := DecodeSnapshot(append(b, 0)); err == nil {
			t.Errorf("%s: decodes with a byte more", name)
		}
	}
	checkVectors(t, "snapshots.txt", got)
}

func TestInvalidSnapshots(t *testing.T) {
	t.Parallel()
	for name, fn := range map[string]func(*Snapshot){
		"volume":        func(s *Snapshot) { s.Volume = cas.VolumeID{} },
		"seq":           func(s *Snapshot) { s.Seq = 0 },
		"root":          func(s *Snapshot) { s.Root = cas.ID{} },
		"parents":       func(s *Snapshot) { s.Parents = make([]cas.ID, MaxParents+1) },
		"long client":   func(s *Snapshot) { s.Client = strings.Repeat("c", MaxClient+1) },
		"client":        func(s *Snapshot) { s.Client = "\xff" },
		"long message":  func(s *Snapshot) { s.Message = strings.Repeat("m", MaxMessage+1) },
		"message":       func(s *Snapshot) { s.Message = "\xff" },
		"time":          func(s *Snapshot) { s.Time.Nsec = 1e9 },
		"all but valid": func(s *Snapshot) { *s = Snapshot{} },
	} {
		s := snapshots()["full"]
		fn(&s)
		if b, err := s.Encode(); err == nil {
			t.Errorf("%s: encodes as %x", name, b)
		}
	}
	first := snapshots()["first"]
	b, _ := first.Encode()
	b[len(b)-1-16-2-1-1] = 17 // the number of parents
	if _, err := DecodeSnapshot(append(b, make([]byte, 1000)...)); err == nil || !strings.Contains(err.Error(), "above 16") {
		t.Errorf("17 parents: %v", err)
	}
}

func TestSnapshotJSON(t *testing.T) {
	t.Parallel()
	s := snapshots()["full"]
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var back Snapshot
	if err := json.Unmarshal(b, &back); err != nil || !reflect.DeepEqual(back, s) {
		t.Errorf("%s reads back as %+v, %v", b, back, err)
	}
	for _, key := range []string{"volume", "seq", "root", "parents", "client", "replica", "time", "sec", "nsec", "message"} {
		if !bytes.Contains(b, []byte(`"`+key+`":`)) {
			t.Errorf("%s has no %s", b, key)
		}
	}
}

func FuzzDecodeSnapshot(f *testing.F) {
	for _, s := range snapshots() {
		b, err := s.Encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := DecodeSnapshot(b)
		if err != nil {
			return
		}
		if again, err := s.Encode(); err != nil || !bytes.Equal(again, b) {
			t.Fatalf("%x encodes again as %x, %v", b, again, err)
		}
	})
}
