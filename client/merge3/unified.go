package merge3

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

const contextLines = 3

// Unified returns the unified diff that makes a into b, with 3 lines of context,
// as git and patch read it; nothing if a and b are equal. A name that cannot
// stand in a header as it is gets git's quotes. The diff is coarser than it
// could be, and still right, where it would take more than the budget of the
// package, and one hunk where a text has more than a million lines or MaxSize
// bytes. The result shares no memory with the arguments, which are below 2 GiB.
func Unified(aName, bName string, a, b []byte) []byte {
	return unified(aName, bName, a, b, &budget{left: maxSteps})
}

func unified(aName, bName string, a, b []byte, steps *budget) []byte {
	if bytes.Equal(a, b) {
		return nil
	}
	from, to := cut(a), cut(b)
	var w bytes.Buffer
	fmt.Fprintf(&w, "--- %s\n+++ %s\n", headerName(aName), headerName(bName))
	for hunks := differences(from, to, steps); len(hunks) > 0; {
		n := joined(hunks)
		writeHunks(&w, from, to, hunks[:n])
		hunks = hunks[n:]
	}
	return w.Bytes()
}

// differences returns the hunks of two texts of any size.
func differences(a, b text, steps *budget) []hunk {
	if max(len(a.data), len(b.data)) <= MaxSize && max(a.len(), b.len()) <= maxLines {
		return diff(a, b, classify(&a, &b), steps)
	}
	start, end, shorter := 0, 0, min(a.len(), b.len())
	for start < shorter && bytes.Equal(a.line(start), b.line(start)) {
		start++
	}
	for end < shorter-start && bytes.Equal(a.line(a.len()-1-end), b.line(b.len()-1-end)) {
		end++
	}
	return []hunk{{start, a.len() - end, start, b.len() - end}}
}

// joined returns how many of the first hunks have touching contexts.
func joined(hunks []hunk) int {
	for i, h := range hunks[1:] {
		if h.a0-hunks[i].a1 > 2*contextLines {
			return i + 1
		}
	}
	return len(hunks)
}

// writeHunks writes hunks of a and b as one of the unified format.
func writeHunks(w *bytes.Buffer, a, b text, hunks []hunk) {
	first, last := hunks[0], hunks[len(hunks)-1]
	before := min(contextLines, first.a0)
	after := min(contextLines, a.len()-last.a1)
	fmt.Fprintf(w, "@@ -%s +%s @@\n", lineRange(first.a0-before, last.a1+after), lineRange(first.b0-before, last.b1+after))
	line := first.a0 - before
	for _, h := range hunks {
		writeLines(w, ' ', a, line, h.a0)
		writeLines(w, '-', a, h.a0, h.a1)
		writeLines(w, '+', b, h.b0, h.b1)
		line = h.a1
	}
	writeLines(w, ' ', a, line, last.a1+after)
}

// lineRange is a range of lines as a hunk's header has it: the first, counted
// from 1, or the one before if there is none, and how many unless it is one.
func lineRange(start, end int) string {
	switch end - start {
	case 0:
		return strconv.Itoa(start) + ",0"
	case 1:
		return strconv.Itoa(end)
	default:
		return strconv.Itoa(start+1) + "," + strconv.Itoa(end-start)
	}
}

func writeLines(w *bytes.Buffer, prefix byte, t text, start, end int) {
	for i := start; i < end; i++ {
		line := t.line(i)
		w.WriteByte(prefix)
		w.Write(line)
		if line[len(line)-1] != '\n' {
			w.WriteString("\n\\ No newline at end of file\n")
		}
	}
}

// headerName is a name as git writes it behind --- and +++: quoted if it has a
// quote, a backslash or a control character, with a tab behind it if a reader
// could take a blank in it for the end.
func headerName(name string) string {
	var quoted strings.Builder
	for i := range len(name) {
		switch c := name[i]; {
		case c == '"' || c == '\\':
			quoted.WriteByte('\\')
			quoted.WriteByte(c)
		case '\a' <= c && c <= '\r':
			quoted.WriteByte('\\')
			quoted.WriteByte("abtnvfr"[c-'\a'])
		case c < ' ' || c == 0x7f:
			fmt.Fprintf(&quoted, `\%03o`, c)
		default:
			quoted.WriteByte(c)
		}
	}
	if quoted.Len() > len(name) {
		return `"` + quoted.String() + `"`
	}
	if strings.Contains(name, " ") {
		return name + "\t"
	}
	return name
}
