package bench

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// logged writes a log of strace.
func logged(t *testing.T, lines ...string) syncLog {
	t.Helper()
	path := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return syncLog(path)
}

// holdsOrder fails where a proof is not found, or is found and should not be.
func holdsOrder(t *testing.T, what, proof string, err error, says string) {
	t.Helper()
	if says == "" && (err != nil || proof == "") || says != "" && (err == nil || !strings.Contains(err.Error(), says)) {
		t.Errorf("%s: %q, error %v, want %q", what, proof, err, says)
	}
}

func TestSyncedBeforeRename(t *testing.T) {
	const (
		write  = `11 pwrite64(7</d/.tmp>, "abc"..., 3, 0) = 3`
		sync   = `12 fsync(7</d/.tmp>)               = 0`
		rename = `11 renameat2(5</d>, ".tmp", 5</d>, "a", RENAME_NOREPLACE) = 0`
	)
	for what, c := range map[string]struct {
		says  string
		lines []string
	}{
		"in order":                   {"", []string{write, sync, rename}},
		"all of the file system":     {"", []string{write, `12 syncfs(9</d>) = 0`, rename}},
		"no sync":                    {"before its content was synced", []string{write, rename}},
		"a sync that fails":          {"before its content was synced", []string{write, `12 fsync(7</d/.tmp>) = -1 EIO (Input/output error)`, rename}},
		"the sync of another":        {"before its content was synced", []string{write, `12 fsync(7</d/.other>) = 0`, rename}},
		"the sync is late":           {"before its content was synced", []string{write, rename, sync}},
		"written after the sync":     {"before its content was synced", []string{sync, write, rename}},
		"begun before the write":     {"before its content was synced", []string{`12 fsync(7</d/.tmp> <unfinished ...>`, write, `12 <... fsync resumed>) = 0`, rename}},
		"the sync ends too late":     {"before its content was synced", []string{write, `12 fsync(7</d/.tmp> <unfinished ...>`, rename, `12 <... fsync resumed>) = 0`}},
		"only started":               {"before its content was synced", []string{write, `12 sync_file_range(7</d/.tmp>, 0, 0, SYNC_FILE_RANGE_WRITE) = 0`, rename}},
		"a copy within the kernel":   {"before its content was synced", []string{`11 copy_file_range(6</d/old>, NULL, 7</d/.tmp>, NULL, 3, 0) = 3`, rename}},
		"a rename that fails":        {"0 of 1 files", []string{write, `11 renameat2(5</d>, ".tmp", 5</d>, "a", RENAME_NOREPLACE) = -1 EEXIST (File exists)`}},
		"nothing renamed":            {"0 of 1 files", []string{write, sync}},
		"what dfs keeps for itself":  {"0 of 1 files", []string{write, `11 renameat(5</d>, ".tmp", 6</d/.dfs>, "base") = 0`}},
		"outside, by absolute names": {"0 of 1 files", []string{write, `11 renameat(AT_FDCWD</w>, "/d/.tmp", AT_FDCWD</w>, "/e/a") = 0`}},
	} {
		proof, err := logged(t, c.lines...).syncedBeforeRename("/d", 1)
		holdsOrder(t, what, proof, err, c.says)
	}
}

func TestSyncedBeforeAnswer(t *testing.T) {
	const (
		request = `11 read(9<socket:[33]>, "POST /api/sync/commit HTTP/1.1\r\nHost: 1"..., 4096) = 500`
		sync    = `12 msync(0x7f00, 4096, MS_SYNC) = 0`
		answer  = `13 write(9<socket:[33]>, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n"..., 300) = 300`
	)
	for what, c := range map[string]struct {
		says  string
		lines []string
	}{
		"in order":                 {"", []string{request, sync, answer}},
		"a sign of life first":     {"", []string{request, `13 write(9<socket:[33]>, "HTTP/1.1 102 Processing\r\n\r\n", 27) = 27`, sync, answer}},
		"another is answered":      {"", []string{request, strings.Replace(answer, "33", "34", 1), sync, answer}},
		"no sync":                  {"answered before", []string{request, answer}},
		"a sync before":            {"answered before", []string{sync, request, answer}},
		"a sync after":             {"answered before", []string{request, answer, sync}},
		"the sync ends too late":   {"answered before", []string{request, `12 msync(0x7f00, 4096, MS_SYNC <unfinished ...>`, answer, `12 <... msync resumed>) = 0`}},
		"the second is not synced": {"answered before", []string{request, sync, answer, request, answer}},
		"no answer":                {"not answered", []string{request, sync}},
		"no commit":                {"no commit", []string{sync, answer}},
	} {
		proof, err := logged(t, c.lines...).syncedBeforeAnswer()
		holdsOrder(t, what, proof, err, c.says)
	}
}
