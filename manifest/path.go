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

// controlName is the name, in any case, of a replica's own directory.
const controlName = ".dfs"

// CheckPath refuses a path that no entry of a tree may have. A path is one or
// more names joined by "/", of at most MaxPath bytes; a name has 1 to MaxName
// bytes, any but NUL and "/", and is not ".", ".." or, in upper or lower case, ".dfs".
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
	case strings.EqualFold(name, controlName):
		return "the name " + controlName + " is reserved"
	}
	return ""
}
