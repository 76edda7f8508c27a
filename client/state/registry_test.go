package state

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"dfs/server/api"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func replica(n byte) (id api.ReplicaID) {
	id[0] = n
	return id
}

func TestRegistry(t *testing.T) {
	root := t.TempDir()
	r := Open(filepath.Join(root, "state", "dfs"))
	odd := filepath.Join(root, "odd\n\xff \"name\"")
	a := Known{Path: filepath.Join(root, "a"), Replica: replica(1), Volume: "v \"1\"", Hub: "http://h:1 \"2\""}
	b := Known{Path: odd, Replica: replica(2), Volume: "日本"}
	if _, ok, err := r.At(a.Path); ok || err != nil {
		t.Fatalf("an empty registry knows: %v, %v", ok, err)
	}
	for _, k := range []Known{a, b, a} {
		must(t, r.Record(k))
	}
	for _, k := range []Known{a, b} {
		at, ok1, err1 := r.At(k.Path)
		of, ok2, err2 := r.Of(k.Replica)
		if !ok1 || !ok2 || err1 != nil || err2 != nil || at != k || of != k {
			t.Errorf("%+v is known as %+v, %v, and %+v, %v", k, at, err1, of, err2)
		}
	}

	moved := Known{Path: filepath.Join(root, "moved"), Replica: a.Replica, Volume: a.Volume}
	must(t, r.Record(moved))
	if k, ok, _ := r.At(a.Path); ok {
		t.Errorf("after it has moved %s is still known: %+v", a.Path, k)
	}
	other := Known{Path: odd, Replica: replica(3), Volume: "w"}
	must(t, r.Record(other))
	if k, _, _ := r.At(odd); k != other {
		t.Errorf("%q is known as %+v", odd, k)
	}
	if _, ok, _ := r.Of(b.Replica); ok {
		t.Error("a replica that was replaced is still known")
	}
}

func TestRegistryFollowsLinks(t *testing.T) {
	root := t.TempDir()
	r := Open(filepath.Join(root, "state"))
	must(t, os.Mkdir(filepath.Join(root, "dir"), 0o777))
	must(t, os.Symlink("dir", filepath.Join(root, "link")))
	must(t, r.Record(Known{Path: filepath.Join(root, "link", "below"), Replica: replica(1)}))
	for _, path := range []string{"dir/below", "link/below", "dir/../link/below"} {
		if _, ok, err := r.At(root + "/" + path); !ok || err != nil {
			t.Errorf("%s is not known: %v", path, err)
		}
	}
}

func TestNoRegistry(t *testing.T) {
	r := Open("")
	must(t, r.Record(Known{Path: "/x", Replica: replica(1)}))
	if _, ok, err := r.At("/x"); ok || err != nil {
		t.Errorf("no registry knows: %v, %v", ok, err)
	}
}

func TestRegistryDamaged(t *testing.T) {
	for _, content := range []string{"", "dfs replicas 2\n", "x", header + "\nnonsense\n", header + "\n" + replica(1).String() + " \"v\"\n", header + "\n" + replica(1).String() + " \"v\" \"/x\" \"h\" \"more\"\n"} {
		dir := t.TempDir()
		must(t, os.WriteFile(filepath.Join(dir, fileName), []byte(content), 0o600))
		_, _, err := Open(dir).At("/x")
		if content == "" {
			must(t, err)
			continue
		}
		if err == nil || !strings.Contains(err.Error(), filepath.Join(dir, fileName)) {
			t.Errorf("%q: %v", content, err)
		}
		if err := Open(dir).Record(Known{Path: "/x"}); err == nil {
			t.Errorf("%q: overwritten", content)
		}
	}
}

// TestRegistryAtOnce records from many goroutines: what is there afterwards is whole, and who
// finds itself missing is there after it records again.
func TestRegistryAtOnce(t *testing.T) {
	r := Open(t.TempDir())
	var group sync.WaitGroup
	known := func(n int) Known {
		return Known{Path: filepath.Join("/", string(rune('a'+n))), Replica: replica(byte(n))}
	}
	for n := range 20 {
		group.Go(func() {
			if err := r.Record(known(n)); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	for n := range 20 {
		must(t, r.Record(known(n)))
	}
	for n := range 20 {
		if k, ok, err := r.Of(replica(byte(n))); !ok || err != nil || k != known(n) {
			t.Errorf("replica %d: %+v, %v, %v", n, k, ok, err)
		}
	}
}
