package ignore

import "strings"

// op is what an element of a pattern matches.
type op uint8

const (
	opByte     op = iota // one byte
	opAny                // a byte that is not /
	opSet                // a byte of a set
	opStar               // any bytes without /
	opDirs               // nothing, or any bytes that end with /
	opSomeDirs           // any bytes that end with /
	opAll                // all that is left; it is the last element
)

// token is an element of a pattern.
type token struct {
	op  op
	b   byte
	set *set
}

// spansNames tells whether tokens can match a /.
func spansNames(tokens []token) bool {
	for i := range tokens {
		switch t := &tokens[i]; t.op {
		case opDirs, opSomeDirs, opAll:
			return true
		case opByte:
			if t.b == '/' {
				return true
			}
		}
	}
	return false
}

// A glob is a pattern ready to be matched. Most are prefix, or prefix*suffix.
type glob struct {
	kind   kind
	prefix string
	suffix string
	tokens []token // what follows prefix
}

type kind uint8

const (
	exact   kind = iota // prefix
	affixes             // prefix, then any bytes without /, then suffix
	general             // prefix, then tokens
)

func newGlob(tokens []token) glob {
	var g glob
	g.prefix, tokens = leadingBytes(tokens)
	if len(tokens) == 0 {
		return g
	}
	if tokens[0].op == opStar {
		suffix, rest := leadingBytes(tokens[1:])
		if len(rest) == 0 {
			g.kind, g.suffix = affixes, suffix
			return g
		}
	}
	g.kind, g.tokens = general, tokens
	return g
}

// leadingBytes returns the bytes that tokens begin with, and the tokens after.
func leadingBytes(tokens []token) (string, []token) {
	var b []byte
	for len(tokens) > 0 && tokens[0].op == opByte {
		b = append(b, tokens[0].b)
		tokens = tokens[1:]
	}
	return string(b), tokens
}

func (g *glob) match(s string) bool {
	switch g.kind {
	case exact:
		return s == g.prefix
	case affixes:
		n := len(s) - len(g.prefix) - len(g.suffix)
		return n >= 0 && strings.HasSuffix(s, g.suffix) && strings.HasPrefix(s, g.prefix) &&
			strings.IndexByte(s[len(g.prefix):len(g.prefix)+n], '/') < 0
	}
	rest, ok := strings.CutPrefix(s, g.prefix)
	return ok && matchTokens(g.tokens, rest)
}

// matchTokens tells whether tokens match all of s. Where they do not go on, the
// last star takes one byte more; where that is a /, the last element that skips
// directories takes one directory more. The choices before those need not be
// tried again: an earlier star of the same name would only leave less to the later
// one, one of another name has no choice, as that name has to end where it does,
// and the directories can as well be skipped by the later element. So an element
// is tried at a byte once at most.
func matchTokens(tokens []token, s string) bool {
	t, i := 0, 0
	star, starEnd := -1, 0 // the last opStar, and where what it takes ends
	dirs, dirsEnd := -1, 0 // the same for what skips directories
	for {
		if t == len(tokens) {
			if i == len(s) {
				return true
			}
		} else {
			switch k := &tokens[t]; k.op {
			case opAll:
				return true
			case opStar:
				star, starEnd = t, i
				t++
				continue
			case opDirs, opSomeDirs:
				star, dirs, dirsEnd = -1, t, i
				if k.op == opDirs {
					t++
					continue
				}
			default:
				if i < len(s) && k.takes(s[i]) {
					t++
					i++
					continue
				}
			}
		}
		if star >= 0 && starEnd < len(s) && s[starEnd] != '/' {
			starEnd++
			t, i = star+1, starEnd
			continue
		}
		slash := strings.IndexByte(s[dirsEnd:], '/')
		if dirs < 0 || slash < 0 {
			return false
		}
		dirsEnd += slash + 1
		star, t, i = -1, dirs+1, dirsEnd
	}
}

// takes tells whether an element of one byte matches b.
func (t *token) takes(b byte) bool {
	switch t.op {
	case opAny:
		return b != '/'
	case opSet:
		return t.set.has(b)
	}
	return b == t.b
}
