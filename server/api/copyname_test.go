package api

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"dfs/cas"
	"dfs/manifest"
)

func conflictAt(host string, ours *manifest.Manifest) *Conflict {
	return &Conflict{Client: host, Ours: ours, Time: time.Date(2026, 1, 2, 5, 4, 5, 999, time.FixedZone("", 7200))}
}

// copied is a file with a content of its own.
func copied(content string, mtime int64, mode uint16) *manifest.Manifest {
	return &manifest.Manifest{
		Kind: manifest.File, Mode: mode, Mtime: manifest.Time{Sec: mtime}, Size: uint64(len(content)), Profile: 1,
		Runs: []manifest.Run{{ID: cas.Sum([]byte(content)), Size: uint32(len(content)), Count: 1}},
	}
}

func TestCopyName(t *testing.T) {
	const mark = " (conflict ann 20260102T030405Z 8HEX8HEX)"
	x := copied("x", 1, 0o644)
	id := contentID(x).Short()
	for where, want := range map[string]string{
		"f":                                   "f" + mark,
		"f.txt":                               "f" + mark + ".txt",
		"a.b/f.tar.gz":                        "a.b/f.tar" + mark + ".gz",
		"a/.bashrc":                           "a/.bashrc" + mark,
		"..x":                                 "..x" + mark,
		"f.":                                  "f" + mark + ".",
		"x. what a day":                       "x" + mark + ". what a day",
		"x.012345678901234567890123456789012": "x.012345678901234567890123456789012" + mark,
		strings.Repeat("s", 250) + ".txt":     strings.Repeat("s", 255-len(mark)-4) + mark + ".txt",
		strings.Repeat("é", 125):              strings.Repeat("é", (255-len(mark))/2) + mark,
		strings.Repeat("\xff", 250):           strings.Repeat("\xff", 255-len(mark)) + mark,
	} {
		got, ok := CopyName(where, conflictAt("ann", x))
		if want = strings.ReplaceAll(want, "8HEX8HEX", id); !ok || got != want {
			t.Errorf("CopyName(%q) = %q, %v, want %q", where, got, ok, want)
		}
	}
	for host, want := range map[string]string{
		"": "unknown", "a/b:c d": "a-b-c-d", "h\x00\x1b\xff": "h---", strings.Repeat("ü", 40): strings.Repeat("ü", 31),
	} {
		if got := hostName(host); got != want {
			t.Errorf("hostName(%q) = %q, want %q", host, got, want)
		}
	}
}

// TestCopyNameOfContent: mode and times make no other copy, content and kind do.
func TestCopyNameOfContent(t *testing.T) {
	name := func(m *manifest.Manifest) string {
		got, _ := CopyName("f", conflictAt("ann", m))
		return got
	}
	x := name(copied("x", 1, 0o644))
	if name(copied("x", 2, 0o600)) != x {
		t.Error("mode and mtime change the name")
	}
	link := &manifest.Manifest{Kind: manifest.Symlink, Mode: 0o777, Target: "x"}
	for _, other := range []*manifest.Manifest{copied("y", 1, 0o644), link, {Kind: manifest.Directory, Mode: 0o755}} {
		if name(other) == x {
			t.Errorf("%+v has the name of another content", other)
		}
	}
}

func TestCopyNameIsValid(t *testing.T) {
	name := rapid.StringMatching(`[^/\x00]{1,80}`)
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOfN(name, 1, 12).Draw(t, "path")
		for i, p := range parts {
			parts[i] = cut(p, 255)
		}
		where := strings.Join(parts, "/")
		if manifest.CheckPath(where) != nil {
			t.Skip()
		}
		c := conflictAt(rapid.String().Draw(t, "host"), copied("x", 1, 0o644))
		got, ok := CopyName(where, c)
		if !ok {
			if len(where) < manifest.MaxPath-300 {
				t.Fatalf("CopyName(%q) gives none", where)
			}
			return
		}
		if err := manifest.CheckPath(got); err != nil {
			t.Fatal(err)
		}
		if utf8.ValidString(where) && !utf8.ValidString(got) {
			t.Fatalf("CopyName(%q) = %q, which is not UTF-8", where, got)
		}
		if again, _ := CopyName(where, c); again != got {
			t.Fatalf("%q, then %q", got, again)
		}
	})
}
