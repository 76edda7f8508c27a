package hubtest

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"dfs/cas"
	"dfs/merkle"
	"dfs/server/api"
)

func testInfo(t *testing.T, f *fixture) {
	info, err := f.Info(f.ctx, "")
	must(t, err)
	if info.HubID.IsZero() || info.Protocol != api.ProtocolVersion || info.Limits.Body <= 0 {
		t.Fatalf("%+v", info)
	}
	again, err := f.Info(f.ctx, "")
	must(t, err)
	equal(t, "info again", again, info)
}

func testVolumes(t *testing.T, f *fixture) {
	if f.volume.Name != "docs" || f.volume.Head.Seq != 1 || f.volume.Head.Root != merkle.EmptyRoot() || f.volume.Head.Snapshot.IsZero() {
		t.Fatalf("a new volume is %+v", f.volume)
	}
	again, err := f.CreateVolume(f.ctx, "docs", f.volume.ID)
	must(t, err)
	equal(t, "the same volume", again, f.volume)
	_, err = f.CreateVolume(f.ctx, "docs", random())
	want(t, err, api.ErrExists)
	_, err = f.CreateVolume(f.ctx, "other", f.volume.ID)
	want(t, err, api.ErrExists)
	for _, name := range []string{"", "a/b", "a\nb", "\xff", strings.Repeat("x", api.MaxVolumeName+1)} {
		_, err = f.CreateVolume(f.ctx, name, random())
		want(t, err, api.ErrInvalid)
	}
	_, err = f.CreateVolume(f.ctx, "zero", cas.VolumeID{})
	want(t, err, api.ErrInvalid)
	odd, err := f.CreateVolume(f.ctx, "an odd & é?%2F+name#", random())
	must(t, err)
	all, err := f.Volumes(f.ctx, "")
	must(t, err)
	equal(t, "volumes", all, []api.Volume{odd, f.volume})
	one, err := f.Volumes(f.ctx, odd.Name)
	must(t, err)
	equal(t, "one volume", one, []api.Volume{odd})
	info, err := f.Info(f.ctx, odd.Name)
	must(t, err)
	equal(t, "the volume that was asked for", *info.Volume, odd)
	none, err := f.Volumes(f.ctx, "doc")
	must(t, err)
	equal(t, "no volume", len(none), 0)
	info, err = f.Info(f.ctx, "doc")
	must(t, err)
	equal(t, "no volume with the hub", info.Volume == nil, true)
}

// testStartCreates has a session make its volume, on the hub that is named and on no other.
func testStartCreates(t *testing.T, f *fixture) {
	info, err := f.Info(f.ctx, "")
	must(t, err)
	req := api.StartRequest{Protocol: api.ProtocolVersion, Replica: random(), Run: random(), Volume: random(), Command: "push", Create: "new", Hub: random()}
	_, err = f.Start(f.ctx, req)
	want(t, err, api.ErrNotFound)
	none, err := f.Volumes(f.ctx, "new")
	must(t, err)
	equal(t, "volumes made on another hub", len(none), 0)
	req.Hub = info.HubID
	answer, err := f.Start(f.ctx, req)
	must(t, err)
	made, err := f.Volumes(f.ctx, "new")
	must(t, err)
	equal(t, "the volume", made, []api.Volume{{ID: req.Volume, Name: "new", Head: answer.Head}})
	equal(t, "a hub with another volume is fresh", answer.Fresh, false)
	again, err := f.Start(f.ctx, req)
	must(t, err)
	equal(t, "start again", again, answer)
	req.Volume = random()
	_, err = f.Start(f.ctx, req)
	want(t, err, api.ErrExists)
}

func testNotFound(t *testing.T, f *fixture) {
	absent, keep := random(), func(cas.Blob) error { return nil }
	_, err := f.Start(f.ctx, api.StartRequest{Protocol: api.ProtocolVersion, Replica: random(), Run: random(), Volume: absent, Command: "pull"})
	want(t, err, api.ErrNotFound)
	_, err = f.Status(f.ctx, absent)
	want(t, err, api.ErrNotFound)
	_, err = f.Snapshot(f.ctx, absent, cas.ID{})
	want(t, err, api.ErrNotFound)
	want(t, f.Blobs(f.ctx, api.BlobsRequest{Volume: absent, Refs: []cas.Ref{{Kind: cas.Chunk}}}, keep), api.ErrNotFound)
	want(t, f.Nodes(f.ctx, absent, []cas.ID{{1}}, keep), api.ErrNotFound)
	for _, req := range []api.ChangesRequest{{Volume: absent}, {Volume: f.volume.ID, From: cas.ID{1}}, {Volume: f.volume.ID, To: cas.ID{1}}} {
		n := 0
		for _, err := range f.Changes(f.ctx, req) {
			want(t, err, api.ErrNotFound)
			n++
		}
		equal(t, "yields after the error", n, 1)
	}
	_, err = f.Snapshot(f.ctx, f.volume.ID, cas.ID{1})
	want(t, err, api.ErrNotFound)
	_, err = f.Diff(f.ctx, api.DiffRequest{Session: absent})
	want(t, err, api.ErrNoSession)
	want(t, f.Upload(f.ctx, absent, nil), api.ErrNoSession)
	want(t, f.Upload(f.ctx, absent, []cas.Blob{cas.Seal(cas.Chunk, []byte("x"))}), api.ErrNoSession)
	_, err = f.Commit(f.ctx, api.CommitRequest{Session: absent, Key: random()})
	want(t, err, api.ErrNoSession)
	want(t, f.Report(f.ctx, absent, api.ComputingDiff), api.ErrNoSession)
}

