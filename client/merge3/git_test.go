package merge3

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestAgainstGit merges what `git merge-file` merges. What this package merges
// git must merge to the same bytes; of what git merges it may refuse little.
func TestAgainstGit(t *testing.T) {
	git := findGit(t)
	e := newEditor(drawSeed(t))
	cases := append(e.generated(), e.real(t)...)
	cases = append(cases, e.history(t, git)...)
	both, onlyGit, neither := make(map[string]int), make(map[string]int), make(map[string]int)
	total, refused := 0, 0
	dir := t.TempDir()
	for _, c := range cases {
		want, gitClean := git.mergeFile(t, dir, c)
		got, clean := Merge(c.base, c.ours, c.theirs)
		switch {
		case clean && !gitClean:
			t.Errorf("%s: git does not merge it\n%s", c.name, c)
		case clean && !bytes.Equal(got, want):
			t.Errorf("%s: git makes other bytes\n%s\ngot %q\ngit %q", c.name, c, brief(got), brief(want))
		case clean:
			both[c.kind]++
			total++
		case gitClean:
			onlyGit[c.kind]++
			refused++
			t.Logf("only git merges %s", c.name)
		default:
			neither[c.kind]++
		}
	}
	t.Logf("%d cases; both merge %d: %v; neither: %v; only git %d: %v", len(cases), total, both, neither, refused, onlyGit)
	if total < 600 {
		t.Errorf("both merge only %d cases", total)
	}
	if refused*50 > total+refused {
		t.Errorf("git merges %d cases of which %d do not merge here", total+refused, refused)
	}
}

// TestUnifiedAgainstGit compares the hunks with those of `git diff`.
func TestUnifiedAgainstGit(t *testing.T) {
	git := findGit(t)
	e := newEditor(drawSeed(t))
	dir := t.TempDir()
	for i, c := range e.generated() {
		if i%10 > 0 && c.kind != "rewritten" && c.kind != "regions" && c.kind != "sparse" {
			continue
		}
		writeTexts(t, dir, c.base, c.ours)
		want, code := git.run(t, dir, nil, "diff", "--no-index", "--no-indent-heuristic", "--no-color", "--", "0", "1")
		if code > 1 {
			t.Fatalf("git diff: exit code %d", code)
		}
		got := Unified("a/0", "b/1", c.base, c.ours)
		if !bytes.Equal(withoutHeader(got), withoutHeader(want)) {
			t.Errorf("%s: git makes another diff\n%s\ngot %q\ngit %q", c.name, c, brief(got), brief(want))
		}
	}
}

// withoutHeader returns a diff from its first hunk on, without the functions
// that git names behind the ranges.
func withoutHeader(diff []byte) []byte {
	var hunks []byte
	for l := range bytes.Lines(diff) {
		if bytes.HasPrefix(l, []byte("@@ ")) {
			i := bytes.Index(l, []byte(" @@"))
			l = append(bytes.Clone(l[:i+3]), '\n')
		} else if hunks == nil {
			continue
		}
		hunks = append(hunks, l...)
	}
	return hunks
}

