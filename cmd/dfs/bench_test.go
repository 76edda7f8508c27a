package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dfs/bench/report"
)

// TestBenchPlaces: relative places are meant from where the user is, not from where what is
// measured runs; those that are not given are not asked for.
func TestBenchPlaces(t *testing.T) {
	here := t.TempDir()
	t.Chdir(here)
	given := &benchFlags{dir: "w", out: "result", profiles: "p/q"}
	if err := given.absolute(); err != nil {
		t.Fatal(err)
	}
	for got, name := range map[string]string{given.dir: "w", given.out: "result", given.profiles: "p/q"} {
		if want := filepath.Join(here, name); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	t.Setenv("TMPDIR", "tmp")
	none := new(benchFlags)
	if err := none.absolute(); err != nil || !filepath.IsAbs(none.dir) || none.out != "" || none.profiles != "" {
		t.Errorf("%+v, %v", none, err)
	}
}

// benchCommand runs dfs bench with arguments and returns its exit code and all that it printed.
func benchCommand(t *testing.T, args ...string) (int, string) {
	t.Helper()
	var out bytes.Buffer
	code := Main(append([]string{"bench"}, args...), []string{"HOME=" + t.TempDir()}, strings.NewReader(""), &out, &out)
	return code, out.String()
}

// TestBenchUsage: what cannot be measured is refused at once, with what there is, and former
// results stay.
func TestBenchUsage(t *testing.T) {
	dir := t.TempDir()
	former := map[string]string{"results.json": "{}", "report.html": "page"}
	for name, text := range former {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ flags, says string }{
		{"--workload typo", "there are 1k-1gib, "},
		{"--workload=", "no workload is named"},
		{"--peer rsink", "there are rsync, "},
		{"--peer rsync,rsync", "named twice"},
		{"--scale NaN", "the scale NaN"},
		{"--scale Inf", "the scale +Inf"},
		{"--rounds 0", "0 rounds"},
		{"--rate 99999999999999", "rate from 0"},
		{"--memory 99999999999999999", "memory is from 0"},
		{"--touch 99999999999999999", "memory is from 0"},
		{"--rtt -1ms", "round trip"},
		{"no-argument", "takes no arguments"},
		{"--compare old new", "--compare measures nothing"}, // beside --out
	} {
		code, said := benchCommand(t, append(strings.Fields(c.flags), "--out", dir, "--dir", filepath.Join(dir, "none"))...)
		if code != exitUsage || !strings.Contains(said, c.says) {
			t.Errorf("%s: exit %d, want %q in:\n%s", c.flags, code, c.says, said)
		}
	}
	holds(t, dir, former)
}

// holds fails where a directory does not hold these files and no other.
func holds(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	names, err := os.ReadDir(dir)
	if err != nil || len(names) != len(files) {
		t.Errorf("%s: %v, %v, want %d files", dir, names, err, len(files))
	}
	for name, want := range files {
		if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !strings.Contains(string(got), want) {
			t.Errorf("%s: %q, %v, want %q", name, got, err, want)
		}
	}
}

// TestResults: former results are replaced by what was measured, also if that is not all, and
// never by nothing.
func TestResults(t *testing.T) {
	one := report.Record{Workload: "w", Operation: "o", Tool: "dfs", Wall: 1}
	missing := report.Record{Workload: "w", Operation: "o", Tool: "borg", Failed: "missing"}
	for _, c := range []struct {
		name    string
		records []report.Record
		all     bool
		keeps   bool
	}{
		{"nothing", nil, false, false},
		{"only what cannot be measured", []report.Record{missing}, false, false},
		{"a part", []report.Record{missing, one}, false, true},
		{"all, which cannot be measured", []report.Record{missing}, true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "new")
			for _, want := range []string{"former", "tool"} {
				r, err := newResults(dir)
				if err != nil {
					t.Fatal(err)
				}
				records, all := c.records, c.all
				if want == "former" {
					records, all = []report.Record{{Workload: "former", Tool: "former"}}, true
				}
				for _, rec := range records {
					if err := report.WriteJSON(r.lines(), rec); err != nil {
						t.Fatal(err)
					}
				}
				if err := r.keep(report.Set{Records: records}, all); err != nil {
					t.Fatal(err)
				}
				if !c.keeps {
					want = "former"
				}
				holds(t, dir, map[string]string{"results.json": want, "report.html": want})
			}
		})
	}
	none, err := newResults("")
	if err != nil || none.lines() != nil || none.keep(report.Set{}, true) != nil {
		t.Errorf("results that nobody asked for: %v", err)
	}
}

// TestBenchCompare: two files, and nothing else; what cannot be compared is no "nothing got slower".
func TestBenchCompare(t *testing.T) {
	t.Chdir(t.TempDir())
	const line = `{"type":"run","workload":"w","operation":"push","tool":"dfs","wall":%WALL%}`
	for name, text := range map[string]string{
		"old": strings.ReplaceAll(line, "%WALL%", "1"), "slow": strings.ReplaceAll(line, "%WALL%", "2"), "minus": strings.ReplaceAll(line, "%WALL%", "-1"),
		"other": strings.ReplaceAll(strings.ReplaceAll(line, "%WALL%", "1"), "push", "pull"), "foo": `{"foo":1}`, "empty": "",
	} {
		if err := os.WriteFile(name, []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		args string
		code int
		says string
	}{
		{"old old", exitDone, "Nothing got slower"},
		{"old slow", exitFailed, "Slower beyond the noise"},
		{"old other", exitFailed, "no row in common"},
		{"old foo", exitFailed, "foo: no results are in it"},
		{"empty old", exitFailed, "empty: no results are in it"},
		{"old minus", exitFailed, `minus: line 1: "wall" is -1`},
		{"old", exitUsage, "two files"},
		{"", exitUsage, "two files"},
		{"old old --rounds 5", exitUsage, "--rounds says how to measure"},
	} {
		code, said := benchCommand(t, append([]string{"--compare"}, strings.Fields(c.args)...)...)
		if code != c.code || !strings.Contains(said, c.says) || strings.Contains(said, "Nothing got slower") != (code == exitDone) {
			t.Errorf("%s: exit %d, want %d and %q:\n%s", c.args, code, c.code, c.says, said)
		}
	}
}
