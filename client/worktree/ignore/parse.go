package ignore

import "strings"

// parse returns the patterns of a source that can match, in order.
func parse(source string, data []byte) []rule {
	var rules []rule
	text := strings.TrimPrefix(string(data), "\ufeff")
	for number := 1; text != ""; number++ {
		var line string
		line, text, _ = strings.Cut(text, "\n")
		if strings.HasPrefix(line, "#") {
			continue
		}
		line = strings.TrimSuffix(line, "\r")
		line, _, _ = strings.Cut(line, "\x00")
		line = trimSpaces(line)
		if r, ok := newRule(line); ok {
			r.pattern.Source, r.pattern.Line = source, number
			rules = append(rules, r)
		}
	}
	return rules
}

// trimSpaces drops the spaces at the end of a line before which no backslash
// stands; of several the backslash keeps the first.
func trimSpaces(line string) string {
	keep := 0
	for i := 0; i < len(line); i++ {
		switch line[i] {
		case ' ':
			continue
		case '\\':
			i++
		}
		keep = i + 1
	}
	return line[:min(keep, len(line))]
}

// newRule returns what a line means; false if it can match nothing.
func newRule(line string) (rule, bool) {
	r := rule{pattern: Pattern{Text: line}}
	text, negated := strings.CutPrefix(line, "!")
	r.pattern.Negated = negated
	text, r.dirOnly = strings.CutSuffix(text, "/")
	r.byName = !strings.Contains(text, "/")
	text = strings.TrimPrefix(text, "/")
	tokens, ok := tokenize(text)
	if !ok || len(tokens) == 0 {
		return rule{}, false
	}
	if tokens[0].op == opDirs && !spansNames(tokens[1:]) {
		// **/name is as good as name, and faster to match
		r.byName, tokens = true, tokens[1:]
	}
	r.glob = newGlob(tokens)
	return r, true
}

// tokenize cuts a pattern into its elements; false if it can match nothing.
func tokenize(text string) ([]token, bool) {
	var tokens []token
	wild := strings.IndexAny(text, `*?[\`) // git looks at what comes from here on by itself: a ** may begin it
	for i := 0; i < len(text); {
		switch c := text[i]; c {
		case '*':
			end := i + 1
			for end < len(text) && text[end] == '*' {
				end++
			}
			op, next := opStar, end
			if end-i > 1 && (i == wild || text[i-1] == '/') {
				op, next = stars(text, end)
			}
			tokens = append(tokens, token{op: op})
			i = next
		case '?':
			tokens = append(tokens, token{op: opAny})
			i++
		case '[':
			set, next, ok := parseBracket(text, i)
			if !ok {
				return nil, false
			}
			tokens = append(tokens, token{op: opSet, set: set})
			i = next
		case '\\':
			if i+1 == len(text) {
				return nil, false
			}
			tokens = append(tokens, token{op: opByte, b: text[i+1]})
			i += 2
		default:
			tokens = append(tokens, token{op: opByte, b: c})
			i++
		}
	}
	return tokens, true
}

// stars tells what a run of several * means that begins where a name can, by
// what comes after it, and where to go on.
func stars(text string, end int) (op, int) {
	rest := text[end:]
	switch {
	case rest == "":
		return opAll, end
	case rest[0] == '/':
		return opDirs, end + 1
	case strings.HasPrefix(rest, `\/`): // means the same, but git does not try it without any directory
		return opSomeDirs, end + 2
	}
	return opStar, end
}
