package manifest

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math"
	"os"
	"runtime"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"dfs/cas"
	"dfs/cas/chunker"
)

var hello = Run{ID: cas.Sum([]byte("hello world")), Size: 11, Count: 1}

func zeros(n uint64) Run { return Run{ID: chunker.ZeroID(), Size: chunker.Min, Count: n} }

// numbered is a run of a made-up chunk.
func numbered(n int) Run {
	return Run{ID: cas.Sum(fmt.Append(nil, "chunk ", n)), Size: uint32(chunker.Min + n%1000), Count: 1}
}

func file(runs ...Run) *Manifest {
	m := &Manifest{Kind: File, Mode: 0o644, Mtime: Time{1e9, 1}, Profile: 1, Runs: runs}
	for _, r := range runs {
		m.Size += r.Bytes()
	}
	return m
}

// samples are valid manifests by name.
func samples() map[string]*Manifest {
	var many []Run
	for i := range MaxInline {
		many = append(many, numbered(i))
	}
	ext := file(hello)
	ext.Ext = []Ext{{Tag: 2, Value: []byte("two")}, {Tag: 1 << 31}}
	return map[string]*Manifest{
		"hello":         file(hello),
		"empty":         file(),
		"directory":     {Kind: Directory, Mode: 0o7777, Mtime: Time{-1, 999999999}},
		"symlink":       {Kind: Symlink, Mode: 0o777, Mtime: Time{math.MinInt64, 0}, Target: "../\xff"},
		"long-symlink":  {Kind: Symlink, Mtime: Time{math.MaxInt64, 0}, Target: strings.Repeat("x", MaxTarget)},
		"runs":          file(zeros(3), hello),
		"hole":          file(zeros(maxContent / chunker.Min)),
		"max-inline":    file(many...),
		"paged":         {Kind: File, Mode: 0o600, Mtime: Time{0, 0}, Size: 1 << 40, Profile: 1, Pages: cas.Sum([]byte("root page"))},
		"ext":           ext,
		"typical-mtime": {Kind: File, Mode: 0o644, Mtime: Time{1795372800, 123456789}, Size: 3000, Profile: 1, Runs: []Run{{hello.ID, 3000, 1}}},
	}
}

const vectors = "../testdata/vectors/manifest/"

// checkVectors holds encodings by name to the frozen ones of a file, whose lines are name and hex.
func checkVectors(t *testing.T, name string, got map[string][]byte) {
	t.Helper()
	text, err := os.ReadFile(vectors + name)
	if err != nil {
		t.Fatal(err)
	}
	want := make(map[string]string)
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); f[0] != "#" {
			want[f[0]] = f[1]
		}
	}
	for name, b := range got {
		if h := hex.EncodeToString(b); h != want[name] {
			t.Errorf("%s is\n%s %s, want\n%s", name, name, h, want[name])
		}
		delete(want, name)
	}
	for name := range want {
		t.Errorf("vector %s is not of the test", name)
	}
}

func encode(t testing.TB, m *Manifest) []byte {
	t.Helper()
	b, err := m.Encode()
	if err != nil {
		t.Fatalf("%+v: %v", m, err)
	}
	return b
}

func TestManifestVectors(t *testing.T) {
	t.Parallel()
	got := make(map[string][]byte)
	for name, m := range samples() {
		b := encode(t, m)
		got[name] = b
		back, err := Decode(b)
		if err != nil || !Equal(back, m) {
			t.Errorf("%s: decodes to %+v, %v", name, back, err)
		}
		if m.Hash() != cas.Sum(b) {
			t.Errorf("%s: Hash is not that of the encoding", name)
		}
	}
	checkVectors(t, "manifests.txt", got)
}

