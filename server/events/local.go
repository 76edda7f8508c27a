package events

import (
	"time"

	"dfs/cas"
	"dfs/server/api"
)

// What a client publishes of its directory. Each path in which a survey finds something else than the
// base is an event, at the survey's end; a survey that is repeated publishes again. Directories and symlinks
// are told like files. Base and Hash are hashes of manifests, Base that of what replica and hub
// last agreed on: with it a conflict is noticed.

// FileAdded says that there is something at a path where nothing was.
type FileAdded struct {
	Replica api.ReplicaID `json:"replica"`
	Volume  cas.VolumeID  `json:"volume"`
	Path    api.Path      `json:"path"`
	Kind    string        `json:"kind"` // file, directory, symlink
	Size    uint64        `json:"size"` // in bytes
	Hash    cas.ID        `json:"hash"`
	At      time.Time     `json:"at"`
}

// Type implements [Event].
func (FileAdded) Type() string { return "file_added" }

// FileModified says that something else is at a path: in content, kind, mode or mtime.
type FileModified struct {
	Replica api.ReplicaID `json:"replica"`
	Volume  cas.VolumeID  `json:"volume"`
	Path    api.Path      `json:"path"`
	Kind    string        `json:"kind"`
	Size    uint64        `json:"size"`
	Base    cas.ID        `json:"base"`
	Hash    cas.ID        `json:"hash"`
	At      time.Time     `json:"at"`
}

// Type implements [Event].
func (FileModified) Type() string { return "file_modified" }

// FileDeleted says that nothing is at a path where something was.
type FileDeleted struct {
	Replica api.ReplicaID `json:"replica"`
	Volume  cas.VolumeID  `json:"volume"`
	Path    api.Path      `json:"path"`
	Kind    string        `json:"kind"` // of what was there
	Base    cas.ID        `json:"base"`
	At      time.Time     `json:"at"`
}

// Type implements [Event].
func (FileDeleted) Type() string { return "file_deleted" }

// FileMoved says that what was at From is at Path. It takes the place of FileDeleted and FileAdded.
type FileMoved struct {
	Replica api.ReplicaID `json:"replica"`
	Volume  cas.VolumeID  `json:"volume"`
	From    api.Path      `json:"from"`
	Path    api.Path      `json:"path"`
	Kind    string        `json:"kind"`
	Size    uint64        `json:"size"`
	Base    cas.ID        `json:"base"` // of From
	Hash    cas.ID        `json:"hash"`
	At      time.Time     `json:"at"`
}

// Type implements [Event].
func (FileMoved) Type() string { return "file_moved" }
