package hubtest

import (
	"fmt"
	"regexp"
	"testing"

	"dfs/cas"
	"dfs/server/api"
)

// ids are what answers name by ID.
var ids = regexp.MustCompile(`[0-9a-f]{8,}`)

// veil returns a text without its IDs.
func veil(text string) string { return ids.ReplaceAllString(text, "#") }

func testRights(t *testing.T, c *company) {
	docs := c.volume(t, "docs")
	reader, _, _ := c.hire(t, only(docs, api.RightRead))
	writer, _, _ := c.hire(t, only(docs, api.RightWrite))
	m, blob := file("a")
	w := writer.at(docs).replica()
	w.pushed(t, tree{"a": m}, blob)

	r := reader.at(docs)
	equal(t, "what the reader sees", r.tree(t), tree{"a": m})
	must(t, r.Blobs(r.ctx, api.BlobsRequest{Volume: docs.ID, Refs: []cas.Ref{blob.Ref()}}, func(cas.Blob) error { return nil }))
	session := r.replica().start(t, random()).Session
	must(t, r.Report(r.ctx, session, api.ApplyingChanges))
	_, err := r.Diff(r.ctx, api.DiffRequest{Session: session, Edits: tree{}.edits(tree{"a": m})})
	want(t, err, api.ErrForbidden)
	want(t, r.Upload(r.ctx, session, []cas.Blob{blob}), api.ErrForbidden)
	_, err = r.Commit(r.ctx, api.CommitRequest{Session: session, Key: random(), Edits: tree{}.edits(tree{"a": m})})
	want(t, err, api.ErrForbidden)
	equal(t, "what is there", r.tree(t), tree{"a": m})
}

func testNewVolumes(t *testing.T, c *company) {
	docs := c.volume(t, "docs")
	c.volume(t, "secret")
	ofAll, _, _ := c.hire(t, api.Grants{All: api.RightWrite})
	_, err := ofAll.CreateVolume(ofAll.ctx, "own", random())
	must(t, err)
	info, err := ofAll.Info(ofAll.ctx, "")
	must(t, err)
	for _, grants := range []api.Grants{only(docs, api.RightAdmin), {All: api.RightRead}} {
		f, _, _ := c.hire(t, grants)
		var texts []string
		// Whether the name is taken does not show.
		for _, name := range []string{"new", "secret"} {
			_, err := f.CreateVolume(f.ctx, name, random())
			want(t, err, api.ErrForbidden)
			texts = append(texts, err.Error())
			_, err = f.Start(f.ctx, api.StartRequest{Protocol: api.ProtocolVersion, Replica: random(), Run: random(), Volume: random(),
				Command: "push", Create: name, Hub: info.HubID})
			want(t, err, api.ErrForbidden)
			texts = append(texts, err.Error())
		}
		equal(t, "refusals", texts[:2], texts[2:])
	}
}

// trove is what a volume has that somebody is after: it may be there or not.
type trove struct {
	volume   cas.VolumeID
	name     string
	snapshot cas.ID
	root     cas.ID
	chunk    cas.Ref
	page     cas.Ref
	session  api.SessionID
	to       tree
}

// testAbsentOrNotYours has a writer of another volume ask for all of a trove by ID, before it is
// there and after. The answers are the same.
func testAbsentOrNotYours(t *testing.T, c *company) {
	docs := c.volume(t, "docs")
	mallory, _, _ := c.hire(t, only(docs, api.RightWrite))
	m, blob := file("the secret")
	paged, chunks, pages := paged(t, 3000)
	absent := trove{volume: random(), name: "secret", snapshot: cas.ID(cas.Sum([]byte("s"))), root: cas.ID(cas.Sum([]byte("r"))),
		chunk: blob.Ref(), page: pages[len(pages)-1].Ref(), session: random(), to: tree{"a": m, "p": paged}}
	before := mallory.at(docs).search(t, absent)

	v := c.volume(t, "secret")
	owner := c.admin.at(v).replica()
	owner.pushed(t, absent.to, append(append(chunks, blob), pages...)...)
	there := absent
	there.volume, there.snapshot, there.root = v.ID, owner.seen.Snapshot, owner.seen.Root
	there.session = owner.start(t, random()).Session
	after := mallory.at(docs).search(t, there)
	if len(before) != len(after) {
		t.Fatalf("%d answers, then %d", len(before), len(after))
	}
	for i := range before {
		if before[i] != after[i] {
			t.Errorf("absent:    %s\nnot yours: %s", before[i], after[i])
		}
	}
	volumes, err := mallory.Volumes(mallory.ctx, "")
	must(t, err)
	for _, v := range volumes {
		if v.ID != docs.ID {
			t.Errorf("volume %q is listed", v.Name)
		}
	}
	equal(t, "volumes that are listed", len(volumes), 1)
}

