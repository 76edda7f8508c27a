package hubtest

import (
	"errors"
	"testing"

	"dfs/cas"
	"dfs/manifest"
	"dfs/server/api"
)

func testResume(t *testing.T, f *fixture) {
	r := f.replica()
	a, blobA := file("a")
	b, blobB := file("b")
	to := tree{"a": a, "b": b}
	edits, run := to.edits(nil), random()
	session := r.start(t, run).Session
	for part := range edits {
		_, err := f.Diff(f.ctx, api.DiffRequest{Session: session, Part: part, Edits: edits[part : part+1]})
		must(t, err)
	}
	must(t, f.Upload(f.ctx, session, []cas.Blob{blobA, blobB}))
	again := r.start(t, run)
	if again.Session != session || again.Staged != 2 || again.State != api.TransferringFiles {
		t.Fatalf("resumed: %+v", again)
	}
	anew := r.start(t, random())
	if anew.Session == session || anew.Staged != 0 {
		t.Fatalf("another run: %+v", anew)
	}
	_, err := f.Commit(f.ctx, api.CommitRequest{Session: session, Key: random(), Parts: 2})
	if err == nil {
		t.Fatal("commit of a session that another run replaced")
	}
	answer, err := f.Diff(f.ctx, api.DiffRequest{Session: anew.Session, Edits: edits})
	must(t, err)
	equal(t, "missing in the new session", answer.Missing, []bool{false, false})
	_, err = f.Commit(f.ctx, api.CommitRequest{Session: anew.Session, Key: random(), Parts: 2})
	if err == nil {
		t.Fatal("commit of parts that are not staged")
	}
	_, err = f.Commit(f.ctx, api.CommitRequest{Session: anew.Session, Key: random(), Parts: 1, Seen: r.seen.Snapshot, Expect: to.root(t)})
	must(t, err)
	equal(t, "tree", f.tree(t), to)
}

func testPartAgain(t *testing.T, f *fixture) {
	r := f.replica()
	a, blobA := file("a")
	b, blobB := file("b")
	session := r.start(t, random()).Session
	must(t, f.Upload(f.ctx, session, []cas.Blob{blobA, blobB}))
	for _, tr := range []tree{{"x": a, "y": a, "z": a}, {"x": b}, {"x": b}} {
		_, err := f.Diff(f.ctx, api.DiffRequest{Session: session, Edits: tr.edits(nil)})
		must(t, err)
	}
	req := r.commit(t, session, tree{"x": b, "y": b})
	req.Parts, req.Edits = 1, req.Edits[1:]
	_, err := f.Commit(f.ctx, req)
	must(t, err)
	equal(t, "tree", f.tree(t), tree{"x": b, "y": b})
}

func testDisjoint(t *testing.T, f *fixture) {
	r, other := f.replica(), f.replica()
	a, blobA := file("a")
	b, blobB := file("b")
	r.pushed(t, tree{"a": a}, blobA)
	answer := other.push(t, tree{"b": b}, blobB)
	both := tree{"a": a, "b": b}
	if !answer.Merged || answer.Conflicts != nil || answer.Kept != nil || answer.Head.Root != both.root(t) || answer.Head.Seq != 3 {
		t.Fatalf("%+v", answer)
	}
	equal(t, "tree", f.tree(t), both)
	got, err := f.list(r.seen.Snapshot, cas.ID{})
	must(t, err)
	equal(t, "what the first has not seen", got, []api.Change{{Path: "b", New: b}})
}

func testConflict(t *testing.T, f *fixture) {
	r, other := f.replica(), f.replica()
	base, blobBase := file("base")
	theirs, blobTheirs := file("theirs")
	ours, blobOurs := file("ours")
	r.pushed(t, tree{"a\xff\n": base}, blobBase)
	other.seen, other.base = r.seen, r.base
	r.pushed(t, tree{"a\xff\n": theirs}, blobTheirs)
	to := tree{"a\xff\n": ours, "b": base}
	session := other.start(t, random()).Session
	diff, err := f.Diff(f.ctx, api.DiffRequest{Session: session, Edits: to.edits(other.base)})
	must(t, err)
	equal(t, "conflicts so far", diff.Conflicts, []string{"a\xff\n"})
	answer := other.push(t, to, blobOurs)
	if !answer.Merged || len(answer.Conflicts) != 1 || answer.Kept != nil {
		t.Fatalf("%+v", answer)
	}
	c := answer.Conflicts[0]
	if c.Path != "a\xff\n" || c.Replica != other.id || !c.Open || c.ID.IsZero() || c.Time.IsZero() ||
		!manifest.Equal(c.Base, base) || !manifest.Equal(c.Ours, ours) || !manifest.Equal(c.Theirs, theirs) {
		t.Errorf("conflict: %+v", c)
	}
	equal(t, "tree", f.tree(t), tree{"a\xff\n": theirs, "b": base})
	status, err := f.Status(f.ctx, f.volume.ID)
	must(t, err)
	equal(t, "open conflicts", status.Conflicts, 1)
	must(t, f.Blobs(f.ctx, api.BlobsRequest{Volume: f.volume.ID, Refs: []cas.Ref{blobOurs.Ref()}}, func(cas.Blob) error { return nil }))
}

func testDeleteMeetsEdit(t *testing.T, f *fixture) {
	r, other := f.replica(), f.replica()
	base, blobBase := file("base")
	edited, blobEdited := file("edited")
	r.pushed(t, tree{"a": base, "b": base}, blobBase)
	other.seen, other.base = r.seen, r.base
	r.pushed(t, tree{"a": edited, "b": base}, blobEdited)
	answer := other.push(t, tree{})
	if !answer.Merged || answer.Conflicts != nil {
		t.Fatalf("%+v", answer)
	}
	equal(t, "kept", answer.Kept, []string{"a"})
	equal(t, "tree", f.tree(t), tree{"a": edited})
}

func testConcurrentUploads(t *testing.T, f *fixture) {
	const workers, each = 8, 20
	r := f.replica()
	session := r.start(t, random()).Session
	failed, to := make(chan error, workers), tree{}
	for w := range workers {
		var blobs []cas.Blob
		for i := range each {
			// Every other blob is uploaded by two workers.
			m, blob := file(string(rune('a'+(w+i%2)%workers)) + string(rune('A'+i)))
			to[string(blob.Plain())] = m
			blobs = append(blobs, blob)
		}
		go func() {
			failed <- errors.Join(f.Upload(f.ctx, session, blobs[:each/2]), f.Upload(f.ctx, session, blobs[each/2:]))
		}()
	}
	for range workers {
		must(t, <-failed)
	}
	_, err := f.Commit(f.ctx, r.commit(t, session, to))
	must(t, err)
	equal(t, "tree", f.tree(t), to)
}
