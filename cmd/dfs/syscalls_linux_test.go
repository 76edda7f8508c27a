package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestNothingOpened: status and push over files that have not changed open none
// of them, and write nothing but the state. DFS_FILES sets how many files.
func TestNothingOpened(t *testing.T) {
	files := 3000
	if n, err := strconv.Atoi(os.Getenv("DFS_FILES")); err == nil {
		files = n
	}
	s := newSite(t)
	src := filepath.Join(s.dir, "src")
	writeMany(t, src, files)
	s.must(0, s.dfs("push", src))
	s.must(0, s.dfs("push", src)) // reads again what was written in the moment in which it was read
	before := inodes(t, src)
	for _, command := range []string{"status", "push"} {
		began := time.Now()
		o := s.must(0, s.traced([]string{"--seccomp-bpf", "-e", "trace=" + openCalls + "," + changeCalls}, command, src))
		t.Logf("%s of %d files: %.1f s under strace", command, files, time.Since(began).Seconds())
		checkUntouched(t, command, src, o.trace)
		if after := inodes(t, src); after != before {
			t.Errorf("%s: a mode, time or size in the tree is another", command)
		}
		if command == "push" {
			s.idle(o)
		}
	}
	edited := filepath.Join(src, "dir0", "file0")
	if err := os.WriteFile(edited, []byte("changed"), 0o644); err != nil {
		t.Fatal(err)
	}
	o := s.must(0, s.traced([]string{"--seccomp-bpf", "-e", "trace=" + openCalls}, "push", src))
	if opened := openedFiles(t, src, o.trace); len(opened) != 1 || opened[edited] == 0 {
		t.Errorf("push of one changed file opens %v", opened)
	}
}

const (
	openCalls   = "open,openat,openat2,creat"
	changeCalls = "write,pwrite64,writev,pwritev,pwritev2,ftruncate,truncate,fallocate,copy_file_range,sendfile," +
		"rename,renameat,renameat2,link,linkat,unlink,unlinkat,rmdir,mkdir,mkdirat,mknod,mknodat,symlink,symlinkat," +
		"chmod,fchmod,fchmodat,chown,fchown,fchownat,utimensat,utime,utimes,futimesat,setxattr,lsetxattr,fsetxattr"
)

func writeMany(t *testing.T, dir string, files int) {
	for i := range files {
		name := filepath.Join(dir, fmt.Sprint("dir", i/100), fmt.Sprint("file", i%100))
		if i%100 == 0 {
			if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(name, fmt.Append(nil, "content ", i), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// opening is a call that opened something, with what came of it.
var opening = regexp.MustCompile(`^\d+ +(?:open|openat|openat2|creat|<\.\.\. \w+ resumed>).* = \d+<([^>]*)>$`)

// openedFiles counts by name how often files of a tree were opened.
func openedFiles(t *testing.T, dir, trace string) map[string]int {
	t.Helper()
	opened, all := map[string]int{}, 0
	for line := range strings.Lines(trace) {
		m := opening.FindStringSubmatch(strings.TrimSpace(line))
		if m == nil {
			continue
		}
		all++
		if inTreeOf(dir, m[1]) && isFile(m[1]) {
			opened[m[1]]++
		}
	}
	if all == 0 {
		t.Fatalf("nothing was opened at all:\n%s", trace)
	}
	return opened
}

// inTreeOf reports whether path lies in a replica but not in its state.
func inTreeOf(dir, path string) bool {
	rest, in := strings.CutPrefix(path, dir)
	return in && !strings.HasPrefix(rest, "/.dfs/") && rest != "/.dfs"
}

// checkUntouched requires of a trace that no file of the tree was opened and nothing in it
// changed. Of a call that changes something the first descriptor or path in the tree counts.
func checkUntouched(t *testing.T, command, dir, trace string) {
	t.Helper()
	if opened := openedFiles(t, dir, trace); len(opened) > 0 {
		t.Errorf("%s opens %d files of the tree: %.300v", command, len(opened), opened)
	}
	change := regexp.MustCompile(`^\d+ +(?:` + strings.ReplaceAll(changeCalls, ",", "|") + `)\(`)
	place := regexp.MustCompile(`[<"](` + regexp.QuoteMeta(dir) + `[^>"]*)[>"]`)
	for line := range strings.Lines(trace) {
		if !change.MatchString(line) || strings.Contains(line, `, ".dfs", 0700`) {
			continue // or .dfs is made where it lacks
		}
		for _, m := range place.FindAllStringSubmatch(line, -1) {
			if inTreeOf(dir, m[1]) {
				t.Errorf("%s changes the tree: %s", command, line)
			}
		}
	}
}

// inodes describes all below dir but its state as one string: with the change times, which
// tell of every change.
func inodes(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Name() == ".dfs" {
			return filepath.SkipDir
		}
		var st unix.Stat_t
		if err == nil {
			err = unix.Lstat(path, &st)
		}
		fmt.Fprintln(&b, path, st.Ino, st.Mode, st.Size, st.Mtim, st.Ctim)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}
