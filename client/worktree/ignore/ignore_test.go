package ignore

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// documentedCase says what one file of rules in the root decides about paths.
type documentedCase struct {
	rules string
	yes   string // paths that are ignored, by spaces; those that end in / are directories
	no    string // paths that are not
}

func documentedCases() []documentedCase {
	return []documentedCase{
		// lines
		{"", "", "a"},
		{"\n  \n\r\na", "a", "b"},
		{"#a\n\\#b", "#b", "#a a b"},
		{"a\r\nb", "a b", "c"},
		{"\ufeffa\n\ufeffb", "a \ufeffb", "b \ufeffa"},
		{"a   \nb\t", "a b\t", "b"},
		{"a\\*b\\", "", "a*b a*b\\"},
		{"a\x00b", "a", "b"},
		// negation
		{"a*\n!ab", "a ac", "ab"},
		{"!ab\na*", "a ab", ""},
		{"\\!a", "!a", "a"},
		{"!!a", "", "a !a"},
		{"a/\n!a/b\n!b", "a/ a/b", "c/b"},
		{"a/*\n!a/b", "a/c", "a/ a/b"},
		{"/*\n!/foo\n/foo/*\n!/foo/bar", "a a/b foo/a", "foo/ foo/bar foo/bar/a"},
		// slashes
		{"a", "a a/ b/a a/b b/a/c", "b ab"},
		{"/a", "a a/ a/b", "b/a"},
		{"a/", "a/ a/b b/a/ b/a/c", "a b/a"},
		{"/a/", "a/ a/b", "a b/a/"},
		{"a/b", "a/b a/b/ a/b/c", "a/ b c/a/b"},
		{"a/b/", "a/b/ a/b/c", "a/b c/a/b/"},
		{"/\n//\n!/\n//a\na//b", "", "a a/ a/b"},
		// wildcards
		{"*", "a .a a/b", ""},
		{"*.c", ".c a.c b/a.c", "c a.cc a.h"},
		{"a*", "a ab b/ab", "ba"},
		{"a*z", "az abz", "a z azb"},
		{"/*.c", "a.c", "b/a.c"},
		{"a/*", "a/b a/b/c", "a/ b/a/b"},
		{"a/*/b", "a/c/b", "a/b a/c/d/b"},
		{"a*b/c", "ab/c axb/c", "a/b/c abx/c"},
		{"a?b", "axb a?b", "ab a/b axxb"},
		{"\xff?", "\xff\xfe", "\xff \xffé"},
		{"a\\?b\\*\\[\\\\c", "a?b*[\\c", "axb*[\\c a\\?b\\*\\[\\\\c"},
		// two stars
		{"**/a", "a b/a b/c/a", "ab b/ab"},
		{"**/a/b", "a/b c/a/b", "a/ b a/c/b"},
		{"a/**", "a/b a/b/c", "a a/ b/a/b"},
		{"a/**\n!a/b", "a/c a/b/c", "a/b/"},
		{"a/**/b", "a/b a/x/b a/x/y/b", "a/ b xa/b a/bx x/a/b"},
		{"a?/**/b", "ax/b ax/c/d/b", "ax/ ax/bx"},
		{"**", "a a/b", ""},
		{"/**/", "a/ a/b", "a"},
		{"a**c", "abc ac b/abc", "a/c"},
		{"?a**/b", "xa/b xac/b", "xab xac/d/b"},
		{"x/a**/b", "x/ab x/a/b x/ac/d/b", "x/a/ x/ac/ x/acb"},
		{"**\\/a", "b/a c/b/a", "a"},
		// bracket expressions
		{"[ab]c", "ac bc", "c cc [ab]c abc"},
		{"[!ab]c\n[^d]e", "cc ae", "ac bc de"},
		{"a[/]b\na[!x]b\n/c[!x]d", "acb ced", "a/b axb c/d cxd"},
		{"[a-c]x", "ax bx cx", "dx -x"},
		{"[a-]x\n[-b]x", "ax -x bx", "cx"},
		{"[]a]x\n[!]a]y", "]x ax by", "bx ]y ay"},
		{"[c-a]x", "cx", "ax bx -x"},
		{"[\\]\\-\\\\]x", "]x -x \\x", "ax"},
		{"[[:digit:][:upper:]_]x", "0x Ax _x", "ax :x [x"},
		{"[[:space:]]x", "\tx", "\vx \fx x"},
		{"[a-c-e]x", "ax -x ex", "dx"},
		{"[a[:digit:]-c]x", "ax 0x -x cx", "bx"},
		{"[[:]x", "[x :x", "ax"},
		// broken ones
		{"[a\na[\n*[b", "", "a [a a[ x[b"},
		{"[[:foo:]]\n[[:alpha:]", "", "a f [ :"},
		{"[!]", "", "a ! ]"},
	}
}

