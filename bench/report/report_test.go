package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

func sample(t *testing.T, name string) Set {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s, err := Read(f)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// golden compares with a file of testdata, or writes it.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs (go test -update writes it anew); got:\n%s", name, got)
	}
}

func TestTable(t *testing.T) {
	var out bytes.Buffer
	if err := Table(&out, sample(t, "sample.json")); err != nil {
		t.Fatal(err)
	}
	golden(t, "table.txt", out.Bytes())
}

func TestCompare(t *testing.T) {
	var out bytes.Buffer
	slower, err := Compare(&out, sample(t, "sample.json"), sample(t, "slower.json"))
	if err != nil {
		t.Fatal(err)
	}
	if want := 6; slower != want {
		t.Errorf("%d got slower, want %d", slower, want)
	}
	golden(t, "compare.txt", out.Bytes())
}

func TestCompareWithItself(t *testing.T) {
	s := sample(t, "sample.json")
	var out bytes.Buffer
	if slower, err := Compare(&out, s, s); slower != 0 || err != nil || !strings.HasPrefix(out.String(), "Nothing got slower") {
		t.Errorf("%d slower, error %v:\n%s", slower, err, out.String())
	}
}

// set makes a set of the wall times of one tool's runs.
func set(tool string, walls ...float64) Set {
	var s Set
	for i, w := range walls {
		r := Record{Type: TypeRun, Workload: "w", Operation: OpPush, Tool: tool, Scale: 1, Run: i + 1, Files: 10, Bytes: 10 * mib, Wall: w}
		if w == 0 {
			r.Failed = "no space left"
		}
		s.Records = append(s.Records, r)
	}
	return s
}

func TestCompareNoise(t *testing.T) {
	for _, c := range []struct {
		name     string
		old, new Set
		slower   int
		says     string
	}{
		{"within min and max", set("dfs", 1, 1.2, 1.4), set("dfs", 1.3, 1.5, 1.6), 0, "Unchanged"},
		{"beyond", set("dfs", 1, 1.01, 1.02), set("dfs", 1.2, 1.21, 1.22), 1, "+20 %"},
		{"too little to tell", set("dfs", 1, 1, 1), set("dfs", 1.02, 1.02, 1.02), 0, "Unchanged"},
		{"one outlier of many", set("dfs", 1, 1.01, 1.02, 1.03, 9), set("dfs", 1.3, 1.31, 1.32, 1.33, 1.34), 1, "Slower"},
		{"single runs", set("dfs", 1), set("dfs", 1.15), 0, "Unchanged"},
		{"faster", set("dfs", 2, 2.1), set("dfs", 1, 1.1), 0, "Faster"},
		{"fails now", set("dfs", 1, 1), set("dfs", 0, 0), 1, "fails now: no space left"},
		{"works now", set("dfs", 0), set("dfs", 1), 0, "works now"},
		{"another tool", set("rsync", 1, 1), set("rsync", 2, 2), 0, "Other tools changed"},
		{"a variant", set("dfs-fast", 1, 1), set("dfs-fast", 2, 2), 1, "Slower"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out bytes.Buffer
			slower, err := Compare(&out, c.old, c.new)
			if slower != c.slower || err != nil || !strings.Contains(out.String(), c.says) {
				t.Errorf("%d slower, error %v, want %d and %q:\n%s", slower, err, c.slower, c.says, out.String())
			}
		})
	}
}

// TestCompareNothing: where no figures are held against each other, it is not said that nothing got slower.
func TestCompareNothing(t *testing.T) {
	larger := set("dfs", 2)
	larger.Records[0].Scale = 10
	for _, c := range []struct {
		name     string
		old, new Set
		says     string
	}{
		{"another tool", set("dfs", 1), set("borg", 1), "Only in the old results:\n  w, push: dfs\nOnly in the new results:\n  w, push: borg\n"},
		{"another scale", set("dfs", 1), larger, "  scale of w: 1 → 10\n"},
		{"nothing measured", set("dfs", 0), set("dfs", 0), "Failing in both:\n  w, push: dfs\n"},
		{"nothing", Set{}, Set{}, ""},
	} {
		var out bytes.Buffer
		_, err := Compare(&out, c.old, c.new)
		if !errors.Is(err, ErrApart) || !strings.Contains(out.String(), c.says) || strings.Contains(out.String(), "Nothing got slower") {
			t.Errorf("%s: error %v, want %q:\n%s", c.name, err, c.says, out.String())
		}
	}
}

