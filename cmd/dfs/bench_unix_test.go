//go:build unix

package main

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestBenchInterrupted: a benchmark that is told to end, also by a terminal that is closed, removes
// what it made, keeps former results, and promises nothing that does not hold.
func TestBenchInterrupted(t *testing.T) {
	// Else who began the tests with nohup had the benchmark ignore it, too.
	heard := make(chan os.Signal, 1)
	signal.Notify(heard, syscall.SIGHUP)
	defer signal.Stop(heard)
	for _, end := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		work, out := t.TempDir(), t.TempDir()
		if err := os.WriteFile(filepath.Join(out, "results.json"), []byte("former"), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("dfs", "bench", "--workload", "deep", "--peer=", "--dir", work, "--out", out)
		cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
		stderr, err := cmd.StderrPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		var said []string
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			if said = append(said, lines.Text()); len(said) == 1 {
				cmd.Process.Signal(end)
			}
		}
		err = cmd.Wait()
		var exit *exec.ExitError
		if text := strings.Join(said, "\n"); !errors.As(err, &exit) || exit.ExitCode() != exitInterrupted || !strings.Contains(text, "removing "+work) ||
			strings.Contains(text, "go on") || !strings.Contains(text, "begins anew") {
			t.Errorf("%v: %v\n%s", end, err, text)
		}
		holds(t, work, nil)
		holds(t, out, map[string]string{"results.json": "former"})
	}
}
