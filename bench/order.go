package bench

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// The calls that are traced.
func syncNames() []string {
	return []string{"fsync", "fdatasync", "msync", "syncfs", "sync", "sync_file_range"}
}
func writeNames() []string {
	return []string{"write", "pwrite64", "writev", "pwritev", "copy_file_range"}
}
func renameNames() []string { return []string{"renameat", "renameat2"} }

// call is a system call that has ended. Strace lets no call begin before it has noted those that have
// ended: one whose ended is below another's began was over before the other did anything.
type call struct {
	name, args, result string
	began, ended       int // lines of the log
}

// calls reads the log. A call that others came between has two lines: "fsync(3 <unfinished ...>"
// and "<... fsync resumed>) = 0".
func (l syncLog) calls() (list []call, err error) {
	f, err := os.Open(string(l))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // strace has nothing to write yet
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	begins := regexp.MustCompile(`^(\d*) *(\w+)\((.*)$`)
	resumes := regexp.MustCompile(`^(\d*) *<\.\.\. (\w+) resumed>(.*)$`)
	open := map[string]call{} // by thread
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		var c call
		rest := ""
		if m := begins.FindStringSubmatch(lines.Text()); m != nil {
			rest, c = m[3], call{name: m[2], began: n}
			if head, more := strings.CutSuffix(rest, "<unfinished ...>"); more {
				c.args = head
				open[m[1]] = c
				continue
			}
		} else if m := resumes.FindStringSubmatch(lines.Text()); m != nil {
			rest, c = m[3], open[m[1]]
			if c.name != m[2] {
				continue // its begin is not in the log
			}
		}
		if i := strings.LastIndex(rest, ") "); i >= 0 {
			c.args += rest[:i]
			c.result, c.ended = strings.TrimPrefix(strings.TrimLeft(rest[i+1:], " "), "= "), n
			list = append(list, c)
		}
	}
	return list, lines.Err()
}

// first returns the path of the descriptor that is a call's first argument.
func (c call) first() string {
	_, path, _ := strings.Cut(c.args, "<")
	path, _, _ = strings.Cut(path, ">")
	return path
}

// syncs reports whether a call made the content of the file at path durable.
func (c call) syncs(path string) bool {
	switch {
	case c.result != "0":
		return false
	case c.name == "syncfs" || c.name == "sync":
		return true
	}
	return (c.name == "fsync" || c.name == "fdatasync") && c.first() == path
}

// syncedBeforeRename proves that each file that was written and then renamed into dir, of which
// there are so many, was synced after it was written and before it was renamed.
func (l syncLog) syncedBeforeRename(dir string, files int) (string, error) {
	calls, err := l.calls()
	if err != nil {
		return "", err
	}
	names := regexp.MustCompile(`^\S+<([^>]*)>, "([^"]*)", \S+<([^>]*)>, "([^"]*)"`)
	proven := 0
	for _, rename := range calls {
		m := names.FindStringSubmatch(rename.args)
		if !slices.Contains(renameNames(), rename.name) || rename.result != "0" || m == nil {
			continue
		}
		from, to := within(m[1], m[2]), within(m[3], m[4])
		inside, err := filepath.Rel(dir, to)
		if err != nil || !filepath.IsLocal(inside) || strings.HasPrefix(inside, ".dfs"+string(filepath.Separator)) {
			continue // what dfs keeps for itself
		}
		written := 0
		for _, c := range calls {
			if c.began < rename.began && slices.Contains(writeNames(), c.name) && strings.Contains(c.args, "<"+from+">") {
				written = max(written, c.ended)
			}
		}
		durable := func(c call) bool { return c.began > written && c.ended < rename.began && c.syncs(from) }
		if written > 0 && !slices.ContainsFunc(calls, durable) {
			return "", fmt.Errorf("%s got its name before its content was synced", to)
		}
		if written > 0 {
			proven++
		}
	}
	if proven != files {
		return "", fmt.Errorf("%d of %d files were seen to be synced before they got their names", proven, files)
	}
	return fmt.Sprintf("each of %d files was synced before it got its name", proven), nil
}

// within returns a name below a directory, or the name if it is absolute.
func within(dir, name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(dir, name)
}

// syncedBeforeAnswer proves that between each commit's request and its answer, of which there is at
// least one, something was synced.
func (l syncLog) syncedBeforeAnswer() (string, error) {
	calls, err := l.calls()
	if err != nil {
		return "", err
	}
	proven := 0
	for _, request := range calls {
		if request.name != "read" || !strings.Contains(request.args, `, "POST /api/sync/commit `) {
			continue
		}
		answer := slices.IndexFunc(calls, func(c call) bool {
			return c.began > request.ended && c.name == "write" && c.first() == request.first() && strings.Contains(c.args, `, "HTTP/1.1 200 `)
		})
		if answer < 0 {
			return "", errors.New("a commit was not answered")
		}
		durable := func(c call) bool {
			return c.began > request.ended && c.ended < calls[answer].began && c.result == "0" && slices.Contains(syncNames(), c.name) && c.name != "sync_file_range"
		}
		if !slices.ContainsFunc(calls, durable) {
			return "", errors.New("a commit was answered before the hub had synced")
		}
		proven++
	}
	if proven == 0 {
		return "", errors.New("no commit was seen")
	}
	return "the hub synced before it answered the commit", nil
}
