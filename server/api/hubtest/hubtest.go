// Package hubtest is the contract of [api.Hub] as a suite of tests, to be run
// over every implementation: in process and over HTTP.
package hubtest

import (
	"context"
	"crypto/rand"
	"errors"
	"iter"
	"maps"
	"reflect"
	"slices"
	"testing"

	"dfs/cas"
	"dfs/manifest"
	"dfs/merkle"
	"dfs/server/api"
)

// TestHub runs the suite. Open returns a hub without volumes, which the test's
// cleanup closes.
func TestHub(t *testing.T, open func(t *testing.T) api.Hub) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, *fixture)
	}{
		{"info", testInfo},
		{"volumes", testVolumes},
		{"start makes the volume", testStartCreates},
		{"not found", testNotFound},
		{"version", testVersion},
		{"push", testPush},
		{"push in one request", testPushInOne},
		{"push pages", testPages},
		{"commit twice", testCommitTwice},
		{"commit nothing new", testCommitNothing},
		{"incomplete", testIncomplete},
		{"unexpected root", testRoot},
		{"resume", testResume},
		{"part again", testPartAgain},
		{"invalid edits", testInvalidEdits},
		{"untrue sizes", testUntrueSizes},
		{"untrue pages", testUntruePages},
		{"bounds of chunks", testChunkBounds},
		{"too much", testTooMuch},
		{"disjoint pushes", testDisjoint},
		{"conflict", testConflict},
		{"delete meets edit", testDeleteMeetsEdit},
		{"conflicts", testConflicts},
		{"settle with theirs", testSettleTheirs},
		{"settle with ours", testSettleOurs},
		{"settle one's own", testSettleOwn},
		{"settle what moved", testSettleMoved},
		{"settle what does not fit", testSettleUnfit},
		{"ours is updated", testOursUpdated},
		{"own edit settles", testOwnEditSettles},
		{"conflict again", testConflictAgain},
		{"conflict with another base", testOtherBase},
		{"settlement is not heard of", testSettledIsNotHeard},
		{"settlement is heard of", testSettledIsHeard},
		{"settlement stands at the base", testBaseStands},
		{"conflict model", testConflictModel},
		{"wait", testWait},
		{"wait for a settlement", testWaitForSettlement},
		{"wait in vain", testWaitInVain},
		{"changes", testChanges},
		{"changes of odd paths", testOddPaths},
		{"changes left early", testChangesLeft},
		{"walk", testWalk},
		{"blobs", testBlobs},
		{"blobs of other volumes", testOtherVolumes},
		{"concurrent uploads", testConcurrentUploads},
		{"states", testStates},
		{"status", testStatus},
		{"each request twice", testTwice},
		{"settle twice", testSettleTwice},
		{"snapshots", testSnapshots},
		{"sessions", testSessions},
		{"abort", testAbort},
		{"quotas", testQuotas},
		{"overview", testOverview},
		{"ready", testReady},
		{"cancelled", testCancelled},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			hub := open(t)
			f := &fixture{Hub: hub, ctx: t.Context()}
			v, err := hub.CreateVolume(f.ctx, "docs", random())
			if err != nil {
				t.Fatal(err)
			}
			f.volume = v
			test.run(t, f)
		})
	}
}

// fixture is a hub with a volume, "docs".
type fixture struct {
	api.Hub
	ctx    context.Context
	volume api.Volume
	admin  api.Admin // of a hub with accounts
}

func random() (id cas.VolumeID) {
	_, _ = rand.Read(id[:])
	return id
}

