package api

import (
	"time"

	"dfs/cas"
)

// A Transfer is how far a session's sending has come. What nobody knows is nil, which is null in JSON. It
// is information that a hub behind HTTP adds to its Status, gathered since the hub's process runs.
type Transfer struct {
	Known   int64    `json:"known"`       // blobs that the client named and the hub had
	New     int64    `json:"new"`         // blobs that the client named and the hub lacked
	Total   *int64   `json:"total_bytes"` // that the client said it would send
	Percent *float64 `json:"percent"`     // of Total that came, at most 100; 100 too once the hub has all that the commit names
	Rate    *float64 `json:"rate"`        // bytes a second over the last seconds
	ETA     *float64 `json:"eta_s"`       // seconds until Total, at Rate
}

// A Queue is what waits in a volume, as far as was seen since the hub's process runs: information as a
// [Transfer] is.
type Queue struct {
	Uploads  []SessionID `json:"uploads"`  // sessions of which blobs came and not yet all, oldest first
	Replicas []Waiting   `json:"replicas"` // that have not taken all yet, by ID
}

// Waiting is what waits for a replica: the snapshots of others that it does not have, as far as it has said.
type Waiting struct {
	Replica   ReplicaID `json:"replica"`
	Client    string    `json:"client"`    // the name of its host, for people
	SeenSeq   uint64    `json:"seen_seq"`  // the newest that it is known to have
	Behind    uint64    `json:"behind"`    // snapshots after that, its own left out where it is known which those are
	Snapshots []cas.ID  `json:"snapshots"` // of those, the newest that are remembered, oldest first
	Told      time.Time `json:"told"`      // when it last said so
}

// Ended reports whether a session in this state is over.
func (s State) Ended() bool {
	switch s {
	case Complete, Failed, Expired, Aborted, Braked:
		return true
	}
	return false
}
