package api

import (
	"time"

	"dfs/cas"
)

// An Overview tells how a hub fares: what it holds and who uses it.
type Overview struct {
	HubID    ClientID         `json:"hub_id"`
	Opened   time.Time        `json:"opened"`      // when the process that answers opened its repository
	Store    int64            `json:"store_bytes"` // that the blobs take on disk; 0: the store does not tell
	Volumes  []VolumeOverview `json:"volumes"`     // in name order
	Tokens   int              `json:"tokens"`      // that are valid
	JoinKeys int              `json:"join_keys"`   // that somebody can still register with
	Alarm    *Alarm           `json:"alarm"`       // the last since Opened; nil: none. A hub behind HTTP adds it
}

// VolumeOverview tells how a volume fares.
type VolumeOverview struct {
	Volume    Volume   `json:"volume"`
	Owner     ClientID `json:"owner,omitzero"` // the client that made it; zero: the hub's own process
	Usage     Usage    `json:"usage"`          // of its head
	Sessions  int      `json:"sessions"`       // live ones
	Conflicts int      `json:"conflicts"`      // open ones
}

// An Alarm says that the store did not give back what a snapshot names.
type Alarm struct {
	Volume cas.VolumeID `json:"volume"`
	Path   Text         `json:"path"`   // a file with what is damaged; empty: not known
	Detail string       `json:"detail"` // what was found, for people
	Count  int64        `json:"count"`  // alarms since the hub's process opened its repository, with this one
	At     time.Time    `json:"at"`
}