// search asks for all of a trove, and returns the answers without IDs.
func (f *fixture) search(t *testing.T, tr trove) []string {
	t.Helper()
	var answers []string
	note := func(what string, err error, answer any) {
		if e := api.AsError(err); e != nil {
			answer = fmt.Sprintf("%s %s %d", e.Code, e.Message, len(e.Missing))
		}
		answers = append(answers, veil(fmt.Sprintf("%s: %v", what, answer)))
	}
	read := 0
	count := func(cas.Blob) error { read++; return nil }
	for _, v := range []cas.VolumeID{f.volume.ID, tr.volume} {
		note("chunk", f.Blobs(f.ctx, api.BlobsRequest{Volume: v, Refs: []cas.Ref{tr.chunk}}, count), read)
		note("page", f.Blobs(f.ctx, api.BlobsRequest{Volume: v, Refs: []cas.Ref{tr.page}}, count), read)
		note("node", f.Nodes(f.ctx, v, []cas.ID{tr.root}, count), read)
		_, err := f.Snapshot(f.ctx, v, tr.snapshot)
		note("snapshot", err, nil)
		for _, req := range []api.ChangesRequest{{Volume: v, To: tr.snapshot}, {Volume: v, From: tr.snapshot}} {
			for _, err := range f.Changes(f.ctx, req) {
				note("changes", err, "a change")
			}
		}
	}
	for _, err := range f.Conflicts(f.ctx, api.ConflictsRequest{Volume: tr.volume, All: true}) {
		note("conflicts", err, "a conflict")
	}
	_, err := f.Status(f.ctx, tr.volume)
	note("status", err, nil)
	named, err := f.Volumes(f.ctx, tr.name)
	note("volumes", err, len(named))
	_, err = f.Start(f.ctx, api.StartRequest{Protocol: api.ProtocolVersion, Replica: random(), Run: random(), Volume: tr.volume, Command: "pull"})
	note("start", err, nil)
	seen, err := f.Start(f.ctx, api.StartRequest{Protocol: api.ProtocolVersion, Replica: random(), Run: random(), Volume: f.volume.ID,
		Command: "pull", Seen: tr.snapshot, SeenSeq: 2})
	note("start after its snapshot", err, fmt.Sprint(seen.SeenOK, seen.Fresh))
	_, err = f.Diff(f.ctx, api.DiffRequest{Session: tr.session, Ask: []cas.Ref{tr.chunk}})
	note("diff", err, nil)
	note("upload", f.Upload(f.ctx, tr.session, nil), nil)
	note("report", f.Report(f.ctx, tr.session, api.Aborted), nil)
	_, err = f.Commit(f.ctx, api.CommitRequest{Session: tr.session, Key: random()})
	note("commit", err, nil)
	own := f.replica().start(t, random()).Session
	diff, err := f.Diff(f.ctx, api.DiffRequest{Session: own, Edits: tr.to.edits(nil), Ask: []cas.Ref{tr.chunk, tr.page, {Kind: cas.Chunk, ID: cas.ID{1}}}})
	note("have?", err, diff)
	_, err = f.Commit(f.ctx, api.CommitRequest{Session: own, Key: random(), Parts: 1})
	note("commit over it", err, nil)
	_, err = f.Commit(f.ctx, api.CommitRequest{Session: own, Key: random(), Edits: tr.to.edits(nil)})
	note("commit over it at once", err, nil)
	return answers
}

