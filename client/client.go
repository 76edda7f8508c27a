// Package client runs the cycle that keeps a replica and a volume the same:
// scan, diff against the base, reconcile, transfer, apply, commit, base. Push,
// pull and sync are its modes. It speaks to a hub through api.Hub and does not
// know whether that is in process or behind HTTP; it prints nothing.
package client

import (
	"context"
	"fmt"
	"time"

	"dfs/cas"
	"dfs/client/worktree"
	"dfs/server/api"
	"dfs/server/events"
)

// A Conn is a hub that a run talks to, with what crossed the wire so far.
type Conn interface {
	api.Hub
	// Tell is Report that does not wait for the answer: it returns when the report is on its way.
	Tell(ctx context.Context, session api.SessionID, state api.State)
	Traffic() Traffic // zero for a hub in process
	Close() error
}

// Traffic counts what crossed the wire: bodies and headers, in bytes.
type Traffic struct {
	Sent, Received    int64
	Requests, Retries int64
}

// Config says what a run acts on and how.
type Config struct {
	Dir     string // the replica's directory
	Hub     string // the hub's location as given for this run; empty: the recorded one
	NewHub  string // the hub's location for a replica that is not bound yet, when Hub is empty
	Volume  string // the volume's name as given for this run; empty: the recorded one, else Dir's base name
	Dial    func(ctx context.Context, location string) (Conn, error)
	Host    string // this machine's name, for people
	Jobs    int    // parallel readers and hashers; 0: the number of processors
	DryRun  bool   // say what would be done; change nothing but the index
	Rehash  bool   // trust no timestamps: read every file
	Codec   *cas.Codec
	Wait    time.Duration // for another dfs in the same replica or local repository
	Message string        // of the snapshot
	Paths   []string      // to look at, each with all below it, and besides at what is to be applied; none: everything
	// Conflict is how Sync settles conflicts: manual (or empty), lww, merge or copy.
	Conflict string
	Report   func(Event) // called from one goroutine at a time; may be nil

	State     string       // the directory of what the installation remembers; empty: nothing
	Exclude   []string     // patterns of what to ignore, from now on
	MaxDelete DeleteLimit  // how much may be deleted
	Adopt     bool         // go on where a replica has lost its state, or is a copy of another, or a file system is not mounted
	Rebind    bool         // go on, from an empty base, where the hub or the volume is another or went back in time
	Notice    func(string) // something to know besides the result; may be nil
	Events    *events.Bus  // hears of the changes in the directory; nil: none

	onStep func(worktree.Step, string) // for tests: see worktree.Root.OnStep, and stepBase
}

// Phase is what a run is doing.
type Phase int

// The phases, in order.
const (
	Scanning Phase = iota // comparing the directory with the base, hashing and sending what changed
	Fetching              // asking the hub for changes
	Applying              // writing the hub's changes to the directory
	Committing
)

// Event tells progress; counts only grow within a phase. Totals are 0 while unknown.
type Event struct {
	Phase       Phase
	Files       int64 // scanned or applied
	FilesTotal  int64
	Bytes       int64 // hashed and, where new, sent; or written
	BytesTotal  int64
	Transferred int64 // plain bytes of blobs sent or fetched
}

// Summary is the result of push, pull and sync: the last line of --json. Its JSON
// form is the promised one; see the command line's documentation.
type Summary struct {
	Type          string  `json:"type"` // "summary"
	Command       string  `json:"command"`
	Hub           string  `json:"hub"`
	Volume        string  `json:"volume"`
	Snapshot      cas.ID  `json:"snapshot"`
	Root          cas.ID  `json:"root"`
	Seen          cas.ID  `json:"seen"`
	Merged        bool    `json:"merged"`
	FilesScanned  int64   `json:"files_scanned"`
	FilesHashed   int64   `json:"files_hashed"`
	Added         int64   `json:"added"`
	Modified      int64   `json:"modified"`
	Moved         int64   `json:"moved"`
	Deleted       int64   `json:"deleted"`
	Unchanged     int64   `json:"unchanged"`
	Skipped       int64   `json:"skipped"`
	Ignored       int64   `json:"ignored"`
	BytesScanned  int64   `json:"bytes_scanned"`
	BytesHashed   int64   `json:"bytes_hashed"`
	ChunksNew     int64   `json:"chunks_new"`
	BytesNew      int64   `json:"bytes_new"`
	BytesSent     int64   `json:"bytes_sent"`
	BytesReceived int64   `json:"bytes_received"`
	Requests      int64   `json:"requests"`
	Retries       int64   `json:"retries"`
	Conflicts     int64   `json:"conflicts"`
	DurationS     float64 `json:"duration_s"`
	DryRun        bool    `json:"dry_run,omitempty"`

	// Of a sync, and of what settles conflicts.
	Pushed     *Counts `json:"pushed,omitempty"`     // of the counts above, what went to the hub
	Pulled     *Counts `json:"pulled,omitempty"`     // and what came from it
	Settled    int64   `json:"settled,omitempty"`    // conflicts
	Unfinished bool    `json:"unfinished,omitempty"` // a sync ended after its last round with something to do
	BytesUp    int64   `json:"bytes_up,omitempty"`   // of a dry run: of bytes_new, what would go to the hub
	BytesDown  int64   `json:"bytes_down,omitempty"` // and what would come from it
}

