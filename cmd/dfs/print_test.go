package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dfs/cas"
	"dfs/client"
	"dfs/client/remote"
	"dfs/server/api"
)

func TestQuoted(t *testing.T) {
	for _, c := range []struct{ name, want string }{
		{"", `""`},
		{"plain.txt", "plain.txt"},
		{"with blank", "with blank"},
		{"日本語 é", "日本語 é"},
		{`back\slash`, `back\slash`},
		{`in"side`, `in"side`},
		{`"leading`, `"\"leading"`},
		{" leading", `" leading"`},
		{"trailing ", `"trailing "`},
		{"new\nline", `"new\nline"`},
		{"tab\t", `"tab\t"`},
		{"\x1b[31mred", `"\x1b[31mred"`},
		{"bell\a", `"bell\a"`},
		{"del\x7f", `"del\x7f"`},
		{"c1\u009b", `"c1\u009b"`},
		{"bad\xff", `"bad\xff"`},
		{"right\u202eleft", `"right\u202eleft"`},
		{"isolate\u2066", `"isolate\u2066"`},
		{"mark\u200f", `"mark\u200f"`},
		{"joiner\u200d", `"joiner\u200d"`},
		{"bom\ufeff", `"bom\ufeff"`},
		{"separator\u2028", `"separator\u2028"`},
	} {
		if got := quoted(c.name); got != c.want {
			t.Errorf("quoted(%q) = %s, want %s", c.name, got, c.want)
		}
	}
}

func TestHarmless(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"open x: no such file", "open x: no such file"},
		{`volume "docs"`, `volume "docs"`},
		{"open \x1b[2J \"x\": no", `open \x1b[2J "x": no`},
		{"one\ntwo \xff", "one\n  two \\xff"},
		{"", ""},
	} {
		if got := harmless(c.text); got != c.want {
			t.Errorf("harmless(%q) = %s, want %s", c.text, got, c.want)
		}
	}
}

