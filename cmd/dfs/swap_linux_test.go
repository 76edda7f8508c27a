package main

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// swapper exchanges directories of a replica for symlinks to directories of the same
// content that are none of dfs's business, and back, as fast as it can.
type swapper struct {
	t       *testing.T
	dir     string // the replica
	outside string // where the symlinks wait
	swapped []string
	rounds  int
}

// during swaps while fn runs.
func (s *swapper) during(rng *rand.Rand, fn func()) {
	var stop atomic.Bool
	var done sync.WaitGroup
	done.Go(func() {
		for !stop.Load() {
			at := rng.IntN(len(s.swapped))
			s.exchange(at)
			stay(rng)
			s.exchange(at)
			stay(rng)
			s.rounds++
		}
	})
	fn()
	stop.Store(true)
	done.Wait()
}

func (s *swapper) exchange(at int) {
	link, dir := filepath.Join(s.outside, fmt.Sprint(at)), filepath.Join(s.dir, s.swapped[at])
	if err := unix.Renameat2(unix.AT_FDCWD, link, unix.AT_FDCWD, dir, unix.RENAME_EXCHANGE); err != nil {
		s.t.Errorf("exchange of %s and %s: %v", link, dir, err)
	}
}

// stay passes a time that may be nothing or several system calls of somebody else.
func stay(rng *rand.Rand) {
	for n := rng.IntN(1 << rng.IntN(18)); n > 0; n-- {
		runtime.KeepAlive(n)
	}
}

// swapTree writes one of the two states of the volume, in the directories that are
// swapped and beside them.
func swapTree(t *testing.T, dir string, dirs []string, odd int) {
	t.Helper()
	for _, d := range dirs {
		at := filepath.Join(dir, d)
		check(t, os.MkdirAll(filepath.Join(at, "sub"), 0o755))
		for i := range 6 {
			write := func(name string, mode fs.FileMode) {
				path := filepath.Join(at, name)
				check(t, os.RemoveAll(path))
				check(t, os.WriteFile(path, []byte(fmt.Sprintf("%s in state %d", name, odd)), mode))
			}
			write(fmt.Sprint("replaced", i), 0o644)
			write(fmt.Sprint("sub/replaced", i), 0o644)
			check(t, os.Chmod(filepath.Join(at, fmt.Sprint("chmod", i)), fs.FileMode(0o600+odd*0o44)))
			for _, name := range []string{"only", "sub/only"} {
				check(t, os.RemoveAll(filepath.Join(at, fmt.Sprint(name, i, 1-odd))))
				write(fmt.Sprint(name, i, odd), 0o644)
			}
			link := filepath.Join(at, fmt.Sprint("link", i))
			os.Remove(link)
			check(t, os.Symlink(fmt.Sprint("target", odd), link))
			turn := filepath.Join(at, fmt.Sprint("turn", i))
			check(t, os.RemoveAll(turn))
			if odd == 1 {
				check(t, os.Mkdir(turn, 0o755))
			}
			write(fmt.Sprint("turn", i, strings.Repeat("/in", odd)), 0o644)
		}
		check(t, os.RemoveAll(filepath.Join(at, fmt.Sprint("tree", 1-odd))))
		check(t, os.MkdirAll(filepath.Join(at, fmt.Sprint("tree", odd), "of/directories"), 0o755))
		check(t, os.Chmod(filepath.Join(at, "sub"), fs.FileMode(0o755-odd*0o50)))
	}
}

// canaryState is describe with the time of the last change of each entry, which nothing
// puts back.
func canaryState(t *testing.T, dir string) map[string]string {
	t.Helper()
	all, err := describe(dir)
	check(t, err)
	all["/"] = ""
	for name := range all {
		var st unix.Stat_t
		check(t, unix.Lstat(filepath.Join(dir, name), &st))
		all[name] += fmt.Sprintf(", last changed at %d.%09d, %d links", st.Ctim.Sec, st.Ctim.Nsec, st.Nlink)
	}
	return all
}

