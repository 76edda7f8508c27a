package ignore

import (
	"bytes"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestAgainstGit compares with git what decides about some ten thousand paths.
func TestAgainstGit(t *testing.T) {
	git := findGit(t)
	seed := drawSeed(t)
	c := newCorpus(seed)
	all := git.ask(t, append(documentedTrees(), classTrees()...))
	for range 24 { // trees that are a whole repository
		all = append(all, git.ask(t, []tree{c.tree("", 60)})...)
	}
	for range 2 { // and trees that are directories of a large one
		var trees []tree
		for i := range 300 {
			trees = append(trees, c.tree("t"+strconv.Itoa(i)+"/", 20))
		}
		all = append(all, git.ask(t, trees)...)
	}
	count := make(map[string]int)
	wrong := 0
	for _, a := range all {
		count[a.kind()]++
		if got := a.decide(); got != a.git && wrong < 10 {
			wrong++
			t.Errorf("DFS_SEED=%d: %q, directory %v, with\n%sgot %s\ngit %s", seed, a.path.path, a.path.isDir, a.tree, got, a.git)
		}
	}
	t.Logf("%d paths: %v", len(all), count)
	if len(all) < 10_000 {
		t.Errorf("only %d paths", len(all))
	}
	for _, kind := range []string{"none", "ignored", "negated", "directory ignored", "nested"} {
		if count[kind] < len(all)/50 {
			t.Errorf("DFS_SEED=%d: %q decided only %d of %d", seed, kind, count[kind], len(all))
		}
	}
}

// TestTopAgainstGit compares which files of a tree git lists when it is given
// patterns as arguments, which win over all files of rules.
func TestTopAgainstGit(t *testing.T) {
	git := findGit(t)
	seed := drawSeed(t)
	c := newCorpus(seed)
	matter := 0
	for range 20 {
		tr := c.tree("", 60)
		var top []string
		args := []string{"ls-files", "-o", "-z", "--exclude-per-directory=.gitignore"}
		for range 3 {
			line := c.line()
			for strings.HasPrefix(line, "#") || strings.HasSuffix(line, " ") || strings.ContainsAny(line, "\x00\r\ufeff") {
				line = c.line() // git takes an argument for a pattern as it is
			}
			top = append(top, line)
			args = append(args, "--exclude="+line)
		}
		root := git.repository(t, []tree{tr})
		for _, p := range tr.paths {
			if !p.isDir {
				writeFile(t, filepath.Join(root, p.path), nil)
			}
		}
		listed := strings.Split(string(git.run(t, root, nil, args...)), "\x00")
		below := chain(nil, tr)
		rules := chain((*Rules)(nil).WithTop("--exclude", []byte(strings.Join(top, "\n"))), tr)
		for _, p := range tr.paths {
			if p.isDir {
				continue
			}
			got := rules.Decide(p.path, false)
			if ignored(got) != ignored(below.Decide(p.path, false)) {
				matter++
			}
			if ignored(got) == slices.Contains(listed, p.path) {
				t.Errorf("DFS_SEED=%d: %q with\n%sand on top %q\ngot %+v, git lists it: %v", seed, p.path, tr, top, got, !ignored(got))
			}
		}
	}
	if matter < 20 {
		t.Errorf("DFS_SEED=%d: the patterns on top matter to %d paths only", seed, matter)
	}
}

func ignored(p *Pattern) bool { return p != nil && !p.Negated }

// asked is a path of a tree with what git says of it.
type asked struct {
	tree tree
	path pathCase
	git  verdict
}

// verdict is the line that decided; its zero value is none.
type verdict struct {
	source, text string
	line         int
}

func (v verdict) String() string {
	return v.source + ":" + strconv.Itoa(v.line) + ": " + strconv.Quote(v.text)
}

// decide is what this package says of the path.
func (a asked) decide() verdict {
	p := chain(nil, a.tree).Decide(a.path.path, a.path.isDir)
	if p == nil {
		return verdict{}
	}
	return verdict{a.tree.prefix + p.Source, p.Text, p.Line}
}

// kind tells what the answer of git is like, for a look at what the corpus covers.
func (a asked) kind() string {
	switch v := a.git; {
	case v == verdict{}:
		return "none"
	case strings.HasPrefix(v.text, "!"):
		return "negated"
	case v.source != a.tree.prefix+".gitignore":
		return "nested"
	}
	if rules := chain(nil, a.tree); rules.Match(a.path.path, a.path.isDir) != rules.Decide(a.path.path, a.path.isDir) {
		return "directory ignored"
	}
	return "ignored"
}

// chain adds the rules of a tree to r.
func chain(r *Rules, t tree) *Rules {
	for _, f := range t.files {
		r = r.With(f.dir, path.Join(f.dir, ".gitignore"), f.data)
	}
	return r
}

func (t tree) String() string {
	var b strings.Builder
	for _, f := range t.files {
		b.WriteString("\t" + strconv.Quote(f.dir) + ": " + strconv.Quote(string(f.data)) + "\n")
	}
	return b.String()
}

// drawSeed returns the seed in DFS_SEED, else a new one.
func drawSeed(t *testing.T) uint64 {
	seed := uint64(time.Now().UnixNano())
	if env := os.Getenv("DFS_SEED"); env != "" {
		var err error
		if seed, err = strconv.ParseUint(env, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("DFS_SEED=%d", seed)
	return seed
}

// git is where the program is.
type git string

func findGit(t *testing.T) git {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux is sure to take any bytes for a name")
	}
	program, err := exec.LookPath("git")
	if err != nil {
		t.Skip("git is not installed")
	}
	return git(program)
}

// run runs git in dir, free of the settings of this machine.
func (g git) run(t *testing.T, dir string, stdin []byte, args ...string) []byte {
	t.Helper()
	cmd := exec.Command(string(g), args...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "LC_ALL=C"}
	cmd.Stdin = bytes.NewReader(stdin)
	var problem strings.Builder
	cmd.Stderr = &problem
	out, err := cmd.Output()
	if err != nil && (cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != 1) { // 1: no path is ignored
		t.Fatalf("git %q: %v\n%s", args, err, problem.String())
	}
	return out
}

// repository makes a repository with the directories and rules of trees.
func (g git) repository(t *testing.T, trees []tree) string {
	t.Helper()
	root := t.TempDir()
	g.run(t, root, nil, "init", "-q", "--template=", ".")
	g.run(t, root, nil, "config", "core.ignoreCase", "false")
	for _, tr := range trees {
		for _, f := range tr.files {
			writeFile(t, filepath.Join(root, tr.prefix, f.dir, ".gitignore"), f.data)
		}
		for _, p := range tr.paths {
			if p.isDir {
				makeDir(t, filepath.Join(root, tr.prefix, p.path))
			}
		}
	}
	return root
}

// ask makes a repository of trees and returns what git says of their paths.
func (g git) ask(t *testing.T, trees []tree) []asked {
	t.Helper()
	root := g.repository(t, trees)
	var all []asked
	var stdin bytes.Buffer
	for _, tr := range trees {
		for _, p := range tr.paths {
			all = append(all, asked{tree: tr, path: p})
			stdin.WriteString("./" + tr.prefix + p.path + "\x00") // ./ as git gives a : in front a meaning
		}
	}
	fields := strings.Split(string(g.run(t, root, stdin.Bytes(), "check-ignore", "-v", "-n", "-z", "--no-index", "--stdin")), "\x00")
	if len(fields) != 4*len(all)+1 {
		t.Fatalf("%d answers about %d paths", len(fields)/4, len(all))
	}
	for i := range all {
		a := &all[i]
		source, number, text, asked := fields[4*i], fields[4*i+1], fields[4*i+2], fields[4*i+3]
		if asked != "./"+a.tree.prefix+a.path.path {
			t.Fatalf("an answer about %q instead of %q", asked, a.path.path)
		}
		if source == "" {
			continue
		}
		line, err := strconv.Atoi(number)
		if err != nil {
			t.Fatal(err)
		}
		a.git = verdict{source, text, line}
	}
	return all
}

func writeFile(t *testing.T, file string, data []byte) {
	t.Helper()
	makeDir(t, filepath.Dir(file))
	if err := os.WriteFile(file, data, 0o666); err != nil {
		t.Fatal(err)
	}
}

func makeDir(t *testing.T, dir string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o777); err != nil {
		t.Fatal(err)
	}
}
