package api

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// secretText is what may be a secret, or the beginning or more of one.
var secretText = regexp.MustCompile(`(dfs_(?:token|join)_)[0-9a-fA-F]+`)

// Blot returns a text in which nothing is left of what may be secrets but their prefixes.
func Blot(text string) string { return secretText.ReplaceAllString(text, "$1…") }

// IsLabel reports whether a text may be kept as a name: it is UTF-8 without control characters, and
// holds nothing that may be a secret, since who reads it is not who should know that.
func IsLabel(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, unicode.IsControl) && !secretText.MatchString(text)
}

// IsNote reports whether a text may be kept as a message: it is a label that may have line breaks and tabs.
func IsNote(text string) bool {
	return IsLabel(strings.NewReplacer("\n", " ", "\t", " ").Replace(text))
}
