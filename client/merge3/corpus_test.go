package merge3

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// mergeCase is three texts to merge.
type mergeCase struct {
	kind, name         string
	base, ours, theirs []byte
}

// editor makes texts and edits them as people do.
type editor struct{ *rand.Rand }

func newEditor(seed uint64) editor { return editor{rand.New(rand.NewPCG(seed, 0))} }

// generated returns cases of all kinds.
func (e editor) generated() (cases []mergeCase) {
	add := func(kind string, base []byte, edits int) {
		cases = append(cases, mergeCase{kind, fmt.Sprintf("%s %d", kind, len(cases)), base, e.edit(base, edits), e.edit(base, edits)})
	}
	for range 300 {
		add("few lines", e.symbols(2+e.IntN(12), 2+e.IntN(4)), 1+e.IntN(2))
	}
	for range 300 {
		add("program", e.program(50+e.IntN(400)), 1+e.IntN(4))
	}
	for range 100 {
		add("line ends", e.mixedEnds(e.program(20+e.IntN(50))), 1+e.IntN(3))
	}
	for range 100 {
		add("alike", e.symbols(50+e.IntN(300), 2+e.IntN(20)), 1+e.IntN(2))
	}
	for range 30 { // what takes the search over the costs at which it settles for less
		base := e.symbols(3000+e.IntN(3000), 10<<e.IntN(10))
		ours := e.rewrite(base, 1+e.IntN(8))
		cases = append(cases, mergeCase{"rewritten", fmt.Sprintf("rewritten %d", len(cases)), base, ours, e.edit(base, 1)},
			mergeCase{"agreed", fmt.Sprintf("agreed %d", len(cases)), base, ours, e.edit(ours, 1)})
	}
	for range 30 { // the same with equal runs between
		base := e.symbols(4000+e.IntN(8000), 1000<<e.IntN(5))
		cases = append(cases, mergeCase{"regions", fmt.Sprintf("regions %d", len(cases)), base, e.rewriteRegions(base), e.edit(base, 1)})
	}
	for range 12 { // and so large that long equal runs can end a search
		base := e.symbols(40_000, 10_000<<e.IntN(4))
		cases = append(cases, mergeCase{"regions", fmt.Sprintf("regions %d", len(cases)), base, e.rewriteRegions(base), e.edit(base, 1)})
	}
	for range 60 { // and what has lines that are not searched for
		often := 3 + e.IntN(6)
		base := e.sparse(500+e.IntN(2000), often)
		cases = append(cases, mergeCase{"sparse", fmt.Sprintf("sparse %d", len(cases)), base, e.sparse(500+e.IntN(2000), often), e.edit(base, 1)})
	}
	return cases
}

// sparse returns that many lines; one in so many is a common one, and hardly any
// other is in another text.
func (e editor) sparse(lines, often int) []byte {
	var b bytes.Buffer
	for range lines {
		if e.IntN(often) == 0 {
			fmt.Fprintln(&b, e.IntN(2))
		} else {
			fmt.Fprintln(&b, 2+e.IntN(30_000))
		}
	}
	return b.Bytes()
}

// symbols returns a text of that many lines of that many kinds.
func (e editor) symbols(lines, kinds int) []byte {
	var b bytes.Buffer
	for range lines {
		fmt.Fprintf(&b, "%d\n", e.IntN(kinds))
	}
	return b.Bytes()
}

// program returns some that many lines as of a program, many of which are equal.
func (e editor) program(lines int) []byte {
	var b bytes.Buffer
	for n := 0; n < lines; n += 8 {
		fmt.Fprintf(&b, "func f%d() error {\n", e.IntN(1000))
		for range e.IntN(6) {
			switch e.IntN(4) {
			case 0:
				b.WriteString("\tif err != nil {\n\t\treturn err\n\t}\n")
			case 1:
				fmt.Fprintf(&b, "\tx%d := f%d()\n", e.IntN(20), e.IntN(1000))
			case 2:
				b.WriteString("\n")
			case 3:
				fmt.Fprintf(&b, "\t// %d\n", e.IntN(100000))
			}
		}
		b.WriteString("\treturn nil\n}\n\n")
	}
	return b.Bytes()
}

// mixedEnds gives some lines or all a carriage return, or takes the last line feed.
func (e editor) mixedEnds(text []byte) []byte {
	lines := textLines(text)
	every := 1 + e.IntN(3)
	for i := range lines {
		if e.IntN(every) == 0 {
			lines[i] = strings.TrimSuffix(lines[i], "\n") + "\r\n"
		}
	}
	text = []byte(strings.Join(lines, ""))
	if e.IntN(2) == 0 {
		text = bytes.TrimSuffix(text, []byte("\n"))
	}
	return text
}

// rewrite changes every n-th line or so.
func (e editor) rewrite(text []byte, n int) []byte {
	lines := textLines(text)
	for i := range lines {
		switch e.IntN(3 * n) {
		case 0:
			lines[i] = lines[e.IntN(len(lines))]
		case 1:
			lines[i] = ""
		case 2:
			lines[i] += lines[e.IntN(len(lines))]
		}
	}
	return []byte(strings.Join(lines, ""))
}

// rewriteRegions rewrites parts of the text and leaves others.
func (e editor) rewriteRegions(text []byte) (result []byte) {
	lines := textLines(text)
	for len(lines) > 0 {
		n := min(len(lines), 1+e.IntN(200))
		region := []byte(strings.Join(lines[:n], ""))
		if e.IntN(2) == 0 {
			region = e.rewrite(region, 1+e.IntN(4))
		}
		result = append(result, region...)
		lines = lines[n:]
	}
	return result
}

// edit makes that many edits.
func (e editor) edit(text []byte, edits int) []byte {
	for range edits {
		lines := textLines(text)
		at := e.IntN(len(lines) + 1)
		end := min(len(lines), at+1+e.IntN(4))
		lines = e.change(lines, at, end)
		text = []byte(strings.Join(lines, ""))
		if e.IntN(30) == 0 {
			text = bytes.TrimSuffix(text, []byte("\n"))
		}
	}
	return text
}

// change does something to the lines from at to before end.
func (e editor) change(lines []string, at, end int) []string {
	block := slices.Clone(lines[at:end])
	switch e.IntN(7) {
	case 0: // delete
		return slices.Delete(lines, at, end)
	case 1: // write something
		return slices.Insert(lines, at, fmt.Sprintf("new %d\n", e.IntN(1000)))
	case 2: // replace
		return slices.Replace(lines, at, end, fmt.Sprintf("other %d\n", e.IntN(1000)))
	case 3: // copy
		return slices.Insert(lines, e.IntN(len(lines)+1), block...)
	case 4: // move
		lines = slices.Delete(lines, at, end)
		return slices.Insert(lines, e.IntN(len(lines)+1), block...)
	case 5: // indent
		for i := range block {
			block[i] = "\t" + block[i]
		}
		return slices.Replace(lines, at, end, block...)
	default: // change words
		for i := range block {
			block[i] = strings.Replace(block[i], "r", "rr", 1)
		}
		return slices.Replace(lines, at, end, block...)
	}
}

// textLines cuts a text into lines, with their ends.
func textLines(text []byte) (lines []string) {
	for l := range bytes.Lines(text) {
		lines = append(lines, string(l))
	}
	return lines
}
