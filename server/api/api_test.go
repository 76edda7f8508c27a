package api_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"dfs/cas"
	"dfs/manifest"
	"dfs/server/api"
)

var update = flag.Bool("update", false, "write the golden vectors anew")

const vectors = "../../testdata/vectors/api"

func id(n byte) cas.ID            { return cas.Sum([]byte{n}) }
func vid(n byte) (v cas.VolumeID) { v[0], v[15] = n, n; return v }

func file(text string) *manifest.Manifest {
	m := &manifest.Manifest{Kind: manifest.File, Mode: 0o644, Mtime: manifest.Time{Sec: 1700000000, Nsec: 5}, Profile: 1, Size: uint64(len(text))}
	if text != "" {
		m.Runs = []manifest.Run{{ID: cas.Sum([]byte(text)), Size: uint32(len(text)), Count: 1}}
	}
	return m
}

func link(target string) *manifest.Manifest {
	return &manifest.Manifest{Kind: manifest.Symlink, Mode: 0o777, Mtime: manifest.Time{Sec: -1, Nsec: 999999999}, Target: target}
}

func paged() *manifest.Manifest {
	return &manifest.Manifest{Kind: manifest.File, Mode: 0o600, Profile: 1, Size: 1 << 30, Pages: id(7)}
}

func edits() []api.Edit {
	return []api.Edit{
		{Path: "a", New: file("hello")},
		{Path: "b\xff\nc", Base: id(1)},
		{Path: "dir/é", Base: id(2), New: link("\xfe/x")},
		{Path: "large", New: paged()},
	}
}

func diffRequest() *api.DiffRequest {
	return &api.DiffRequest{Session: vid(1), Part: 300, Edits: edits(), Ask: []cas.Ref{{Kind: cas.Chunk, ID: id(3)}, {Kind: cas.Page, ID: id(4)}}}
}

func diffAnswer() *api.DiffAnswer {
	return &api.DiffAnswer{Missing: []bool{true, false, false, true, true, false, false, true, true}, Conflicts: []string{"x\xff", "y"}}
}

func commitRequest() *api.CommitRequest {
	return &api.CommitRequest{Session: vid(1), Key: vid(2), Parts: 2, Edits: edits(), Seen: id(5), Message: "first\nline",
		Settle: []api.Settlement{{Conflict: id(6), Ours: id(7), Theirs: id(8), Take: "ours"}, {Conflict: id(9), Ours: id(7), Take: "copié"}}}
}

func commitAnswer() *api.CommitAnswer {
	return &api.CommitAnswer{
		Head: api.Head{Snapshot: id(1), Seq: 1 << 40, Root: id(2)}, Merged: true, Kept: []string{"kept"},
		Conflicts: conflicts(),
	}
}

func conflicts() []api.Conflict {
	return []api.Conflict{
		{ID: id(3), Path: "c", Replica: vid(3), Client: "höst", From: file("").Hash(), Base: file(""), Ours: file("ours"), Theirs: link("t"), Open: true, Time: time.Unix(1700000000, 7).UTC()},
		{ID: id(4), Path: "d\xff", Replica: vid(4), Take: "theirs", Number: 300},
	}
}

func changes() []api.Change {
	return []api.Change{{Path: "a", New: file("x")}, {Path: "b\xff", Old: file("")}, {Path: "c", Old: link("1"), New: link("2")}}
}

// A codec has one message's forms in terms of any.
type codec struct {
	name   string
	value  any
	encode func(any) ([]byte, error)
	decode func([]byte) (any, error)
}

func of[T any](name string, value T, encode func(T) ([]byte, error), decode func([]byte) (T, error)) codec {
	return codec{name, value, func(v any) ([]byte, error) { return encode(v.(T)) },
		func(b []byte) (any, error) { return decode(b) }}
}

func ref[T any](decode func([]byte) (T, error)) func([]byte) (*T, error) {
	return func(b []byte) (*T, error) { v, err := decode(b); return &v, err }
}

