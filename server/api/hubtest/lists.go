package hubtest

import (
	"fmt"
	"strings"
	"testing"

	"dfs/cas"
	"dfs/server/api"
)

func testSnapshots(t *testing.T, f *fixture) {
	r := f.replica()
	var all []api.Snapshot // newest first
	for i := range 5 {
		if i > 0 {
			r.pushed(t, tree{"a": link(fmt.Sprint(i))})
		}
		s, err := f.Snapshot(f.ctx, f.volume.ID, cas.ID{})
		must(t, err)
		all = append([]api.Snapshot{s}, all...)
	}
	// Another volume's are not among them.
	_, err := f.CreateVolume(f.ctx, "other", random())
	must(t, err)
	for _, c := range []struct {
		before uint64
		limit  int
		want   []api.Snapshot
	}{
		{0, 0, all}, {0, 2, all[:2]}, {4, 2, all[2:4]}, {2, 2, all[4:]}, {99, 9, all}, {6, 5, all}, {5, 1000, all[1:]},
	} {
		got, err := f.Snapshots(f.ctx, api.SnapshotsRequest{Volume: f.volume.ID, Before: c.before, Limit: c.limit})
		must(t, err)
		equal(t, fmt.Sprintf("%d before %d", c.limit, c.before), got, c.want)
	}
	none, err := f.Snapshots(f.ctx, api.SnapshotsRequest{Volume: f.volume.ID, Before: 1})
	must(t, err)
	equal(t, "before the first", len(none), 0)
	_, err = f.Snapshots(f.ctx, api.SnapshotsRequest{Volume: random()})
	want(t, err, api.ErrNotFound)
	for _, limit := range []int{-1, api.MaxSnapshots + 1} {
		_, err = f.Snapshots(f.ctx, api.SnapshotsRequest{Volume: f.volume.ID, Limit: limit})
		want(t, err, api.ErrInvalid)
	}
}

// ids returns the sessions of a volume, or of all.
func (f *fixture) sessions(t *testing.T, v cas.VolumeID) (ids []api.SessionID) {
	t.Helper()
	list, err := f.Sessions(f.ctx, v)
	must(t, err)
	for i, s := range list {
		ids = append(ids, s.ID)
		if s.State == "" || s.Client != "host" || i > 0 && s.Started.Before(list[i-1].Started) {
			t.Errorf("%+v", list)
		}
	}
	return ids
}

func testSessions(t *testing.T, f *fixture) {
	equal(t, "sessions", len(f.sessions(t, cas.VolumeID{})), 0)
	r := f.replica()
	first := r.start(t, random()).Session
	v, err := f.CreateVolume(f.ctx, "other", random())
	must(t, err)
	other := &fixture{Hub: f.Hub, ctx: f.ctx, volume: v}
	second := other.replica().start(t, random()).Session
	equal(t, "sessions", f.sessions(t, cas.VolumeID{}), []api.SessionID{first, second})
	equal(t, "sessions of a volume", f.sessions(t, v.ID), []api.SessionID{second})
	must(t, f.Report(f.ctx, second, api.Failed))
	equal(t, "sessions after the end of one", f.sessions(t, cas.VolumeID{}), []api.SessionID{first})
	_, err = f.Sessions(f.ctx, random())
	want(t, err, api.ErrNotFound)
}

func testAbort(t *testing.T, f *fixture) {
	r := f.replica()
	run := random()
	session := r.start(t, run).Session
	m, blob := file("x")
	_, err := f.Diff(f.ctx, api.DiffRequest{Session: session, Edits: tree{"a": m}.edits(nil)})
	must(t, err)
	must(t, f.Upload(f.ctx, session, []cas.Blob{blob}))
	must(t, f.AbortSession(f.ctx, session))
	must(t, f.AbortSession(f.ctx, session))
	err = f.Upload(f.ctx, session, nil)
	if want(t, err, api.ErrState); !strings.Contains(err.Error(), "was aborted on the hub") {
		t.Errorf("the upload of an aborted session: %v", err)
	}
	equal(t, "sessions", len(f.sessions(t, cas.VolumeID{})), 0)
	_, err = f.Commit(f.ctx, api.CommitRequest{Session: session, Key: random(), Parts: 1})
	want(t, err, api.ErrState)
	equal(t, "head", f.head(t), f.volume.Head)
	again := r.start(t, run)
	if again.Session == session || again.Staged != 0 {
		t.Errorf("started again: %+v", again)
	}
	r.pushed(t, tree{"a": m}, blob)
	want(t, f.AbortSession(f.ctx, random()), api.ErrNoSession)
}

func testReady(t *testing.T, f *fixture) { must(t, f.Ready(f.ctx)) }