func TestNumbers(t *testing.T) {
	for want, got := range map[string]string{
		"0 B": size(0), "1023 B": size(1023), "1.0 KiB": size(1024), "999.9 KiB": size(1023898), "1.0 MiB": size(1048576),
		"1.0 GiB": size(1 << 30), "8.0 EiB": size(1<<63 - 1),
		"0": number(0), "999": number(999), "1,000": number(1000), "1,234,567": number(1234567), "-12,345": number(-12345), "-123": number(-123),
		"1 file": count(1, "file"), "0 files": count(0, "file"),
		"0.83s": seconds(0.834), "12s": seconds(12.3), "3m20s": seconds(200.4), "61m01s": seconds(3661),
		"1.0 KiB/s": rate(2048, 2), "": rate(0, 2),
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if r := rate(5, 0); r != "" {
		t.Errorf("rate in no time = %q", r)
	}
}

func TestSummaryText(t *testing.T) {
	id := cas.ID{0x3f, 0x2a, 0x9c, 0x1e}
	push := client.Summary{Command: "push", Volume: "docs", Snapshot: id, FilesScanned: 1000, BytesScanned: 1 << 30, DurationS: 0.8}
	sent := push
	sent.Added, sent.Modified, sent.BytesSent, sent.Requests = 3, 9, 1258291, 4
	merged := sent
	merged.Merged, merged.Conflicts = true, 2
	local := sent
	local.Requests, local.BytesSent, local.BytesNew, local.Moved, local.Deleted = 0, 0, 4096, 1, 2
	dry := sent
	dry.DryRun = true
	stuck := push
	stuck.Conflicts = 1
	pull := sent
	pull.Command, pull.BytesReceived = "pull", 2048
	for _, c := range []struct {
		s        client.Summary
		problems int64
		want     string
	}{
		{push, 0, "pushed: no file differs, 1,000 files checked in 0.80s → volume docs at snapshot 3f2a9c1e"},
		{sent, 0, "pushed 12 files: 3 new, 9 modified; sent 1.2 MiB of 1.0 GiB at 1.5 MiB/s in 0.80s → volume docs at snapshot 3f2a9c1e"},
		{merged, 1, "pushed 12 files: 3 new, 9 modified; sent 1.2 MiB of 1.0 GiB at 1.5 MiB/s in 0.80s; 2 conflicts; 1 problem → volume docs at snapshot 3f2a9c1e, merged with changes of others"},
		{local, 0, "pushed 15 files: 3 new, 9 modified, 1 moved, 2 deleted; stored 4.0 KiB of 1.0 GiB at 5.0 KiB/s in 0.80s → volume docs at snapshot 3f2a9c1e"},
		{dry, 0, "would push 12 files: 3 new, 9 modified in 0.80s → volume docs at snapshot 3f2a9c1e"},
		{stuck, 0, "pushed nothing in 0.80s; 1 conflict → volume docs at snapshot 3f2a9c1e"},
		{pull, 0, "pulled 12 files: 3 new, 9 modified; received 2.0 KiB at 2.5 KiB/s in 0.80s → volume docs at snapshot 3f2a9c1e"},
	} {
		if got := summaryText(&c.s, c.problems); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}

// TestOutput pins what is printed of paths and errors, for people and as JSON.
func TestOutput(t *testing.T) {
	print := func(o *output) {
		o.outcome(&client.Result{
			Summary:   client.Summary{Command: "push"},
			Changes:   []client.Change{{Side: client.Local, Op: client.Added, Path: "new\xff"}},
			Problems:  []client.Problem{{Path: "a\nb", Err: errors.New("denied \x1b")}, {Err: errors.New("gone")}},
			Skipped:   []string{"fifo"},
			Conflicts: []string{"c"},
			Kept:      []string{"<k>"},
			Waits:     []client.Wait{{Path: "c/\xff", For: "c"}},
		})
		o.fail(failure{message: "open x\x1b: no", hint: "look", path: "x", exit: 1})
		o.fail(failure{message: "no", exit: 2})
		o.notice("hello")
	}
	for _, c := range []struct {
		o              output
		stdout, stderr string
	}{
		{output{json: true, verbose: 1}, `{"type":"change","side":"local","op":"added","path":{"bytes":"bmV3/w=="}}
{"type":"skipped","path":"fifo"}
{"type":"kept","path":"\u003ck\u003e"}
{"type":"problem","path":"a\nb","message":"denied \u001b"}
{"type":"problem","path":"","message":"gone"}
{"type":"conflict","path":"c"}
{"type":"waits","path":{"bytes":"Yy//"},"for":"c"}
{"type":"error","message":"open x\u001b: no","hint":"look","path":"x","exit":1}
{"type":"error","message":"no","exit":2}
`, ""},
		{output{verbose: 1}, "  new       \"new\\xff\"\n", `dfs: skipped: fifo: not a file, directory or symlink of this replica
dfs: kept: <k>: deleted on one side, and changed or not empty on the other; it is kept
dfs: "a\nb": denied \x1b
dfs: .: gone
dfs: conflict: c: changed here and on the hub; the hub keeps both versions, this directory its own
dfs: kept: "c/\xff": waits for the conflict at c
dfs: error: open x\x1b: no
dfs: hint: look
dfs: error: no
dfs: hello
`},
		{output{quiet: true}, "", `dfs: kept: <k>: deleted on one side, and changed or not empty on the other; it is kept
dfs: "a\nb": denied \x1b
dfs: .: gone
dfs: conflict: c: changed here and on the hub; the hub keeps both versions, this directory its own
dfs: kept: "c/\xff": waits for the conflict at c
dfs: error: open x\x1b: no
dfs: hint: look
dfs: error: no
`},
	} {
		var stdout, stderr bytes.Buffer
		c.o.stdout, c.o.stderr = &stdout, &stderr
		print(&c.o)
		if stdout.String() != c.stdout {
			t.Errorf("stdout:\n%s\nwant:\n%s", &stdout, c.stdout)
		}
		if stderr.String() != c.stderr {
			t.Errorf("stderr:\n%s\nwant:\n%s", &stderr, c.stderr)
		}
	}
}

// TestExitCode: where several apply, 5 comes before 1, that before 4, that before 3.
func TestExitCode(t *testing.T) {
	done, cancel := context.WithCancel(t.Context())
	cancel()
	problem := &client.Result{Problems: []client.Problem{{Path: "x", Err: fs.ErrPermission}}}
	both := &client.Result{Problems: problem.Problems, Conflicts: []string{"x"}}
	brake := fmt.Errorf("x: %w", &client.BrakeError{Message: "no"})
	for _, c := range []struct {
		ctx  context.Context
		res  *client.Result
		err  error
		want int
	}{
		{t.Context(), &client.Result{}, nil, 0},
		{done, &client.Result{}, nil, 0},
		{t.Context(), problem, nil, 3},
		{t.Context(), both, nil, 4},
		{t.Context(), both, errors.New("x"), 1},
		{t.Context(), both, brake, 5},
		{t.Context(), nil, errors.Join(errors.New("x"), brake), 5},
		{done, both, brake, 5},
		{done, both, context.Canceled, 130},
		{done, nil, fmt.Errorf("x: %w", remote.ErrUnreachable), 130},
		{t.Context(), nil, fmt.Errorf("x: %w", remote.ErrUnreachable), 6},
		{t.Context(), nil, &client.UsageError{Message: "x"}, 2},
		{t.Context(), nil, fmt.Errorf("x: %w", api.ErrForbidden), 7},
		{t.Context(), nil, fmt.Errorf("x: %w", &client.BusyError{}), 8},
		{t.Context(), nil, api.ErrNotFound, 1},
	} {
		if got := exitCode(c.ctx, c.res, c.err); got != c.want {
			t.Errorf("exitCode(%v, %v) = %d, want %d", c.res, c.err, got, c.want)
		}
	}
}

func TestMeter(t *testing.T) {
	now := time.Unix(1000, 0)
	m := meter{now: func() time.Time { return now }}
	step := func(e client.Event, begins bool, want string) {
		t.Helper()
		if got := m.update(e); got != begins {
			t.Errorf("update begins a phase: %v", got)
		}
		now = now.Add(time.Second)
		if got := m.text(); got != want {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	}
	step(client.Event{Phase: client.Scanning}, true, "scanning")
	step(client.Event{Phase: client.Scanning, Files: 1200, Bytes: 4 << 20, Transferred: 1 << 20}, false, "scanning  1,200 files  4.0 MiB  1.0 MiB sent  2.0 MiB/s")
	step(client.Event{Phase: client.Applying, FilesTotal: 10, BytesTotal: 10 << 20}, true, "applying")
	step(client.Event{Phase: client.Applying, Files: 5, FilesTotal: 10, Bytes: 4 << 20, BytesTotal: 10 << 20, Transferred: 1}, false,
		"applying  5/10 files  4.0 MiB/10.0 MiB  1 B received  2.0 MiB/s  3.00s left")
	step(client.Event{Phase: client.Committing}, true, "committing")
}

func TestLocation(t *testing.T) {
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ in, want string }{
		{"", ""},
		{"http://h:1", "http://h:1"},
		{"https://h:1/", "https://h:1"},
		{"/abs/./path", filepath.FromSlash("/abs/path")},
		{"rel", filepath.Join(wd, "rel")},
		{"./host:1", filepath.Join(wd, "host:1")},
		{"http://", "--hub http://: "},
		{"ftp://h", "--hub ftp://h: "},
		{"host:8420", "write http://host:8420 "},
	} {
		got, err := location(c.in, "--hub")
		if err != nil {
			if !strings.Contains(err.Error(), c.want) || !strings.HasSuffix(c.want, " ") {
				t.Errorf("location(%q): %v", c.in, err)
			}
		} else if got != c.want {
			t.Errorf("location(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}
