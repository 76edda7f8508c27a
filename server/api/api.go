// Package api is the protocol between clients and a hub: the [Hub] interface,
// its messages, their binary and JSON forms, the table of HTTP routes, the
// limits and the errors. It is all that both sides share; it does no I/O.
//
// A push is Start, then for each batch Diff (which blobs are missing?) and
// Upload, then Commit. A conflict is settled by a Commit too. A pull is Start, then Changes (or a Merkle walk with
// Nodes when the replica has no base), then Blobs, then Report that it is complete. Every
// call may be lost, doubled or repeated at any time with the same effect as one call.
//
// A pull names its session in Changes and Blobs. That keeps the session alive, and takes it to
// REQUESTING_METADATA or TRANSFERRING_FILES while they are answered and to APPLYING_CHANGES after
// the last of them, where that is legal. It is information only: what is asked for is given either way.
package api

import (
	"context"
	"iter"
	"time"

	"dfs/cas"
	"dfs/manifest"
)

// ReplicaID is the random identity of a replica.
type ReplicaID = cas.VolumeID

// A Hub is the server side, in process or behind HTTP. Implementations are safe
// for concurrent use. Errors are *Error values (see errors.go) or wrap one,
// so errors.Is and errors.As give the same answers on both sides of the wire.
type Hub interface {
	// Info tells the hub's identity and limits and, if one is named, the volume of that
	// name: all that a replica must know that is to be bound.
	Info(ctx context.Context, volume string) (Info, error)

	// Volumes lists the volumes in name order; with a name, that one or none.
	Volumes(ctx context.Context, name string) ([]Volume, error)

	// CreateVolume makes an empty volume with the ID chosen by the caller; the
	// same name and ID again give the same answer. ErrExists when the name or
	// ID is taken by another volume, ErrInvalid for a bad name.
	CreateVolume(ctx context.Context, name string, id cas.VolumeID) (Volume, error)

	// Start opens the session of (replica, volume), or resumes the one that is
	// open: its staged parts are kept when Run is the one that staged them and
	// dropped when it is another. ErrNotFound for an unknown volume, unless the request
	// says to make it: then errors are also those of CreateVolume.
	Start(ctx context.Context, req StartRequest) (StartAnswer, error)

	// Diff stages part req.Part of the session's edits and answers which blobs
	// the hub lacks of those that the part names (see DiffRequest.Names), and
	// which edits conflict with the head as it is now. The same part again
	// replaces the former. Staged parts survive a crash of the hub.
	Diff(ctx context.Context, req DiffRequest) (DiffAnswer, error)

	// Upload stores blobs for the session's volume. Only chunks and pages are
	// accepted. A page is refused with ErrIncomplete unless all that it names
	// is there: first in the same request counts. Visible at once, durable with
	// the commit. ErrNoSpace when the store is full.
	Upload(ctx context.Context, session SessionID, blobs []cas.Blob) error

	// Commit applies the session's staged parts 0…Parts-1, merged with the request's
	// own edits, to the head, as one snapshot, and closes the session. The
	// answer is durable before it is given. The same Key again gives the same
	// answer without effect. ErrIncomplete (with Missing) when an edit
	// names a blob that is not there: nothing is committed, the session stays.
	// ErrRoot when head was Seen and the new root is not Expect. An edit that
	// conflicts does not stop the others (see CommitAnswer). ErrMoved when a conflict of
	// Settle is not open any more, or it or the head's version of its path is not what
	// the settlement says, or the head does not take the edit of its path: nothing is
	// committed, the session stays.
	Commit(ctx context.Context, req CommitRequest) (CommitAnswer, error)

	// Report lets a client that pulls tell its progress; it keeps the session
	// alive. ErrState when the transition is not legal.
	Report(ctx context.Context, session SessionID, state State) error

	// Expect tells how many plain bytes the client expects to have sent in the session once
	// it commits. What it told before counts no more. Progress is measured by it, and nothing
	// else; it keeps the session alive. ErrState when the session has ended.
	Expect(ctx context.Context, session SessionID, bytes int64) error

	// Changes yields what differs between two snapshots of a volume, in path
	// order, one change a path. The zero From is the empty tree; the zero To
	// is the head. With Wait, a head that is From is waited for to become another, for so
	// long at most; with Heard too, a settlement that is not heard of ends the wait (Status tells the
	// latest), since one can leave the head as it is. ErrNotFound when the volume has no such snapshot. After an error the
	// sequence ends.
	Changes(ctx context.Context, req ChangesRequest) iter.Seq2[Change, error]

	// Conflicts yields conflicts of a volume, by path and then by time. Theirs of an open one
	// is the head's version as it is now. Those that an ID names are found without going over the
	// others. ErrInvalid for one that is none. After an error the sequence ends.
	Conflicts(ctx context.Context, req ConflictsRequest) iter.Seq2[Conflict, error]

	// Blobs calls fn for each ref (chunks and pages) in the order asked for, at most
	// Limits.Blobs of them. A blob is valid until fn returns.
	Blobs(ctx context.Context, req BlobsRequest, fn func(cas.Blob) error) error

	// Nodes is Blobs for tree nodes: the Merkle walk.
	Nodes(ctx context.Context, v cas.VolumeID, ids []cas.ID, fn func(cas.Blob) error) error

	// Snapshot returns a snapshot of the volume; the zero ID is the head.
	Snapshot(ctx context.Context, v cas.VolumeID, id cas.ID) (Snapshot, error)

	// Snapshots lists snapshots of a volume, newest first. ErrNotFound for an unknown volume.
	Snapshots(ctx context.Context, req SnapshotsRequest) ([]Snapshot, error)

	// Status tells head, open conflicts and running sessions of a volume.
	Status(ctx context.Context, v cas.VolumeID) (Status, error)

	// Sessions lists the live sessions, the oldest first, of a volume, or with the zero ID of all
	// volumes that the caller reads. ErrNotFound for an unknown volume.
	Sessions(ctx context.Context, v cas.VolumeID) ([]SessionInfo, error)

	// AbortSession ends a session and drops what it staged; what is committed stays. It does nothing
	// to one that has ended. ErrNoSession for an unknown one, ErrForbidden unless the caller
	// administers its volume, ErrState while its commit is under way.
	AbortSession(ctx context.Context, id SessionID) error

	// Quotas lists the quotas with what is used of them: of volumes that the caller may read, its
	// own, and those of all clients for whoever administers the hub.
	Quotas(ctx context.Context) ([]Quota, error)

	// SetQuota makes a quota what it bounds now; one of zero bytes and files is none. What is above
	// it already stays. The same again does nothing. ErrInvalid for a quota of both a volume
	// and a client or of neither, or of less than nothing, ErrNotFound for an unknown volume,
	// ErrForbidden unless the caller administers the hub.
	SetQuota(ctx context.Context, q Quota) error

	// Overview tells how the hub fares. ErrForbidden unless the caller administers the hub.
	Overview(ctx context.Context) (Overview, error)

	// Ready returns nil when the hub would take a push, else why not: ErrPoisoned, ErrNoSpace, or
	// ErrBusy when it is closing.
	Ready(ctx context.Context) error
}

