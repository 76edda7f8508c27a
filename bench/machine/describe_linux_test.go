package machine

import (
	"os"
	"path/filepath"
	"testing"
)

func TestFileSystem(t *testing.T) {
	mounts := []byte(`22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/vda rw,discard
23 22 0:21 / /proc rw - proc proc rw
40 22 8:2 / /srv/my\040disk rw,noatime - xfs /dev/vdb rw,attr2
41 40 8:3 / /srv/my\040disk ro - btrfs /dev/vdc ro
a broken line
`)
	for dir, want := range map[string]string{
		"/":                 "ext4 (rw,relatime; rw,discard)",
		"/process":          "ext4 (rw,relatime; rw,discard)",
		"/proc/1":           "proc (rw; rw)",
		"/srv":              "ext4 (rw,relatime; rw,discard)",
		"/srv/my disk/a":    "btrfs (ro; ro)",
		"/srv/my disk":      "btrfs (ro; ro)",
		"/srv/my disk copy": "ext4 (rw,relatime; rw,discard)",
	} {
		if got := fileSystem(mounts, dir); got != want {
			t.Errorf("%s is on %s, want %s", dir, got, want)
		}
	}
}

func TestFields(t *testing.T) {
	if got := field([]byte("processor\t: 0\nmodel name\t: A: B \nmodel name\t: C\n"), "model name"); got != "A: B" {
		t.Errorf("field: %q", got)
	}
	if got := assigned([]byte("NAME=x\nPRETTY_NAME=\"A system\"\n"), "PRETTY_NAME"); got != "A system" {
		t.Errorf("assigned: %q", got)
	}
}

// TestLeft holds the least that a group and those above it leave.
func TestLeft(t *testing.T) {
	root := t.TempDir()
	for path, number := range map[string]string{
		"a/max": "1000\n", "a/now": "900\n", "a/b/max": "max\n", "a/b/now": "3\n", "a/c/max": "50\n", "a/c/now": "20\n",
	} {
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(number), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for group, want := range map[string]int64{"/a/b": 100, "/a/c": 30, "/a": 100, "/": 1 << 62, "/none": 1 << 62} {
		if got := left(root, group, "max", "now"); got != want {
			t.Errorf("%s leaves %d, want %d", group, got, want)
		}
	}
	if available() <= 0 {
		t.Error("no memory is available")
	}
}