// TestCompareConditions: what is not the same beside the tools is told, and nothing where all is.
func TestCompareConditions(t *testing.T) {
	old, new := set("dfs", 1, 1), set("dfs", 1, 1)
	old.Records[0].Version, new.Records[0].Version = "1.2", "1.3"
	old.Headers = []Header{{Seed: 1, Machine: map[string]any{"cpu": "A", "memory": 8 << 30, "kernel": "6"}}}
	new.Headers = []Header{{Seed: 7, Machine: map[string]any{"cpu": "B", "memory": 4 << 30, "kernel": "6"}}}
	var out bytes.Buffer
	if _, err := Compare(&out, old, new); err != nil {
		t.Fatal(err)
	}
	want := "same conditions, so a difference need not be the tools':\n  cpu: A → B\n  memory: 8.00 GiB → 4.00 GiB\n  seed: 1 → 7\n  version of dfs: 1.2 → 1.3\nUnchanged"
	if !strings.Contains(out.String(), want) {
		t.Errorf("want %q in:\n%s", want, out.String())
	}
	out.Reset()
	if _, err := Compare(&out, old, old); err != nil || strings.Contains(out.String(), "conditions") {
		t.Errorf("error %v:\n%s", err, out.String())
	}
}

// TestReadDamaged: each line that cannot be is named, in words of no language for machines.
func TestReadDamaged(t *testing.T) {
	for line, says := range map[string]string{
		`{"type":"run","wall":"much"}`:                     `"wall" is a string`,
		`{"type":"run","wall":1`:                           "no JSON object",
		`[1,2]`:                                            "no JSON object",
		"\x00\x00\x00":                                     "no JSON object",
		`{"type":"run","wall":-1}`:                         `"wall" is -1`,
		`{"type":"run","wall":1e300}`:                      `"wall" is 1e+300`,
		`{"type":"run","wall":0}`:                          "no time",
		`{"type":"run","wall":1,"peak_rss":-5}`:            `"peak_rss" is -5`,
		`{"type":"run","wall":1,"bytes":9e18}`:             `"bytes" is `,
		`{"type":"run","wall":1,"requests":1.5}`:           `"requests" is a number 1.5`,
		`{"type":"machine","limits":{"read":-1}}`:          `the limit "read" is -1`,
		`{"type":"machine","seed":-1}`:                     `"seed" is a number -1`,
		`{"type":"run","wall":1,"files":1,"workload":[1]}`: `"workload" is a`,
	} {
		_, err := Read(strings.NewReader(`{"type":"run","wall":1}` + "\n" + line + "\n"))
		if err == nil || !strings.HasPrefix(err.Error(), "line 2: ") || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "Go ") {
			t.Errorf("%s: error %v, want %q", line, err, says)
		}
	}
	for _, none := range []string{"", "\n\n", `{"foo":1}`, `{"type":"machine"}`} {
		if _, err := Read(strings.NewReader(none)); err == nil || !strings.Contains(err.Error(), "no results") {
			t.Errorf("%q: error %v", none, err)
		}
	}
}