// Info describes a hub.
type Info struct {
	HubID    cas.VolumeID `json:"hub_id"`
	Protocol int          `json:"protocol"`
	Limits   Limits       `json:"limits"`
	Client   ClientID     `json:"client,omitzero"`  // who asks; zero: nobody whom the hub knows
	Volume   *Volume      `json:"volume,omitempty"` // nil: there is none of the name
}

// Volume describes a volume.
type Volume struct {
	ID   cas.VolumeID `json:"id"`
	Name string       `json:"name"`
	Head Head         `json:"head"`
}

// Head names a volume's newest snapshot. A new volume has one of the empty tree,
// with Seq 1.
type Head struct {
	Snapshot cas.ID `json:"snapshot"`
	Seq      uint64 `json:"seq"`
	Root     cas.ID `json:"root"`
}

// Snapshot is an immutable record of a volume's tree: see manifest for its encoding.
type Snapshot struct {
	ID     cas.ID            `json:"id"`
	Record manifest.Snapshot `json:"record"`
}

// SnapshotsRequest asks for a page of a volume's history.
type SnapshotsRequest struct {
	Volume cas.VolumeID
	Before uint64 // only snapshots of a lower number; 0: from the head on
	Limit  int    // how many at most, up to MaxSnapshots; 0: MaxSnapshots
}

// SessionID names a session; random.
type SessionID = cas.VolumeID

// State is a session's state.
type State string

// The states of a session.
const (
	Idle               State = "IDLE"
	ComputingDiff      State = "COMPUTING_DIFF"
	RequestingMetadata State = "REQUESTING_METADATA"
	TransferringFiles  State = "TRANSFERRING_FILES"
	ResolvingConflicts State = "RESOLVING_CONFLICTS"
	ApplyingChanges    State = "APPLYING_CHANGES"
	Complete           State = "COMPLETE"
	Failed             State = "FAILED"
	Expired            State = "EXPIRED"
	Aborted            State = "ABORTED"
	Braked             State = "BRAKED" // the client stopped before it did damage
)

