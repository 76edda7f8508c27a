package merge3

import (
	"bytes"
	"fmt"
	"testing"
)

func TestUnified(t *testing.T) {
	const numbers = "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20"
	for name, c := range map[string]struct{ a, b, want string }{
		"equal":    {"a b", "a b", ""},
		"created":  {"", "a b", "@@ -0,0 +1,2 @@\n+a\n+b\n"},
		"emptied":  {"a", "", "@@ -1 +0,0 @@\n-a\n"},
		"one line": {"a", "b", "@@ -1 +1 @@\n-a\n+b\n"},
		"context":  {"1 2 3 4 5 6 7 8 9", "1 2 3 4 x 6 7 8 9", "@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+x\n 6\n 7\n 8\n"},
		"joined": {numbers, "1 2 3 x 5 6 7 8 9 10 y 12 13 14 15 16 17 18 19 20",
			"@@ -1,14 +1,14 @@\n 1\n 2\n 3\n-4\n+x\n 5\n 6\n 7\n 8\n 9\n 10\n-11\n+y\n 12\n 13\n 14\n"},
		"apart": {numbers, "1 2 3 x 5 6 7 8 9 10 11 y 13 14 15 16 17 18 19 20",
			"@@ -1,7 +1,7 @@\n 1\n 2\n 3\n-4\n+x\n 5\n 6\n 7\n@@ -9,7 +9,7 @@\n 9\n 10\n 11\n-12\n+y\n 13\n 14\n 15\n"},
		"deleted inside": {"1 2 3 4 5", "1 2 4 5", "@@ -1,5 +1,4 @@\n 1\n 2\n-3\n 4\n 5\n"},
		"no line feed":   {"a b .", "a b", "@@ -1,2 +1,2 @@\n a\n-b\n\\ No newline at end of file\n+b\n"},
		"none on both":   {"a b .", "c b .", "@@ -1,2 +1,2 @@\n-a\n+c\n b\n\\ No newline at end of file\n"},
		"none any more":  {"a", "a .", "@@ -1 +1 @@\n-a\n+a\n\\ No newline at end of file\n"},
		"carriage":       {"a\r", "a", "@@ -1 +1 @@\n-a\r\n+a\n"},
	} {
		want := c.want
		if want != "" {
			want = "--- a/f\n+++ b/f\n" + want
		}
		if got := Unified("a/f", "b/f", words(c.a), words(c.b)); string(got) != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestUnifiedNames(t *testing.T) {
	for name, want := range map[string]string{
		"a/plain": "a/plain", "/dev/null": "/dev/null", "a/é": "a/é", "a/with blank": "a/with blank\t",
		`a/"q"\`: `"a/\"q\"\\"`, "a/line\nfeed": `"a/line\nfeed"`, "a/\a\b\t\v\f\r": `"a/\a\b\t\v\f\r"`, "a/\x01\x7f": `"a/\001\177"`,
	} {
		header := fmt.Sprintf("--- %s\n+++ %s\n@@", want, want)
		if got := Unified(name, name, nil, words("x")); !bytes.HasPrefix(got, []byte(header)) {
			t.Errorf("%q: %q, want %q", name, got, header)
		}
	}
}

// apply makes of a what the unified diff says, and looks at all that it says.
func apply(a, diff []byte) ([]byte, error) {
	if len(diff) == 0 {
		return a, nil
	}
	in, d := cut(a), cut(diff)
	var out bytes.Buffer
	done, written, i := 0, 0, 2
	for i < d.len() {
		var from, nFrom, to, nTo int
		header := d.line(i)
		i++
		if err := parseHeader(header, &from, &nFrom, &to, &nTo); err != nil {
			return nil, err
		}
		if from < done || from+nFrom > in.len() {
			return nil, fmt.Errorf("%q is not behind line %d of %d", header, done, in.len())
		}
		written += from - done
		out.Write(in.slice(done, from))
		if written != to {
			return nil, fmt.Errorf("%q begins at line %d of the result", header, written+1)
		}
		done = from
		for nFrom > 0 || nTo > 0 {
			if i == d.len() {
				return nil, fmt.Errorf("%q ends early", header)
			}
			line := d.line(i)
			i++
			content := line[1:]
			if i < d.len() && d.line(i)[0] == '\\' {
				content = bytes.TrimSuffix(content, []byte("\n"))
				i++
			}
			if line[0] != '+' {
				if !bytes.Equal(in.line(done), content) {
					return nil, fmt.Errorf("line %d is %q, not %q", done+1, in.line(done), content)
				}
				done, nFrom = done+1, nFrom-1
			}
			if line[0] != '-' {
				out.Write(content)
				written, nTo = written+1, nTo-1
			}
		}
	}
	out.Write(in.slice(done, in.len()))
	return out.Bytes(), nil
}

// parseHeader reads the ranges of a hunk, from 0 on.
func parseHeader(header []byte, from, nFrom, to, nTo *int) error {
	fields := bytes.Fields(header)
	if len(fields) != 4 {
		return fmt.Errorf("%q is not a hunk's header", header)
	}
	for i, r := range []struct{ first, n *int }{{from, nFrom}, {to, nTo}} {
		first, n, several := bytes.Cut(fields[i+1][1:], []byte(","))
		*r.n = 1
		if several {
			if _, err := fmt.Sscan(string(n), r.n); err != nil {
				return err
			}
		}
		if _, err := fmt.Sscan(string(first), r.first); err != nil {
			return err
		}
		if *r.n > 0 {
			*r.first--
		}
	}
	return nil
}
