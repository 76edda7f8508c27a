package measure

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestMain makes this binary the commands that the tests run.
func TestMain(m *testing.M) {
	switch os.Getenv("MEASURE_TEST") {
	case "":
		os.Exit(m.Run())
	case "take":
		takeMemory()
	case "child":
		os.Setenv("MEASURE_TEST", "take")
		if err := exec.Command(os.Args[0]).Run(); err != nil {
			os.Exit(9)
		}
	case "print":
		os.Stdout.Write(append(bytes.Repeat([]byte("x"), 200_000), "the end"...))
		os.Stderr.WriteString(os.Getenv("MEASURE_WORD"))
		os.Exit(3)
	case "brief":
		b := make([]byte, taken)
		for i := 0; i < len(b); i += 1024 {
			b[i]++
		}
		runtime.KeepAlive(b)
	case "start":
		cmd := exec.Command(os.Args[0])
		cmd.Env, cmd.Stdout = append(os.Environ(), "MEASURE_TEST=hang"), os.Stdout
		EndWithUs(cmd)
		if err := cmd.Start(); err != nil {
			os.Exit(9)
		}
		os.Stdout.WriteString("started")
		select {}
	case "hang":
		time.Sleep(time.Hour)
	}
}

const taken = 64 << 20

// takeMemory holds memory for longer than some samples, and works.
func takeMemory() {
	b := make([]byte, taken)
	touch := func() {
		for i := 0; i < len(b); i += 1024 {
			b[i]++
		}
	}
	touch()
	for end := time.Now().Add(300 * time.Millisecond); time.Now().Before(end); {
		touch()
	}
	runtime.KeepAlive(b)
}

func run(t *testing.T, what string) Usage {
	t.Helper()
	u, err := Run(t.Context(), []string{os.Args[0]}, append(os.Environ(), "MEASURE_TEST="+what, "MEASURE_WORD=word"), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// TestRun looks at memory and CPU of a command and of a command's child.
func TestRun(t *testing.T) {
	for _, what := range []string{"take", "child"} {
		u := run(t, what)
		if u.Exit != 0 || u.Wall < 0.3 || u.User+u.Sys <= 0 {
			t.Errorf("%s: %+v", what, u)
		}
		if runtime.GOOS == "linux" && (u.PeakAnon < taken || u.PeakRSS < u.PeakAnon || u.PeakRSS > 4*taken) {
			t.Errorf("%s took %d, and %d anonymous and %d resident bytes were seen", what, taken, u.PeakAnon, u.PeakRSS)
		}
	}
}

// TestRunBriefly: the peak of a command that ends as soon as it has taken its memory is told, and
// that of this process, which is greater, is not taken for it.
func TestRunBriefly(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs /proc")
	}
	u := run(t, "brief")
	if u.PeakRSS < taken || u.PeakRSS > 4*taken {
		t.Errorf("took %d, and %d resident bytes were seen", taken, u.PeakRSS)
	}
	b := make([]byte, 4*taken)
	for i := 0; i < len(b); i += 1024 {
		b[i]++
	}
	if u := run(t, "print"); u.PeakRSS >= taken {
		t.Errorf("a small command is said to have taken %d", u.PeakRSS)
	}
	runtime.KeepAlive(b)
	if u, err := Run(t.Context(), []string{"true"}, nil, ""); err != nil || u.PeakAnon > u.PeakRSS {
		t.Errorf("%+v, %v", u, err)
	}
}

func TestInterval(t *testing.T) {
	for watched, want := range map[time.Duration]time.Duration{0: time.Millisecond, 80 * time.Millisecond: 10 * time.Millisecond, time.Hour: 20 * time.Millisecond} {
		if got := interval(watched); got != want {
			t.Errorf("after %v the next look is in %v, want %v", watched, got, want)
		}
	}
}

func TestRunOutput(t *testing.T) {
	u := run(t, "print")
	if u.Exit != 3 || string(u.Stderr) != "word" {
		t.Errorf("exit %d, said %q", u.Exit, u.Stderr)
	}
	if len(u.Stdout) != 64<<10 || !bytes.HasSuffix(u.Stdout, []byte("xthe end")) {
		t.Errorf("%d bytes of output were kept", len(u.Stdout))
	}
}

func TestRunFails(t *testing.T) {
	if _, err := Run(t.Context(), nil, nil, ""); err == nil {
		t.Error("ran no command")
	}
	if _, err := Run(t.Context(), []string{filepath.Join(t.TempDir(), "none")}, nil, ""); err == nil {
		t.Error("ran a command that does not exist")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := Run(ctx, []string{os.Args[0]}, append(os.Environ(), "MEASURE_TEST=hang"), ""); err == nil {
		t.Error("a command that was ended is no error")
	}
}

// TestEndWithUs kills a process and sees what it has started end: nobody has its output open any more.
func TestEndWithUs(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux does that")
	}
	output, input, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer output.Close()
	cmd := exec.Command(os.Args[0])
	cmd.Env, cmd.Stdout = append(os.Environ(), "MEASURE_TEST=start"), input
	if err := errors.Join(cmd.Start(), input.Close(), output.SetReadDeadline(time.Now().Add(20*time.Second))); err != nil {
		t.Fatal(err)
	}
	said := make([]byte, len("started"))
	if _, err := io.ReadFull(output, said); err != nil {
		t.Fatal(err)
	}
	cmd.Process.Kill()
	cmd.Wait()
	if _, err := io.ReadAll(output); err != nil {
		t.Errorf("what it had started goes on: %v", err)
	}
}

func TestTail(t *testing.T) {
	w := new(tail)
	var all []byte
	for i := range 3000 {
		p := bytes.Repeat([]byte(strconv.Itoa(i)), i%97)
		all = append(all, p...)
		if n, err := w.Write(p); n != len(p) || err != nil {
			t.Fatal(n, err)
		}
		if !bytes.Equal(w.b, all[max(0, len(all)-64<<10):]) {
			t.Fatalf("after %d writes another end was kept", i)
		}
	}
}

// TestWatch watches a process that works, and goes on after it has ended.
func TestWatch(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs /proc")
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "MEASURE_TEST=take")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w := Start(cmd.Process.Pid)
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	user, sys, anon, rss := w.Stop()
	if user+sys <= 0 || anon < taken || rss < anon {
		t.Errorf("saw %.2f+%.2f CPU seconds, %d anonymous and %d resident bytes", user, sys, anon, rss)
	}
	if user, sys, anon, rss := Start(cmd.Process.Pid).Stop(); user+sys != 0 || anon+rss != 0 {
		t.Error("saw a process that has ended")
	}
}

