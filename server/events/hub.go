package events

import (
	"time"

	"dfs/cas"
	"dfs/server/api"
)

// What a hub publishes. The events of one session come in the order of what happened.

// VolumeCreated says that a hub has a new, empty volume.
type VolumeCreated struct {
	Volume cas.VolumeID `json:"volume"`
	Name   string       `json:"name"`
	At     time.Time    `json:"at"`
}

// Type implements [Event].
func (VolumeCreated) Type() string { return "volume_created" }

// SessionStateChanged says that a session went from a state to another. From is empty
// for a session that has just begun.
type SessionStateChanged struct {
	Session api.SessionID `json:"session"`
	Replica api.ReplicaID `json:"replica"`
	Volume  cas.VolumeID  `json:"volume"`
	From    api.State     `json:"from,omitempty"`
	To      api.State     `json:"to"`
	At      time.Time     `json:"at"`
}

// Type implements [Event].
func (SessionStateChanged) Type() string { return "session_state_changed" }

// SessionExpired says that a session made no progress for too long, and that what it had staged is
// gone. It comes after the change of the state.
type SessionExpired struct {
	Session api.SessionID `json:"session"`
	Replica api.ReplicaID `json:"replica"`
	Volume  cas.VolumeID  `json:"volume"`
	State   api.State     `json:"state"`  // in which it stood still
	Active  time.Time     `json:"active"` // its last progress
	Parts   int           `json:"parts"`  // that were staged
	At      time.Time     `json:"at"`
}

// Type implements [Event].
func (SessionExpired) Type() string { return "session_expired" }

// SessionFailed says that a client gave its session up, and that what it had staged is gone. It
// comes after the change of the state.
type SessionFailed struct {
	Session api.SessionID `json:"session"`
	Replica api.ReplicaID `json:"replica"`
	Volume  cas.VolumeID  `json:"volume"`
	State   api.State     `json:"state"` // in which it failed
	Parts   int           `json:"parts"` // that were staged
	At      time.Time     `json:"at"`
}

// Type implements [Event].
func (SessionFailed) Type() string { return "session_failed" }

// BlobsReceived says that a hub verified and stored the blobs of one request. Those of a
// commit's request are among them.
type BlobsReceived struct {
	Session    api.SessionID `json:"session"`
	Replica    api.ReplicaID `json:"replica"`
	Volume     cas.VolumeID  `json:"volume"`
	Blobs      int64         `json:"blobs"`
	Bytes      int64         `json:"bytes"`       // plain
	TotalBlobs int64         `json:"total_blobs"` // of the session, repeated ones included
	TotalBytes int64         `json:"total_bytes"`
	At         time.Time     `json:"at"`
}

// Type implements [Event].
func (BlobsReceived) Type() string { return "blobs_received" }

// UploadCompleted says that a hub has all blobs that a session's commit names. A session that
// sent none publishes none.
type UploadCompleted struct {
	Session  api.SessionID `json:"session"`
	Replica  api.ReplicaID `json:"replica"`
	Volume   cas.VolumeID  `json:"volume"`
	Blobs    int64         `json:"blobs"`      // of the session, repeated ones included
	Bytes    int64         `json:"bytes"`      // plain
	Duration float64       `json:"duration_s"` // of the session so far, in seconds
	At       time.Time     `json:"at"`
}

// Type implements [Event].
func (UploadCompleted) Type() string { return "upload_completed" }

// DownloadCompleted says that a hub handed out all blobs of one request. Reading needs no
// session, so none is named.
type DownloadCompleted struct {
	Volume cas.VolumeID `json:"volume"`
	Blobs  int64        `json:"blobs"`
	Bytes  int64        `json:"bytes"` // plain
	At     time.Time    `json:"at"`
}

// Type implements [Event].
func (DownloadCompleted) Type() string { return "download_completed" }

// CommitCompleted says that a commit is durable. A commit that is repeated publishes nothing.
type CommitCompleted struct {
	Session   api.SessionID `json:"session"`
	Replica   api.ReplicaID `json:"replica"`
	Volume    cas.VolumeID  `json:"volume"`
	Former    api.Head      `json:"former"`    // the head before
	Head      api.Head      `json:"head"`      // the head after: Former when nothing changed
	Merged    bool          `json:"merged"`    // see api.CommitAnswer
	Conflicts int           `json:"conflicts"` // edits that conflicted: one ConflictDetected each came before
	Kept      int           `json:"kept"`      // deletions that gave way
	At        time.Time     `json:"at"`
}

// Type implements [Event].
func (CommitCompleted) Type() string { return "commit_completed" }

// ConflictDetected says that a hub keeps a conflict as open: a new one, or one whose replica edited
// the path again. Base, Ours and Theirs are hashes of manifests; zero is absent.
type ConflictDetected struct {
	Conflict cas.ID        `json:"conflict"`
	Replica  api.ReplicaID `json:"replica"`
	Volume   cas.VolumeID  `json:"volume"`
	Path     api.Path      `json:"path"`
	Base     cas.ID        `json:"base"`
	Ours     cas.ID        `json:"ours"`
	Theirs   cas.ID        `json:"theirs"`
	At       time.Time     `json:"at"`
}

// Type implements [Event].
func (ConflictDetected) Type() string { return "conflict_detected" }

// ConflictResolved says that a conflict is settled.
type ConflictResolved struct {
	Conflict cas.ID        `json:"conflict"`
	Replica  api.ReplicaID `json:"replica"` // whose conflict it was
	Volume   cas.VolumeID  `json:"volume"`
	Path     api.Path      `json:"path"`
	Take     string        `json:"take"` // what was decided: see api.Settlement
	At       time.Time     `json:"at"`
}

// Type implements [Event].
func (ConflictResolved) Type() string { return "conflict_resolved" }