// StartRequest opens or resumes a session.
type StartRequest struct {
	Protocol int          `json:"protocol"`
	Replica  ReplicaID    `json:"replica"`
	Volume   cas.VolumeID `json:"volume"`
	Run      cas.VolumeID `json:"run"`     // random, one per run of the client
	Client   string       `json:"client"`  // the host's name, for people
	Command  string       `json:"command"` // push, pull, sync, resolve
	Seen     cas.ID       `json:"seen"`    // the replica's newest known snapshot, zero when none
	SeenSeq  uint64       `json:"seen_seq"`
	Heard    uint64       `json:"heard,omitempty"` // the settlement up to which its base has taken in those of its conflicts

	// Create is the name under which the volume is made when it is not there, if this is
	// the hub with the ID Hub; empty: it is not made.
	Create string       `json:"create,omitempty"`
	Hub    cas.VolumeID `json:"hub,omitzero"`

	// Bytes is how many plain bytes the client expects to send, where it can tell; 0: it cannot.
	// Progress is measured by it, and nothing else.
	Bytes int64 `json:"bytes,omitempty"`
}

// StartAnswer tells where the session stands.
type StartAnswer struct {
	HubID   cas.VolumeID `json:"hub_id"`
	Session SessionID    `json:"session"`
	State   State        `json:"state"`
	Head    Head         `json:"head"`
	SeenOK  bool         `json:"seen_ok"` // the volume has the Seen snapshot under SeenSeq (true when Seen is zero)
	Settled uint64       `json:"settled"` // the number of the volume's latest settlement; what came later is not in Head either
	Open    int          `json:"open"`    // conflicts of the replica that are open
	Staged  int          `json:"staged"`  // parts that are staged already
	Fresh   bool         `json:"fresh"`   // the hub has no blobs yet that the volume could use: to ask about any is of no use
	Profile uint8        `json:"profile"` // the chunking profile to use
	Limits  Limits       `json:"limits"`
}

// Edit asks the hub to make Path be New (nil: absent), given that the sender
// based it on a manifest with hash Base (zero: absent).
type Edit struct {
	Path string
	Base cas.ID
	New  *manifest.Manifest
}

// Change says that Path was Old and is New; nil is absent.
type Change struct {
	Path string
	Old  *manifest.Manifest
	New  *manifest.Manifest
}

// DiffRequest is part number Part, from 0, of a session's edits. Within a part
// and from each part to the next paths ascend (merkle.Compare), one edit a path. Ask
// names further blobs to look up: pieces of a file that is not finished yet. A
// request that has Ask and no edits stages nothing.
type DiffRequest struct {
	Session SessionID
	Part    int
	Edits   []Edit
	Ask     []cas.Ref
}

// Names lists the blobs that the part names, in order: for each edit its
// inline chunks, or its root page; then Ask. Repetitions are kept.
func (r *DiffRequest) Names() []cas.Ref {
	return append(EditNames(r.Edits), r.Ask...)
}

// EditNames lists the blobs that edits name directly, in order.
func EditNames(edits []Edit) []cas.Ref {
	var refs []cas.Ref
	for _, e := range edits {
		if e.New == nil {
			continue
		}
		for _, run := range e.New.Runs {
			refs = append(refs, cas.Ref{Kind: cas.Chunk, ID: run.ID})
		}
		if !e.New.Pages.IsZero() {
			refs = append(refs, cas.Ref{Kind: cas.Page, ID: e.New.Pages})
		}
	}
	return refs
}

// DiffAnswer answers a DiffRequest.
type DiffAnswer struct {
	Missing   []bool   // for each of Names: the hub lacks it
	Conflicts []string // paths whose edit conflicts with the head as it is now
}

// CommitRequest seals a session.
type CommitRequest struct {
	Session SessionID
	Key     cas.VolumeID // random: the idempotency key
	Parts   int          // staged parts that must be there
	Edits   []Edit       // edits that are not staged, ascending; a path is either here or in a part
	Blobs   []cas.Blob   // blobs that they name and the hub lacks, stored as by Upload
	Settle  []Settlement // conflicts that the edits settle
	Seen    cas.ID       // the snapshot that Expect was computed from
	Expect  cas.ID       // the root after the edits if the head is Seen; zero: not known
	Message string
}