func testVersion(t *testing.T, f *fixture) {
	_, err := f.Start(f.ctx, api.StartRequest{Protocol: api.ProtocolVersion, Replica: random(), Run: random(), Volume: f.volume.ID, Client: "\xff"})
	want(t, err, api.ErrInvalid)
	_, err = f.Start(f.ctx, api.StartRequest{Protocol: 99, Replica: random(), Run: random(), Volume: f.volume.ID, Command: "pull"})
	want(t, err, api.ErrVersion)
}

func testStatus(t *testing.T, f *fixture) {
	r := f.replica()
	quiet, err := f.Status(f.ctx, f.volume.ID)
	must(t, err)
	if quiet.Volume != f.volume || len(quiet.Sessions) != 0 || quiet.Conflicts != 0 {
		t.Fatalf("%+v", quiet)
	}
	session := r.start(t, random()).Session
	must(t, f.Upload(f.ctx, session, []cas.Blob{cas.Seal(cas.Chunk, []byte("12345"))}))
	busy, err := f.Status(f.ctx, f.volume.ID)
	must(t, err)
	if len(busy.Sessions) != 1 {
		t.Fatalf("%+v", busy)
	}
	s := busy.Sessions[0]
	if s.ID != session || s.Replica != r.id || s.Volume != f.volume.ID || s.Client != "host" || s.Command != "push" ||
		s.State != api.TransferringFiles || s.Blobs != 1 || s.Bytes != 5 || s.Started.IsZero() || s.Active.IsZero() {
		t.Errorf("%+v", s)
	}
}

func testStates(t *testing.T, f *fixture) {
	session := f.replica().start(t, random()).Session
	for _, state := range []api.State{api.ComputingDiff, api.TransferringFiles, api.TransferringFiles, api.ApplyingChanges} {
		must(t, f.Report(f.ctx, session, state))
	}
	want(t, f.Report(f.ctx, session, api.ComputingDiff), api.ErrState)
	want(t, f.Report(f.ctx, session, api.Expired), api.ErrState)
	must(t, f.Expect(f.ctx, session, 0))
	must(t, f.Expect(f.ctx, session, 1<<40))
	want(t, f.Expect(f.ctx, session, -1), api.ErrInvalid)
	want(t, f.Expect(f.ctx, api.SessionID(random()), 1), api.ErrNoSession)
	must(t, f.Report(f.ctx, session, api.Complete))
	want(t, f.Expect(f.ctx, session, 1), api.ErrState)
	if err := f.Upload(f.ctx, session, nil); err == nil {
		t.Error("upload to a session that is complete")
	}
	m, blob := file("x")
	r := f.replica()
	session = r.start(t, random()).Session
	req := r.commit(t, session, tree{"a": m})
	req.Blobs = []cas.Blob{blob}
	_, err := f.Commit(f.ctx, req)
	must(t, err)
	if err := f.Report(f.ctx, session, api.ApplyingChanges); err == nil {
		t.Error("report of a session that is committed")
	}
}

func testCancelled(t *testing.T, f *fixture) {
	r := f.replica()
	m, blob := file("x")
	req := r.commit(t, r.start(t, random()).Session, tree{"a": m})
	req.Blobs = []cas.Blob{blob}
	ctx, cancel := context.WithCancel(f.ctx)
	cancel()
	if _, err := f.Commit(ctx, req); err == nil {
		t.Error("commit under a cancelled context")
	}
	equal(t, "head", f.head(t), f.volume.Head)
	_, err := f.Commit(f.ctx, req)
	must(t, err)
}

func testTooMuch(t *testing.T, f *fixture) {
	info, err := f.Info(f.ctx, "")
	must(t, err)
	session := f.replica().start(t, random()).Session
	refs := make([]cas.Ref, info.Limits.Blobs+1)
	for i := range refs {
		refs[i] = cas.Ref{Kind: cas.Chunk, ID: cas.Sum(fmt.Append(nil, i))}
	}
	keep := func(cas.Blob) error { return nil }
	want(t, f.Blobs(f.ctx, api.BlobsRequest{Volume: f.volume.ID, Refs: refs}, keep), api.ErrTooLarge)
	want(t, f.Nodes(f.ctx, f.volume.ID, make([]cas.ID, len(refs)), keep), api.ErrTooLarge)
	_, err = f.Diff(f.ctx, api.DiffRequest{Session: session, Ask: refs})
	want(t, err, api.ErrTooLarge)
	edits := make([]api.Edit, info.Limits.Edits+1)
	for i := range edits {
		edits[i].Path = fmt.Sprintf("%06d", i)
	}
	_, err = f.Diff(f.ctx, api.DiffRequest{Session: session, Edits: edits})
	want(t, err, api.ErrTooLarge)
	_, err = f.Commit(f.ctx, api.CommitRequest{Session: session, Key: random(), Message: strings.Repeat("m", info.Limits.Message+1)})
	want(t, err, api.ErrTooLarge)
	_, err = f.Diff(f.ctx, api.DiffRequest{Session: session, Part: info.Limits.Parts})
	want(t, err, api.ErrTooLarge)
}