// testOthersSessions has a writer of the same volume use a session that is not its own.
func testOthersSessions(t *testing.T, c *company) {
	docs := c.volume(t, "docs")
	ann, _, _ := c.hire(t, only(docs, api.RightWrite))
	ben, _, _ := c.hire(t, only(docs, api.RightWrite))
	m, blob := file("a")
	r := ann.at(docs).replica()
	run := random()
	start := r.start(t, run)
	req := r.commit(t, start.Session, tree{"a": m})
	req.Blobs = []cas.Blob{blob}
	status, err := ben.Status(ben.ctx, docs.ID)
	must(t, err)
	equal(t, "sessions that are listed", len(status.Sessions), 0) // an idle one is not

	_, err = ben.Diff(ben.ctx, api.DiffRequest{Session: start.Session, Edits: tree{"a": m}.edits(nil)})
	want(t, err, api.ErrNoSession)
	want(t, ben.Upload(ben.ctx, start.Session, []cas.Blob{blob}), api.ErrNoSession)
	want(t, ben.Report(ben.ctx, start.Session, api.Aborted), api.ErrNoSession)
	want(t, ben.Expect(ben.ctx, start.Session, 1), api.ErrNoSession)
	_, err = ben.Commit(ben.ctx, req)
	want(t, err, api.ErrNoSession)
	_, err = ben.Start(ben.ctx, api.StartRequest{Protocol: api.ProtocolVersion, Replica: r.id, Volume: docs.ID, Run: random(), Command: "push"})
	must(t, err) // which takes nothing from ann's

	answer, err := ann.Commit(ann.ctx, req)
	must(t, err)
	_, err = ben.Commit(ben.ctx, req)
	want(t, err, api.ErrNoSession)
	again, err := ann.Commit(ann.ctx, req)
	must(t, err)
	equal(t, "the commit again", again, answer)
}

// testReplicasOfOthers has clients start sessions under the ID of another's replica: each has its own.
func testReplicasOfOthers(t *testing.T, c *company) {
	docs := c.volume(t, "docs")
	writer, _, _ := c.hire(t, only(docs, api.RightWrite))
	mallory, _, _ := c.hire(t, only(docs, api.RightRead))
	reader, _, _ := c.hire(t, only(docs, api.RightRead))
	m, blob := file("a")
	w := writer.at(docs).replica()
	w.pushed(t, tree{"a": m}, blob)
	start := api.StartRequest{Protocol: api.ProtocolVersion, Replica: w.id, Volume: docs.ID, Run: random(), Command: "pull"}
	taken, err := mallory.Start(mallory.ctx, start)
	must(t, err)
	start.Run = random()
	other, err := reader.Start(reader.ctx, start)
	must(t, err)
	begun := w.start(t, random())
	req := w.commit(t, begun.Session, tree{"b": m})
	for range 2 {
		must(t, mallory.Report(mallory.ctx, taken.Session, api.ApplyingChanges))
		must(t, reader.Report(reader.ctx, other.Session, api.ApplyingChanges))
		_, err = writer.Commit(writer.ctx, req) // the second time the answer is kept
		must(t, err)
	}
}

// testReadableBlobs has a writer of one volume who reads another: what that has need not be sent.
func testReadableBlobs(t *testing.T, c *company) {
	docs, lib := c.volume(t, "docs"), c.volume(t, "lib")
	m, blob := file("in the library")
	paged, chunks, pages := paged(t, 3000)
	c.admin.at(lib).replica().pushed(t, tree{"m": m, "p": paged}, append(append(chunks, blob), pages...)...)
	ann, _, _ := c.hire(t, api.Grants{Volumes: map[cas.VolumeID]api.Right{docs.ID: api.RightWrite, lib.ID: api.RightRead}})
	ben, _, _ := c.hire(t, only(docs, api.RightWrite))
	r := ben.at(docs).replica()
	_, err := ben.Commit(ben.ctx, r.commit(t, r.start(t, random()).Session, tree{"b": m}))
	want(t, err, api.ErrIncomplete)
	ann.at(docs).replica().pushed(t, tree{"a": m, "p": paged})
	// What is in docs now is there for all who read docs.
	must(t, ben.Blobs(ben.ctx, api.BlobsRequest{Volume: docs.ID, Refs: []cas.Ref{blob.Ref(), chunks[0].Ref(), pages[0].Ref()}}, func(cas.Blob) error { return nil }))
}

// testHistoryStays deletes all with the right write: what was there is there still.
func testHistoryStays(t *testing.T, c *company) {
	docs := c.volume(t, "docs")
	writer, _, _ := c.hire(t, only(docs, api.RightWrite))
	m, blob := file("a")
	r := writer.at(docs).replica()
	r.pushed(t, tree{"a": m}, blob)
	first := r.seen.Snapshot
	r.pushed(t, tree{})
	f := writer.at(docs)
	changes, err := f.list(cas.ID{}, first)
	must(t, err)
	equal(t, "the first snapshot", changes, []api.Change{{Path: "a", New: m}})
	must(t, f.Blobs(f.ctx, api.BlobsRequest{Volume: docs.ID, Refs: []cas.Ref{blob.Ref()}}, func(cas.Blob) error { return nil }))
}
