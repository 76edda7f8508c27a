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
	OpOverview
	OpOpenAPI
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
	OpQuotas
	OpSetQuota
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

// HeaderSettled is the header of a changes answer that tells the number of the volume's latest settlement, where
// the request said of which it has heard.
const HeaderSettled = "Dfs-Settled"

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
	Does   string   // for people, without a dot at its end
}

// routes is the table, in the order of the operations.
var routes = [...]Route{
	OpHealth: {"health", http.MethodGet, "/healthz", NeedsNothing, nil, nil, []string{JSON},
		"tells that the hub answers"},
	OpReady: {"ready", http.MethodGet, "/readyz", NeedsNothing, nil, nil, []string{JSON},
		"tells whether the hub would take a push; if not, the refusal has the status 503"},
	OpRegister: {"register", http.MethodPost, "/api/register", NeedsNothing, nil, []string{JSON}, []string{JSON},
		"makes a client with the rights of a join key, known by the token; the same again gives the same"},
	OpInvite: {"invite", http.MethodPost, "/api/invites", NeedsAdmin, nil, []string{JSON}, []string{JSON},
		"makes a join key that one client can register with; the same again gives the same"},
	OpInvites: {"invites", http.MethodGet, "/api/invites", NeedsAdmin, nil, nil, []string{JSON},
		"the join keys, the oldest first, used and revoked ones too"},
	OpTokens: {"tokens", http.MethodGet, "/api/tokens", NeedsAdmin, nil, nil, []string{JSON},
		"the tokens, the oldest first, revoked ones too"},
	OpRotateToken: {"rotate token", http.MethodPut, "/api/tokens", NeedsToken, nil, []string{JSON}, []string{JSON},
		"gives a client a new token in place of its former; a client may do so itself"},
	OpRevoke: {"revoke", http.MethodDelete, "/api/tokens", NeedsToken, []string{"id"}, nil, []string{JSON},
		"ends a client's access, or a join key's validity, for good; a client may do so itself"},
	OpInfo: {"info", http.MethodGet, "/api/hub", NeedsToken, []string{"name"}, nil, []string{JSON},
		"the hub's identity, protocol and limits, and with name the volume of that name, if there is one"},
	OpOverview: {"overview", http.MethodGet, "/api/hub/overview", NeedsAdmin, nil, nil, []string{JSON},
		"how the hub fares: its volumes with what they hold, sessions, conflicts, tokens, the size of its store and the last alarm"},
	OpOpenAPI: {"openapi", http.MethodGet, "/api/openapi.json", NeedsToken, nil, nil, []string{JSON},
		"this document: the routes as OpenAPI 3.1"},
	OpVolumes: {"volumes", http.MethodGet, "/api/volumes", NeedsToken, []string{"name"}, nil, []string{JSON},
		"the volumes in name order; with name that one, or none"},
	OpCreateVolume: {"create volume", http.MethodPost, "/api/volumes", NeedsWrite, nil, []string{JSON}, []string{JSON},
		"makes an empty volume, whose ID the caller has chosen at random; the same again gives the same"},
	OpStart: {"start", http.MethodPost, "/api/sync/start", NeedsRead, nil, []string{JSON}, []string{JSON},
		"opens or resumes the session of a replica with a volume; the same again gives the same session"},
	OpDiff: {"diff", http.MethodPost, "/api/sync/diff", NeedsWrite, nil, []string{Binary, JSON}, []string{JSON, Binary},
		"stages a part of a session's edits, in place of the part with the same number, and answers which blobs the hub lacks and which edits conflict so far"},
	OpUpload: {"upload", http.MethodPost, "/api/file/upload", NeedsWrite, []string{"session"}, []string{Binary}, []string{JSON},
		"stores chunks and pages, as frames; what came whole is stored even when the body is cut, and once however often it comes"},
	OpDownload: {"download", http.MethodGet, "/api/file/download", NeedsRead, []string{"volume", "path", "snapshot"}, nil, []string{Bytes},
		"a file's content, in the head or in a snapshot, which the Dfs-Snapshot header tells; with ETag and ranges"},
	OpStat: {"stat", http.MethodHead, "/api/file/download", NeedsRead, []string{"volume", "path", "snapshot"}, nil, []string{Bytes},
		"the headers of a download"},
	OpCommit: {"commit", http.MethodPost, "/api/sync/commit", NeedsWrite, nil, []string{Binary, JSON}, []string{JSON, Binary},
		"applies the staged parts and the edits given here to the head, as one snapshot; the same key again gives the same answer. The JSON form has no blobs"},
	OpChanges: {"changes", http.MethodGet, "/api/sync/changes", NeedsRead, []string{"volume", "from", "to", "skip", "wait", "heard", "session"}, nil, []string{JSON, Binary},
		"what differs between two snapshots, by path; the Dfs-Snapshot header tells which one to was. The list has its count at its end, or the error that ended it"},
	OpStatus: {"status", http.MethodGet, "/api/sync/status", NeedsRead, []string{"volume"}, nil, []string{JSON},
		"head, open conflicts and running sessions of a volume"},
	OpReport: {"report", http.MethodPost, "/api/sync/status", NeedsRead, nil, []string{JSON}, []string{JSON},
		"a client that pulls tells its progress; it keeps the session alive"},
	OpSessions: {"sessions", http.MethodGet, "/api/sessions", NeedsRead, []string{"volume"}, nil, []string{JSON},
		"the live sessions, the oldest first; without volume those of all"},
	OpAbortSession: {"abort session", http.MethodDelete, "/api/sessions", NeedsAdmin, []string{"session"}, nil, []string{JSON},
		"ends a session and drops what it staged"},
	OpQuotas: {"quotas", http.MethodGet, "/api/quotas", NeedsToken, nil, nil, []string{JSON},
		"the quotas of the volumes that the caller may read and its own, with what is used of them; for an administrator of the hub all"},
	OpSetQuota: {"set quota", http.MethodPut, "/api/quotas", NeedsAdmin, nil, []string{JSON}, []string{JSON},
		"bounds what a volume holds, or all volumes that a client made; zero bytes and files end the quota"},
	OpBlobs: {"blobs", http.MethodPost, "/api/chunks/get", NeedsRead, []string{"session"}, []string{Binary}, []string{Binary},
		"chunks and pages of a volume, as frames in the order asked for"},
	OpNodes: {"nodes", http.MethodPost, "/api/tree/nodes", NeedsRead, nil, []string{Binary}, []string{Binary},
		"nodes of a volume's trees, as frames in the order asked for"},
	OpSnapshot: {"snapshot", http.MethodGet, "/api/snapshot", NeedsRead, []string{"volume", "id"}, nil, []string{JSON},
		"a snapshot of a volume; without id the head"},
	OpSnapshots: {"snapshots", http.MethodGet, "/api/snapshots", NeedsRead, []string{"volume", "before", "limit"}, nil, []string{JSON},
		"the history of a volume, newest first, in pages: next is the before of the next page, 0 when there is none"},
	OpConflicts: {"conflicts", http.MethodGet, "/api/conflict", NeedsRead, []string{"volume", "replica", "all", "after", "id", "from"}, nil, []string{JSON, Binary},
		"the conflicts of a volume, by path and then by time; of settled ones with after those with a higher number. The list has its count at its end, or the error that ended it"},
	OpSettle: {"settle", http.MethodPost, "/api/conflict", NeedsWrite, nil, []string{JSON}, []string{JSON},
		"settles a conflict: take is ours, theirs, both (the other becomes a file beside it) or base; the same again gives the same"},
	OpEvents: {"events", http.MethodGet, "/api/events", NeedsRead, []string{"volume", "after"}, nil, []string{EventStream},
		"server-sent events from now on, or after the ID in after or the Last-Event-ID header: event (its type), data (its JSON form), id. An event lost, with a count " +
			"where that is known, says that some before it are missing. With volume, the events of that one alone"},
	OpMetrics: {"metrics", http.MethodGet, "/metrics", NeedsAdmin, nil, nil, []string{PlainText},
		"metrics of the hub's process, for Prometheus; as they are of all volumes they take the right admin for all"},
}

// Ops returns how many operations there are: they are the numbers below it.
func Ops() int { return len(routes) }

// Route returns the operation's row of the table, whose slices are shared and
// must not be changed.
func (o Op) Route() Route { return routes[o] }

// String returns the operation's name.
func (o Op) String() string { return routes[o].Name }