func codecs() []codec {
	return []codec{
		of("diff-request", diffRequest(), func(r *api.DiffRequest) ([]byte, error) { return r.Append(nil) }, api.DecodeDiffRequest),
		of("diff-answer", diffAnswer(), func(a *api.DiffAnswer) ([]byte, error) { return a.Append(nil), nil },
			ref(func(b []byte) (api.DiffAnswer, error) { return api.DecodeDiffAnswer(b, 9) })),
		of("commit-request", commitRequest(), func(r *api.CommitRequest) ([]byte, error) { return r.Append(nil) }, api.DecodeCommitRequest),
		of("commit-answer", commitAnswer(), func(a *api.CommitAnswer) ([]byte, error) { return a.Append(nil) }, ref(api.DecodeCommitAnswer)),
		of("blobs-request", &api.BlobsRequest{Volume: vid(1), Refs: diffRequest().Ask},
			func(r *api.BlobsRequest) ([]byte, error) { return r.Append(nil), nil }, api.DecodeBlobsRequest),
		of("nodes-request", &api.NodesRequest{Volume: vid(1), IDs: []cas.ID{id(1), id(2)}},
			func(r *api.NodesRequest) ([]byte, error) { return r.Append(nil), nil }, api.DecodeNodesRequest),
		of("changes", changes(), encodeChanges, api.DecodeChanges),
		of("conflicts", conflicts(), encodeConflicts, api.DecodeConflicts),
	}
}

func encodeConflicts(list []api.Conflict) (b []byte, err error) {
	for _, c := range list {
		if b, err = c.Append(b); err != nil {
			return nil, err
		}
	}
	return b, nil
}

func encodeChanges(list []api.Change) (b []byte, err error) {
	for _, c := range list {
		if b, err = c.Append(b); err != nil {
			return nil, err
		}
	}
	return b, nil
}

func TestMessagesRoundTrip(t *testing.T) {
	for _, c := range codecs() {
		t.Run(c.name, func(t *testing.T) {
			b, err := c.encode(c.value)
			if err != nil {
				t.Fatal(err)
			}
			got, err := c.decode(b)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, c.value) {
				t.Errorf("got  %+v\nwant %+v", got, c.value)
			}
			golden(t, c.name+".hex", []byte(hex.EncodeToString(b)))
			for n := range b {
				if _, err := c.decode(b[:n]); err == nil && !prefixIsWhole(c.name, b[:n]) {
					t.Fatalf("%d of %d bytes pass", n, len(b))
				} else if err != nil && !errors.Is(err, api.ErrInvalid) {
					t.Fatalf("%d bytes: %v is not ErrInvalid", n, err)
				}
			}
			if _, err := c.decode(append(b, 0)); !errors.Is(err, api.ErrInvalid) {
				t.Errorf("a byte too many: %v", err)
			}
		})
	}
}

// prefixIsWhole reports whether b, a prefix of a message, is a message: of changes and of
// conflicts, any whole number of them is.
func prefixIsWhole(name string, b []byte) bool {
	for n := range changes() {
		if whole, _ := encodeChanges(changes()[:n]); name == "changes" && bytes.Equal(b, whole) {
			return true
		}
	}
	for n := range conflicts() {
		if whole, _ := encodeConflicts(conflicts()[:n]); name == "conflicts" && bytes.Equal(b, whole) {
			return true
		}
	}
	return false
}

