package events

import (
	"time"

	"dfs/cas"
	"dfs/server/api"
)

// What concerns who runs a hub, more than who uses a volume.

// ClientRegistered says that a client has a token from now on.
type ClientRegistered struct {
	Client cas.VolumeID `json:"client"` // its ID
	Name   string       `json:"name"`
	At     time.Time    `json:"at"`
}

// Type implements [Event].
func (ClientRegistered) Type() string { return "client_registered" }

// QuotaExceeded says that a request was refused because a volume would have had more than its quota.
type QuotaExceeded struct {
	Volume cas.VolumeID `json:"volume"`
	Of     string       `json:"of"` // bytes, files
	Limit  int64        `json:"limit"`
	Wanted int64        `json:"wanted"` // with what was to be added
	At     time.Time    `json:"at"`
}

// Type implements [Event].
func (QuotaExceeded) Type() string { return "quota_exceeded" }

// ClientQuotaExceeded says that a request was refused because the volumes that a client made would together have
// had more than its quota. It is not Scoped: what is in the others is not for who may read one of them.
type ClientQuotaExceeded struct {
	Client cas.VolumeID `json:"client"` // whose quota it is
	To     cas.VolumeID `json:"to"`     // the volume to which the request was to add
	Of     string       `json:"of"`     // bytes, files
	Limit  int64        `json:"limit"`
	Wanted int64        `json:"wanted"` // with what was to be added
	At     time.Time    `json:"at"`
}

// Type implements [Event].
func (ClientQuotaExceeded) Type() string { return "client_quota_exceeded" }

// ConnectionCut says that a hub ended a connection with a request under way, of which too little moved.
type ConnectionCut struct {
	Peer string    `json:"peer"` // its address
	For  string    `json:"for"`  // place, memory: of another request, which waited for it; pace: the least that must move
	Lag  float64   `json:"lag"`  // seconds that the peer was waited for at last
	At   time.Time `json:"at"`
}

// Type implements [Event].
func (ConnectionCut) Type() string { return "connection_cut" }

// RequestRefused says that a request got an error for an answer. On the bus each is an event; readers from afar get
// those of callers whom the hub does not know gathered by code and status.
type RequestRefused struct {
	Route     string    `json:"route"` // the route's name, empty for a path that is none, and where several are gathered
	Code      api.Code  `json:"code"`
	Status    int       `json:"status"`              // of HTTP
	Anonymous bool      `json:"anonymous,omitempty"` // the hub does not know whose request it was
	Count     int64     `json:"count,omitempty"`     // requests that are gathered in this event; 0: it is of one
	At        time.Time `json:"at"`                  // of the last of them
}

// Type implements [Event].
func (RequestRefused) Type() string { return "request_refused" }

// BlobsVerified says that a sample of what a snapshot brought was read again and matches its IDs, but
// for what a BlobDamaged before it names.
type BlobsVerified struct {
	Volume   cas.VolumeID `json:"volume"`
	Snapshot cas.ID       `json:"snapshot"`
	Blobs    int64        `json:"blobs"`
	Bytes    int64        `json:"bytes"` // plain
	Damaged  int64        `json:"damaged"`
	At       time.Time    `json:"at"`
}

// Type implements [Event].
func (BlobsVerified) Type() string { return "blobs_verified" }

// SnapshotsUnverified says that nothing was read again of so many new snapshots, which came too fast for that.
type SnapshotsUnverified struct {
	Snapshots uint64    `json:"snapshots"`
	At        time.Time `json:"at"`
}

// Type implements [Event].
func (SnapshotsUnverified) Type() string { return "snapshots_unverified" }

// BlobDamaged is an alarm: a hub's store does not give back what a snapshot that it has
// acknowledged names.
type BlobDamaged struct {
	Volume   cas.VolumeID `json:"volume"`
	Snapshot cas.ID       `json:"snapshot"`
	Path     api.Path     `json:"path"` // a file with the blob
	Kind     string       `json:"kind"`
	Blob     cas.ID       `json:"blob"`
	Code     api.Code     `json:"code"`   // how the hub refuses to give it out
	Detail   string       `json:"detail"` // what was found, for people; empty for who does not administer the hub
	At       time.Time    `json:"at"`
}

// Type implements [Event].
func (BlobDamaged) Type() string { return "blob_damaged" }

// Public implements [Confidential]: errors of a store may name what lies on the hub's disk.
func (e BlobDamaged) Public() Event {
	e.Detail = ""
	return e
}
