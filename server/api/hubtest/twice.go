package hubtest

import (
	"testing"

	"dfs/cas"
	"dfs/server/api"
)

// testTwice makes each request of a push twice, and those before the commit once more after
// it, as a network may: answers are the same and there is one effect.
func testTwice(t *testing.T, f *fixture) {
	r, run := f.replica(), random()
	m, blob := file("x")
	other, otherBlob := file("other")
	to := tree{"a": m, "b": other}
	session := r.start(t, run)
	equal(t, "start again", r.start(t, run), session)
	part := api.DiffRequest{Session: session.Session, Edits: to.edits(nil)}
	diff := func() api.DiffAnswer {
		t.Helper()
		answer, err := f.Diff(f.ctx, part)
		must(t, err)
		return answer
	}
	first := diff()
	equal(t, "what is missing", first.Missing, []bool{true, true})
	equal(t, "diff again", diff(), first)
	blobs := []cas.Blob{blob, otherBlob}
	for range 2 {
		must(t, f.Upload(f.ctx, session.Session, blobs))
	}
	equal(t, "what is missing after the upload", diff().Missing, []bool{false, false})
	equal(t, "staged parts", r.start(t, run).Staged, 1)
	req := api.CommitRequest{Session: session.Session, Key: random(), Parts: 1, Seen: r.seen.Snapshot, Expect: to.root(t)}
	committed, err := f.Commit(f.ctx, req)
	must(t, err)
	again, err := f.Commit(f.ctx, req)
	must(t, err)
	equal(t, "commit again", again, committed)
	equal(t, "snapshots", committed.Head.Seq, r.seen.Seq+1)

	// What was late is refused, or has no effect.
	if _, err := f.Diff(f.ctx, part); err == nil {
		t.Error("a part of a session that is complete")
	}
	if err := f.Upload(f.ctx, session.Session, blobs); err == nil {
		t.Error("an upload to a session that is complete")
	}
	late := r.start(t, run)
	equal(t, "parts of a start that was late", late.Staged, 0)
	equal(t, "head", f.head(t), committed.Head)
	equal(t, "tree", f.tree(t), to)
	again, err = f.Commit(f.ctx, req)
	must(t, err)
	equal(t, "commit once more", again, committed)
	equal(t, "head", f.head(t), committed.Head)
}

// testSettleTwice makes the commit twice that settles a conflict.
func testSettleTwice(t *testing.T, f *fixture) {
	r, other := f.replica(), f.replica()
	other.pushed(t, tree{"a": link("theirs")})
	answer := r.push(t, tree{"a": link("ours")})
	if len(answer.Conflicts) != 1 {
		t.Fatalf("%+v", answer)
	}
	c := answer.Conflicts[0]
	req := api.CommitRequest{Session: r.start(t, random()).Session, Key: random(),
		Edits:  []api.Edit{{Path: "a", Base: c.Theirs.Hash(), New: c.Ours}},
		Settle: []api.Settlement{{Conflict: c.ID, Ours: c.Ours.Hash(), Theirs: c.Theirs.Hash(), Take: "ours"}}}
	first, err := f.Commit(f.ctx, req)
	must(t, err)
	again, err := f.Commit(f.ctx, req)
	must(t, err)
	equal(t, "the answer again", again, first)
	equal(t, "head", f.head(t), first.Head)
	equal(t, "tree", f.tree(t), tree{"a": link("ours")})
	status, err := f.Status(f.ctx, f.volume.ID)
	must(t, err)
	equal(t, "open conflicts", status.Conflicts, 0)
}
