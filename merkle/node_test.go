package merkle

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"dfs/cas"
)

// A rawEntry is written as it stands, whether or not it is valid.
type rawEntry struct {
	shared int
	suffix string
	value  string
	child  cas.ID
	count  uint64
}

func rawNode(level byte, entries ...rawEntry) []byte {
	data := []byte{version, level}
	for _, e := range entries {
		data = binary.AppendUvarint(data, uint64(e.shared))
		data = binary.AppendUvarint(data, uint64(len(e.suffix)))
		data = append(data, e.suffix...)
		if level == 0 {
			data = binary.AppendUvarint(data, uint64(len(e.value)))
			data = append(data, e.value...)
		} else {
			data = append(data, e.child[:]...)
			data = binary.AppendUvarint(data, e.count)
		}
	}
	return data
}

func TestDecoderRefuses(t *testing.T) {
	t.Parallel()
	id := cas.Sum(nil)
	good := rawNode(0, rawEntry{suffix: "ab", value: "1"}, rawEntry{shared: 1, suffix: "c", value: "2"})
	var dec decoder
	if n, count, err := dec.check(good); n != 2 || count != 2 || err != nil {
		t.Fatalf("%d entries, count %d, %v", n, count, err)
	}
	long := strings.Repeat("x", MaxPath)
	for name, data := range map[string][]byte{
		"nothing":              {},
		"version alone":        {version},
		"newer version":        {2, 0},
		"level 64":             rawNode(64, rawEntry{suffix: "a", child: id, count: 1}),
		"inner, empty":         rawNode(1),
		"cut short":            good[:len(good)-1],
		"trailing byte":        append(bytes.Clone(good), 0),
		"shared at first":      rawNode(0, rawEntry{shared: 1, suffix: "a", value: "1"}),
		"shared too long":      rawNode(0, rawEntry{suffix: "a", value: "1"}, rawEntry{shared: 2, suffix: "a", value: "1"}),
		"shares more":          rawNode(0, rawEntry{suffix: "ab", value: "1"}, rawEntry{shared: 0, suffix: "ac", value: "1"}),
		"no suffix":            rawNode(0, rawEntry{suffix: "a", value: "1"}, rawEntry{shared: 1, value: "1"}),
		"empty path":           rawNode(0, rawEntry{value: "1"}),
		"descending":           rawNode(0, rawEntry{suffix: "b", value: "1"}, rawEntry{suffix: "a", value: "1"}),
		"bytewise order":       rawNode(0, rawEntry{suffix: "a ", value: "1"}, rawEntry{shared: 1, suffix: "/", value: "1"}),
		"path too long":        rawNode(0, rawEntry{suffix: long + "x", value: "1"}),
		"path grown too long":  rawNode(0, rawEntry{suffix: long, value: "1"}, rawEntry{shared: MaxPath, suffix: "x", value: "1"}),
		"empty value":          rawNode(0, rawEntry{suffix: "a"}),
		"value too long":       rawNode(0, rawEntry{suffix: "a", value: strings.Repeat("x", MaxValue+1)}),
		"long varint":          {version, 0, 0, 0x81, 0x00, 'a', 1, 'v'},
		"varint overflow":      append([]byte{version, 0, 0}, bytes.Repeat([]byte{0xff}, 12)...),
		"short ID":             rawNode(1, rawEntry{suffix: "a", child: id, count: 1})[:30],
		"child without paths":  rawNode(1, rawEntry{suffix: "a", child: id}),
		"count overflow":       rawNode(1, rawEntry{suffix: "a", child: id, count: math.MaxInt64}, rawEntry{suffix: "b", child: id, count: 1}),
		"count above int64":    rawNode(1, rawEntry{suffix: "a", child: id, count: math.MaxInt64 + 1}),
		"larger than any node": rawNode(0, bigEntries()...),
	} {
		if _, _, err := dec.check(data); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func bigEntries() []rawEntry {
	var es []rawEntry
	for i := range 4 {
		es = append(es, rawEntry{suffix: string(rune('a' + i)), value: strings.Repeat("x", MaxValue)})
	}
	return es
}

// A hostile source serves trees that are wrong in one place; every operation
// that comes there ends with an error that names the node.
func TestHostileNodes(t *testing.T) {
	t.Parallel()
	mem := newMemory()
	put := func(data []byte) cas.ID {
		mem.nodes[cas.Sum(data)] = data
		return cas.Sum(data)
	}
	ab := put(rawNode(0, rawEntry{suffix: "a", value: "1"}, rawEntry{suffix: "b", value: "2"}))
	de := put(rawNode(0, rawEntry{suffix: "d", value: "1"}, rawEntry{suffix: "e", value: "2"}))
	a := put(rawNode(0, rawEntry{suffix: "a", value: "1"}))
	empty := put(emptyNode())
	single := put(rawNode(1, rawEntry{suffix: "b", child: ab, count: 2}))
	bad := put([]byte{version, 0, 7})
	root := func(level byte, es ...rawEntry) cas.ID { return put(rawNode(level, es...)) }
	second := rawEntry{suffix: "e", child: de, count: 2}
	for name, c := range map[string]struct{ root, blames cas.ID }{
		"root undecodable":  {bad, bad},
		"root single child": {single, single},
		"child undecodable": {root(1, rawEntry{suffix: "b", child: bad, count: 2}, second), bad},
		"child empty":       {root(1, rawEntry{suffix: "b", child: empty, count: 1}, second), empty},
		"wrong level":       {root(2, rawEntry{suffix: "b", child: ab, count: 2}, second), ab},
		"wrong level below": {root(1, rawEntry{suffix: "b", child: single, count: 2}, second), single},
		"wrong count":       {root(1, rawEntry{suffix: "b", child: ab, count: 3}, second), ab},
		"wrong last":        {root(1, rawEntry{suffix: "c", child: ab, count: 2}, second), ab},
		"begins too low":    {root(1, rawEntry{suffix: "a", child: a, count: 1}, rawEntry{suffix: "b", child: ab, count: 2}), ab},
	} {
		check := func(op string, err error) {
			t.Helper()
			if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), c.blames.String()) {
				t.Errorf("%s: %s: %v", name, op, err)
			}
		}
		_, err := collect(Walk(ctx, mem, c.root, ""))
		check("walk", err)
		_, err = collect(Diff(ctx, mem, c.root, de))
		check("diff", err)
		edits := []Change{{Path: "a", New: []byte("x")}, {Path: "b", New: []byte("x")}}
		_, err = Edit(ctx, mem, c.root, seq(edits), nil)
		check("edit", err)
		_, _, err = NewCursor(ctx, mem, c.root).Get("b")
		check("get", err)
	}
	// A tower that names itself cannot be made (it would be a hash's fixed point);
	// one of the greatest height ends.
	top := a
	for l := byte(1); l <= maxLevel; l++ {
		top = root(l, rawEntry{suffix: "a", child: top, count: 1}, rawEntry{suffix: "e", child: top, count: 1})
	}
	if _, err := collect(Walk(ctx, mem, top, "")); !errors.Is(err, ErrInvalid) {
		t.Errorf("tower: %v", err)
	}
}

