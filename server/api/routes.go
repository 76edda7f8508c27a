package api

import "net/http"

// The content types of bodies.
const (
	JSON   = "application/json"
	Binary = "application/x-dfs"
	Bytes  = "application/octet-stream"

	EventStream = "text/event-stream" // server-sent events
	PlainText   = "text/plain"        // of Prometheus
)

// Op is an operation of the protocol over HTTP: an index into the table of routes.
type Op int

// The operations.
const (
	OpHealth Op = iota
	OpReady
	OpRegister
	OpInvite
	OpInvites
	OpTokens
	OpRotateToken
	OpRevoke
	OpInfo
	OpVolumes
	OpCreateVolume
	OpStart
	OpDiff
	OpUpload
	OpDownload
	OpStat
	OpCommit
	OpChanges
	OpStatus
	OpReport
	OpSessions
	OpAbortSession
	OpBlobs
	OpNodes
	OpSnapshot
	OpSnapshots
	OpConflicts
	OpSettle
	OpEvents
	OpMetrics
)

// Need is what a route needs of its caller on a hub with accounts. For which volumes
// the caller has the right is for the hub to decide.
type Need uint8

// What routes need.
const (
	NeedsNothing Need = iota // a route for anybody
	NeedsToken               // a valid token
	NeedsRead                // one with that right, or a higher one, for some volume
	NeedsWrite
	NeedsAdmin
)

// HeaderSnapshot is the header of a changes answer that tells the snapshot up
// to which the changes lead, and of a download the one that it is from, in the form of cas.ID.
const HeaderSnapshot = "Dfs-Snapshot"

// A Route says how an operation crosses HTTP. Parameters of a GET are in the
// query; a volume is there named by its ID or by its name. An answer that is a refusal has the status of its code and an Error as JSON.
type Route struct {
	Name   string
	Method string
	Path   string
	Needs  Need
	Query  []string // the parameters that are known; others are refused
	Takes  []string // content types of the request's body; nil: it has none
	Gives  []string // content types of the answer's body; the first unless Accept is exactly another
	Does   string
}