// TestSwappedParents: while a pull works in directories, these become symlinks to others and directories
// again. Nothing is written there, be it outside the root or elsewhere in it, and nothing outside is
// even opened. DFS_SWAPS sets how often that is, at least.
func TestSwappedParents(t *testing.T) {
	rng, _ := seeded(t)
	h := newHome(t, "http")
	src, dst, canary := h.path("src"), h.path("dst"), h.path("canary")
	s := &swapper{t: t, dir: dst, outside: h.path("links"), swapped: []string{"one", "two", "three", "deep/four", "deep/five", "deep/six"}}
	inner := filepath.Join(dst, "inner") // of b alone: dfs knows nothing of it
	for _, at := range []string{src, canary, inner} {
		for _, d := range s.swapped {
			check(t, os.MkdirAll(filepath.Join(at, d), 0o755))
			for i := range 6 {
				check(t, os.WriteFile(filepath.Join(at, d, fmt.Sprint("chmod", i)), []byte("as it was"), 0o666))
			}
		}
		swapTree(t, at, s.swapped, 0)
	}
	check(t, os.Mkdir(s.outside, 0o755))
	for i, d := range s.swapped {
		up := strings.Repeat("../", strings.Count(d, "/"))
		target := []string{filepath.Join(canary, d), up + "../canary/" + d, up + "inner/" + d}[i%3]
		check(t, os.Symlink(target, filepath.Join(s.outside, fmt.Sprint(i))))
	}
	h.push(0, src, "v")
	h.pull(0, dst, "v")
	before, innerBefore := canaryState(t, canary), canaryState(t, inner)
	opened := watchOpened(t, canary)
	s.run(h, src, rng)
	if names := opened(); len(names) > 0 {
		t.Errorf("a pull came to %q in the tree outside", names)
	}
	compareTrees(t, "the tree outside", canaryState(t, canary), before)
	compareTrees(t, "the tree elsewhere in the root", canaryState(t, inner), innerBefore)
}

// run pulls one state after the other beside the swapper, on a kernel that knows openat2 and
// on one that does not.
func (s *swapper) run(h *home, src string, rng *rand.Rand) {
	swaps := amount("DFS_SWAPS", 1000)
	pulls, applied, codes, began := 0, int64(0), map[int]int{}, time.Now()
	for (s.rounds < swaps || pulls < swaps/40) && !s.t.Failed() {
		pulls++
		swapTree(s.t, src, s.swapped, pulls%2)
		h.push(0, src, "v")
		var o *outcome
		s.during(rng, func() { o = []*home{h, h.old()}[pulls/2%2].run("pull", s.dir) })
		codes[o.code]++
		applied += o.sum.Added + o.sum.Modified + o.sum.Deleted - int64(len(o.paths["problem"]))
		switch o.code {
		case exitDone, exitIncomplete, exitConflicts:
		default:
			s.t.Errorf("pull exits with %d: %s", o.code, o.failure)
		}
	}
	if applied <= 0 {
		s.t.Error("no pull changed anything")
	}
	s.t.Logf("%d pulls beside %d swaps in %.1f s; exits %v; about %d changes applied", pulls, s.rounds, time.Since(began).Seconds(), codes, applied)
}

// watchOpened returns a function that returns what was opened or changed below dir since.
func watchOpened(t *testing.T, dir string) func() []string {
	t.Helper()
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	check(t, err)
	t.Cleanup(func() { unix.Close(fd) })
	names := map[int32]string{}
	check(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			var wd int
			wd, err = unix.InotifyAddWatch(fd, path, unix.IN_ALL_EVENTS)
			names[int32(wd)] = path
		}
		return err
	}))
	all := func() (found []string) {
		buf := make([]byte, 64<<10)
		for {
			n, err := unix.Read(fd, buf)
			if err != nil {
				return found
			}
			for _, e := range parseEvents(buf[:n]) {
				found = append(found, fmt.Sprintf("%s %x", filepath.Join(names[e.wd], e.name), e.mask))
			}
		}
	}
	all() // of the walk itself
	return all
}