// pathCases returns the paths in list.
func pathCases(list string) []pathCase {
	var cases []pathCase
	for p := range strings.SplitSeq(list, " ") {
		if p != "" {
			path, isDir := strings.CutSuffix(p, "/")
			cases = append(cases, pathCase{path, isDir})
		}
	}
	return cases
}

// TestDocumented goes through what the package comment says.
func TestDocumented(t *testing.T) {
	for _, c := range documentedCases() {
		rules := (*Rules)(nil).With("", FileName, []byte(c.rules))
		for _, p := range pathCases(c.yes) {
			if got := rules.Decide(p.path, p.isDir); !ignored(got) {
				t.Errorf("%q: %q, directory %v: not ignored, because of %+v", c.rules, p.path, p.isDir, got)
			}
		}
		for _, p := range pathCases(c.no) {
			if got := rules.Decide(p.path, p.isDir); ignored(got) {
				t.Errorf("%q: %q, directory %v: ignored because of %+v", c.rules, p.path, p.isDir, got)
			}
		}
	}
}

// TestPattern looks at what is told about the pattern that decided.
func TestPattern(t *testing.T) {
	rules := (*Rules)(nil).With("d", "d/.dfsignore", []byte("# x\n\n!/a\\ b/  \r\nc\\   \n"))
	got := rules.Match("d/a b", true)
	if want := (Pattern{"d/.dfsignore", 3, "!/a\\ b/", true}); got == nil || *got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	got = rules.Match("d/c ", false)
	if want := (Pattern{"d/.dfsignore", 4, "c\\ ", false}); got == nil || *got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// TestOrder adds lists and looks which decides.
func TestOrder(t *testing.T) {
	list := func(r *Rules, dir, source, line string) *Rules { return r.With(dir, source, []byte(line)) }
	root := list(nil, "", "root", "x")
	sub := list(root, "a", "sub", "!x")
	deep := list(sub, "a/b", "deep", "x")
	list(sub, "a/b", "beside deep", "!x")
	top := root.WithTop("top", []byte("x"))
	topSub := list(top, "a", "sub", "!x")
	tops := topSub.WithTop("top2", []byte("!x"))
	tests := []struct {
		name  string
		rules *Rules
		path  string
		want  string // the source; "" is no pattern
	}{
		{"none", nil, "a/x", ""},
		{"root", root, "a/x", "root"},
		{"a deeper list wins", sub, "a/x", "sub"},
		{"only below its directory", sub, "x", "root"},
		{"only below its directory, not beside it", sub, "ab/x", "root"},
		{"the deepest list wins", deep, "a/b/c/x", "deep"},
		{"the deepest that holds", deep, "a/c/x", "sub"},
		{"top", top, "a/x", "top"},
		{"top wins over what is added later", topSub, "a/x", "top"},
		{"a later top wins", tops, "a/x", "top2"},
		{"no pattern", deep, "a/y", ""},
	}
	for _, tt := range tests {
		got := ""
		if p := tt.rules.Match(tt.path, false); p != nil {
			got = p.Source
		}
		if got != tt.want {
			t.Errorf("%s: %q decided instead of %q", tt.name, got, tt.want)
		}
	}
	if p := deep.Decide("x/a/b/x", false); p == nil || p.Source != "root" {
		t.Errorf("below an ignored directory %+v decided", p)
	}
	for _, data := range []string{"", "\n", "#a", "!", "[", "/"} {
		if sub.With("a/b", "nothing", []byte(data)) != sub || (*Rules)(nil).WithTop("nothing", []byte(data)) != nil {
			t.Errorf("%q was added", data)
		}
	}
}

// TestMatchTokens compares with a match that tries everything.
func TestMatchTokens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pattern := rapid.StringMatching(`(a|b|/|\*|\*|\*\*/|/\*\*/|\*\*\\/|\?|\[ab\]|\\/){1,12}`).Draw(t, "pattern")
		tokens, ok := tokenize(pattern)
		if !ok {
			t.Fatalf("%q is no pattern", pattern)
		}
		g := newGlob(tokens)
		for _, s := range rapid.SliceOfN(rapid.StringMatching(`[ab/]{0,12}`), 1, 20).Draw(t, "paths") {
			want := slowMatch(tokens, s)
			if got := matchTokens(tokens, s); got != want {
				t.Fatalf("%q and %q match: %v", pattern, s, got)
			}
			if got := g.match(s); got != want {
				t.Fatalf("%q and %q match once prepared: %v", pattern, s, got)
			}
		}
	})
}

