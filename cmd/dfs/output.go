package main

import (
	"encoding/json"
	"fmt"
	"io"
	"unicode/utf8"

	"dfs/client"
	"dfs/server/api"
)

// output prints: results to stdout, what concerns the user besides to stderr.
// With json set all of it is JSON objects on stdout, one a line.
type output struct {
	stdout, stderr io.Writer
	json           bool
	quiet          bool
	noProgress     bool
	verbose        int
}

// object prints a line of JSON.
func (o *output) object(v any) {
	e := json.NewEncoder(o.stdout)
	e.SetEscapeHTML(false)
	e.Encode(v)
}

// result prints a line of text for people who did not ask for quiet.
func (o *output) result(format string, args ...any) {
	if !o.quiet {
		fmt.Fprintf(o.stdout, format+"\n", args...)
	}
}

// notice prints a line of text to stderr.
func (o *output) notice(format string, args ...any) {
	if !o.quiet && !o.json {
		fmt.Fprintf(o.stderr, "dfs: "+format+"\n", args...)
	}
}

// jsonPath is a path as JSON: a string when it is UTF-8, else {"bytes": base64}.
type jsonPath string

// MarshalJSON implements [json.Marshaler].
func (p jsonPath) MarshalJSON() ([]byte, error) {
	if utf8.ValidString(string(p)) {
		return json.Marshal(string(p))
	}
	return json.Marshal(struct {
		Bytes []byte `json:"bytes"`
	}{[]byte(p)})
}

// A note is a JSON line about one path.
type note struct {
	Type    string      `json:"type"` // change, problem, conflict, kept, skipped, waits
	Side    client.Side `json:"side,omitempty"`
	Op      client.Op   `json:"op,omitempty"`
	Path    jsonPath    `json:"path"`
	From    jsonPath    `json:"from,omitempty"` // of a move
	For     jsonPath    `json:"for,omitempty"`  // of what waits: the conflict's path
	Message string      `json:"message,omitempty"`
}

// A failure is an error that ended the command.
type failure struct {
	message string
	hint    string
	path    string
	exit    int
}

func (o *output) fail(f failure) {
	if o.json {
		line := struct {
			Type    string    `json:"type"`
			Message string    `json:"message"`
			Hint    string    `json:"hint,omitempty"`
			Path    *jsonPath `json:"path,omitempty"`
			Exit    int       `json:"exit"`
		}{"error", f.message, f.hint, nil, f.exit}
		if f.path != "" {
			line.Path = (*jsonPath)(&f.path)
		}
		o.object(line)
		return
	}
	fmt.Fprintf(o.stderr, "dfs: error: %s\n", harmless(f.message))
	if f.hint != "" {
		fmt.Fprintf(o.stderr, "dfs: hint: %s\n", f.hint)
	}
}

// problems names each path that was left out.
func (o *output) problems(problems []client.Problem) {
	for _, p := range problems {
		if o.json {
			o.object(note{Type: "problem", Path: jsonPath(p.Path), Message: p.Err.Error()})
			continue
		}
		name := quoted(p.Path)
		if p.Path == "" {
			name = "."
		}
		fmt.Fprintf(o.stderr, "dfs: %s: %s\n", name, harmless(p.Err.Error()))
	}
}

// paths names paths of which the same is to be said, even to those who asked for quiet.
func (o *output) paths(kind string, paths []string, said string) {
	for _, p := range paths {
		if o.json {
			o.object(note{Type: kind, Path: jsonPath(p)})
			continue
		}
		fmt.Fprintf(o.stderr, "dfs: %s: %s: %s\n", kind, quoted(p), said)
	}
}

// waits names the paths that wait for a conflict.
func (o *output) waits(list []client.Wait) {
	for _, w := range list {
		if o.json {
			o.object(note{Type: "waits", Path: jsonPath(w.Path), For: jsonPath(w.For)})
			continue
		}
		fmt.Fprintf(o.stderr, "dfs: kept: %s: waits for the conflict at %s\n", quoted(w.Path), quoted(w.For))
	}
}

// skipped names special files and nested replicas to those who ask for more.
func (o *output) skipped(paths []string) {
	if o.verbose > 0 {
		o.paths("skipped", paths, "not a file, directory or symlink of this replica")
	}
}

// size writes a number of bytes for people: 512 B, 1.2 MiB.
func size(n int64) string { return api.Size(n) }

// count writes a number with its noun: 1 file, 1,000 files.
func count(n int64, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return number(n) + " " + noun
}

// number writes n with a comma between thousands.
func number(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// seconds writes a duration for people: 0.83s, 12s, 3m20s.
func seconds(s float64) string {
	switch {
	case s < 10:
		return fmt.Sprintf("%.2fs", s)
	case s < 60:
		return fmt.Sprintf("%.0fs", s)
	}
	return fmt.Sprintf("%dm%02ds", int(s)/60, int(s)%60)
}

// rate writes bytes a second, or "" when it means nothing.
func rate(bytes int64, s float64) string {
	if bytes == 0 || s < 0.001 {
		return ""
	}
	return size(int64(float64(bytes)/s)) + "/s"
}
