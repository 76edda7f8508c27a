package worktree

import (
	"crypto/rand"
	"encoding/base32"
	"fmt"
	"strings"

	"dfs/cas"
	"dfs/manifest"
)

// Temporary names are tempPrefix, a letter that says what may lie there after a
// kill, a tag of the name that the entry has or is to have, and random letters.
const (
	tempPrefix  = ".dfs-tmp-"
	tempNew     = "N" // only what this program wrote
	tempOld     = "O" // what stood at a path before, perhaps an edit that nobody has seen
	tempTag     = 13  // letters
	tempRandom  = 13
	tempNameLen = len(tempPrefix) + 1 + tempTag + tempRandom

	keptInfix = ".dfs-kept-"
	maxName   = 255
)

// tempName returns a name for what is under way to name, or comes from there.
func tempName(letter, name string) string {
	return tempPrefix + letter + tagOf(name) + rand.Text()[:tempRandom]
}

// tagOf returns 13 letters that tell names apart: 64 bits of their hash.
func tagOf(name string) string {
	sum := cas.Sum([]byte(name))
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:8])
}

// isTemp reports whether name has the form of tempName's.
func isTemp(name string) bool {
	return len(name) == tempNameLen && strings.HasPrefix(name, tempPrefix) &&
		strings.Trim(name[len(tempPrefix):], "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") == ""
}

// A Leftover is the path of a temporary entry that an interrupted run left, as a scan
// named it to [ScanOptions.Temp].
type Leftover string

// Ours reports whether nothing but what this program wrote can lie there.
func (l Leftover) Ours() bool {
	_, name := split(string(l))
	return isTemp(name) && strings.HasPrefix(name, tempPrefix+tempNew)
}

// Of reports whether the leftover comes from path, or was on its way there.
func (l Leftover) Of(path string) bool {
	in, temp := split(string(l))
	parent, name := split(path)
	return in == parent && isTemp(temp) && temp[len(tempPrefix)+1:][:tempTag] == tagOf(name)
}

// RemoveLeftover removes the leftover expect, whose bytes are of no value to anybody: it is
// [Leftover.Ours], or another place is known to hold them. ErrChanged when it is not
// expect any more, ErrNotEmpty when it is a directory with entries.
func (a *Applier) RemoveLeftover(expect Entry) error {
	return a.inParent(expect.Path, func(d dir, name string) error {
		if !isTemp(name) {
			return ErrChanged
		}
		if err := expected(d, name, &expect); err != nil {
			return err
		}
		if expect.Kind == manifest.File && d.openForWriting(name) {
			return errOpen
		}
		return expect.drop(d, name)
	})
}

// KeepLeftover renames a leftover, within its directory, to a new name that tells what
// it is and begins with the name of path, from where it comes; it returns its path then.
func (a *Applier) KeepLeftover(l Leftover, path string) (kept string, err error) {
	err = a.inParent(string(l), func(d dir, name string) error {
		if !isTemp(name) {
			return ErrChanged
		}
		kept = keptName(base(path))
		return d.renameNew(name, kept)
	})
	parent, _ := split(string(l))
	return join(parent, kept), err
}

// putAside renames temp, which holds a version of name that must not be lost, to
// a new name that tells so, and returns err with that.
func putAside(d dir, temp, name string, err error) error {
	kept := keptName(name)
	if d.renameNew(temp, kept) != nil {
		kept = temp
	}
	return fmt.Errorf("%w; another version is kept as %q beside it", err, kept)
}

func keptName(name string) string {
	suffix := keptInfix + rand.Text()
	return name[:min(len(name), maxName-len(suffix))] + suffix
}