// routes is the table, in the order of the operations.
var routes = [...]Route{
	OpHealth: {"health", http.MethodGet, "/healthz", NeedsNothing, nil, nil, []string{JSON},
		"tells that the hub answers: {}"},
	OpReady: {"ready", http.MethodGet, "/readyz", NeedsNothing, nil, nil, []string{JSON},
		"Hub.Ready: {}; a refusal has the status 503"},
	OpRegister: {"register", http.MethodPost, "/api/register", NeedsNothing, nil, []string{JSON}, []string{JSON},
		"Admin.Register of RegisterRequest: Registered"},
	OpInvite: {"invite", http.MethodPost, "/api/invites", NeedsAdmin, nil, []string{JSON}, []string{JSON},
		"Admin.Invite of InviteRequest: Invite"},
	OpInvites: {"invites", http.MethodGet, "/api/invites", NeedsAdmin, nil, nil, []string{JSON},
		"Admin.Invites: {\"invites\": [Invite]}"},
	OpTokens: {"tokens", http.MethodGet, "/api/tokens", NeedsAdmin, nil, nil, []string{JSON},
		"Admin.Tokens: {\"tokens\": [Token]}"},
	OpRotateToken: {"rotate token", http.MethodPut, "/api/tokens", NeedsToken, nil, []string{JSON}, []string{JSON},
		"Admin.RotateToken of RotateRequest: Token"},
	OpRevoke: {"revoke", http.MethodDelete, "/api/tokens", NeedsToken, []string{"id"}, nil, []string{JSON},
		"Admin.Revoke of a client or a join key: {}"},
	OpInfo: {"info", http.MethodGet, "/api/hub", NeedsToken, []string{"name"}, nil, []string{JSON},
		"Hub.Info, with the volume of the name"},
	OpVolumes: {"volumes", http.MethodGet, "/api/volumes", NeedsToken, []string{"name"}, nil, []string{JSON},
		"Hub.Volumes: {\"volumes\": [Volume]}"},
	OpCreateVolume: {"create volume", http.MethodPost, "/api/volumes", NeedsWrite, nil, []string{JSON}, []string{JSON},
		"Hub.CreateVolume of {\"name\", \"id\"}: Volume"},
	OpStart: {"start", http.MethodPost, "/api/sync/start", NeedsRead, nil, []string{JSON}, []string{JSON},
		"Hub.Start of StartRequest: StartAnswer"},
	OpDiff: {"diff", http.MethodPost, "/api/sync/diff", NeedsWrite, nil, []string{Binary, JSON}, []string{JSON, Binary},
		"Hub.Diff"},
	OpUpload: {"upload", http.MethodPost, "/api/file/upload", NeedsWrite, []string{"session"}, []string{Binary}, []string{JSON},
		"Hub.Upload of frames: {\"blobs\": how many}; what came whole is stored even when the body is cut"},
	OpDownload: {"download", http.MethodGet, "/api/file/download", NeedsRead, []string{"volume", "path", "snapshot"}, nil, []string{Bytes},
		"a file's content, in the head or in a snapshot, which the Dfs-Snapshot header tells; with ETag and ranges"},
	OpStat: {"stat", http.MethodHead, "/api/file/download", NeedsRead, []string{"volume", "path", "snapshot"}, nil, []string{Bytes},
		"the headers of a download"},
	OpCommit: {"commit", http.MethodPost, "/api/sync/commit", NeedsWrite, nil, []string{Binary, JSON}, []string{JSON, Binary},
		"Hub.Commit; the JSON form has no blobs"},
	OpChanges: {"changes", http.MethodGet, "/api/sync/changes", NeedsRead, []string{"volume", "from", "to", "skip", "wait", "session"}, nil, []string{JSON, Binary},
		"Hub.Changes without the first skip, wait as in 30s; the Dfs-Snapshot header tells what to was: {\"changes\": [Change], \"count\" or \"error\"}"},
	OpStatus: {"status", http.MethodGet, "/api/sync/status", NeedsRead, []string{"volume"}, nil, []string{JSON},
		"Hub.Status"},
	OpReport: {"report", http.MethodPost, "/api/sync/status", NeedsRead, nil, []string{JSON}, []string{JSON},
		"Hub.Report of {\"session\", \"state\"}: {}"},
	OpSessions: {"sessions", http.MethodGet, "/api/sessions", NeedsRead, []string{"volume"}, nil, []string{JSON},
		"Hub.Sessions, without volume of all: {\"sessions\": [SessionInfo]}"},
	OpAbortSession: {"abort session", http.MethodDelete, "/api/sessions", NeedsAdmin, []string{"session"}, nil, []string{JSON},
		"Hub.AbortSession: {}"},
	OpBlobs: {"blobs", http.MethodPost, "/api/chunks/get", NeedsRead, []string{"session"}, []string{Binary}, []string{Binary},
		"Hub.Blobs: frames in the order asked for"},
	OpNodes: {"nodes", http.MethodPost, "/api/tree/nodes", NeedsRead, nil, []string{Binary}, []string{Binary},
		"Hub.Nodes: frames in the order asked for"},
	OpSnapshot: {"snapshot", http.MethodGet, "/api/snapshot", NeedsRead, []string{"volume", "id"}, nil, []string{JSON},
		"Hub.Snapshot; without id the head"},
	OpSnapshots: {"snapshots", http.MethodGet, "/api/snapshots", NeedsRead, []string{"volume", "before", "limit"}, nil, []string{JSON},
		"Hub.Snapshots, newest first: {\"snapshots\": [Snapshot], \"next\": the before of the next page, or 0}"},
	OpConflicts: {"conflicts", http.MethodGet, "/api/conflict", NeedsRead, []string{"volume", "replica", "all", "after", "from"}, nil, []string{JSON, Binary},
		"Hub.Conflicts, with all=true also settled ones, of these with after=N those with a higher number, without those of paths before from: {\"conflicts\": [Conflict], \"count\" or \"error\"}"},
	OpSettle: {"settle", http.MethodPost, "/api/conflict", NeedsWrite, nil, []string{JSON}, []string{JSON},
		"for other programs, a commit that settles a conflict: SettleRequest: Settled; the same again gives the same"},
	OpEvents: {"events", http.MethodGet, "/api/events", NeedsRead, []string{"volume", "after"}, nil, []string{EventStream},
		"server-sent events from now on, or after the ID in after or the Last-Event-ID header: event (its type), data (its JSON form), id. An event lost, with a count " +
			"where that is known, says that some before it are missing. With volume, the events of that one alone"},
	OpMetrics: {"metrics", http.MethodGet, "/metrics", NeedsAdmin, nil, nil, []string{PlainText},
		"metrics of the hub's process, for Prometheus"},
}

// Ops returns how many operations there are: they are the numbers below it.
func Ops() int { return len(routes) }

// Route returns the operation's row of the table, whose slices are shared and
// must not be changed.
func (o Op) Route() Route { return routes[o] }

// String returns the operation's name.
func (o Op) String() string { return routes[o].Name }
