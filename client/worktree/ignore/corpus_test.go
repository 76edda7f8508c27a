package ignore

import (
	"math/rand/v2"
	"path"
	"slices"
	"strconv"
	"strings"
)

// A tree is one case of the corpus: files of rules, and paths to ask about.
type tree struct {
	prefix string     // where it is in its repository; "" or ends in a slash
	files  []ruleFile // those of outer directories first
	paths  []pathCase
}

type ruleFile struct {
	dir  string
	data []byte
}

type pathCase struct {
	path  string
	isDir bool
}

// corpus draws trees in which patterns and paths have much to do with each other.
type corpus struct{ *rand.Rand }

func newCorpus(seed uint64) corpus { return corpus{rand.New(rand.NewPCG(seed, 0))} }

// tree draws a tree with about as many paths.
func (c corpus) tree(prefix string, paths int) tree {
	patterns := c.lines(1 + c.IntN(2)*c.IntN(6))
	t := tree{prefix: prefix, files: []ruleFile{{"", c.file(patterns)}}}
	chosen := c.choosePaths(patterns, paths)
	for range c.IntN(4) {
		dir := path.Dir(chosen[c.IntN(len(chosen))])
		if dir == "." || slices.ContainsFunc(t.files, func(f ruleFile) bool { return f.dir == dir }) {
			continue
		}
		more := c.lines(1 + c.IntN(4))
		t.files = append(t.files, ruleFile{dir, c.file(more)})
		for _, p := range c.choosePaths(more, paths/4) {
			chosen = append(chosen, dir+"/"+p)
		}
	}
	slices.SortStableFunc(t.files, func(a, b ruleFile) int { return len(a.dir) - len(b.dir) })
	t.paths = c.pathCases(t.files, chosen)
	return t
}

// pathCases says of each path whether it is a directory: it must be one where
// something lies below it.
func (c corpus) pathCases(files []ruleFile, chosen []string) []pathCase {
	dirs := make(map[string]bool)
	for _, f := range files {
		for d := f.dir; d != "." && d != ""; d = path.Dir(d) {
			dirs[d] = true
		}
	}
	for _, p := range chosen {
		for d := path.Dir(p); d != "."; d = path.Dir(d) {
			dirs[d] = true
		}
		if c.IntN(4) == 0 {
			dirs[p] = true
		}
	}
	slices.Sort(chosen)
	var cases []pathCase
	for _, p := range slices.Compact(chosen) {
		cases = append(cases, pathCase{p, dirs[p]})
	}
	return cases
}

// file makes the content of a file of lines.
func (c corpus) file(lines []string) []byte {
	var b strings.Builder
	if c.IntN(20) == 0 {
		b.WriteString("\ufeff")
	}
	end := "\n"
	if c.IntN(8) == 0 {
		end = "\r\n"
	}
	for i, line := range lines {
		b.WriteString(line)
		if i < len(lines)-1 || c.IntN(5) > 0 {
			b.WriteString(end)
		}
	}
	return []byte(b.String())
}

func (c corpus) lines(n int) []string {
	lines := make([]string, n)
	for i := range lines {
		lines[i] = c.line()
	}
	return lines
}

