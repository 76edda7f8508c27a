package api

import (
	"time"

	"dfs/cas"
)

// Limits bounds what a hub accepts; Start tells them to the client.
type Limits struct {
	Body    int64 `json:"body"`    // bytes of a request body
	Blobs   int   `json:"blobs"`   // blobs of one Blobs, Nodes or Diff.Ask list
	Edits   int   `json:"edits"`   // edits of a part
	Part    int64 `json:"part"`    // bytes of a part's binary form
	Parts   int   `json:"parts"`   // staged parts of a session
	Message int   `json:"message"` // bytes of a commit message
}

// DefaultLimits are the limits of this version.
func DefaultLimits() Limits {
	return Limits{Body: 16 << 20, Blobs: 16384, Edits: 16384, Part: 2 << 20, Parts: 65536, Message: 4096}
}

// MaxVolumeName bounds a volume's name, in bytes; package manifest bounds paths.
const MaxVolumeName = 128

// MaxTake bounds what a settlement says was decided, in bytes.
const MaxTake = 32

// MaxSnapshots bounds the snapshots of one Snapshots answer.
const MaxSnapshots = 1000

// MaxWait bounds ChangesRequest.Wait; a hub waits no longer for a request that says more.
const MaxWait = time.Minute

// The JSON forms of small requests and answers, which have no type of their own in the Hub interface.
type (
	// VolumeList answers OpVolumes.
	VolumeList struct {
		Volumes []Volume `json:"volumes"`
	}
	// SnapshotList answers OpSnapshots. Next is the before of the next page; 0: there is none.
	SnapshotList struct {
		Snapshots []Snapshot `json:"snapshots"`
		Next      uint64     `json:"next"`
	}
	// SessionList answers OpSessions.
	SessionList struct {
		Sessions []SessionInfo `json:"sessions"`
	}
	// NewVolume asks OpCreateVolume.
	NewVolume struct {
		Name string       `json:"name"`
		ID   cas.VolumeID `json:"id"`
	}
	// Progress asks OpReport.
	Progress struct {
		Session SessionID `json:"session"`
		State   State     `json:"state"`
	}
	// SettleRequest asks OpSettle. Take is ours, theirs or base. Ours and Theirs are the
	// hashes of what whoever decided saw, where given; that of an absent version is "".
	SettleRequest struct {
		Volume cas.VolumeID `json:"volume"`
		ID     cas.ID       `json:"id"`
		Take   string       `json:"take"`
		Ours   *cas.ID      `json:"ours"`
		Theirs *cas.ID      `json:"theirs"`
	}
	// Settled answers OpSettle: the conflict, settled, and the head after it.
	Settled struct {
		Conflict Conflict `json:"conflict"`
		Head     Head     `json:"head"`
	}
	// Stored answers OpUpload.
	Stored struct {
		Blobs int `json:"blobs"`
	}
)
