// Package hub is the server side of dfs: volumes, sessions, commits, conflicts
// and history, in one process. [Hub] implements [api.Hub] on a [cas.Store] and a
// small database of metadata. The HTTP server is a shell around it.
//
// # Repository
//
// A repository is a directory:
//
//	repository   {"format":1,"hub_id":"…"}, written first and never changed
//	lock         locked while the repository is open
//	holder       process number and command line of who locked it last
//	admin-token  the token that the first start with accounts made
//	blobs/       the store of blobs, see package badgerstore
//	meta/        the metadata: a Badger without a value log, SyncWrites on
//
// Every transaction of the metadata is durable when it returns: Badger syncs
// its log, and this package the directory when a file came. After an I/O error
// the hub writes nothing more until it is opened again, and reads go on.
//
// # Metadata, format 1
//
//	volume   = "v" volume                 {"name", "head": {"snapshot", "seq", "root"}, "settled", "owner": the
//	                                      client that made it, "usage": {"bytes", "files", "entries"} of the head}
//	quota    = "l" "v" volume             {"bytes", "files"} that the volume may hold at most; 0: any
//	         | "l" "c" client             the same of all volumes that the client made
//	snapshot = "s" volume id              a snapshot of the volume: {"snapshot", "seq", "root"}
//	number   = "q" volume u64             the ID of the volume's snapshot with that number
//	slot     = "r" replica volume         the last session of the replica with the volume: {"session", "run", "client",
//	                                      "command", "seen", "heard", "state", "answers": commit keys}
//	         | "r" replica volume client  the last that a client started, with the same and "owner": the client
//	part     = "p" session u32 u16        a slice of a staged part: together an api.DiffRequest
//	answer   = "a" key u16                a slice of the answer to the commit with that key
//	conflict = "c" volume path0 replica id
//	                                      an api.Conflict, open or settled; Theirs as it was then
//	open     = "o" volume replica path    the ID of the replica's open conflict there
//	settled  = "n" volume replica u64     ID and path of the replica's conflict that was settled with that number
//	named    = "i" volume id              replica and path of the conflict with that ID
//	access   = "t" key                    a record of package access under its key there
//
//	volume, replica, session, key         16 bytes
//	id                                    32 bytes
//	path0                                 a path with %x00 for each "/", then %x0000
//	u16, u32, u64                         big-endian numbers, of slices, parts, and snapshots or settlements
//
// Records in braces are JSON, the others the binary forms of package api. Long
// values are cut into slices of 512 KiB. The slices of an answer hold session, u32
// length, api.CommitAnswer of that length; slices after that end do not count.
// Example: volume 00…01, named docs, with its first snapshot, has the key and value
//
//	76 00000000000000000000000000000001
//	{"name":"docs","head":{"snapshot":"…64 digits…","seq":1,"root":"…64 digits…"}}
//
// and the first slice of part 0 of session 00…03 has the key
//
//	70 00000000000000000000000000000003 00000000 0000
//
// # Sessions
//
// A client's replica has one session at a time with a volume. It goes from state to state as the
// table in state.go allows, and nothing but that is done: what is not legal is refused. With its
// first staged part or blob it is in the metadata, so the run goes on with it after a crash of the hub, whatever
// process asks. A session without progress for Options.Idle expires, and its parts are deleted.
// Each transition, and what else happens, is an event on Options.Events.
//
// # Callers
//
// Who calls is in the context, see [api.WithCaller]; nobody there is the process itself, which may
// do all. A volume that the caller may not read is not there, and is not looked up to say so.
// Which blobs are missing is answered, and blobs and nodes are read, on behalf of the volumes
// that the caller may read, and a commit checks the blobs that its edits name in the same way. A session
// is its starter's.
//
// # Quotas
//
// What the head of each volume holds is a running total in the volume's record, which each commit
// brings up to date by what it applies; a record without one has the tree walked when the
// repository is opened. A commit is held against the quotas of the volume and of the client that
// made it before anything of it counts, and so is what sessions stage and send before it: see [api.Quota].
//
// # Commit
//
// A commit goes over the edits twice, one part in memory at a time. First it
// decides about each edit: one that is based on the head's version is applied, one
// that is there already is none, and the rest is [api.Merge]'s, given the manifest
// of a tree that the replica has seen. Then the tree is kept a tree:
//
//   - A new entry below a directory that is not there restores the directory: as the
//     replica saw it, else with mode 0755 and the entry's mtime.
//   - A deleted directory below which anything stays is kept.
//   - A directory that becomes something else while anything stays below it is a conflict.
//   - An entry below what is no directory is a conflict.
//
// Then the edits are made, and written in this order: chunks and pages (mostly there
// already), nodes, snapshot, a barrier of the store, and one transaction of the
// metadata with head, snapshot, answer, conflicts, and the end of the session. What
// would make it too large goes into transactions of its own: conflicts, opened and settled, and the
// answer's body before it, the deletion of parts and of the keys of what is open no more after it. Cut
// short, they leave an answer that does not count, or what the repeated commit writes again. A settled
// conflict whose number is above the volume's is one that was not settled: when the hub is opened that is
// taken back, and what was left to be deleted among the open ones is.
//
// A page is stored only after a barrier has made all that it names durable. So a
// page that is there is whole at any time, and a commit looks no deeper than
// what its edits name.
//
// # Conflicts
//
// A conflict's ID is made of volume, replica, path and the hash of the base, and rehashed where one of
// that ID was settled: [api.ConflictID]. While
// it is open, a further edit of the replica there that conflicts replaces its Ours, one with
// another base opens another in its place, and one that the head takes settles it. A
// commit settles conflicts of any replica after it has compared, under the volume's lock,
// what whoever decided saw with what is. No record is ever deleted.
//
// The settlements of a volume are numbered. The number of the latest is in the volume's record, and
// told together with the head. A session says up to which the replica's base has taken them in. In those after that
// the settled version takes the place of the base ([api.Rebase]) of what the replica sends: the same version again
// is no edit, whatever the head has, and a newer one is an edit of it.
package hub