// line draws a line: any kind of syntax, in places where it means something and
// in places where it does not.
func (c corpus) line() string {
	if c.IntN(12) == 0 {
		return c.pick("", " ", "#", "#a", `\#a`, `\!a`, "!", "!!a", "!#a", `!\#a`, "/", "//", "///", "!/", `\`, `a\`, `a\/`, "/*",
			"**", "/**", "**/", "**/*", "*/**", "***", "/***", "*", "?", "a ", `a\ `, `a\  `, `a\\ `, " a", "a\t", "a\r", "a \r", "\r",
			"a\x00b", "#\x00", "\ufeffa", "a/ ", "//a", "a//b", "a//", `a**/b/c`, `a**\/b`, `**\/b`, `a/**\/**/b`, "/a**/b", `/\a**/b`)
	}
	var b strings.Builder
	if c.IntN(5) == 0 {
		b.WriteString("!")
	}
	if c.IntN(6) == 0 {
		b.WriteString("/")
	}
	for {
		b.WriteString(c.name())
		if c.IntN(3) > 0 {
			break
		}
		b.WriteString(c.pick("/", "/", "/", "/", "/", `\/`, "//"))
	}
	if c.IntN(5) == 0 {
		b.WriteString("/")
	}
	if c.IntN(12) == 0 {
		b.WriteString(c.pick(" ", "  ", `\ `, "\t", `\`))
	}
	return b.String()
}

// name draws what stands between slashes.
func (c corpus) name() string {
	if c.IntN(6) == 0 {
		return "**"
	}
	var b strings.Builder
	for {
		switch k := c.IntN(20); {
		case k < 9:
			b.WriteString(c.letter())
		case k < 13:
			b.WriteString(c.pick("*", "*", "*", "*", "*", "**", "***"))
		case k < 15:
			b.WriteString("?")
		case k < 18:
			b.WriteString(c.bracket())
		default:
			b.WriteString(`\` + c.pick("*", "?", "[", "]", `\`, "a", " ", "#", "!", "-"))
		}
		if c.IntN(2) == 0 {
			return b.String()
		}
	}
}

// bracket draws a bracket expression, at times a broken one.
func (c corpus) bracket() string {
	var b strings.Builder
	b.WriteString("[" + c.pick("", "", "", "!", "^") + c.pick("", "", "", "", "", "]", "-"))
	for range 1 + c.IntN(3) {
		switch c.IntN(9) {
		case 0, 1, 2:
			b.WriteString(c.letter())
		case 3, 4:
			b.WriteString(c.pick("a-c", "a-z", "c-a", "--a", " -~", `\a-c`, `a-\c`, "[-a", "a-", "-a", "\x80-\xff", "+-9", "a-]", "a-c-z"))
		case 5, 6:
			b.WriteString("[:" + c.pick("alnum", "alpha", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space", "upper", "xdigit") + ":]")
		case 7:
			b.WriteString(c.pick("[:", "[:]", "[::]", "[:a]", "[:foo:]", "[:alpha]", "[:Alpha:]", "a-[:alpha:]", "[:digit:]-a"))
		default:
			b.WriteString(c.pick(`\]`, `\\`, `\-`, "/", "!", "^", "[", `\/`))
		}
	}
	if c.IntN(12) > 0 {
		b.WriteString("]")
	}
	return b.String()
}

// letter draws a byte, mostly one of few.
func (c corpus) letter() string {
	switch c.IntN(12) {
	case 0:
		return c.pick(" ", "#", "!", "-", "]", "[", "A", "0", "\t", "\r", "\xff", "\x80", "é", "\v", "\f", "~", "{", "\x7f", "\x01")
	case 1:
		return string([]byte{byte(1 + c.IntN(255))})
	}
	return c.pick("a", "a", "a", "b", "b", "c", ".")
}

func (c corpus) pick(from ...string) string { return from[c.IntN(len(from))] }

// choosePaths draws paths, most of which a pattern matches or nearly matches.
func (c corpus) choosePaths(patterns []string, n int) []string {
	var paths []string
	for len(paths) < n {
		p := c.anyPath()
		if c.IntN(4) > 0 {
			p = c.fitting(patterns[c.IntN(len(patterns))])
		}
		if c.IntN(3) == 0 {
			p = c.change(p)
		}
		if p = usable(p); p != "" {
			paths = append(paths, p)
		}
	}
	return paths
}

func (c corpus) anyPath() string {
	var b strings.Builder
	for {
		b.WriteString(c.letter())
		if k := c.IntN(4); k == 0 {
			return b.String()
		} else if k == 1 {
			b.WriteString("/")
		}
	}
}

// fitting draws a path that a pattern may match.
func (c corpus) fitting(line string) string {
	line = strings.TrimPrefix(strings.TrimRight(line, " \r"), "!")
	var b strings.Builder
	for i := 0; i < len(line); i++ {
		switch line[i] {
		case '\\':
			if i++; i < len(line) {
				b.WriteByte(line[i])
			}
		case '?':
			b.WriteString(c.letter())
		case '*':
			b.WriteString(c.pick("", "", "a", "ab", "b/", "a/b", "/", "/a/b/"))
		case '[':
			end := min(len(line), i+2+c.IntN(6))
			b.WriteString(c.pick("a", "b", "-", "]", "[", ":", "/", c.letter(), c.letter(), line[end-1:end]))
			if n := strings.LastIndexByte(line[i:], ']'); n > 0 && c.IntN(8) > 0 {
				i += strings.IndexByte(line[i:], ']')
			}
		default:
			b.WriteByte(line[i])
		}
	}
	return b.String()
}

// change makes a path a little different.
func (c corpus) change(p string) string {
	at := c.IntN(len(p) + 1)
	switch c.IntN(6) {
	case 0:
		return p[:at]
	case 1:
		return p[:at] + c.letter() + p[at:]
	case 2:
		return p[:at] + "/" + p[at:]
	case 3:
		return c.pick("a/", "b/", "a/b/", ".") + p
	case 4:
		return p + c.pick("/a", "/a/b", "b", ".", " ")
	}
	return p[:at] + p[min(len(p), at+1):]
}

// maxDepth keeps paths, with two parts of this depth, well below 24 levels: there
// git 2.39 has a use of freed memory in check-ignore, and may crash.
const maxDepth = 8

// documentedTrees are the cases of TestDocumented. Each path is in a tree of its
// own, as it may be a directory in one and a file in another.
func documentedTrees() []tree {
	var trees []tree
	for _, c := range documentedCases() {
		for _, p := range pathCases(c.yes + " " + c.no) {
			trees = append(trees, tree{
				prefix: "d" + strconv.Itoa(len(trees)) + "/",
				files:  []ruleFile{{"", []byte(c.rules)}},
				paths:  []pathCase{p},
			})
		}
	}
	return trees
}

// classTrees ask of every byte whether it is in each class.
func classTrees() []tree {
	var trees []tree
	for _, class := range []string{"alnum", "alpha", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space", "upper", "xdigit"} {
		t := tree{prefix: class + "/", files: []ruleFile{{"", []byte("[[:" + class + ":]]x")}}}
		for b := 1; b < 256; b++ {
			if b != '/' {
				t.paths = append(t.paths, pathCase{string([]byte{byte(b), 'x'}), false})
			}
		}
		trees = append(trees, t)
	}
	return trees
}

// usable makes a path one that a tree can have; "" if that is not to be.
func usable(p string) string {
	p = strings.ReplaceAll(p, "\x00", "")
	var names []string
	for name := range strings.SplitSeq(p, "/") {
		if name == "" || name == "." || name == ".." || strings.HasPrefix(name, ".git") {
			continue
		}
		names = append(names, name)
	}
	return strings.Join(names[:min(len(names), maxDepth)], "/")
}