type badSource func(ids []cas.ID, fn func(cas.Blob) error) error

func (s badSource) Nodes(_ context.Context, ids []cas.ID, fn func(cas.Blob) error) error {
	return s(ids, fn)
}

func TestBadSource(t *testing.T) {
	t.Parallel()
	data := rawNode(0, rawEntry{suffix: "a", value: "1"})
	id := cas.Sum(data)
	good := cas.Seal(cas.Node, data)
	for name, c := range map[string]struct {
		src badSource
		is  error
	}{
		"silent":     {func([]cas.ID, func(cas.Blob) error) error { return nil }, nil},
		"other node": {func(_ []cas.ID, fn func(cas.Blob) error) error { return fn(cas.Seal(cas.Node, emptyNode())) }, nil},
		"other kind": {func(_ []cas.ID, fn func(cas.Blob) error) error { return fn(cas.Seal(cas.Chunk, data)) }, nil},
		"too many":   {func(_ []cas.ID, fn func(cas.Blob) error) error { return errors.Join(fn(good), fn(good)) }, nil},
		"failing":    {func([]cas.ID, func(cas.Blob) error) error { return errTest }, errTest},
	} {
		if _, err := collect(Walk(ctx, c.src, id, "")); err == nil || c.is != nil && !errors.Is(err, c.is) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := Len(ctx, c.src, id); err == nil {
			t.Errorf("%s: Len has no error", name)
		}
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	mem := newMemory()
	mem.nodes[id] = data
	if _, err := collect(Walk(cancelled, mem, id, "")); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	c := NewCursor(ctx, &memory{nodes: map[cas.ID][]byte{}}, id)
	if _, _, err := c.Get("a"); !errors.Is(err, cas.ErrNotFound) {
		t.Errorf("absent: %v", err)
	}
	c.src = mem
	if v, ok, err := c.Get("a"); !ok || string(v) != "1" || err != nil {
		t.Errorf("the try after an error: %q, %v, %v", v, ok, err)
	}
}

// sizes builds a tree and returns the sizes of its nodes by level, without each level's last.
func sizes(t *testing.T, add func(*Builder)) [][]int {
	t.Helper()
	var byLevel [][]int
	b := NewBuilder(func(b cas.Blob) error {
		l := int(b.Plain()[1])
		for len(byLevel) <= l {
			byLevel = append(byLevel, nil)
		}
		byLevel[l] = append(byLevel[l], b.Size())
		return nil
	})
	add(b)
	if _, err := b.Finish(); err != nil {
		t.Fatal(err)
	}
	for l := range byLevel {
		byLevel[l] = byLevel[l][:len(byLevel[l])-1]
	}
	return byLevel
}

func TestNodeSizes(t *testing.T) {
	t.Parallel()
	shapes := map[string]func(*Builder){
		"files": func(b *Builder) {
			for i := range 200000 {
				_ = b.Add(Entry{filePath(i), []byte(fileValue(i))})
			}
		},
		"one byte": func(b *Builder) {
			for i := range 400000 {
				_ = b.Add(Entry{fmt.Sprintf("%08d", i), []byte{1}})
			}
		},
	}
	for name, add := range shapes {
		for l, s := range sizes(t, add) {
			if len(s) < 100 {
				continue
			}
			sum, small, large := 0, 0, 0
			for _, n := range s {
				sum += n
				if n < 4<<10 {
					small++
				}
				if n > 12<<10 {
					large++
				}
				if n < 2<<10 || n > 20<<10 {
					t.Errorf("%s: level %d has a node of %d bytes", name, l, n)
				}
			}
			mean := sum / len(s)
			t.Logf("%s: level %d: %d nodes, mean %d bytes", name, l, len(s), mean)
			if mean < 7000 || mean > 8500 || small > len(s)/8 || large > len(s)/40 {
				t.Errorf("%s: level %d: %d nodes, mean %d, %d small, %d large", name, l, len(s), mean, small, large)
			}
		}
	}
}

// Whatever keys and values an adversary chooses, no node exceeds the maximum
// and none but the last of a level is below the minimum or has one entry.
func TestNodeSizeBounds(t *testing.T) {
	t.Parallel()
	chosen := func(keep func(uint64) bool, value int, pad string) func(*Builder) {
		return func(b *Builder) {
			for i := range 100000 / (1 + len(pad)/1000) {
				key := fmt.Sprintf("%07d%s", i, pad)
				if keep(keyHash(0, []byte(key)) >> 56) {
					_ = b.Add(Entry{key, make([]byte, value)})
				}
			}
		}
	}
	never := func(h uint64) bool { return h >= 0xf8 }
	always := func(h uint64) bool { return h == 0 }
	seldom := func(h uint64) bool { return h >= 0xc0 }
	long := strings.Repeat("x", MaxPath-7)
	for name, c := range map[string]struct {
		add func(*Builder)
		max int
	}{
		"never cut":           {chosen(never, 60, ""), 4 << targetBits},
		"never cut, small":    {chosen(seldom, 1, ""), 4<<targetBits + 10},
		"always cut":          {chosen(always, 60, ""), 4 << targetBits},
		"large values":        {chosen(never, MaxValue, ""), maxNode},
		"large, always cut":   {chosen(always, MaxValue, long), maxNode},
		"long keys":           {chosen(never, 1, long), maxNode},
		"long keys, many cut": {chosen(always, 1, long), maxNode},
	} {
		largest := 0
		levels := sizes(t, c.add)
		for l, s := range levels {
			for _, n := range s {
				largest = max(largest, n)
				if n > c.max || n < 1<<targetBits/4 {
					t.Errorf("%s: level %d has a node of %d bytes", name, l, n)
				}
			}
		}
		if t.Logf("%s: %d levels, largest node %d", name, len(levels), largest); largest == 0 {
			t.Errorf("%s: too few entries for two nodes", name)
		}
	}
	if maxNode >= 128<<10 {
		t.Errorf("nodes of up to %d bytes", maxNode)
	}
}

// An attribute that changes within its size leaves every cut where it was.
func TestValuesDoNotMoveCuts(t *testing.T) {
	t.Parallel()
	add := func(version int) func(*Builder) {
		return func(b *Builder) {
			for i := range 20000 {
				_ = b.Add(Entry{filePath(i), []byte(fileValue(i + version))})
			}
		}
	}
	a, b := sizes(t, add(0)), sizes(t, add(1))
	if fmt.Sprint(a) != fmt.Sprint(b) {
		t.Error("cuts moved")
	}
}

// reencode writes what dec reads in the one way that the builder writes it.
func reencode(data []byte) []byte {
	var dec decoder
	dec.reset(data, "")
	lv := &level{}
	lv.begin(dec.level)
	for ; dec.next(); lv.n++ {
		if err := lv.addKey(dec.key); err != nil {
			panic(err)
		}
		if dec.level == 0 {
			lv.buf = binary.AppendUvarint(lv.buf, uint64(len(dec.value)))
			lv.buf = append(lv.buf, dec.value...)
		} else {
			lv.buf = append(lv.buf, dec.id[:]...)
			lv.buf = binary.AppendUvarint(lv.buf, dec.count)
		}
	}
	return lv.buf
}

func FuzzDecoder(f *testing.F) {
	mem := newMemory()
	b := newBuilder(smallBits+2, mem.put)
	for i := range 200 {
		_ = b.Add(Entry{filePath(i), []byte(fileValue(i))})
	}
	if _, err := b.Finish(); err != nil {
		f.Fatal(err)
	}
	for _, data := range mem.nodes {
		f.Add(data)
	}
	f.Add(emptyNode())
	f.Fuzz(func(t *testing.T, data []byte) {
		var dec decoder
		if _, _, err := dec.check(data); err == nil {
			if got := reencode(data); !bytes.Equal(got, data) {
				t.Errorf("accepted %x, written %x", data, got)
			}
		}
		// As a root and as a child it ends in a value or an error.
		id := cas.Sum(data)
		src := &memory{nodes: map[cas.ID][]byte{id: data}}
		for range Walk(ctx, src, id, "") {
		}
		_, _ = Edit(ctx, src, id, seq([]Change{{Path: "p", New: []byte("x")}}), nil)
		_, _, _ = NewCursor(ctx, src, id).Next("p")
	})
}

// The decoder's seeds, each with a byte changed, never pass for another value's encoding.
func TestDecoderCanonical(t *testing.T) {
	t.Parallel()
	mem := newMemory()
	build(t, smallBits+1, randomModel(rand.New(rand.NewPCG(4, 4)), 300), mem)
	rng := rand.New(rand.NewPCG(5, 5))
	accepted := 0
	for _, data := range mem.nodes {
		for range 300 {
			bad := bytes.Clone(data)
			bad[rng.IntN(len(bad))] = byte(rng.Uint32())
			var dec decoder
			if _, _, err := dec.check(bad); err == nil {
				accepted++
				if !bytes.Equal(reencode(bad), bad) {
					t.Fatalf("accepted %x", bad)
				}
			}
		}
	}
	if accepted == 0 {
		t.Error("nothing was accepted")
	}
}