// want fails the test unless err is all of the targets.
func want(t *testing.T, err error, targets ...error) {
	t.Helper()
	for _, target := range targets {
		if !errors.Is(err, target) {
			t.Fatalf("error is %v, not %v", err, target)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("%s: got %+v\nwant %+v", what, got, want)
	}
}

// file returns a file of one chunk, and the chunk.
func file(text string) (*manifest.Manifest, cas.Blob) {
	b := cas.Seal(cas.Chunk, []byte(text))
	return &manifest.Manifest{Kind: manifest.File, Mode: 0o644, Mtime: manifest.Time{Sec: 1}, Profile: 1, Size: uint64(len(text)),
		Runs: []manifest.Run{{ID: b.ID(), Size: uint32(len(text)), Count: 1}}}, b
}

func directory() *manifest.Manifest { return &manifest.Manifest{Kind: manifest.Directory, Mode: 0o755} }

func link(target string) *manifest.Manifest {
	return &manifest.Manifest{Kind: manifest.Symlink, Mode: 0o777, Target: target}
}

// tree is a tree by path.
type tree map[string]*manifest.Manifest

// ordered yields the tree's entries in path order.
func (tr tree) ordered() iter.Seq2[merkle.Entry, error] {
	return func(yield func(merkle.Entry, error) bool) {
		for _, path := range slices.SortedFunc(maps.Keys(tr), merkle.Compare) {
			value, err := tr[path].Encode()
			if !yield(merkle.Entry{Path: path, Value: value}, err) {
				return
			}
		}
	}
}

func (tr tree) root(t *testing.T) cas.ID {
	t.Helper()
	root, err := merkle.Build(tr.ordered(), nil)
	must(t, err)
	return root
}

// edits returns what makes tr of base.
func (tr tree) edits(base tree) []api.Edit {
	paths := slices.Collect(maps.Keys(tr))
	for path := range base {
		if tr[path] == nil {
			paths = append(paths, path)
		}
	}
	slices.SortFunc(paths, merkle.Compare)
	var edits []api.Edit
	for _, path := range paths {
		if base[path].Hash() != tr[path].Hash() {
			edits = append(edits, api.Edit{Path: path, Base: base[path].Hash(), New: tr[path]})
		}
	}
	return edits
}

// replica is a replica as the hub sees it.
type replica struct {
	f     *fixture
	id    api.ReplicaID
	seen  api.Head
	base  tree // of seen
	heard uint64
}

func (f *fixture) replica() *replica {
	return &replica{f: f, id: random(), base: tree{}, seen: f.volume.Head}
}

func (r *replica) start(t *testing.T, run cas.VolumeID) api.StartAnswer {
	t.Helper()
	answer, err := r.f.Start(r.f.ctx, api.StartRequest{Protocol: api.ProtocolVersion, Replica: r.id, Volume: r.f.volume.ID,
		Run: run, Client: "host", Command: "push", Seen: r.seen.Snapshot, SeenSeq: r.seen.Seq, Heard: r.heard})
	must(t, err)
	return answer
}

// commit returns the request that commits edits, expecting to.
func (r *replica) commit(t *testing.T, session api.SessionID, to tree) api.CommitRequest {
	t.Helper()
	return api.CommitRequest{Session: session, Key: random(), Seen: r.seen.Snapshot, Expect: to.root(t), Edits: to.edits(r.base)}
}

// push commits to as the replica's tree, with the blobs, in a session of its own.
func (r *replica) push(t *testing.T, to tree, blobs ...cas.Blob) api.CommitAnswer {
	t.Helper()
	req := r.commit(t, r.start(t, random()).Session, to)
	req.Blobs = blobs
	answer, err := r.f.Commit(r.f.ctx, req)
	must(t, err)
	return answer
}

// pushed is push of what must pass as it is; the replica has seen it then.
func (r *replica) pushed(t *testing.T, to tree, blobs ...cas.Blob) {
	t.Helper()
	answer := r.push(t, to, blobs...)
	if answer.Merged || answer.Conflicts != nil || answer.Kept != nil || answer.Head.Root != to.root(t) {
		t.Fatalf("pushed: %+v", answer)
	}
	r.seen, r.base = answer.Head, maps.Clone(to)
}

// list collects changes.
func (f *fixture) list(from, to cas.ID) ([]api.Change, error) {
	var all []api.Change
	for c, err := range f.Changes(f.ctx, api.ChangesRequest{Volume: f.volume.ID, From: from, To: to}) {
		if err != nil {
			return all, err
		}
		all = append(all, c)
	}
	return all, nil
}

// tree returns the head's tree, as Changes tells it.
func (f *fixture) tree(t *testing.T) tree {
	t.Helper()
	all, err := f.list(cas.ID{}, cas.ID{})
	must(t, err)
	tr := tree{}
	for i, c := range all {
		if c.Old != nil || c.New == nil || i > 0 && merkle.Compare(all[i-1].Path, c.Path) >= 0 {
			t.Fatalf("changes from the empty tree: %d: %+v", i, c)
		}
		tr[c.Path] = c.New
	}
	return tr
}

func (f *fixture) head(t *testing.T) api.Head {
	t.Helper()
	s, err := f.Snapshot(f.ctx, f.volume.ID, cas.ID{})
	must(t, err)
	return api.Head{Snapshot: s.ID, Seq: s.Record.Seq, Root: s.Record.Root}
}
