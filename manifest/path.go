package manifest

import (
	"fmt"
	"strings"
)

// Bounds of paths, in bytes.
const (
	MaxPath = 4095
	MaxName = 255
)

// controlName is the name of a replica's own directory.
const controlName = ".dfs"

// CheckPath refuses a path that no entry of a tree may have. A path is one or
// more names joined by "/", of at most MaxPath bytes; a name has 1 to MaxName
// bytes, any but NUL and "/", and is not ".", ".." or another name of ".dfs".
//
// These are, on every system since a tree travels: ".dfs" in upper and lower case;
// with dots, blanks, or a colon and anything at its end, which Windows drops; with
// code points in it that HFS+ ignores (U+200C to U+200F, U+202A to U+202E, U+206A to
// U+206F, U+FEFF); and "dfs~" with a digit, NTFS's short name of it.
func CheckPath(p string) error {
	if len(p) > MaxPath {
		return fmt.Errorf("path %.64q… has %d bytes, more than %d", p, len(p), MaxPath)
	}
	for rest, more := p, true; more; {
		var name string
		name, rest, more = strings.Cut(rest, "/")
		if reason := checkName(name); reason != "" {
			return fmt.Errorf("path %q: %s", p, reason)
		}
	}
	return nil
}

// checkName returns what is wrong with a path's component, or nothing.
func checkName(name string) string {
	switch {
	case name == "":
		return "empty name"
	case name == "." || name == "..":
		return `"` + name + `" is no name`
	case len(name) > MaxName:
		return fmt.Sprintf("name of %d bytes, more than %d", len(name), MaxName)
	case strings.IndexByte(name, 0) >= 0:
		return "name contains NUL"
	case isControl(name):
		return "the name is one of " + controlName + ", which is reserved"
	}
	return ""
}

// isControl reports whether some system takes name for controlName.
func isControl(name string) bool {
	if strings.IndexByte(name, ignorable[0]) >= 0 || strings.IndexByte(name, '\xef') >= 0 { // with which they begin
		name = strings.Map(func(r rune) rune {
			if strings.ContainsRune(ignorable, r) {
				return -1
			}
			return r
		}, name)
	}
	if name == "" || name[0] != '.' && name[0]|0x20 != 'd' {
		return false
	}
	name, _, _ = strings.Cut(name, ":")
	name = strings.TrimRight(name, ". ")
	short := len(name) == 5 && strings.EqualFold(name[:4], "dfs~") && '0' <= name[4] && name[4] <= '9'
	return short || strings.EqualFold(name, controlName)
}

// ignorable are the code points that HFS+ ignores in names.
const ignorable = "\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u206a\u206b\u206c\u206d\u206e\u206f\ufeff"
