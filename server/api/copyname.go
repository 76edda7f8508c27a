package api

import (
	"path"
	"strings"
	"unicode"
	"unicode/utf8"

	"dfs/cas"
	"dfs/manifest"
)

const (
	maxName = 255 // bytes of a name, and so of a copy's
	maxHost = 63  // bytes of it that a copy's name has
	maxExt  = 32  // bytes of what still counts as an extension
)

// CopyName returns the path that the conflict's Ours takes beside where: "stem (conflict HOST
// YYYYMMDDTHHMMSSZ 8hex).ext". Host and time are those of the conflict, the hex is of the
// content, so whoever settles the conflict makes the same name. A stem that is too long is cut,
// between characters. ok is false where no name fits into a path.
func CopyName(where string, c *Conflict) (name string, ok bool) {
	dir, base := path.Split(where)
	stem, ext := splitExt(base)
	id := contentID(c.Ours)
	mark := " (conflict " + hostName(c.Client) + " " + c.Time.UTC().Format("20060102T150405Z") + " " + id.Short() + ")" + ext
	room := min(maxName, manifest.MaxPath-len(dir)) - len(mark)
	if room < 1 {
		return "", false
	}
	return dir + cut(stem, room) + mark, true
}

// splitExt splits a name before its extension. A dot at the start begins none, and neither
// does one before something long.
func splitExt(name string) (stem, ext string) {
	ext = path.Ext(name)
	if len(ext) == len(name) || len(ext) > maxExt || strings.Trim(name[:len(name)-len(ext)], ".") == "" {
		return name, ""
	}
	return name[:len(name)-len(ext)], ext
}

// hostName makes a host's name fit into a file's on any system.
func hostName(host string) string {
	host = strings.Map(func(c rune) rune {
		if c == utf8.RuneError || !unicode.IsPrint(c) || strings.ContainsRune(`/\:*?"<>| `, c) {
			return '-'
		}
		return c
	}, host)
	if host == "" {
		return "unknown"
	}
	return cut(host, maxHost)
}

// cut returns at most the first n bytes of s, and no part of a character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for back := n; back >= 0 && n-back < utf8.UTFMax; back-- {
		if utf8.RuneStart(s[back]) {
			return s[:back]
		}
	}
	return s[:n] // not UTF-8
}

// contentID names what m contains, whatever its mode and times.
func contentID(m *manifest.Manifest) cas.ID {
	bare := *m
	bare.Mode, bare.Mtime, bare.Ext = 0, manifest.Time{}, nil
	return bare.Hash()
}
