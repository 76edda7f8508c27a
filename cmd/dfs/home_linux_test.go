package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"dfs/client"
)

// home is an installation with its hub. dfs runs in it as a user runs it.
type home struct {
	t       *testing.T
	dir     string
	program string
	env     []string
	hub     string   // what --hub takes
	within  []string // a command that dfs is run by
	start   func(*exec.Cmd) error
}

// eachHub runs a test with a hub in process and with one behind HTTP.
func eachHub(t *testing.T, test func(t *testing.T, h *home)) {
	for _, kind := range []string{"local", "http"} {
		t.Run(kind, func(t *testing.T) { test(t, newHome(t, kind)) })
	}
}

func newHome(t *testing.T, kind string) *home {
	t.Helper()
	dir := t.TempDir()
	removable(t, dir)
	h := &home{t: t, dir: dir, program: filepath.Join(dir, "bin", "dfs"), hub: filepath.Join(dir, "hub"), start: (*exec.Cmd).Start}
	h.env = []string{"HOME=" + dir, "PATH=" + os.Getenv("PATH"), "GORACE=atexit_sleep_ms=0"} // built with -race it would else end a second late
	linkProgram(t, h.program)
	if kind == "local" {
		return h
	}
	s, err := startHub(filepath.Dir(h.program), h.env, "--data", h.hub)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Error(err)
		}
	})
	h.hub = s.url
	return h
}

// removable has whoever runs the test be able to remove what it leaves in dir.
func removable(t *testing.T, dir string) {
	t.Cleanup(func() {
		if os.Geteuid() == 0 {
			return
		}
		filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				os.Chmod(path, 0o700)
			}
			return nil
		})
	})
}

// path returns the path of something in the home's directory.
func (h *home) path(name string) string { return filepath.Join(h.dir, name) }

// bounded returns the same home with root's power to read and write everything dropped.
func (h *home) bounded() *home {
	b := *h
	if os.Geteuid() == 0 {
		b.within = []string{"setpriv", "--bounding-set", "-dac_override,-dac_read_search"}
	}
	return &b
}

// old returns the same home on a kernel that does not know openat2.
func (h *home) old() *home {
	o := *h
	o.start = startWithoutOpenat2
	return &o
}

// startWithoutOpenat2 starts cmd from a thread, which then ends, that has the system
// refuse the call.
func startWithoutOpenat2(cmd *exec.Cmd) error {
	ended := make(chan error)
	go func() {
		runtime.LockOSThread()
		filter := []unix.SockFilter{
			{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0}, // the call's number
			{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.SYS_OPENAT2, Jf: 1},
			{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)},
			{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
		}
		program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
		err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
		if err == nil {
			err = unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&program)), 0, 0)
		}
		if err == nil {
			err = cmd.Start()
		}
		ended <- err
	}()
	return <-ended
}

// outcome is what a run of dfs came to.
type outcome struct {
	args    []string
	code    int
	output  string
	paths   map[string][]string // by type of line: problem, conflict, kept, skipped
	sum     client.Summary
	failure string // the message of the error that ended it
}

// run runs dfs with --json. It may be called from any goroutine.
func (h *home) run(args ...string) *outcome {
	command := append(slices.Clone(h.within), h.program)
	command = append(command, args...)
	command = append(command, "--json")
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = h.env
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := h.start(cmd)
	if err == nil {
		cmd.Wait()
	}
	if cmd.ProcessState == nil {
		h.t.Errorf("%v: %v", command, err)
		return &outcome{code: -1}
	}
	o := &outcome{args: args, code: cmd.ProcessState.ExitCode(), paths: map[string][]string{}}
	o.output = stdout.String() + stderr.String()
	if err := o.parse(&stdout); err != nil {
		h.t.Errorf("%v: %v\n%.4000s", command, err, o.output)
	}
	return o
}

func (o *outcome) parse(lines io.Reader) error {
	s := bufio.NewScanner(lines)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		var line struct {
			Type    string
			Path    any
			Message string
		}
		if err := json.Unmarshal(s.Bytes(), &line); err != nil {
			return err
		}
		if line.Type == "error" {
			o.failure = line.Message
		}
		if line.Type == "summary" {
			if err := json.Unmarshal(s.Bytes(), &o.sum); err != nil {
				return err
			}
		}
		name, err := pathOf(line.Path)
		if err != nil {
			return err
		}
		o.paths[line.Type] = append(o.paths[line.Type], name)
	}
	return s.Err()
}

// pathOf reads a path as --json writes it.
func pathOf(value any) (string, error) {
	var b []byte
	switch v := value.(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	case map[string]any:
		text, err := json.Marshal(v["bytes"])
		if err == nil {
			err = json.Unmarshal(text, &b)
		}
		return string(b), err
	}
	return "", fmt.Errorf("%v is no path", value)
}

// exits runs dfs and requires its exit code.
func (h *home) exits(code int, args ...string) *outcome {
	h.t.Helper()
	o := h.run(args...)
	if o.code != code {
		h.t.Fatalf("dfs %.200q exits with %d, want %d\n%.4000s", args, o.code, code, o.output)
	}
	return o
}

