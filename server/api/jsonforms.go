package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"dfs/cas"
	"dfs/manifest"
)

type editJSON struct {
	Path pathJSON      `json:"path"`
	Base cas.ID        `json:"base"`
	New  *manifestJSON `json:"new"`
}

func fromEditsJSON(in []editJSON) ([]Edit, error) {
	var edits []Edit
	for _, e := range in {
		m, err := e.New.manifest()
		if e.Path == "" {
			err = errors.New("path is missing")
		}
		if err != nil {
			return nil, invalid("edit of %q: %v", e.Path, err)
		}
		edits = append(edits, Edit{Path: string(e.Path), Base: e.Base, New: m})
	}
	return edits, nil
}

type diffRequestJSON struct {
	Session SessionID  `json:"session"`
	Part    int        `json:"part"`
	Edits   []editJSON `json:"edits"`
	Ask     []refJSON  `json:"ask"`
}

// DecodeDiffRequestJSON reads {"session", "part", "edits": [{"path", "base",
// "new": {"canonical"} or null}], "ask": [{"kind", "id"}]}, as strictly as [DecodeJSON].
func DecodeDiffRequestJSON(data []byte) (*DiffRequest, error) {
	var in diffRequestJSON
	if err := DecodeJSON(data, &in); err != nil {
		return nil, err
	}
	edits, err := fromEditsJSON(in.Edits)
	return &DiffRequest{Session: in.Session, Part: in.Part, Edits: edits, Ask: fromRefsJSON(in.Ask)}, err
}

type diffAnswerJSON struct {
	Missing   []refJSON  `json:"missing"`
	Conflicts []pathJSON `json:"conflicts"`
}

// JSON returns what marshals to {"missing": [{"kind", "id"}], "conflicts": [path]}:
// the blobs among names, the request's Names, that the hub lacks.
func (a *DiffAnswer) JSON(names []cas.Ref) any {
	missing := []cas.Ref{}
	for i, lacks := range a.Missing {
		if lacks {
			missing = append(missing, names[i])
		}
	}
	return diffAnswerJSON{toRefsJSON(missing), toPathsJSON(a.Conflicts)}
}

type settlementJSON struct {
	Conflict cas.ID `json:"conflict"`
	Ours     cas.ID `json:"ours"`
	Theirs   cas.ID `json:"theirs"`
	Take     string `json:"take"`
}

type commitRequestJSON struct {
	Session SessionID        `json:"session"`
	Key     cas.VolumeID     `json:"key"`
	Parts   int              `json:"parts"`
	Edits   []editJSON       `json:"edits"`
	Settle  []settlementJSON `json:"settle"`
	Seen    cas.ID           `json:"seen"`
	Expect  cas.ID           `json:"expect"`
	Message string           `json:"message"`
}

// DecodeCommitRequestJSON reads {"session", "key", "parts", "edits" (as in a diff request),
// "settle": [{"conflict", "ours", "theirs", "take"}], "seen", "expect", "message"}, as
// strictly as [DecodeJSON].
func DecodeCommitRequestJSON(data []byte) (*CommitRequest, error) {
	var in commitRequestJSON
	if err := DecodeJSON(data, &in); err != nil {
		return nil, err
	}
	var settle []Settlement
	for _, s := range in.Settle {
		settle = append(settle, Settlement(s))
	}
	edits, err := fromEditsJSON(in.Edits)
	return &CommitRequest{Session: in.Session, Key: in.Key, Parts: in.Parts, Edits: edits, Settle: settle,
		Seen: in.Seen, Expect: in.Expect, Message: in.Message}, err
}

type conflictJSON struct {
	ID      cas.ID        `json:"id"`
	Path    pathJSON      `json:"path"`
	Replica ReplicaID     `json:"replica"`
	Client  string        `json:"client"`
	From    cas.ID        `json:"from"`
	Base    *manifestJSON `json:"base"`
	Ours    *manifestJSON `json:"ours"`
	Theirs  *manifestJSON `json:"theirs"`
	Open    bool          `json:"open"`
	Take    string        `json:"take,omitempty"`
	Number  uint64        `json:"number,omitempty"`
	Time    time.Time     `json:"time"`
}

// MarshalJSON implements [json.Marshaler]: {"id", "path", "replica", "client", "from", "base",
// "ours", "theirs", "open", "take", "number", "time"}, with manifests as in a change.
func (c Conflict) MarshalJSON() ([]byte, error) {
	ms, err := toManifestsJSON(c.Base, c.Ours, c.Theirs)
	if err != nil {
		return nil, err
	}
	return json.Marshal(conflictJSON{c.ID, pathJSON(c.Path), c.Replica, c.Client, c.From, ms[0], ms[1], ms[2], c.Open, c.Take, c.Number, c.Time})
}

type commitAnswerJSON struct {
	Head      Head       `json:"head"`
	Merged    bool       `json:"merged"`
	Conflicts []Conflict `json:"conflicts"`
	Kept      []pathJSON `json:"kept"`
}

// MarshalJSON implements [json.Marshaler]: {"head", "merged", "conflicts": [Conflict],
// "kept": [path]}.
func (a CommitAnswer) MarshalJSON() ([]byte, error) {
	return json.Marshal(commitAnswerJSON{a.Head, a.Merged, append([]Conflict{}, a.Conflicts...), toPathsJSON(a.Kept)})
}

type changeJSON struct {
	Path pathJSON      `json:"path"`
	Old  *manifestJSON `json:"old"`
	New  *manifestJSON `json:"new"`
}

// MarshalJSON implements [json.Marshaler]: {"path", "old", "new"}, where a
// manifest is {"canonical": base64} and fields for people, and nil is null.
func (c Change) MarshalJSON() ([]byte, error) {
	ms, err := toManifestsJSON(c.Old, c.New)
	if err != nil {
		return nil, err
	}
	return json.Marshal(changeJSON{pathJSON(c.Path), ms[0], ms[1]})
}

// snapshotJSON is a snapshot: the canonical form, and the record for people.
type snapshotJSON struct {
	ID        cas.ID            `json:"id"`
	Canonical []byte            `json:"canonical"`
	Record    manifest.Snapshot `json:"record"`
}

// MarshalJSON implements [json.Marshaler]: {"id", "canonical": base64, "record"}.
func (s Snapshot) MarshalJSON() ([]byte, error) {
	b, err := s.Record.Encode()
	if err != nil {
		return nil, err
	}
	record := s.Record
	record.Parents = append([]cas.ID{}, record.Parents...) // a list, also when it is empty
	return json.Marshal(snapshotJSON{s.ID, b, record})
}

// UnmarshalJSON implements [json.Unmarshaler]. The record is that of the canonical form,
// which must match the ID.
func (s *Snapshot) UnmarshalJSON(data []byte) error {
	var in snapshotJSON
	if err := json.Unmarshal(data, &in); err != nil {
		return err
	}
	if cas.Sum(in.Canonical) != in.ID {
		return &Error{Code: ErrCorrupt.Code, Message: fmt.Sprintf("snapshot %v does not match its ID", in.ID)}
	}
	record, err := manifest.DecodeSnapshot(in.Canonical)
	if err != nil {
		return fmt.Errorf("snapshot %v: %w", in.ID, err)
	}
	*s = Snapshot{ID: in.ID, Record: record}
	return nil
}