// TestWorkedExamples holds the package comment to its examples.
func TestWorkedExamples(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("manifest.go")
	if err != nil {
		t.Fatal(err)
	}
	page, err := (&Page{Runs: []Run{zeros(3), hello}}).Encode()
	if err != nil {
		t.Fatal(err)
	}
	snapshot, err := (&Snapshot{Volume: cas.VolumeID{1}, Seq: 1, Root: hello.ID, Client: "h", Replica: cas.VolumeID{2}, Time: Time{1e9, 1}}).Encode()
	if err != nil {
		t.Fatal(err)
	}
	example := func(title string) string {
		_, rest, _ := strings.Cut(string(source), title)
		var digits string
		for line := range strings.Lines(rest) {
			line, ok := strings.CutPrefix(line, "//\t")
			if !ok && digits != "" {
				break
			}
			line, _, _ = strings.Cut(line, "  ")
			if ok {
				digits += strings.Join(strings.Fields(line), "")
			}
		}
		return digits
	}
	if got := example("A file of 11 bytes"); got != hex.EncodeToString(encode(t, file(hello))) {
		t.Errorf("the manifest of the comment is %s, want %x", got, encode(t, file(hello)))
	}
	if got := example("A page of two runs"); got != hex.EncodeToString(page) {
		t.Errorf("the page of the comment is %s, want %x", got, page)
	}
	if got := example("A snapshot of volume"); got != hex.EncodeToString(snapshot) {
		t.Errorf("the snapshot of the comment is %s, want %x", got, snapshot)
	}
}

func TestTypicalSize(t *testing.T) {
	t.Parallel()
	if n := len(encode(t, samples()["typical-mtime"])); n > 60 {
		t.Errorf("a small file's manifest has %d bytes", n)
	}
}