func TestDecodersRefuse(t *testing.T) {
	diff := func(tail ...byte) []byte { return append(make([]byte, 16), tail...) }
	for name, b := range map[string][]byte{
		"longer number than needed": diff(0x80, 0, 0, 0),
		"part above 31 bits":        diff(0xff, 0xff, 0xff, 0xff, 0xff, 1, 0, 0),
		"more edits than bytes":     diff(0, 0xff, 0xff, 0xff, 0xff, 0x0f),
		"count of 2^64-1":           diff(0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1),
		"unknown flags":             diff(0, 1, 1, 'a', 4, 0),
		"empty path":                diff(0, 1, 0, 0, 0),
		"path upwards":              diff(0, 1, 2, '.', '.', 0, 0),
		"zero base said to be one":  diff(append([]byte{0, 1, 1, 'a', 1}, make([]byte, 33)...)...),
		"unknown kind of blob":      diff(append([]byte{0, 0, 1, 'x'}, make([]byte, 32)...)...),
	} {
		if _, err := api.DecodeDiffRequest(b); !errors.Is(err, api.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := api.DecodeDiffRequest(diff(0, 1, 1, 'a', 0, 0)); err != nil {
		t.Errorf("the like without a mistake: %v", err)
	}
	for name, c := range map[string]api.Conflict{
		"client of 256 bytes":    {Path: "a", Client: strings.Repeat("c", 256)},
		"client that is no text": {Path: "a", Client: "\xff"},
		"take of 33 bytes":       {Path: "a", Take: strings.Repeat("t", 33)},
		"take that is no text":   {Path: "a", Take: "\xc3"},
	} {
		b, err := c.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := api.DecodeConflicts(b); !errors.Is(err, api.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := api.DecodeDiffAnswer([]byte{3, 0x0f, 0}, 3); !errors.Is(err, api.ErrInvalid) {
		t.Errorf("bits after the last blob: %v", err)
	}
	if _, err := api.DecodeDiffAnswer([]byte{3, 7, 0}, 4); !errors.Is(err, api.ErrInvalid) {
		t.Errorf("answer for another number of blobs: %v", err)
	}
}

func TestEncodersRefuseWhatIsNotValid(t *testing.T) {
	bad := &manifest.Manifest{Kind: 9}
	if _, err := (&api.DiffRequest{Edits: []api.Edit{{Path: "a", New: bad}}}).Append(nil); err == nil {
		t.Error("diff request")
	}
	if _, err := (&api.CommitRequest{Edits: []api.Edit{{Path: "a", New: bad}}}).Append(nil); err == nil {
		t.Error("commit request")
	}
	if _, err := (&api.CommitAnswer{Conflicts: []api.Conflict{{Path: "a", Theirs: bad}}}).Append(nil); err == nil {
		t.Error("commit answer")
	}
	if _, err := (&api.Change{Path: "a", Old: bad}).Append(nil); err == nil {
		t.Error("change")
	}
}

// TestHostileCounts checks that decoders allocate in proportion to their input.
func TestHostileCounts(t *testing.T) {
	huge := []byte{0xff, 0xff, 0xff, 0xff, 0x07}
	for _, c := range codecs() {
		for at := range 80 {
			b := append(make([]byte, at), huge...)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, _ = c.decode(b)
			runtime.ReadMemStats(&after)
			if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
				t.Errorf("%s, count at %d: %d bytes allocated", c.name, at, n)
			}
		}
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join(vectors, name)
	got = append(bytes.TrimRight(got, "\n"), '\n')
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
		t.Errorf("%s differs from its golden vector:\n%s", name, got)
	}
}

func blobs(t testing.TB) []cas.Blob {
	text := cas.Seal(cas.Chunk, bytes.Repeat([]byte("text that shrinks\n"), 100))
	return []cas.Blob{cas.Seal(cas.Chunk, []byte("hi")), cas.NewCodec(cas.CompressBulk).Compress(text, nil),
		cas.Seal(cas.Page, []byte{1, 2}), cas.Seal(cas.Node, nil)}
}

// stream returns the frames of blobs, then of msg, ended by failed.
func stream(t testing.TB, failed *api.Error, msg []byte, blobs ...cas.Blob) []byte {
	var b bytes.Buffer
	w := api.NewFrameWriter(&b)
	for _, blob := range blobs {
		if err := w.Blob(blob); err != nil {
			t.Fatal(err)
		}
	}
	if msg != nil {
		if err := w.Message(msg); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.End(failed); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// readAll reads a stream: what came before the error, which is io.EOF for a good end.
func readAll(r io.Reader) (got []cas.Blob, msgs [][]byte, err error) {
	f := api.NewFrameReader(r)
	for {
		h, err := f.Next()
		if err != nil {
			return got, msgs, err
		}
		if h.IsMessage() {
			msg, err := f.Message(h, nil)
			if err != nil {
				return got, msgs, err
			}
			msgs = append(msgs, msg)
			continue
		}
		b, err := f.Blob(h, nil, nil)
		if err != nil {
			return got, msgs, err
		}
		got = append(got, b)
	}
}

func TestFramesRoundTrip(t *testing.T) {
	want := blobs(t)
	if want[1].Encoding() != cas.S2 {
		t.Fatal("the second blob is not compressed")
	}
	b := stream(t, nil, []byte("message"), want...)
	golden(t, "frames.hex", []byte(hex.EncodeToString(b)))
	got, msgs, err := readAll(bytes.NewReader(b))
	if err != io.EOF || !reflect.DeepEqual(got, want) || len(msgs) != 1 || string(msgs[0]) != "message" {
		t.Fatalf("%v, %d blobs, %q", err, len(got), msgs)
	}
	for n := range b {
		if _, _, err := readAll(bytes.NewReader(b[:n])); err != io.ErrUnexpectedEOF {
			t.Fatalf("%d of %d bytes: %v", n, len(b), err)
		}
	}
	if _, _, err := readAll(bytes.NewReader(append(b, 0))); !errors.Is(err, api.ErrInvalid) {
		t.Errorf("a byte after the end: %v", err)
	}
}

// TestFramesExample checks the example of the package comment.
func TestFramesExample(t *testing.T) {
	text, err := os.ReadFile("frames.go")
	if err != nil {
		t.Fatal(err)
	}
	var example string
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(strings.TrimPrefix(line, "//\t")); len(fields) >= 6 && (fields[0] == "63" || fields[0] == "65") {
			example += strings.Join(fields, "")
		}
	}
	want := hex.EncodeToString(stream(t, nil, nil, cas.Seal(cas.Chunk, []byte("hi"))))
	if example != want {
		t.Errorf("the example is\n%s\nand should be\n%s", example, want)
	}
}

func TestFrameErrorsCross(t *testing.T) {
	want := &api.Error{Code: api.ErrIncomplete.Code, Message: "lacks some", Missing: diffRequest().Ask}
	_, _, err := readAll(bytes.NewReader(stream(t, want, nil, blobs(t)...)))
	if !reflect.DeepEqual(err, error(want)) {
		t.Errorf("got %#v", err)
	}
	long := &api.Error{Code: "x", Message: strings.Repeat("m", 5000), Missing: make([]cas.Ref, 1500)}
	for i := range long.Missing {
		long.Missing[i].Kind = cas.Chunk
	}
	_, _, err = readAll(bytes.NewReader(stream(t, long, nil)))
	if e, ok := err.(*api.Error); !ok || len(e.Message) != 4096 || len(e.Missing) != api.MaxMissing {
		t.Errorf("a long error arrives as %.80v", err)
	}
}

func TestEveryDamageToFramesShows(t *testing.T) {
	b := stream(t, nil, []byte("message"), blobs(t)...)
	for i := range b {
		for _, bit := range []byte{1, 0x80} {
			damaged := slices.Clone(b)
			damaged[i] ^= bit
			_, _, err := readAll(bytes.NewReader(damaged))
			kinds := []error{api.ErrInvalid, api.ErrCorrupt, cas.ErrCorrupt, io.ErrUnexpectedEOF}
			if !slices.ContainsFunc(kinds, func(k error) bool { return errors.Is(err, k) }) {
				// A blob's kind is not part of its hash: whoever asked for it compares.
				if h := damaged[i]; cas.Kind(h).Valid() && cas.Kind(b[i]).Valid() {
					continue
				}
				t.Fatalf("bit %#x of byte %d: %v", bit, i, err)
			}
		}
	}
}

func TestHeadersAreBounded(t *testing.T) {
	header := func(kind, enc byte, plain, size uint32) io.Reader {
		h := []byte{kind, enc, byte(plain >> 24), byte(plain >> 16), byte(plain >> 8), byte(plain),
			byte(size >> 24), byte(size >> 16), byte(size >> 8), byte(size)}
		return bytes.NewReader(append(h, make([]byte, 32)...))
	}
	for name, r := range map[string]io.Reader{
		"unknown kind":               header('x', 0, 1, 1),
		"above 1 MiB":                header('c', 0, cas.MaxSize+1, cas.MaxSize+1),
		"4 GiB":                      header('c', 2, 1<<32-1, 1),
		"raw of another size":        header('c', 0, 5, 4),
		"encoded that does not gain": header('c', 1, 5, 5),
		"unknown encoding":           header('c', 3, 5, 4),
		"encoded message":            header('m', 1, 5, 4),
		"encoded end":                header('e', 2, 5, 4),
	} {
		if _, err := api.NewFrameReader(r).Next(); !errors.Is(err, api.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := api.NewFrameReader(header('c', 1, 5, 4)).Next(); err != nil {
		t.Errorf("the like without a mistake: %v", err)
	}
}

func TestReadMessage(t *testing.T) {
	long := bytes.Repeat([]byte("0123456789abcdef"), cas.MaxSize/8) // 2 MiB
	for _, size := range []int{0, 1, cas.MaxSize, cas.MaxSize + 1, len(long)} {
		msg, _, err := api.ReadMessage(api.NewFrameReader(bytes.NewReader(api.AppendStream(nil, long[:size]))), 4<<20)
		if err != io.EOF || !bytes.Equal(msg, long[:size]) {
			t.Errorf("%d bytes: %d, %v", size, len(msg), err)
		}
	}
	read := func(b []byte, max int64) error {
		_, _, err := api.ReadMessage(api.NewFrameReader(bytes.NewReader(b)), max)
		return err
	}
	if err := read(api.AppendStream(nil, long), cas.MaxSize+1); !errors.Is(err, api.ErrTooLarge) {
		t.Errorf("above the limit: %v", err)
	}
	if err := read(stream(t, nil, nil), 10); !errors.Is(err, api.ErrInvalid) {
		t.Errorf("no message: %v", err)
	}
	two, _ := api.AppendMessage(nil, []byte("a"))
	two, _ = api.AppendMessage(two, []byte("b"))
	if err := read(api.AppendEnd(two, 2), 10); !errors.Is(err, api.ErrInvalid) {
		t.Errorf("in needless pieces: %v", err)
	}
}

func TestAsError(t *testing.T) {
	for _, c := range []struct {
		err  error
		code api.Code
		as   []error
	}{
		{api.ErrRoot, "root", []error{api.ErrRoot}},
		{api.ErrMoved, "moved", []error{api.ErrMoved}},
		{fmt.Errorf("volume x: %w", api.ErrNotFound), "not_found", []error{api.ErrNotFound}},
		{&cas.CorruptError{Ref: cas.Ref{Kind: cas.Chunk, ID: id(1)}}, "corrupt", []error{api.ErrCorrupt, cas.ErrCorrupt}},
		{fmt.Errorf("get: %w", cas.ErrNotFound), "no_blob", []error{api.ErrNoBlob, cas.ErrNotFound}},
		{cas.ErrNoSpace, "no_space", []error{api.ErrNoSpace, cas.ErrNoSpace}},
		{cas.ErrPoisoned, "poisoned", []error{api.ErrPoisoned, cas.ErrPoisoned}},
		{context.Canceled, "busy", []error{api.ErrBusy}},
		{fmt.Errorf("x: %w", context.DeadlineExceeded), "busy", []error{api.ErrBusy}},
		{&api.DamageError{Kind: api.ErrCorrupt}, "corrupt", []error{cas.ErrCorrupt}},
		{errors.New("secret"), "internal", []error{api.ErrInternal}},
		{fmt.Errorf("%w: secret", api.ErrInternal), "internal", []error{api.ErrInternal}},
	} {
		e := api.AsError(c.err)
		data, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		var crossed api.Error
		if err := json.Unmarshal(data, &crossed); err != nil || crossed.Code != c.code {
			t.Errorf("%v becomes %v, %v", c.err, crossed.Code, err)
		}
		for _, want := range c.as {
			if !errors.Is(&crossed, want) {
				t.Errorf("%v is not %v after crossing", c.err, want)
			}
		}
		if errors.Is(&crossed, api.ErrExists) || strings.Contains(crossed.Message, "secret") {
			t.Errorf("%v becomes %+v", c.err, crossed)
		}
	}
	if api.AsError(nil) != nil {
		t.Error("nil becomes an error")
	}
	if api.ErrNoSpace.Code.Status() != http.StatusInsufficientStorage || api.ErrMoved.Code.Status() != http.StatusConflict || api.Code("?").Status() != 500 {
		t.Error("wrong status")
	}
}

func TestConflictsAreOrdered(t *testing.T) {
	at := func(path string, sec int64, n byte) *api.Conflict {
		return &api.Conflict{Path: path, Time: time.Unix(sec, 0), ID: cas.ID{n}}
	}
	sorted := []*api.Conflict{at("a", 9, 9), at("a/b", 1, 2), at("a/b", 2, 1), at("a/b", 2, 2), at("a!", 0, 0)}
	for i, a := range sorted {
		for j, b := range sorted {
			if got := a.Compare(b); got != cmp.Compare(i, j) {
				t.Errorf("%+v against %+v: %d", a, b, got)
			}
		}
	}
}

func TestConflictID(t *testing.T) {
	first := api.ConflictID(vid(1), vid(2), "a", id(1))
	golden(t, "conflict-id.hex", []byte(first.String()))
	for i, other := range []cas.ID{api.ConflictID(vid(3), vid(2), "a", id(1)), api.ConflictID(vid(1), vid(3), "a", id(1)),
		api.ConflictID(vid(1), vid(2), "b", id(1)), api.ConflictID(vid(1), vid(2), "a", cas.ID{})} {
		if other == first {
			t.Errorf("conflict %d has the same ID", i)
		}
	}
	golden(t, "conflict-id-next.hex", []byte(api.NextConflictID(first).String()))
}

func TestRebase(t *testing.T) {
	versions := []*manifest.Manifest{nil, link("1"), link("2"), link("3")}
	conflict := func(from, ours int, take string) api.Conflict {
		return api.Conflict{From: versions[from].Hash(), Ours: versions[ours], Take: take}
	}
	for name, test := range map[string]struct {
		settled []api.Conflict
		base    int
		want    int // 0: nil
	}{
		"nothing":        {nil, 1, 0},
		"another base":   {[]api.Conflict{conflict(1, 2, "theirs")}, 3, 0},
		"one":            {[]api.Conflict{conflict(1, 2, "base")}, 1, 2},
		"from none":      {[]api.Conflict{conflict(0, 2, "base")}, 0, 2},
		"a chain":        {[]api.Conflict{conflict(1, 2, "ours"), conflict(2, 3, "theirs")}, 1, 3},
		"out of order":   {[]api.Conflict{conflict(2, 3, "theirs"), conflict(1, 2, "ours")}, 1, 2},
		"twice":          {[]api.Conflict{conflict(1, 2, "ours"), conflict(1, 3, "ours")}, 1, 2},
		"there and back": {[]api.Conflict{conflict(1, 2, "ours"), conflict(2, 1, "ours")}, 1, 1},
		"by its edit":    {[]api.Conflict{conflict(1, 2, api.ByEdit)}, 1, 0},
		"withdrawn":      {[]api.Conflict{conflict(1, 2, api.Withdrawn)}, 1, 0},
	} {
		if got := api.Rebase(versions[test.base].Hash(), test.settled); !manifest.Equal(got, versions[test.want]) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestRoutes(t *testing.T) {
	seen := map[string]api.Op{}
	for op := range api.Op(api.Ops()) {
		r := op.Route()
		if r.Path == "" || r.Does == "" || len(r.Gives) == 0 || op.String() == "" {
			t.Errorf("operation %d: %+v", op, r)
		}
		if r.Method == http.MethodGet && r.Takes != nil {
			t.Errorf("%v: GET with a body", op)
		}
		key := r.Method + " " + r.Path
		if other, twice := seen[key]; twice {
			t.Errorf("%v and %v are both %s", op, other, key)
		}
		seen[key] = op
	}
}

func BenchmarkFrames(b *testing.B) {
	blob := cas.Seal(cas.Chunk, bytes.Repeat([]byte{1, 2, 3, 4}, 16<<10))
	b.Run("encode", func(b *testing.B) {
		w := api.NewFrameWriter(io.Discard)
		b.SetBytes(int64(blob.Size()))
		for b.Loop() {
			if err := w.Blob(blob); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("decode", func(b *testing.B) {
		one := stream(b, nil, nil, blob)
		one = one[:api.HeaderSize+blob.Size()]
		buf := make([]byte, blob.Size())
		r := bytes.NewReader(one)
		f := api.NewFrameReader(r)
		b.SetBytes(int64(blob.Size()))
		for b.Loop() {
			r.Reset(one)
			h, err := f.Next()
			if err == nil {
				_, err = f.Blob(h, buf, nil)
			}
			if err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkDiffRequest(b *testing.B) {
	r := &api.DiffRequest{}
	for i := range 1000 {
		r.Edits = append(r.Edits, api.Edit{Path: fmt.Sprintf("some/directory/file-%06d", i), New: file("x")})
	}
	msg, err := r.Append(nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("encode", func(b *testing.B) {
		b.SetBytes(int64(len(msg)))
		for b.Loop() {
			if _, err := r.Append(msg[:0]); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("decode", func(b *testing.B) {
		b.SetBytes(int64(len(msg)))
		for b.Loop() {
			if _, err := api.DecodeDiffRequest(msg); err != nil {
				b.Fatal(err)
			}
		}
	})
}
