package api

import "reflect"

// forms has for each operation a value of the types of its JSON, request and answer; nil: it
// has none, or not in JSON.
var forms = [...]struct{ asks, answers any }{
	OpHealth:       {nil, struct{}{}},
	OpReady:        {nil, struct{}{}},
	OpRegister:     {RegisterRequest{}, Registered{}},
	OpInvite:       {InviteRequest{}, Invite{}},
	OpInvites:      {nil, InviteList{}},
	OpTokens:       {nil, TokenList{}},
	OpRotateToken:  {RotateRequest{}, Token{}},
	OpRevoke:       {nil, struct{}{}},
	OpInfo:         {nil, Info{}},
	OpOverview:     {nil, Overview{}},
	OpOpenAPI:      {nil, map[string]any{}},
	OpVolumes:      {nil, VolumeList{}},
	OpCreateVolume: {NewVolume{}, Volume{}},
	OpStart:        {StartRequest{}, StartAnswer{}},
	OpDiff:         {diffRequestJSON{}, diffAnswerJSON{}},
	OpUpload:       {nil, Stored{}},
	OpCommit:       {commitRequestJSON{}, CommitAnswer{}},
	OpChanges:      {nil, changesJSON{}},
	OpStatus:       {nil, Status{}},
	OpReport:       {Progress{}, struct{}{}},
	OpSessions:     {nil, SessionList{}},
	OpAbortSession: {nil, struct{}{}},
	OpQuotas:       {nil, QuotaList{}},
	OpSetQuota:     {QuotaBounds{}, struct{}{}},
	OpSnapshot:     {nil, Snapshot{}},
	OpSnapshots:    {nil, SnapshotList{}},
	OpConflicts:    {nil, conflictsJSON{}},
	OpSettle:       {SettleRequest{}, Settled{}},
}

// Forms tells of what Go types the JSON of an operation's request and answer is; nil: it has
// none, or not in JSON. They are for whoever describes the protocol: see [JSONForm].
func (o Op) Forms() (asks, answers reflect.Type) {
	if int(o) >= len(forms) {
		return nil, nil
	}
	return reflect.TypeOf(forms[o].asks), reflect.TypeOf(forms[o].answers)
}

// changesJSON answers OpChanges and conflictsJSON OpConflicts: with the count of the list, or
// with the error that ended it.
type (
	changesJSON struct {
		Changes []Change `json:"changes"`
		Count   uint64   `json:"count,omitempty"`
		Error   *Error   `json:"error,omitempty"`
	}
	conflictsJSON struct {
		Conflicts []Conflict `json:"conflicts"`
		Count     uint64     `json:"count,omitempty"`
		Error     *Error     `json:"error,omitempty"`
	}
)

// JSONForm returns the type whose fields are those of t in JSON: t itself, unless t
// marshals as another.
func JSONForm(t reflect.Type) reflect.Type {
	switch t {
	case reflect.TypeFor[Error]():
		return reflect.TypeFor[errorJSON]()
	case reflect.TypeFor[Conflict]():
		return reflect.TypeFor[conflictJSON]()
	case reflect.TypeFor[Change]():
		return reflect.TypeFor[changeJSON]()
	case reflect.TypeFor[CommitAnswer]():
		return reflect.TypeFor[commitAnswerJSON]()
	case reflect.TypeFor[Snapshot]():
		return reflect.TypeFor[snapshotJSON]()
	}
	return t
}

// A Refusal is a code that a hub refuses with, and the status of such an answer.
type Refusal struct {
	Code   Code
	Status int
}

// Refusals lists the codes that a hub refuses with.
func Refusals() []Refusal {
	list := make([]Refusal, len(kinds))
	for i, k := range kinds {
		list[i] = Refusal{k.err.Code, k.status}
	}
	return list
}