// TestDiscard holds that large files lose their content only where they have
// no other name, and that trees of one name do not meet.
func TestDiscard(t *testing.T) {
	root := t.TempDir()
	dir, other := filepath.Join(root, "tree"), filepath.Join(root, "other")
	large := strings.Repeat("x", 1<<20)
	for range 2 {
		if err := os.MkdirAll(filepath.Join(dir, "sub"), 0o755); err != nil {
			t.Fatal(err)
		}
		for name, data := range map[string]string{"sub/large": large, "linked": large, "small": "x"} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		os.Remove(other)
		if err := os.Link(filepath.Join(dir, "linked"), other); err != nil {
			t.Skip(err)
		}
		if err := Discard(dir); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(dir); err == nil {
			t.Error("the tree is still there")
		}
	}
	if info, err := os.Stat(other); err != nil || info.Size() != 1<<20 {
		t.Errorf("what has another name was changed: %v", err)
	}
	if runtime.GOOS != "windows" {
		if n, err := Blocks(filepath.Join(root, trash)); err != nil || n >= 3<<20 {
			t.Errorf("the trash takes %d bytes, %v", n, err)
		}
	}
	if err := Discard(dir); err != nil {
		t.Errorf("discarding what is not there: %v", err)
	}
	if err := EmptyTrash(root); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(root); err != nil || len(left) != 1 {
		t.Errorf("left %v, %v", left, err)
	}
}

func TestBlocks(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	if err := os.WriteFile(path, make([]byte, 1<<20), 0o644); err != nil {
		t.Fatal(err)
	}
	one, err := Blocks(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Link(path, filepath.Join(dir, "b")); err != nil {
		t.Skip(err)
	}
	two, err := Blocks(dir)
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" && two != one {
		t.Errorf("%d bytes, and %d with a second name", one, two)
	}
	if _, err := Blocks(filepath.Join(dir, "none")); err == nil {
		t.Error("no error for what is not there")
	}
}

func TestSummarize(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   Stats
	}{
		{nil, Stats{}},
		{[]float64{0}, Stats{N: 1}},
		{[]float64{2}, Stats{1, 2, 2, 2, 0}},
		{[]float64{3, 1, 2}, Stats{3, 1, 2, 3, 1}},
		{[]float64{4, 1, 2, 8}, Stats{4, 1, 3, 8, 7.0 / 3}},
	} {
		if got := Summarize(c.values); got != c.want {
			t.Errorf("%v: %+v, want %+v", c.values, got, c.want)
		}
	}
}