// Problem is a path that a run left out, with the reason.
type Problem struct {
	Path string // "" is the replica's root
	Err  error
}

// Result is what a run did.
type Result struct {
	Summary
	Changes   []Change   // with DryRun: what would be changed, of each side in path order
	Settlings []Settling // with DryRun: of a sync, what its strategy would make of conflicts
	Problems  []Problem  // could not be read or written: exit 3
	Skipped   []string   // special files, left alone; and leftovers of an interrupted pull, which a sync clears away, and the next pull that changes something
	Nested    []string   // directories that are replicas of their own, left alone
	Conflicts []string   // paths that conflict: exit 4
	Waits     []Wait     // paths that stay as they are until a conflict is settled
	Kept      []string   // deletions that gave way to an edit of the other side, or to what is left in a directory
}

// A Wait is a path that both sides have differently because a conflict is in its way. It is no conflict
// of its own, and comes when that one is settled.
type Wait struct {
	Path string
	For  string // the conflict's path, above Path or below it
}

// Side says where a change is.
type Side string

// The sides.
const (
	Local  Side = "local"
	Remote Side = "remote"
)

// Op is what happened to a path.
type Op string

// The operations.
const (
	Added    Op = "added"
	Modified Op = "modified"
	Deleted  Op = "deleted"
	Moved    Op = "moved" // a path that appeared with the content of a path that vanished
)

// Change is one path that differs from the base.
type Change struct {
	Side Side
	Op   Op
	Path string
	From string // of Moved: the path that vanished, which has no change of its own
}

// Counts counts changes by operation.
type Counts struct {
	Added    int64 `json:"added"`
	Modified int64 `json:"modified"`
	Moved    int64 `json:"moved"`
	Deleted  int64 `json:"deleted"`
}

// Status is the answer of [Inspect]: the last line of status --json.
type Status struct {
	Type      string            `json:"type"` // "status"
	Hub       string            `json:"hub"`
	Volume    string            `json:"volume"`
	Seen      cas.ID            `json:"seen"`
	Head      cas.ID            `json:"head"` // zero with --offline
	InSync    bool              `json:"in_sync"`
	Local     Counts            `json:"local"`
	Remote    Counts            `json:"remote"`
	Conflicts int64             `json:"conflicts"`
	Files     int64             `json:"files"`
	Bytes     int64             `json:"bytes"`
	Offline   bool              `json:"offline,omitempty"`
	Sessions  []api.SessionInfo `json:"sessions,omitempty"`
	Problems  []Problem         `json:"-"`
	Skipped   []string          `json:"-"`
	Nested    []string          `json:"-"`
}

// A UsageError is a wrong use that a different command line mends: exit 2.
type UsageError struct{ Message string }

func (e *UsageError) Error() string { return e.Message }

// A BrakeError stops a run before it does damage: exit 5. Message says what was
// seen and what to type.
type BrakeError struct {
	Message string
	rebinds bool // Config.Rebind goes on
}

func (e *BrakeError) Error() string { return e.Message }

// A BusyError says that another dfs works here: exit 8.
type BusyError struct {
	What   string // the replica or the local repository
	Holder string // who holds it, as far as known
}

func (e *BusyError) Error() string { return fmt.Sprintf("%s is in use by %s", e.What, e.Holder) }
