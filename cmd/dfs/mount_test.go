package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// filesystem mounts a new file system until the script ends: filesystem KIND DIR SIZE,
// where KIND is tmpfs, ext4 or exfat. Its image is DIR.image.
func filesystem(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: filesystem tmpfs|ext4|exfat DIR SIZE")
	}
	kind, dir := args[0], ts.MkAbs(args[1])
	ts.Check(os.MkdirAll(dir, 0o777))
	if kind == "tmpfs" {
		ts.Check(ts.Exec("mount", "-t", kind, "-o", "mode=755,size="+args[2], "none", dir))
	} else {
		image := dir + ".image"
		ts.Check(ts.Exec("truncate", "-s", args[2], image))
		ts.Check(ts.Exec("mkfs."+kind, image))
		attach(ts, kind, image, dir)
	}
	ts.Defer(func() { exec.Command("umount", dir).Run() }) // where the script has not done so
}

func attach(ts *testscript.TestScript, kind, image, dir string) {
	if kind == "ext4" {
		ts.Check(ts.Exec("mount", "-o", "loop", image, dir))
		return
	}
	ts.Check(ts.Exec("losetup", "-f", "--show", image))
	device := strings.TrimSpace(ts.ReadFile("stdout"))
	ts.Defer(func() { exec.Command("losetup", "-d", device).Run() })
	ts.Check(ts.Exec("mount.exfat-fuse", device, dir))
}

// unmount ends a mount: unmount DIR.
func unmount(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: unmount DIR")
	}
	ts.Check(ts.Exec("umount", ts.MkAbs(args[0])))
}

// damage changes bytes on the disk of an ext4 file system behind its back: damage DIR OLD NEW.
func damage(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 || len(args[1]) != len(args[2]) {
		ts.Fatalf("usage: damage DIR OLD NEW, of equal length")
	}
	dir := ts.MkAbs(args[0])
	image := dir + ".image"
	ts.Check(ts.Exec("umount", dir))
	data, err := os.ReadFile(image)
	ts.Check(err)
	if bytes.Count(data, []byte(args[1])) != 1 {
		ts.Fatalf("%s is %d times in the image", args[1], bytes.Count(data, []byte(args[1])))
	}
	ts.Check(os.WriteFile(image, bytes.Replace(data, []byte(args[1]), []byte(args[2]), 1), 0o600))
	attach(ts, "ext4", image, dir)
}

// TestMountTools has the tools that the scripts with file systems need, where these are run.
func TestMountTools(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can mount file systems")
	}
	for _, tool := range []string{"mkfs.ext4", "mkfs.exfat", "mount.exfat-fuse", "losetup"} {
		if _, err := exec.LookPath(tool); err != nil {
			if _, err := os.Stat(filepath.Join("/sbin", tool)); err != nil {
				t.Errorf("%s is missing", tool)
			}
		}
	}
}