// push pushes dir, a replica of volume.
func (h *home) push(code int, dir, volume string) *outcome {
	h.t.Helper()
	return h.exits(code, "push", dir, "--hub", h.hub, "--volume", volume)
}

// pull pulls to dir, a replica of volume.
func (h *home) pull(code int, dir, volume string) *outcome {
	h.t.Helper()
	return h.exits(code, "pull", dir, "--hub", h.hub, "--volume", volume)
}

// requirePaths requires lines of a type for exactly these paths.
func (o *outcome) requirePaths(t *testing.T, kind string, want ...string) {
	t.Helper()
	got := slices.Sorted(slices.Values(o.paths[kind]))
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("dfs %.100q names as %s %.2000q, want %.2000q", o.args, kind, got, want)
	}
}

// compareTrees reports each path whose description differs.
func compareTrees(t *testing.T, what string, got, want map[string]string) {
	t.Helper()
	all := maps.Clone(got)
	maps.Copy(all, want)
	reported := 0
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if got[name] == want[name] {
			continue
		}
		if reported++; reported > 20 {
			t.Errorf("%s: and others", what)
			return
		}
		t.Errorf("%s: %.300q is\n  %.300s, want\n  %.300s", what, name, got[name], want[name])
	}
}

// seeded returns the run's random numbers: DFS_SEED repeats a run.
func seeded(t *testing.T) (*rand.Rand, uint64) {
	t.Helper()
	seed := rand.Uint64()
	if n, err := strconv.ParseUint(os.Getenv("DFS_SEED"), 10, 64); err == nil {
		seed = n
	}
	t.Logf("DFS_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0)), seed
}

// amount returns the environment's number of that name, or what goes without.
func amount(name string, without int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return without
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// inventory is describe for trees of any depth with files of any size: it goes from
// directory to directory, and reads no hole.
func inventory(t *testing.T, dir string) map[string]string {
	t.Helper()
	root, err := os.OpenRoot(dir)
	check(t, err)
	defer root.Close()
	all := map[string]string{}
	check(t, takeInventory(root, "", all))
	return all
}

func takeInventory(d *os.Root, at string, all map[string]string) error {
	entries, err := fs.ReadDir(d.FS(), ".")
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := path.Join(at, e.Name())
		if e.Name() == ".dfs" {
			continue
		}
		if all[name], err = describeEntry(d, e.Name()); err != nil {
			return err
		}
		if !e.IsDir() {
			continue
		}
		below, err := d.OpenRoot(e.Name())
		if err != nil {
			return err
		}
		err = takeInventory(below, name, all)
		below.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// describeEntry tells kind, permissions, time and content of an entry.
func describeEntry(d *os.Root, name string) (string, error) {
	info, err := d.Lstat(name)
	if err != nil {
		return "", err
	}
	what := fmt.Sprintf("%v %v %v", info.Mode().Type(), info.Mode().Perm(), info.ModTime().UTC())
	switch {
	case info.Mode().IsRegular():
		f, err := d.Open(name)
		if err != nil {
			return "", err
		}
		defer f.Close()
		sum, err := sumOfFile(f, info.Size())
		return fmt.Sprintf("%s %d bytes %x", what, info.Size(), sum), err
	case info.Mode()&fs.ModeSymlink != 0:
		target, err := d.Readlink(name)
		return fmt.Sprintf("%s -> %q", what, target), err
	}
	return what, nil
}

const sumBlock = 4096

var sumSeed = maphash.MakeSeed()

// sumOfBlock is what the block that begins at off adds to the sum of a file. A
// block of zeros adds nothing, like a hole.
func sumOfBlock(off int64, block []byte) uint64 {
	if !slices.ContainsFunc(block, func(b byte) bool { return b != 0 }) {
		return 0
	}
	var h maphash.Hash
	h.SetSeed(sumSeed)
	h.Write(binary.LittleEndian.AppendUint64(nil, uint64(off)))
	h.Write(block)
	return h.Sum64()
}

// sumOfFile sums the blocks of f that are no hole.
func sumOfFile(f *os.File, size int64) (sum uint64, err error) {
	var buf []byte
	for end, done := int64(0), int64(0); end < size; {
		begin, err := f.Seek(end, unix.SEEK_DATA)
		if errors.Is(err, syscall.ENXIO) {
			break
		}
		if err != nil {
			return 0, err
		}
		if end, err = f.Seek(begin, unix.SEEK_HOLE); err != nil {
			return 0, err
		}
		begin = max(done, begin/sumBlock*sumBlock)
		for off := begin; off < end; off = done {
			n := min((end-off+sumBlock-1)/sumBlock, 64) * sumBlock
			if n > int64(len(buf)) {
				buf = make([]byte, n)
			}
			read, err := f.ReadAt(buf[:n], off)
			if err != nil && err != io.EOF {
				return 0, err
			}
			for i := 0; i < read; i += sumBlock {
				sum += sumOfBlock(off+int64(i), buf[i:min(i+sumBlock, read)])
			}
			if done = off + n; err == io.EOF {
				break
			}
		}
	}
	return sum, nil
}
