package main

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// quoted returns a file's name as a person may safely see it: unchanged where
// that is unambiguous, else as a Go string literal. Quoted are names that are empty, are not
// UTF-8, start with a quotation mark, start or end with a blank, or hold a
// character that is not printable (controls, ESC, bidirectional controls).
func quoted(name string) string {
	if name == "" || name[0] == '"' || name[0] == ' ' || name[len(name)-1] == ' ' || !printable(name) {
		return strconv.Quote(name)
	}
	return name
}

// harmless returns a message, which may have names in it, with everything
// escaped that is not printable. Further lines are indented.
func harmless(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if !printable(line) {
			line = strconv.Quote(line)
			line = strings.ReplaceAll(line[1:len(line)-1], `\"`, `"`)
		}
		lines[i] = line
	}
	return strings.Join(lines, "\n  ")
}

func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !strconv.IsPrint(r) })
}
