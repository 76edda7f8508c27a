package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// TestCommitSyncsBeforeItAnswers watches the system calls of a hub during a push: between
// the last byte of the commit's request, which brings the last blob, and the first of
// its answer, the logs that hold blobs are synced, then the metadata.
func TestCommitSyncsBeforeItAnswers(t *testing.T) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("strace is not installed")
	}
	dir := t.TempDir()
	program := filepath.Join(dir, "bin", "dfs")
	linkProgram(t, program)
	src := filepath.Join(dir, "src")
	if err := os.Mkdir(src, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(src, "file"), []byte(strings.Repeat("to be durable ", 1000)), 0o644); err != nil {
		t.Fatal(err)
	}
	env := []string{"HOME=" + dir, "PATH=" + os.Getenv("PATH")}
	hub, err := startHub(filepath.Dir(program), env, "--data", filepath.Join(dir, "hub"))
	if err != nil {
		t.Fatal(err)
	}
	defer hub.stop()
	log := filepath.Join(dir, "log")
	watch := exec.Command(strace, "-f", "-y", "-s", "64", "-o", log, "-e", "trace=read,write,fsync,fdatasync,msync", "-p", strconv.Itoa(hub.cmd.Process.Pid))
	attached, err := watch.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := watch.Start(); err != nil {
		t.Fatal(err)
	}
	if n, err := attached.Read(make([]byte, 200)); err != nil {
		t.Skipf("strace cannot attach here: %d, %v", n, err)
	}
	push := exec.Command(program, "push", src, "--hub", hub.url, "--volume", "v", "--compression", "off")
	push.Env = env
	if out, err := push.CombinedOutput(); err != nil {
		t.Fatalf("push: %v\n%s", err, out)
	}
	if err := watch.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	watch.Wait()
	trace, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	checkCommitTrace(t, string(trace))
}

func checkCommitTrace(t *testing.T, trace string) {
	t.Helper()
	request := strings.Index(trace, "/api/sync/commit") // the first letter may come in a read of its own
	if request < 0 {
		t.Fatalf("no commit in the trace:\n%s", trace)
	}
	rest := trace[request:]
	answer := strings.Index(rest, `"HTTP/1.1 200 OK`)
	if answer < 0 {
		t.Fatalf("no answer after the commit:\n%s", rest)
	}
	during := rest[:answer]
	last := 0
	for _, log := range []string{"vlog", "mem"} {
		found := regexp.MustCompile(`fsync\(\d+<[^>]*/blobs/\d+\.` + log + `>`).FindStringIndex(during)
		if found == nil {
			t.Fatalf("no sync of a .%s between the commit's request and its answer:\n%s", log, during)
		}
		last = max(last, found[1])
	}
	if !strings.Contains(during[last:], "msync(") {
		t.Errorf("no sync of the metadata between that of the blobs and the answer:\n%s", during)
	}
	for line := range strings.Lines(during) {
		t.Log(strings.TrimSpace(line))
	}
}