// slowMatch is what tokens mean.
func slowMatch(tokens []token, s string) bool {
	if len(tokens) == 0 {
		return s == ""
	}
	first, rest := tokens[0], tokens[1:]
	switch first.op {
	case opAll:
		return true
	case opByte, opAny, opSet:
		return s != "" && first.takes(s[0]) && slowMatch(rest, s[1:])
	}
	for n := 0; n <= len(s); n++ {
		var takes bool
		switch first.op {
		case opStar:
			takes = !strings.Contains(s[:n], "/")
		case opDirs:
			takes = n == 0 || s[n-1] == '/'
		case opSomeDirs:
			takes = n > 0 && s[n-1] == '/'
		}
		if takes && slowMatch(rest, s[n:]) {
			return true
		}
	}
	return false
}

// TestHostile matches patterns that would take forever if every choice was tried.
func TestHostile(t *testing.T) {
	many := strings.Repeat
	tests := []struct{ name, pattern, path string }{
		{"stars", many("*a", 1000) + "b", many("a", 4000)},
		{"stars in a path", "/" + many("*a", 1000) + "b", many("a", 4000)},
		{"questions", many("*?", 1000) + "b", many("a", 4000)},
		{"bracket expressions", many("*[a-c]", 1000) + "b", many("a", 4000)},
		{"a long name", "*" + many("a", 2000) + "b*", many("a", 4000)},
		{"directories", many("**/a/", 1000) + "b", many("a/", 2000) + "c"},
		{"directories of stars", many("**/*a*/", 1000) + "b", many("a/", 2000) + "c"},
		{"names of stars", "**/" + many("*/", 1000) + "b", many("a/", 2000) + "c"},
		{"names of stars, and a long one", "**/" + many("*a*/", 300) + many("*a", 300) + "b", many("a/", 1000) + many("a", 2000)},
		{"many lines", many("*a*a*a*b\n", 1000), many("a", 4000)},
	}
	for _, tt := range tests {
		start := time.Now()
		if p := (*Rules)(nil).With("", "", []byte(tt.pattern)).Match(tt.path, false); p != nil {
			t.Errorf("%s: it matches", tt.name)
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%s: it took %v", tt.name, took)
		} else {
			t.Logf("%s: %v", tt.name, took)
		}
	}
}

// FuzzMatch feeds anything to the parser and the matcher.
func FuzzMatch(f *testing.F) {
	for _, c := range documentedCases() {
		f.Add("", []byte(c.rules), c.yes, true)
		f.Add("a", []byte(c.rules), c.no, false)
	}
	f.Fuzz(func(t *testing.T, dir string, data []byte, path string, isDir bool) {
		if len(data) > 4096 || len(path) > 4096 {
			return
		}
		start := time.Now()
		rules := (*Rules)(nil).With(dir, "source", data)
		p := rules.Match(path, isDir)
		if took := time.Since(start); took > 2*time.Second {
			t.Fatalf("%q and %q: it took %v", data, path, took)
		}
		if p != nil {
			lines := strings.Split(string(data), "\n")
			if p.Line < 1 || p.Line > len(lines) || !strings.Contains(lines[p.Line-1], p.Text) || p.Negated != strings.HasPrefix(p.Text, "!") {
				t.Fatalf("%q: %+v is not one of its lines", data, p)
			}
		}
		if dir == "" && ignored(p) && strings.Count(path, "/") < 10 && !ignored(rules.Decide(path, isDir)) {
			t.Fatalf("%q and %q: Match and Decide disagree", data, path)
		}
	})
}

// typicalRules has 20 patterns.
const typicalRules = `*.o
*.a
*.so
*~
.DS_Store
Thumbs.db
node_modules/
/build/
/dist/
target/
*.pyc
__pycache__/
.idea/
*.log
!keep.log
/docs/_build/
**/tmp
*.sw[a-p]
.env*
src/**/generated/
`

func BenchmarkMatch(b *testing.B) {
	rules := (*Rules)(nil).With("", FileName, []byte(typicalRules))
	for _, bb := range []struct {
		name, path string
		isDir      bool
	}{
		{"file", "src/client/worktree/scan_read.go", false},
		{"directory", "src/client/worktree/testdata", true},
		{"ignored", "src/client/worktree/scan_read.o", false},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				rules.Match(bb.path, bb.isDir)
			}
		})
	}
}

// TestMatchAllocatesNothing holds for a deep chain as well.
func TestMatchAllocatesNothing(t *testing.T) {
	rules := (*Rules)(nil).With("", "1", []byte(typicalRules)).WithTop("2", []byte(typicalRules)).With("src", "3", []byte(typicalRules))
	n := testing.AllocsPerRun(100, func() {
		rules.Match("src/client/worktree/scan_read.go", false)
		rules.Decide("src/client/worktree/generated", true)
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}
