package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"dfs/cas"
	"dfs/manifest"
)

func invalid(format string, args ...any) error {
	return &Error{Code: ErrInvalid.Code, Message: fmt.Sprintf(format, args...)}
}

// maxDepth bounds the nesting of JSON.
const maxDepth = 8

// DecodeJSON reads one JSON value into v, whose fields have names of small letters, and is strict: unknown and
// repeated fields, names in other letters, which encoding/json would take for those of fields, text that is
// not UTF-8, unpaired surrogates, nesting deeper than 8 and bytes after the value are ErrInvalid.
func DecodeJSON(data []byte, v any) error {
	if err := checkJSON(data); err != nil {
		return invalid("JSON: %v", err)
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return invalid("JSON: %v", err)
	}
	if dec.InputOffset() != int64(len(bytes.TrimRight(data, " \t\r\n"))) {
		return invalid("JSON: bytes after the value")
	}
	return nil
}

// fieldLetters are those of which the names of fields consist, and IDs where these are.
const fieldLetters = "abcdefghijklmnopqrstuvwxyz0123456789_"

func checkJSON(data []byte) error {
	if !utf8.Valid(data) {
		return errors.New("not UTF-8")
	}
	if unpaired(data) {
		return errors.New("unpaired surrogate")
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	var open []map[string]bool // the fields of each open object; nil for an array
	key := false               // a field's name is next
	for {
		tok, err := dec.Token()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		top := len(open) - 1
		switch t := tok.(type) {
		case json.Delim:
			switch t {
			case '{':
				open, key = append(open, map[string]bool{}), true
			case '[':
				open, key = append(open, nil), false
			default:
				open = open[:top]
				key = top > 0 && open[top-1] != nil
			}
			if len(open) > maxDepth {
				return fmt.Errorf("nested deeper than %d", maxDepth)
			}
			continue
		case string:
			if key {
				if strings.Trim(t, fieldLetters) != "" {
					return fmt.Errorf("unknown field %q", t)
				}
				if open[top][t] {
					return fmt.Errorf("field %q twice", t)
				}
				open[top][t], key = true, false
				continue
			}
		}
		key = top >= 0 && open[top] != nil
	}
}

// unpaired reports whether JSON has a \u escape of half a surrogate pair, which
// decoding would silently replace.
func unpaired(data []byte) bool {
	for i := 0; i+1 < len(data); i++ {
		if data[i] != '\\' {
			continue
		}
		switch i++; {
		case data[i] != 'u' || i+4 >= len(data) || data[i+1]|0x20 != 'd':
			continue
		case data[i+2] >= 'c' || data[i+2] >= 'C' && data[i+2] <= 'F':
			return true // low half first
		case data[i+2] < '8':
			continue // no surrogate
		}
		rest := data[i+5:]
		if len(rest) < 6 || rest[0] != '\\' || rest[1] != 'u' || rest[2]|0x20 != 'd' ||
			rest[3]|0x20 < 'c' || rest[3]|0x20 > 'f' {
			return true
		}
		i += 10
	}
	return false
}

// Text is any bytes in JSON: a string, or {"bytes": base64} when they are not UTF-8.
type Text = textJSON

// textJSON is any bytes: a JSON string, or {"bytes": base64} when they are not UTF-8.
type textJSON string

type rawText struct {
	Bytes []byte `json:"bytes"`
}

func (t textJSON) MarshalJSON() ([]byte, error) {
	if utf8.ValidString(string(t)) {
		return json.Marshal(string(t))
	}
	return json.Marshal(rawText{[]byte(t)})
}

func (t *textJSON) UnmarshalJSON(data []byte) error {
	if data[0] != '{' {
		return json.Unmarshal(data, (*string)(t))
	}
	var raw rawText
	if err := DecodeJSON(data, &raw); err != nil {
		return err
	}
	if utf8.Valid(raw.Bytes) {
		return fmt.Errorf("%q is UTF-8: give it as a string", raw.Bytes)
	}
	*t = textJSON(raw.Bytes)
	return nil
}

// pathJSON is a path as manifest.CheckPath allows it.
type pathJSON string

// Path is a path in JSON: a string, or {"bytes": base64} when it is not UTF-8.
type Path = pathJSON

func (p pathJSON) MarshalJSON() ([]byte, error) { return textJSON(p).MarshalJSON() }

func (p *pathJSON) UnmarshalJSON(data []byte) error {
	if err := (*textJSON)(p).UnmarshalJSON(data); err != nil {
		return err
	}
	return manifest.CheckPath(string(*p))
}

func toPathsJSON(paths []string) []pathJSON {
	out := make([]pathJSON, len(paths))
	for i, p := range paths {
		out[i] = pathJSON(p)
	}
	return out
}

type refJSON struct {
	Kind string `json:"kind"`
	ID   cas.ID `json:"id"`
}

func (r *refJSON) UnmarshalJSON(data []byte) error {
	type plain refJSON
	if err := DecodeJSON(data, (*plain)(r)); err != nil {
		return err
	}
	if !r.ref().Kind.Valid() {
		return fmt.Errorf("unknown kind %q of blob", r.Kind)
	}
	return nil
}

func (r refJSON) ref() cas.Ref {
	for _, k := range []cas.Kind{cas.Chunk, cas.Page, cas.Node, cas.Snapshot} {
		if k.String() == r.Kind {
			return cas.Ref{Kind: k, ID: r.ID}
		}
	}
	return cas.Ref{}
}

func toRefsJSON(refs []cas.Ref) []refJSON {
	out := make([]refJSON, len(refs))
	for i, r := range refs {
		out[i] = refJSON{r.Kind.String(), r.ID}
	}
	return out
}

func fromRefsJSON(in []refJSON) []cas.Ref {
	var refs []cas.Ref
	for _, r := range in {
		refs = append(refs, r.ref())
	}
	return refs
}

// manifestJSON is a manifest: its canonical form, and fields for people.
type manifestJSON struct {
	Canonical []byte `json:"canonical"`
	manifestFields
}

type manifestFields struct {
	Hash   cas.ID   `json:"hash"`
	Kind   string   `json:"kind"`
	Mode   string   `json:"mode"`
	Mtime  string   `json:"mtime"`
	Size   uint64   `json:"size"`
	Target textJSON `json:"target,omitempty"`
}

// toManifestJSON returns nil for an absent manifest. The error is that m is not valid.
func toManifestJSON(m *manifest.Manifest) (*manifestJSON, error) {
	if m == nil {
		return nil, nil
	}
	b, err := m.Encode()
	mtime := time.Unix(m.Mtime.Sec, int64(m.Mtime.Nsec)).UTC().Format(time.RFC3339Nano)
	return &manifestJSON{b, manifestFields{cas.Sum(b), m.Kind.String(), fmt.Sprintf("%04o", m.Mode),
		mtime, m.Size, textJSON(m.Target)}}, err
}

// toManifestsJSON is toManifestJSON for several.
func toManifestsJSON(ms ...*manifest.Manifest) ([]*manifestJSON, error) {
	out := make([]*manifestJSON, len(ms))
	for i, m := range ms {
		var err error
		if out[i], err = toManifestJSON(m); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// manifest decodes the canonical form; fields that are given must agree with it.
func (j *manifestJSON) manifest() (*manifest.Manifest, error) {
	if j == nil {
		return nil, nil
	}
	m, err := manifest.Decode(j.Canonical)
	if err != nil {
		return nil, err
	}
	want, err := toManifestJSON(m)
	if err != nil {
		return nil, err
	}
	if j.manifestFields != (manifestFields{}) && j.manifestFields != want.manifestFields {
		return nil, errors.New("manifest's fields differ from its canonical form")
	}
	return m, nil
}
