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

// SessionStarted says that a client started or resumed a session. For one that has just begun it
// comes after the change of the state.
type SessionStarted struct {
	Session api.SessionID `json:"session"`
	Replica api.ReplicaID `json:"replica"`
	Volume  cas.VolumeID  `json:"volume"`
	Client  string        `json:"client"`          // the host's name
	Command string        `json:"command"`         // push, pull, sync
	SeenSeq uint64        `json:"seen_seq"`        // of the newest snapshot that the replica knows of the volume; 0: of none
	Head    api.Head      `json:"head"`            // the volume's
	Bytes   int64         `json:"bytes,omitempty"` // that the client expects to send, if it said so
	At      time.Time     `json:"at"`
}

// Type implements [Event].
func (SessionStarted) Type() string { return "session_started" }

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

// Brake says that a client stopped its run before it did damage: that would have deleted too much, or
// the directory, the hub or the volume is not what it was. It comes after the change of the state.
type Brake struct {
	Session api.SessionID `json:"session"`
	Replica api.ReplicaID `json:"replica"`
	Volume  cas.VolumeID  `json:"volume"`
	State   api.State     `json:"state"` // in which it stopped
	At      time.Time     `json:"at"`
}

// Type implements [Event].
func (Brake) Type() string { return "brake" }

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

// BlobsNamed says that a client named blobs and was told which of them to send. A blob that is named
// twice counts twice.
type BlobsNamed struct {
	Session api.SessionID `json:"session"`
	Replica api.ReplicaID `json:"replica"`
	Volume  cas.VolumeID  `json:"volume"`
	Known   int64         `json:"known"` // blobs in volumes that the client reads
	New     int64         `json:"new"`   // the others
	At      time.Time     `json:"at"`
}

// Type implements [Event].
func (BlobsNamed) Type() string { return "blobs_named" }

// UploadExpected says how many plain bytes a client expects to have sent in a session once it commits. What it said
// before counts no more.
type UploadExpected struct {
	Session api.SessionID `json:"session"`
	Replica api.ReplicaID `json:"replica"`
	Volume  cas.VolumeID  `json:"volume"`
	Bytes   int64         `json:"bytes"`
	At      time.Time     `json:"at"`
}

// Type implements [Event].
func (UploadExpected) Type() string { return "upload_expected" }

// UploadStarted says that the first blobs of a session are coming.
type UploadStarted struct {
	Session api.SessionID `json:"session"`
	Replica api.ReplicaID `json:"replica"`
	Volume  cas.VolumeID  `json:"volume"`
	At      time.Time     `json:"at"`
}

// Type implements [Event].
func (UploadStarted) Type() string { return "upload_started" }

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
	Volume   cas.VolumeID `json:"volume"`
	Blobs    int64        `json:"blobs"`
	Bytes    int64        `json:"bytes"`      // plain
	Duration float64      `json:"duration_s"` // in seconds, of which the client's reading is a part
	At       time.Time    `json:"at"`
}

// Type implements [Event].
func (DownloadCompleted) Type() string { return "download_completed" }

// ChangesTold says that a hub told a client all that differs between two snapshots.
type ChangesTold struct {
	Volume  cas.VolumeID `json:"volume"`
	Changes int64        `json:"changes"` // paths
	Files   int64        `json:"files"`   // files and symlinks among those that are there
	At      time.Time    `json:"at"`
}

// Type implements [Event].
func (ChangesTold) Type() string { return "changes_told" }

// SnapshotCommitted says that a volume has a new head. It comes before the CommitCompleted of the
// commit that made it.
type SnapshotCommitted struct {
	Volume   cas.VolumeID  `json:"volume"`
	Snapshot cas.ID        `json:"snapshot"`
	Seq      uint64        `json:"seq"`
	Parent   cas.ID        `json:"parent"`
	Replica  api.ReplicaID `json:"replica"`
	Client   string        `json:"client"`  // the host's name
	Changes  int64         `json:"changes"` // paths that the client's edits made other than they were
	Files    int64         `json:"files"`   // files and symlinks among those that are there
	Bytes    int64         `json:"bytes"`   // of their content, plain
	At       time.Time     `json:"at"`
}

// Type implements [Event].
func (SnapshotCommitted) Type() string { return "snapshot_committed" }

// CommitCompleted says that a commit is durable. A commit that is repeated publishes nothing.
type CommitCompleted struct {
	Session   api.SessionID `json:"session"`
	Replica   api.ReplicaID `json:"replica"`
	Volume    cas.VolumeID  `json:"volume"`
	Former    api.Head      `json:"former"`     // the head before
	Head      api.Head      `json:"head"`       // the head after: Former when nothing changed
	Merged    bool          `json:"merged"`     // see api.CommitAnswer
	Conflicts int           `json:"conflicts"`  // edits that conflicted: one ConflictDetected each came before
	Kept      int           `json:"kept"`       // deletions that gave way
	Duration  float64       `json:"duration_s"` // of the commit, in seconds
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