func TestInvalidManifests(t *testing.T) {
	t.Parallel()
	many := make([]Run, 0, MaxInline+1)
	for i := range MaxInline + 1 {
		many = append(many, numbered(i))
	}
	edit := func(fn func(*Manifest)) *Manifest {
		m := file(hello)
		fn(m)
		return m
	}
	for name, m := range map[string]*Manifest{
		"zero":              {},
		"unknown kind":      {Kind: 4},
		"mode":              {Kind: Directory, Mode: 0o10000},
		"nanoseconds":       {Kind: Directory, Mtime: Time{0, 1e9}},
		"no profile":        edit(func(m *Manifest) { m.Profile = 0 }),
		"profile 2":         edit(func(m *Manifest) { m.Profile = 2 }),
		"size":              edit(func(m *Manifest) { m.Size++ }),
		"both":              edit(func(m *Manifest) { m.Pages = hello.ID }),
		"short paged":       {Kind: File, Profile: 1, Size: 64, Pages: hello.ID},
		"huge paged":        {Kind: File, Profile: 1, Size: 1 << 63, Pages: hello.ID},
		"too many runs":     file(many...),
		"no chunk":          file(Run{hello.ID, 0, 1}),
		"zero ID":           file(Run{cas.ID{}, 1, 1}),
		"large chunk":       file(Run{hello.ID, chunker.Max + 1, 1}),
		"no count":          file(Run{hello.ID, 1, 0}),
		"not merged":        file(zeros(1), zeros(1)),
		"large run":         file(zeros(maxContent/chunker.Min + 1)),
		"overflow":          file(zeros(1<<60 + 1)),
		"overflowing sum":   file(Run{cas.ID{1}, 1 << 17, 1<<46 - 1}, Run{cas.ID{2}, 1 << 17, 1<<46 - 1}, Run{cas.ID{3}, 1 << 17, 3}),
		"large sum":         file(zeros(maxContent/chunker.Min), Run{hello.ID, chunker.Max, 1}),
		"directory, size":   {Kind: Directory, Size: 1},
		"directory, target": {Kind: Directory, Target: "x"},
		"symlink, profile":  {Kind: Symlink, Target: "x", Profile: 1},
		"symlink, runs":     {Kind: Symlink, Target: "x", Runs: []Run{hello}},
		"symlink, pages":    {Kind: Symlink, Target: "x", Pages: hello.ID},
		"file, target":      edit(func(m *Manifest) { m.Target = "x" }),
		"no target":         {Kind: Symlink},
		"long target":       {Kind: Symlink, Target: strings.Repeat("x", MaxTarget+1)},
		"NUL in target":     {Kind: Symlink, Target: "x\x00"},
		"critical ext":      {Kind: Directory, Ext: []Ext{{Tag: 3}}},
		"double ext":        {Kind: Directory, Ext: []Ext{{Tag: 2}, {Tag: 2}}},
		"descending ext":    {Kind: Directory, Ext: []Ext{{Tag: 4}, {Tag: 2}}},
		"long":              {Kind: Directory, Ext: []Ext{{Tag: 2, Value: make([]byte, MaxEncoded)}}},
	} {
		prefix := []byte("prefix")
		if b, err := m.Append(prefix); err == nil || string(b) != "prefix" {
			t.Errorf("%s: %x, %v", name, b, err)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	good := encode(t, file(hello))
	change := func(at int, b ...byte) []byte {
		return append(append(bytes.Clone(good[:at]), b...), good[at+1:]...)
	}
	for name, b := range map[string][]byte{
		"nothing":            {},
		"version 0":          change(0, 0),
		"version 2":          change(0, 2),
		"kind":               change(1, 9),
		"mode not minimal":   {1, 2, 0x80, 0, 0, 0, 0},
		"mode above 07777":   {1, 2, 0x80, 0x20, 0, 0, 0},
		"profile":            change(10, 2),
		"66 runs":            change(11, 66),
		"runs that are not":  change(11, 64),
		"one byte more":      append(bytes.Clone(good), 0),
		"exts that are not":  change(len(good)-1, 1),
		"many exts":          change(len(good)-1, 0xff, 0xff, 0xff, 0xff, 0x0f),
		"critical ext":       change(len(good)-1, 1, 3, 0),
		"target that is not": {1, 3, 0, 0, 0, 9, 'x', 0},
		"above MaxEncoded":   append([]byte{1, 2, 0, 0, 0, 1, 2, 0x80, 0x80, 1}, make([]byte, 16<<10)...),
		"no root page":       append([]byte{1, 1, 0, 0, 0, 1, 65, 0}, make([]byte, 33)...),
	} {
		if m, err := Decode(b); err == nil {
			t.Errorf("%s: %x decodes to %+v", name, b, m)
		}
	}
	for n := range good {
		if _, err := Decode(good[:n]); err == nil {
			t.Errorf("the first %d of %d bytes decode", n, len(good))
		}
	}
}

func TestSameContentAndEqual(t *testing.T) {
	t.Parallel()
	all := samples()
	for name, m := range all {
		if !SameContent(m, m) || !Equal(m, m) || SameContent(m, nil) || Equal(nil, m) {
			t.Errorf("%s: not the same as itself, or as nothing", name)
		}
	}
	if !SameContent(nil, nil) || !Equal(nil, nil) || !(*Manifest)(nil).Hash().IsZero() {
		t.Error("absent is not absent")
	}
	touched := *all["hello"]
	touched.Mode, touched.Mtime = 0, Time{}
	if !SameContent(&touched, all["hello"]) || Equal(&touched, all["hello"]) {
		t.Error("mode or mtime count as content, or do not count at all")
	}
	delete(all, "ext")
	for name, a := range all {
		for other, b := range all {
			if name != other && SameContent(a, b) {
				t.Errorf("%s and %s have the same content", name, other)
			}
		}
	}
	paged := *all["paged"]
	if paged.Pages[0]++; SameContent(&paged, all["paged"]) {
		t.Error("the root page does not count")
	}
	profile := *all["hello"]
	if profile.Profile++; Equal(&profile, all["hello"]) {
		t.Error("the profile does not count")
	}
	if ext := samples()["ext"]; !SameContent(all["hello"], ext) || Equal(all["hello"], ext) {
		t.Error("ext counts as content, or not at all")
	}
}

func genRun(t *rapid.T) Run {
	r := Run{Size: rapid.Uint32Range(1, chunker.Max).Draw(t, "size"), Count: 1}
	if rapid.IntRange(0, 3).Draw(t, "repeated") == 0 {
		r.Count = rapid.Uint64Range(1, 1<<40).Draw(t, "count")
	}
	r.ID = cas.Sum(fmt.Append(nil, r.Size))
	return r
}

func genManifest(t *rapid.T) *Manifest {
	m := &Manifest{
		Kind:  rapid.SampledFrom([]Kind{File, Directory, Symlink}).Draw(t, "kind"),
		Mode:  rapid.Uint16Range(0, 0o7777).Draw(t, "mode"),
		Mtime: Time{rapid.Int64().Draw(t, "sec"), rapid.Uint32Range(0, 1e9-1).Draw(t, "nsec")},
	}
	switch m.Kind {
	case File:
		b := NewBuilder(func(cas.Blob) error { return nil })
		for range rapid.IntRange(0, MaxInline+10).Draw(t, "runs") {
			if err := b.Add(genRun(t)); err != nil {
				t.Fatal(err)
			}
		}
		if err := b.Finish(m); err != nil {
			t.Fatal(err)
		}
	case Symlink:
		m.Target = rapid.StringMatching("[^\\x00]{1,100}").Draw(t, "target")
	}
	tag := uint32(0)
	for range rapid.IntRange(0, 3).Draw(t, "exts") {
		tag += 2 * rapid.Uint32Range(1, 1<<20).Draw(t, "tag")
		m.Ext = append(m.Ext, Ext{tag, rapid.SliceOfN(rapid.Byte(), 0, 200).Draw(t, "value")})
	}
	return m
}

func TestManifestProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := genManifest(t)
		b, err := m.Encode()
		if err != nil {
			t.Fatal(err)
		}
		back, err := Decode(b)
		if err != nil || !Equal(back, m) {
			t.Fatalf("decodes to %+v, %v", back, err)
		}
		other := genManifest(t)
		if Equal(m, other) != (m.Hash() == other.Hash()) {
			t.Fatalf("Equal and Hash disagree: %+v, %+v", m, other)
		}
	})
}

