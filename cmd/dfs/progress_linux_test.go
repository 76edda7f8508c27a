package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"dfs/client"
)

// openTerminal returns the two ends of a new pseudo-terminal.
func openTerminal(t *testing.T) (screen, tty *os.File) {
	t.Helper()
	screen, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { screen.Close() })
	if err := unix.IoctlSetPointerInt(int(screen.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(screen.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tty.Close() })
	if err := unix.IoctlSetWinsize(int(tty.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 100}); err != nil {
		t.Fatal(err)
	}
	return screen, tty
}

// TestProgressOnTerminal: progress is shown on a terminal, and gone in the end.
func TestProgressOnTerminal(t *testing.T) {
	screen, tty := openTerminal(t)
	o := output{stderr: tty}
	p := o.startProgress()
	p.report(client.Event{Phase: client.Scanning, Files: 5})
	p.report(client.Event{Phase: client.Scanning, Files: 1234})
	shown := bufio.NewReader(screen)
	line, err := shown.ReadString('\n')
	if err != nil || !strings.Contains(line, "scanning  1,234 files") {
		t.Errorf("the terminal shows %q, %v", line, err)
	}
	p.stop()
	fmt.Fprintln(tty, "end")
	for !strings.HasSuffix(strings.TrimSpace(line), "end") && err == nil {
		line, err = shown.ReadString('\n')
	}
	if line = strings.TrimSpace(line); strings.Contains(line, "scanning") {
		t.Errorf("the terminal still shows %q", line)
	}
}

// TestNoProgress: none is shown elsewhere, nor to those who do not want it.
func TestNoProgress(t *testing.T) {
	_, tty := openTerminal(t)
	file, err := os.Create(t.TempDir() + "/file")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for name, o := range map[string]output{
		"json": {stderr: tty, json: true}, "quiet": {stderr: tty, quiet: true}, "no progress": {stderr: tty, noProgress: true},
		"file": {stderr: file}, "buffer": {stderr: new(bytes.Buffer)},
	} {
		p := o.startProgress()
		p.report(client.Event{})
		if p.bar != nil {
			t.Errorf("%s: progress is shown", name)
		}
		p.stop()
	}
}