// TestReadFormer: a file of a former version is about the same machine, and its links are the same.
func TestReadFormer(t *testing.T) {
	read := func(text string) Set {
		s, err := Read(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	old := read(`{"type":"machine","machine":{"CPU":"A","Cores":2,"MemoryBytes":1024,"Kernel":"6","FS":"ext4","Go":"go1","OS":"linux"}}
{"type":"run","workload":"w","operation":"push","tool":"dfs","link":"20ms-0mbit","wall":1}`)
	now := read(`{"type":"machine","machine":{"cpu":"A","cores":2,"memory_bytes":1024,"kernel":"6","file_system":"ext4","go":"go1","os":"linux"}}
{"type":"run","workload":"w","operation":"push","tool":"dfs","link":"20ms","wall":1}`)
	if !reflect.DeepEqual(old, now) {
		t.Errorf("%+v, want %+v", old, now)
	}
}

func TestReadAndWrite(t *testing.T) {
	want := sample(t, "sample.json")
	var file bytes.Buffer
	for _, h := range want.Headers {
		h.Type = ""
		if err := WriteJSON(&file, h); err != nil {
			t.Fatal(err)
		}
	}
	file.WriteString("\n{\"type\":\"weather\",\"rain\":true}\n")
	for _, r := range want.Records {
		r.Type = ""
		if err := WriteJSON(&file, r); err != nil {
			t.Fatal(err)
		}
	}
	got, err := Read(&file)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("error %v, read %d and %d lines", err, len(got.Headers), len(got.Records))
	}
	if s, err := Read(strings.NewReader(`{"type":"run","tool":"dfs","wall":1}`)); err != nil || len(s.Records) != 1 {
		t.Errorf("without a line feed at the end: %v, error %v", s, err)
	}
}

func TestHTML(t *testing.T) {
	s := sample(t, "sample.json")
	s.Records[0].Note = `<script>alert("no & never")</script>`
	var out bytes.Buffer
	if err := HTML(&out, s); err != nil {
		t.Fatal(err)
	}
	wellFormed(t, out.String())
	for _, never := range []string{"<script", "http://", "https://", "@import", "url(", "NaN", "Inf", "ZgotmplZ"} {
		if strings.Contains(out.String(), never) {
			t.Errorf("the page has %q in it", never)
		}
	}
	_, table, _ := strings.Cut(out.String(), `<section id="table">`)
	if !strings.Contains(table, "<dt>rsync-nosync</dt><dd>syncs nothing") {
		t.Error("what the tools sync is not told")
	}
	for _, r := range summarise(s) {
		if !strings.Contains(table, ">"+r.title()+"<") {
			t.Errorf("no group %q", r.title())
		}
		cells := `<th scope="row">` + r.tool + `</th>`
		for _, c := range r.cells()[1:] {
			cells += "<td>" + strings.ReplaceAll(c, "+", "&#43;") + "</td>"
		}
		if !strings.Contains(table, cells) {
			t.Errorf("no row %s in %s", cells, r.title())
		}
	}
}

// wellFormed fails when the page is not XML too, whose rules are the stricter.
func wellFormed(t *testing.T, page string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(strings.TrimPrefix(page, "<!DOCTYPE html>")))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// TestEmpty: nothing measured is no reason to fail.
func TestEmpty(t *testing.T) {
	for _, s := range []Set{{}, {Headers: []Header{{}}}, set("dfs", 0), {Records: []Record{{Tool: "dfs"}, {Tool: "dfs", Scale: 2}}}} {
		var out bytes.Buffer
		if err := errors.Join(Table(&out, s), HTML(&out, s)); err != nil {
			t.Error(err)
		}
		_, page, _ := strings.Cut(out.String(), "<!DOCTYPE html>")
		wellFormed(t, page)
		if _, err := Compare(io.Discard, s, s); err != nil && !errors.Is(err, ErrApart) {
			t.Error(err)
		}
	}
}

func TestWriteFails(t *testing.T) {
	s := sample(t, "sample.json")
	full := failing{}
	_, err := Compare(full, s, s)
	for _, err := range []error{err, Table(full, s), HTML(full, s), WriteJSON(full, s.Records[0])} {
		if !errors.Is(err, errFull) {
			t.Errorf("error %v", err)
		}
	}
}

var errFull = errors.New("full")

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errFull }
