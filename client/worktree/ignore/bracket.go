package ignore

import "strings"

// set is a set of bytes.
type set [4]uint64

func (s *set) add(b byte)      { s[b>>6] |= 1 << (b & 63) }
func (s *set) remove(b byte)   { s[b>>6] &^= 1 << (b & 63) }
func (s *set) has(b byte) bool { return s[b>>6]&(1<<(b&63)) != 0 }

// addRange adds the bytes from low to high, none if high is less.
func (s *set) addRange(low, high byte) {
	for c := int(low); c <= int(high); c++ {
		s.add(byte(c))
	}
}

// complement turns s into the bytes it has not.
func (s *set) complement() {
	for i := range s {
		s[i] = ^s[i]
	}
}

// parseBracket returns what the bracket expression at text[i] matches and where
// it ends; false if it does not end or names a class that does not exist.
func parseBracket(text string, i int) (*set, int, bool) {
	s := new(set)
	i++
	negated := i < len(text) && (text[i] == '!' || text[i] == '^')
	if negated {
		i++
	}
	low := -1 // where a range can begin: the byte named last
	for first := true; ; first = false {
		if i >= len(text) {
			return nil, 0, false
		}
		if text[i] == ']' && !first {
			break
		}
		if name, next, ok := className(text, i); ok {
			if !s.addClass(name) {
				return nil, 0, false
			}
			i, low = next, -1
			continue
		}
		if text[i] == '-' && low >= 0 && i+1 < len(text) && text[i+1] != ']' {
			high, next, ok := member(text, i+1)
			if !ok {
				return nil, 0, false
			}
			s.addRange(byte(low), high)
			i, low = next, -1
			continue
		}
		b, next, ok := member(text, i)
		if !ok {
			return nil, 0, false
		}
		s.add(b)
		i, low = next, int(b)
	}
	if negated {
		s.complement()
	}
	s.remove('/')
	return s, i + 1, true
}

// member returns the byte that is named at text[i] and where the next may be.
func member(text string, i int) (byte, int, bool) {
	if text[i] == '\\' {
		i++
	}
	if i >= len(text) {
		return 0, 0, false
	}
	return text[i], i + 1, true
}

// className returns the name of the class at text[i] and where it ends; false
// if none stands there: [: without a :] before the next ] is two bytes named.
func className(text string, i int) (string, int, bool) {
	rest, ok := strings.CutPrefix(text[i:], "[:")
	if !ok {
		return "", 0, false
	}
	inner, _, ok := strings.Cut(rest, "]")
	if !ok {
		return "", 0, false
	}
	name, ok := strings.CutSuffix(inner, ":")
	return name, i + len("[:") + len(inner) + len("]"), ok
}

// addClass adds the bytes of a class; false if there is no such class.
func (s *set) addClass(name string) bool {
	switch name {
	case "alnum":
		s.addClass("alpha")
		s.addClass("digit")
	case "alpha":
		s.addClass("lower")
		s.addClass("upper")
	case "blank":
		s.add(' ')
		s.add('\t')
	case "cntrl":
		s.addRange(0, 31)
		s.add(127)
	case "digit":
		s.addRange('0', '9')
	case "graph":
		s.addRange('!', '~')
	case "lower":
		s.addRange('a', 'z')
	case "print":
		s.addRange(' ', '~')
	case "punct":
		s.addRange('!', '/')
		s.addRange(':', '@')
		s.addRange('[', '`')
		s.addRange('{', '~')
	case "space":
		s.addClass("blank")
		s.add('\n')
		s.add('\r')
	case "upper":
		s.addRange('A', 'Z')
	case "xdigit":
		s.addClass("digit")
		s.addRange('A', 'F')
		s.addRange('a', 'f')
	default:
		return false
	}
	return true
}
