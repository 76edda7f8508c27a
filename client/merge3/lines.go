package merge3

import (
	"bytes"
	"hash/maphash"
)

// text is a text cut into lines.
type text struct {
	data    []byte
	ends    []int32 // where in data each line ends, its terminator included
	classes []int32 // of each line; set by classify
}

// cut cuts data, of less than 2 GiB, into lines.
func cut(data []byte) text {
	ends := make([]int32, 0, bytes.Count(data, []byte{'\n'})+1)
	for end := 0; end < len(data); {
		if n := bytes.IndexByte(data[end:], '\n'); n >= 0 {
			end += n + 1
		} else {
			end = len(data)
		}
		ends = append(ends, int32(end))
	}
	return text{data: data, ends: ends}
}

func (t *text) len() int { return len(t.ends) }

// slice returns the bytes of the lines from i to before j.
func (t *text) slice(i, j int) []byte { return t.data[t.offset(i):t.offset(j)] }

func (t *text) line(i int) []byte { return t.slice(i, i+1) }

func (t *text) offset(line int) int32 {
	if line == 0 {
		return 0
	}
	return t.ends[line-1]
}

// classes numbers the lines of texts: equal ones have one number, from 0 on. The
// hash is seeded, so no text can be made to collide.
type classes struct {
	seed  maphash.Seed
	slots []int32 // class+1, in the first free slot from the hash on; 0 is free
	texts []*text
	found []place // of each class, the first line
}

// place is a line of one of the texts.
type place struct{ text, line int32 }

// classify numbers the lines of all texts and returns how many classes there are.
func classify(texts ...*text) int {
	lines := 0
	for _, t := range texts {
		lines += t.len()
	}
	slots := 16
	for slots < 2*lines {
		slots *= 2
	}
	c := classes{seed: maphash.MakeSeed(), slots: make([]int32, slots), texts: texts, found: make([]place, 0, lines)}
	for i, t := range texts {
		t.classes = make([]int32, t.len())
		for line := range t.classes {
			t.classes[line] = c.class(place{int32(i), int32(line)})
		}
	}
	return len(c.found)
}

func (c *classes) line(p place) []byte { return c.texts[p.text].line(int(p.line)) }

// class returns the class of a line.
func (c *classes) class(p place) int32 {
	line := c.line(p)
	mask := uint64(len(c.slots) - 1)
	for slot := maphash.Bytes(c.seed, line) & mask; ; slot = (slot + 1) & mask {
		switch class := c.slots[slot] - 1; {
		case class < 0:
			c.found = append(c.found, p)
			c.slots[slot] = int32(len(c.found))
			return int32(len(c.found)) - 1
		case bytes.Equal(c.line(c.found[class]), line):
			return class
		}
	}
}
