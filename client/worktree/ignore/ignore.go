// Package ignore decides which paths of a tree its ignore rules leave out. It
// is pure: it is given the content of the files of rules, and looks at no tree.
//
// # Syntax
//
// The rules are those of gitignore(5), https://git-scm.com/docs/gitignore, as
// git 2.39 applies them with core.ignoreCase off. A file of the name [FileName]
// holds for what lies below its directory. Paths and patterns are bytes; no
// encoding is assumed, and a pattern is one line:
//
//   - A line ends with LF or CR LF. A UTF-8 byte order mark before the first
//     line is not part of it. A NUL byte ends a pattern before its line does.
//   - A blank line is no pattern. Nor is a line that begins with #.
//   - Spaces at the end are dropped, unless a backslash stands before them. Tabs
//     are not.
//   - ! at the beginning negates: what matches is not ignored after all.
//   - / at the end lets the pattern match directories only. It is dropped then.
//   - A pattern that still has a / matches the path relative to the directory of
//     its file; a / at the beginning is dropped. A pattern without matches the
//     last name of a path.
//   - * matches any number of bytes, ? one byte, neither a /.
//   - **/ at the beginning or after a / matches any number of directories, also
//     none. /** at the end matches all that lies below. Other runs of * are like
//     a single one. In a pattern that has a /, git looks at what comes from the
//     first *, ?, [ or backslash on by itself: a ** there counts as at the
//     beginning, so that x/a**/b matches x/ab and x/ac/d/b.
//   - A backslash makes the byte after it stand for itself.
//   - [ begins a bracket expression, which matches one byte: those named, or with
//     ! or ^ first those not named; never a /. It may have ranges such as a-z and
//     the classes [:alnum:] [:alpha:] [:blank:] [:cntrl:] [:digit:] [:graph:]
//     [:lower:] [:print:] [:punct:] [:space:] [:upper:] [:xdigit:], which hold
//     ASCII only ([:space:] is space, tab, LF and CR). A backslash works here as
//     well. ] is named by standing first, - by standing first or last. A range
//     that ends before it begins is the byte it begins with.
//   - A pattern that ends in a lone backslash, in an open bracket expression, or
//     has a class of another name, matches nothing.
//
// Of the patterns of a file the last one that matches decides. A file decides
// before those of the directories above it. Below a directory that is ignored
// everything is, whatever else matches.
package ignore

import "strings"

// FileName is the name of a file of rules.
const FileName = ".dfsignore"

// Rules are lists of patterns, each with the directory below which it holds.
// They do not change, and may be used from several goroutines. Nil is no rules.
type Rules struct {
	lists []list // later ones win
	top   int    // so many of the last lists stay last
}

// A Pattern is a line of a source, as far as it matters to who asks why.
type Pattern struct {
	Source  string // as given to With or WithTop
	Line    int    // in the source, from 1
	Text    string // the line without its end and the spaces that are dropped
	Negated bool   // what matches is not ignored
}

// list has the patterns of one source.
type list struct {
	dir   string // below which they hold; "" is the root
	rules []rule // later ones win
}

// rule is a pattern in the form in which it is matched.
type rule struct {
	pattern Pattern
	dirOnly bool // matches directories only
	byName  bool // matches the last name of a path
	glob    glob
}

// With returns r with the patterns in data added. They hold for what lies below
// dir, a slash-separated path from the root, which is "", and win over those that
// r has, except the ones of [Rules.WithTop]. So the rules of a directory are added
// after those of the directories above it. Without a pattern in data that can
// match, With returns r itself.
func (r *Rules) With(dir, source string, data []byte) *Rules {
	return r.with(dir, source, data, 0)
}

// WithTop returns r with the patterns in data added. They hold for the whole
// tree and win over all that r has and over those that With adds later.
func (r *Rules) WithTop(source string, data []byte) *Rules {
	return r.with("", source, data, 1)
}

func (r *Rules) with(dir, source string, data []byte, top int) *Rules {
	rules := parse(source, data)
	if len(rules) == 0 {
		return r
	}
	if r == nil {
		r = &Rules{}
	}
	at := len(r.lists)
	if top == 0 {
		at -= r.top
	}
	lists := make([]list, 0, len(r.lists)+1)
	lists = append(lists, r.lists[:at]...)
	lists = append(lists, list{dir: dir, rules: rules})
	lists = append(lists, r.lists[at:]...)
	return &Rules{lists: lists, top: r.top + top}
}

// Match returns the pattern that decides about path by itself: the caller knows
// that no directory above it is ignored. It is nil when no pattern matches; path
// is ignored when there is one that is not negated. Path is slash-separated, from
// the root, and not the root; isDir does not hold for a symbolic link.
func (r *Rules) Match(path string, isDir bool) *Pattern {
	if r == nil {
		return nil
	}
	name := path[strings.LastIndexByte(path, '/')+1:]
	for i := len(r.lists) - 1; i >= 0; i-- {
		l := &r.lists[i]
		below, ok := l.relative(path)
		if !ok {
			continue
		}
		if p := l.match(below, name, isDir); p != nil {
			return p
		}
	}
	return nil
}

// Decide returns the pattern that decides about path. The directories above it
// are looked at first, as only those rules may decide about them that hold for
// them: the outermost one that is ignored decides, else Match does.
func (r *Rules) Decide(path string, isDir bool) *Pattern {
	if r == nil {
		return nil
	}
	for i := 0; i < len(path); i++ {
		if path[i] != '/' {
			continue
		}
		if p := r.Match(path[:i], true); p != nil && !p.Negated {
			return p
		}
	}
	return r.Match(path, isDir)
}

// relative returns path from l's directory; false if it does not lie below it.
func (l *list) relative(path string) (string, bool) {
	n := len(l.dir)
	if n == 0 {
		return path, true
	}
	if len(path) <= n || path[n] != '/' || path[:n] != l.dir {
		return "", false
	}
	return path[n+1:], true
}

// match returns the last pattern that matches a path, which ends in name.
func (l *list) match(path, name string, isDir bool) *Pattern {
	for i := len(l.rules) - 1; i >= 0; i-- {
		r := &l.rules[i]
		if r.dirOnly && !isDir {
			continue
		}
		subject := path
		if r.byName {
			subject = name
		}
		if r.glob.match(subject) {
			return &r.pattern
		}
	}
	return nil
}
