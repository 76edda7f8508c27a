package api

import (
	"time"

	"dfs/cas"
	"dfs/manifest"
)

// Limits bounds what a hub accepts; Info and Start tell them to the client. What is above one
// is refused with ErrTooLarge, or where a format bounds it with ErrInvalid, and a message with
// what there was and the bound. The bounds of formats (Frame, Path, Name, Depth, Nesting) are
// the same on every hub; the others are the hub's own.
//
// Beyond them a hub bounds the memory of all requests together and of each client, the
// rate of a client, the time in which a header must come, and the bytes that must move of a body or an
// answer: see server.Options. What one client has too much of at a time is refused with ErrTooMany.
type Limits struct {
	Header  int   `json:"header"`  // bytes of a request's line and header
	Body    int64 `json:"body"`    // bytes of a request body, and of the decoded blobs of a commit's
	JSON    int64 `json:"json"`    // bytes of a request body in JSON
	Nesting int   `json:"nesting"` // of arrays and objects in JSON
	Frame   int   `json:"frame"`   // bytes of a frame's data, as sent and decoded: of a blob
	Blobs   int   `json:"blobs"`   // blobs of one Blobs, Nodes or Diff.Ask list, of an upload's body and of a commit's
	Edits   int   `json:"edits"`   // edits of a part, edits and settlements of a commit
	Part    int64 `json:"part"`    // bytes of a part's binary form
	Parts   int   `json:"parts"`   // staged parts of a session
	Message int   `json:"message"` // bytes of a commit message

	Path  int `json:"path"`  // bytes of a path
	Name  int `json:"name"`  // bytes of a path's component
	Depth int `json:"depth"` // components of a path; that of Path implies it

	Entries        int64 `json:"entries"`         // entries of a volume's tree
	Sessions       int   `json:"sessions"`        // live ones of the hub
	ClientSessions int   `json:"client_sessions"` // live ones of a client, on a hub with accounts
	Connections    int   `json:"connections"`     // to the hub: further ones wait, or take the place of one that is idle or waits for news
	ClientRequests int   `json:"client_requests"` // of a client under way at a time, of which half may wait for a head or listen to events
	SessionTimeout int   `json:"session_timeout"` // whole seconds that a session lives without progress
}

// DefaultLimits are the limits of this version.
func DefaultLimits() Limits {
	return Limits{
		Header: 16 << 10, Body: 16 << 20, JSON: 4 << 20, Nesting: maxDepth, Frame: cas.MaxSize,
		Blobs: 16384, Edits: 16384, Part: 2 << 20, Parts: 65536, Message: 4096,
		Path: manifest.MaxPath, Name: manifest.MaxName, Depth: (manifest.MaxPath + 1) / 2,
		Entries: 100_000_000, Sessions: 4096, ClientSessions: 1024, Connections: 1024, ClientRequests: 128, SessionTimeout: 300,
	}
}

// A Quota bounds what a volume holds, or all volumes that a client has made do together: the
// head's files and their bytes, however much of that the hub stores once. Older snapshots do not count.
// A commit that would go above it is refused with ErrQuota, unless it makes less of what is above. So is
// an edit or a blob of a session that is not committed with which the volume's sessions together
// have staged more than the quota: what fits into it in the end is never more than that.
type Quota struct {
	Volume cas.VolumeID `json:"volume,omitzero"` // the volume that it is about,
	Client ClientID     `json:"client,omitzero"` // or else the client
	Bytes  int64        `json:"bytes"`           // zero: not bounded
	Files  int64        `json:"files"`           // files and symbolic links; zero: not bounded
	Used   Usage        `json:"used"`            // for SetQuota without meaning
}

// Usage is what a tree holds.
type Usage struct {
	Bytes   int64 `json:"bytes"` // of the contents of files
	Files   int64 `json:"files"` // files and symbolic links
	Entries int64 `json:"entries"`
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
	// QuotaList answers OpQuotas.
	QuotaList struct {
		Quotas []Quota `json:"quotas"`
	}
	// QuotaBounds asks OpSetQuota: a Quota without what is used of it.
	QuotaBounds struct {
		Volume cas.VolumeID `json:"volume,omitzero"`
		Client ClientID     `json:"client,omitzero"`
		Bytes  int64        `json:"bytes"`
		Files  int64        `json:"files"`
	}
	// NewVolume asks OpCreateVolume.
	NewVolume struct {
		Name string       `json:"name"`
		ID   cas.VolumeID `json:"id"`
	}
	// Progress asks OpReport. A state, or how many plain bytes the client expects to send, may be left out.
	Progress struct {
		Session SessionID `json:"session"`
		State   State     `json:"state,omitempty"`
		Bytes   *int64    `json:"bytes,omitempty"`
	}
	// SettleRequest asks OpSettle. Take is ours, theirs, both or base. Ours and Theirs are the
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
