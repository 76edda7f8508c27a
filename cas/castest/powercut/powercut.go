//go:build linux

// Package powercut tests what survives a power cut. A process under test works
// on a filesystem in an image file; [Image.Cut] stops the process wherever it is, copies
// what has reached the image, and mounts the copy: the page cache, and with it all
// that was not synced, is not in it.
//
//	img := powercut.New(t, 256)
//	cmd := …                     // a child that writes below img.Dir() and reports what is durable
//	dir := img.Cut(cmd.Process.Pid)
//	cmd.Process.Kill()           // then everything that it reported must be found in dir
//
// It needs root and loop devices; elsewhere the test is skipped by name.
package powercut

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Image is a mounted ext4 filesystem in a file.
type Image struct {
	t      testing.TB
	file   string
	mount  string
	device string // of the mount, as in /sys/block
	cuts   int
}

// New makes an image of sizeMiB and mounts it. The test's cleanup unmounts and
// removes it, after all processes that the test started there are gone.
func New(t testing.TB, sizeMiB int) *Image {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("power cuts need root, to mount images")
	}
	for _, tool := range []string{"mkfs.ext4", "mount", "umount", "cp"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("power cuts need %s", tool)
		}
	}
	dir := t.TempDir()
	img := &Image{t: t, file: filepath.Join(dir, "image"), mount: filepath.Join(dir, "mounted")}
	if err := os.WriteFile(img.file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(img.file, int64(sizeMiB)<<20); err != nil {
		t.Fatal(err)
	}
	img.run("mkfs.ext4", "-F", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", img.file)
	img.attach(img.file, img.mount)
	img.device = img.findDevice()
	return img
}

// Dir returns the directory where the filesystem is mounted.
func (img *Image) Dir() string { return img.mount }

// Cut stops the process pid, copies the image as its disk is at this moment, and
// returns the directory where the copy is mounted. The process stays stopped:
// the caller kills it or sends SIGCONT. What pid reported before is a lower bound of
// what has to be found.
func (img *Image) Cut(pid int) string {
	img.t.Helper()
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		img.t.Fatal(err)
	}
	img.awaitStop(pid)
	img.cuts++
	copied := fmt.Sprintf("%s-%d", img.file, img.cuts)
	img.copyAtOneMoment(copied)
	dir := fmt.Sprintf("%s-%d", img.mount, img.cuts)
	img.attach(copied, dir)
	return dir
}

// Discard unmounts and removes a directory that Cut returned, sooner than the cleanup does.
func (img *Image) Discard(dir string) {
	img.t.Helper()
	img.run("umount", dir)
	if err := os.Remove(img.file + strings.TrimPrefix(dir, img.mount)); err != nil {
		img.t.Error(err)
	}
}

// awaitStop returns when no thread of pid runs any more, not even in the kernel.
func (img *Image) awaitStop(pid int) {
	for {
		running := false
		threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
		if err != nil || len(threads) == 0 {
			img.t.Fatalf("process %d is gone before the cut (%v)", pid, err)
		}
		for _, thread := range threads {
			stat, err := os.ReadFile(thread)
			if err != nil {
				continue // it ended
			}
			fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
			running = running || !bytes.Contains([]byte("TtZX"), fields[0])
		}
		if !running {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// copyAtOneMoment copies the image while its device neither writes nor has
// writes under way, and tries again when it did: the kernel may be writing back.
func (img *Image) copyAtOneMoment(to string) {
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		before := img.activity()
		img.run("cp", "--sparse=always", img.file, to)
		if after := img.activity(); before == after && before.inFlight == "0" {
			return
		}
	}
	img.t.Fatal("the image's device does not come to rest")
}

// activity is what the device has written.
type activity struct{ requests, sectors, inFlight string }

func (img *Image) activity() activity {
	stat, err := os.ReadFile(filepath.Join("/sys/block", img.device, "stat"))
	fields := strings.Fields(string(stat))
	if err != nil || len(fields) < 9 {
		img.t.Fatalf("device %s: %q, %v", img.device, stat, err)
	}
	return activity{fields[4], fields[6], fields[8]}
}

func (img *Image) findDevice() string {
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		img.t.Fatal(err)
	}
	for _, line := range strings.Split(string(mounts), "\n") {
		if fields := strings.Fields(line); len(fields) > 1 && fields[1] == img.mount {
			return filepath.Base(fields[0])
		}
	}
	img.t.Fatalf("%s is not mounted", img.mount)
	return ""
}

// attach mounts a filesystem image, and skips the test where that is not possible.
func (img *Image) attach(file, dir string) {
	img.t.Helper()
	if err := os.Mkdir(dir, 0o700); err != nil {
		img.t.Fatal(err)
	}
	if out, err := exec.Command("mount", "-o", "loop", file, dir).CombinedOutput(); err != nil {
		if img.device == "" {
			img.t.Skipf("power cuts need loop devices: %v: %s", err, out)
		}
		img.t.Fatalf("mount %s: %v: %s", file, err, out)
	}
	img.t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil && !errors.Is(err, syscall.EINVAL) { // EINVAL: it is no mount any more
			img.t.Errorf("unmount %s: %v", dir, err)
		}
	})
}

func (img *Image) run(name string, args ...string) {
	img.t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		img.t.Fatalf("%s %s: %v: %s", name, strings.Join(args, " "), err, out)
	}
}