// CommitAnswer tells what became of a commit.
type CommitAnswer struct {
	Head Head // the volume's head after the commit: the new snapshot, or the former head when nothing changed
	// Merged: the head had moved on from the request's Seen, or some edits were
	// merged, restored a directory or conflicted, so Head.Root is not what the replica
	// alone would have. Call Changes(Seen → Head) for the difference.
	Merged bool
	// Conflicts: the edits that were not applied because the head's version
	// differs from both Base and New. Each is kept on the hub as a conflict object.
	Conflicts []Conflict
	// Kept: deletions that were dropped because the head's version is an edit
	// the replica has not seen, or a directory in which something new lives.
	Kept []string
}

// A Settlement closes an open conflict, of whichever replica, if it still is what who
// decided saw. What the path becomes is an edit of the same request; without one the head's
// version stays.
type Settlement struct {
	Conflict cas.ID // its ID
	Ours     cas.ID // the hash of its Ours
	Theirs   cas.ID // the hash of the head's version of its path; zero: absent
	Take     string // what was decided, for people: ours, theirs, both, base, file, lww, merge, copy, withdrawn
}

// Conflict is an object on the hub: Path, which Replica wanted to be Ours
// while the head has Theirs, both changed from Base; nil is absent. There is one open
// conflict of a replica at a path; a further edit of the replica there becomes its Ours. A
// settled one stays, with both versions. To its replica, as long as that has not heard of it, it says
// that Ours is known to whoever decided, and so takes the place of Base: see [Rebase].
type Conflict struct {
	ID      cas.ID // see ConflictID
	Path    string
	Replica ReplicaID
	Client  string             // the name of the replica's host, for people
	From    cas.ID             // the hash of the version that the replica started from; zero: none
	Base    *manifest.Manifest // that version; nil also where the hub had no tree at hand that has it
	Ours    *manifest.Manifest
	Theirs  *manifest.Manifest
	Open    bool
	Take    string    // of a settled one: what was decided; ByEdit when the replica's own edit settled it
	Number  uint64    // of a settled one: which of the volume's settlements it was, from 1, with gaps; else 0
	Time    time.Time // when the hub first recorded it; information only
}

// ConflictsRequest asks for conflicts of a volume.
type ConflictsRequest struct {
	Volume  cas.VolumeID `json:"volume"`
	Replica ReplicaID    `json:"replica"` // only this replica's; zero: all
	All     bool         `json:"all"`     // settled ones too
	After   uint64       `json:"after"`   // of these only those with a higher Number
	ID      string       `json:"id"`      // only those with an ID that begins with these lower-case hex digits; empty: all
}

// ChangesRequest asks for the difference between two snapshots.
type ChangesRequest struct {
	Volume cas.VolumeID `json:"volume"`
	From   cas.ID       `json:"from"`
	To     cas.ID       `json:"to"`

	Session SessionID `json:"-"` // of the pull that asks; zero: of none

	Wait  time.Duration `json:"-"` // at most MaxWait
	Heard *uint64       `json:"-"` // the number of a settlement: one with a higher number ends the wait too; nil: none does
}

// Status describes a volume at work.
type Status struct {
	Volume    Volume        `json:"volume"`
	Conflicts int           `json:"conflicts"` // open ones
	Settled   uint64        `json:"settled"`   // the number of the latest settlement
	Sessions  []SessionInfo `json:"sessions"`  // those that are neither idle nor ended
	Queue     *Queue        `json:"queue,omitempty"`
}

// SessionInfo describes a session.
type SessionInfo struct {
	ID      SessionID    `json:"id"`
	Replica ReplicaID    `json:"replica"`
	Volume  cas.VolumeID `json:"volume"`
	Client  string       `json:"client"`
	Command string       `json:"command"`
	State   State        `json:"state"`
	Started time.Time    `json:"started"`
	Active  time.Time    `json:"active"` // last progress
	Blobs   int64        `json:"blobs"`  // stored by this session
	Bytes   int64        `json:"bytes"`  // plain bytes of those
	Parts   int          `json:"parts"`  // staged

	// Who started it, and that client's name: told to the client itself and to who administers the hub, and to
	// others zero and empty, as where the hub has no accounts.
	Owner   ClientID `json:"owner,omitzero"`
	Account string   `json:"account,omitempty"`

	Transfer *Transfer `json:"transfer,omitempty"`
}