func TestTimeCompare(t *testing.T) {
	t.Parallel()
	ordered := []Time{{math.MinInt64, 0}, {-1, 0}, {-1, 999999999}, {0, 0}, {0, 1}, {math.MaxInt64, 0}}
	for i, a := range ordered {
		for j, b := range ordered {
			if got := a.Compare(b); (got < 0) != (i < j) || (got > 0) != (i > j) {
				t.Errorf("%v compared to %v is %d", a, b, got)
			}
		}
	}
}

func TestCheckPath(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", MaxName)
	for _, p := range []string{"a", "a/b", "...", "a/..b", ".dfs2", "x.dfs", "\xff", " ", "a\\b", "dfs", "dfs~", "dfs~x", "dfs~10", ".dfs~1", "a:.dfs", "\u200c", "d\u200cfs", long, strings.Repeat(long[:254]+"/", 16) + long[:15]} {
		if err := CheckPath(p); err != nil {
			t.Error(err)
		}
	}
	for _, p := range []string{"", "/", "/a", "a/", "a//b", ".", "..", "a/./b", "a/..", "a\x00", ".dfs", ".DFS", "a/.Dfs/b", ".df\u017f",
		".dfs.", ".dfs ", ".DFS. .", ".dfs::$INDEX_ALLOCATION", ".dfs:x", "DFS~1", "dfs~9", "dfs~1.", "\u200c.dfs", ".d\u200cfs", "\ufeff.D\u202efs", "a/.dfs\u206f/b",
		long + "x", strings.Repeat(long[:254]+"/", 16) + long[:16]} {
		if err := CheckPath(p); err == nil {
			t.Errorf("path %q is accepted", p)
		}
	}
}

// allocated returns the bytes that fn allocates: the least of a few runs, since others may allocate too.
func allocated(fn func()) uint64 {
	least := uint64(math.MaxUint64)
	for range 5 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		fn()
		runtime.ReadMemStats(&after)
		least = min(least, after.TotalAlloc-before.TotalAlloc)
	}
	return least
}

// TestHostileCounts decodes short encodings that claim much.
func TestHostileCounts(t *testing.T) {
	good := encode(t, file())
	huge := []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}
	for name, fn := range map[string]func(){
		"exts":      func() { Decode(append(good[:len(good)-1:len(good)-1], huge...)) },
		"ext":       func() { Decode(append(append(good[:len(good)-1:len(good)-1], 1, 2), huge...)) },
		"target":    func() { Decode(append([]byte{1, 3, 0, 0, 0}, huge...)) },
		"runs":      func() { Decode([]byte{1, 1, 0, 0, 0, 1, 255, 2}) },
		"few exts":  func() { Decode(append(good[:len(good)-1:len(good)-1], 0xff, 0x7f)) },
		"page":      func() { DecodePage([]byte{1, 0, 3}) },
		"page page": func() { DecodePage([]byte{1, 1, 3}) },
		"parents":   func() { DecodeSnapshot(append(append([]byte{1}, make([]byte, 49)...), huge...)) },
	} {
		if n := allocated(fn); n > 4<<10 {
			t.Errorf("%s: %d bytes allocated", name, n)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, m := range samples() {
		f.Add(encode(f, m))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Decode(b)
		if err != nil {
			return
		}
		if again := encode(t, m); !bytes.Equal(again, b) {
			t.Fatalf("%x encodes again as %x", b, again)
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	m := samples()["typical-mtime"]
	buf := make([]byte, 0, 100)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.Append(buf); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	buf := encode(b, samples()["typical-mtime"])
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decode(buf); err != nil {
			b.Fatal(err)
		}
	}
}
