package api_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"dfs/cas"
	"dfs/manifest"
	"dfs/server/api"
)

func TestDecodeJSONIsStrict(t *testing.T) {
	session := vid(1).String()
	good := fmt.Sprintf(`{"session":%q,"state":"FAILED"}`, session)
	var p api.Progress
	if err := api.DecodeJSON([]byte(good+" \n"), &p); err != nil || p.State != api.Failed || p.Session != vid(1) {
		t.Fatalf("%+v, %v", p, err)
	}
	for name, text := range map[string]string{
		"unknown field":     `{"session":"` + session + `","stat":"FAILED"}`,
		"field twice":       `{"state":"FAILED","state":"IDLE"}`,
		"field in capitals": `{"session":"` + session + `","State":"FAILED"}`,
		"field folded":      `{"ſeſſion":"` + session + `"}`,
		"bytes after":       good + "x",
		"a value after":     good + good,
		"half a surrogate":  `{"state":"\ud800"}`,
		"low half first":    `{"state":"\uDC00\ud800"}`,
		"half, then text":   `{"state":"\ud800 \udc00"}`,
		"not UTF-8":         "{\"state\":\"\xff\"}",
		"cut":               good[:10],
		"empty":             "",
		"too deep":          strings.Repeat("[", 9) + strings.Repeat("]", 9),
		"far too deep":      strings.Repeat("[", 1<<20),
		"ID in capitals":    `{"session":"` + strings.Repeat("AB", 16) + `"}`,
		"short ID":          `{"session":"00"}`,
	} {
		if err := api.DecodeJSON([]byte(text), new(api.Progress)); !errors.Is(err, api.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, text := range map[string]string{
		"surrogate pair":    `{"state":"\ud83d\ude00"}`,
		"escaped backslash": `{"state":"\\ud800"}`,
		"no surrogate":      `{"state":"\ud7ff\uD7FF"}`,
	} {
		if err := api.DecodeJSON([]byte(text), new(api.Progress)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// requestJSON is a diff request as a person would write it.
func requestJSON(t *testing.T, path, fields string) string {
	m, err := file("hello").Encode()
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf(`{"session":%q,"part":1,"edits":[{"path":%s,"base":"","new":{"canonical":%q%s}},
		{"path":"z","base":%q,"new":null}],"ask":[{"kind":"chunk","id":%q}]}`,
		vid(1), path, base64.StdEncoding.EncodeToString(m), fields, id(1), id(3))
}

func TestDiffRequestJSON(t *testing.T) {
	for name, c := range map[string]struct{ path, want string }{
		"UTF-8":     {`"dir/é"`, "dir/é"},
		"newline":   {`"a\nb"`, "a\nb"},
		"any bytes": {`{"bytes":"YQr/"}`, "a\n\xff"},
	} {
		got, err := api.DecodeDiffRequestJSON([]byte(requestJSON(t, c.path, "")))
		want := &api.DiffRequest{Session: vid(1), Part: 1, Ask: []cas.Ref{{Kind: cas.Chunk, ID: id(3)}},
			Edits: []api.Edit{{Path: c.want, New: file("hello")}, {Path: "z", Base: id(1)}}}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	hash := file("hello").Hash()
	fields := fmt.Sprintf(`,"hash":%q,"kind":"file","mode":"0644","mtime":"2023-11-14T22:13:20.000000005Z","size":5`, hash)
	if _, err := api.DecodeDiffRequestJSON([]byte(requestJSON(t, `"a"`, fields))); err != nil {
		t.Errorf("with the fields for people: %v", err)
	}
	for name, text := range map[string]string{
		"fields that differ":    requestJSON(t, `"a"`, strings.Replace(fields, "0644", "0600", 1)),
		"UTF-8 given as bytes":  requestJSON(t, `{"bytes":"YQ=="}`, ""),
		"unknown field in path": requestJSON(t, `{"bytes":"YQr/","x":1}`, ""),
		"path upwards":          requestJSON(t, `"../a"`, ""),
		"path missing":          strings.Replace(requestJSON(t, `"a"`, ""), `"path":"a",`, "", 1),
		"unknown field deep":    requestJSON(t, `"a"`, `,"owner":1`),
		"not canonical":         requestJSON(t, `"a"`, "")[:0] + strings.Replace(requestJSON(t, `"a"`, ""), `"canonical":"`, `"canonical":"AAAA`, 1),
		"unknown kind":          strings.Replace(requestJSON(t, `"a"`, ""), `"chunk"`, `"lump"`, 1),
		"unknown field in ask":  strings.Replace(requestJSON(t, `"a"`, ""), `"kind"`, `"a":1,"kind"`, 1),
	} {
		if _, err := api.DecodeDiffRequestJSON([]byte(text)); !errors.Is(err, api.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCommitRequestJSON(t *testing.T) {
	text := fmt.Sprintf(`{"session":%q,"key":%q,"parts":2,"edits":[{"path":"a","base":%q,"new":null}],"settle":[{"conflict":%q,"ours":%q,"theirs":"","take":"base"}],
		"seen":%q,"expect":"","message":"m"}`, vid(1), vid(2), id(1), id(3), id(4), id(5))
	got, err := api.DecodeCommitRequestJSON([]byte(text))
	want := &api.CommitRequest{Session: vid(1), Key: vid(2), Parts: 2, Edits: []api.Edit{{Path: "a", Base: id(1)}}, Seen: id(5), Message: "m",
		Settle: []api.Settlement{{Conflict: id(3), Ours: id(4), Take: "base"}}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := api.DecodeCommitRequestJSON([]byte(strings.Replace(text, "parts", "part", 1))); !errors.Is(err, api.ErrInvalid) {
		t.Errorf("unknown field: %v", err)
	}
}

func TestAnswersJSON(t *testing.T) {
	snapshot := manifest.Snapshot{Volume: vid(1), Seq: 3, Root: id(2), Parents: []cas.ID{id(4)}, Client: "host", Message: "m"}
	b, err := snapshot.Encode()
	if err != nil {
		t.Fatal(err)
	}
	whole := api.Snapshot{ID: cas.Sum(b), Record: snapshot}
	for name, v := range map[string]any{
		"diff-answer.json":   (&api.DiffAnswer{Missing: []bool{true, false}, Conflicts: []string{"a", "b\xff"}}).JSON(diffRequest().Ask),
		"commit-answer.json": commitAnswer(),
		"changes.json":       changes(),
		"conflicts.json":     conflicts(),
		"settled.json":       api.Settled{Conflict: conflicts()[0], Head: commitAnswer().Head},
		"snapshot.json":      whole,
		"error.json":         &api.Error{Code: api.ErrIncomplete.Code, Message: "m", Missing: diffRequest().Ask},
	} {
		data, err := json.MarshalIndent(v, "", "\t")
		if err != nil {
			t.Fatal(err)
		}
		golden(t, name, data)
	}
	data, err := json.Marshal(whole)
	if err != nil {
		t.Fatal(err)
	}
	var got api.Snapshot
	if err := json.Unmarshal(data, &got); err != nil || !reflect.DeepEqual(got, whole) {
		t.Errorf("%+v, %v", got, err)
	}
	data = bytes.Replace(data, []byte(whole.ID.String()), []byte(id(9).String()), 1)
	if err := json.Unmarshal(data, &got); !errors.Is(err, api.ErrCorrupt) {
		t.Errorf("snapshot with another ID: %v", err)
	}
}