// real returns cases of this project's sources, edited by chance.
func (e editor) real(t *testing.T) (cases []mergeCase) {
	var files []string
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if ext := filepath.Ext(path); err == nil && d.Type().IsRegular() && (ext == ".go" || ext == ".md") {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 150 {
		path := files[e.IntN(len(files))]
		base, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		name := fmt.Sprintf("real %d: %s", len(cases), path)
		cases = append(cases, mergeCase{"real", name, base, e.edit(base, 1+e.IntN(5)), e.edit(base, 1+e.IntN(5))})
	}
	return cases
}

// history returns cases of three versions that one file of this project had one
// after the other: the newest change against the older one undone, and what was
// changed in truth against edits by chance. There are none without a repository.
func (e editor) history(t *testing.T, git git) (cases []mergeCase) {
	const changes, each = 250, 6
	log, code := git.run(t, "", nil, "log", "-n", strconv.Itoa(changes), "--no-renames", "--format=commit %H", "--name-only", "--", ":(top)*.go", ":(top)*.md")
	if code != 0 {
		t.Logf("no history to merge: git log has exit code %d", code)
		return nil
	}
	versions := make(map[string][]string) // the commits of each file, newest first
	var files []string
	commit := ""
	for line := range strings.Lines(string(log)) {
		line = strings.TrimSuffix(line, "\n")
		if id, ok := strings.CutPrefix(line, "commit "); ok {
			commit = id
		} else if line != "" && len(versions[line]) < each {
			if versions[line] == nil {
				files = append(files, line)
			}
			versions[line] = append(versions[line], commit)
		}
	}
	for _, file := range files {
		texts := git.contents(t, file, versions[file])
		for i := 0; i+2 < len(texts); i++ {
			newest, middle, oldest := texts[i], texts[i+1], texts[i+2]
			name := fmt.Sprintf("%s at %.9s", file, versions[file][i])
			cases = append(cases,
				mergeCase{"undone", name + " over the undone change before", middle, newest, oldest},
				mergeCase{"edited", name + " over edits of two versions before", oldest, newest, e.edit(oldest, 2)})
		}
	}
	return cases
}

func (c mergeCase) String() string {
	return fmt.Sprintf("base %q\nours %q\ntheirs %q", brief(c.base), brief(c.ours), brief(c.theirs))
}

// brief is a text for a message.
func brief(text []byte) string {
	if len(text) > 500 {
		return fmt.Sprintf("%s… (%d bytes)", text[:500], len(text))
	}
	return string(text)
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
	program, err := exec.LookPath("git")
	if err != nil {
		t.Skip("git is not installed")
	}
	return git(program)
}

// run runs git in dir, free of the settings of this machine.
func (g git) run(t *testing.T, dir string, stdin io.Reader, args ...string) (out []byte, code int) {
	t.Helper()
	cmd := exec.Command(string(g), args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL="+os.DevNull, "LC_ALL=C")
	cmd.Stdin = stdin
	out, err := cmd.Output()
	if cmd.ProcessState == nil {
		t.Fatalf("git %q: %v", args, err)
	}
	return out, cmd.ProcessState.ExitCode()
}

// writeTexts writes texts to files that are numbered.
func writeTexts(t *testing.T, dir string, texts ...[]byte) {
	t.Helper()
	for i, text := range texts {
		if err := os.WriteFile(filepath.Join(dir, strconv.Itoa(i)), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// mergeFile is Merge by git, with files in dir.
func (g git) mergeFile(t *testing.T, dir string, c mergeCase) (merged []byte, clean bool) {
	t.Helper()
	writeTexts(t, dir, c.base, c.ours, c.theirs)
	merged, code := g.run(t, dir, nil, "merge-file", "-p", "-q", "1", "0", "2")
	if code < 0 || code > 127 {
		t.Fatalf("%s: git merge-file: exit code %d", c.name, code)
	}
	return merged, code == 0
}

// contents returns what the file was at the commits; up to the first at which it
// was not there.
func (g git) contents(t *testing.T, file string, commits []string) (texts [][]byte) {
	t.Helper()
	var asked strings.Builder
	for _, commit := range commits {
		fmt.Fprintf(&asked, "%s:%s\n", commit, file)
	}
	out, code := g.run(t, "", strings.NewReader(asked.String()), "cat-file", "--batch")
	if code != 0 {
		t.Fatalf("git cat-file: exit code %d", code)
	}
	for r := bufio.NewReader(bytes.NewReader(out)); ; {
		var id, kind string
		var size int
		if n, _ := fmt.Fscanf(r, "%s %s %d\n", &id, &kind, &size); n < 3 {
			return texts
		}
		text := make([]byte, size+1)
		if _, err := io.ReadFull(r, text); err != nil {
			t.Fatal(err)
		}
		texts = append(texts, text[:size])
	}
}
