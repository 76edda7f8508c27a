package hub

import (
	"testing"

	"dfs/cas"
	"dfs/server/api"
	"dfs/server/events"
)

// TestPullIsTold follows a pull, whose states the hub knows from what it asks for. Two requests at
// a time are one transfer.
func TestPullIsTold(t *testing.T) {
	t.Parallel()
	o := observe(t, t.TempDir(), nil, Options{})
	session, blob := o.session.Session, cas.Seal(cas.Chunk, []byte("content"))
	if err := o.Upload(t.Context(), session, []cas.Blob{blob}); err != nil {
		t.Fatal(err)
	}
	o.run = randomID()
	o.start(t)
	o.sub.Close()
	o.sub = events.Subscribe[events.Event](o.bus, 0)

	ask := func() {
		t.Helper()
		for _, err := range o.Changes(t.Context(), api.ChangesRequest{Volume: o.volume, Session: o.session.Session}) {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	ask()
	told := events.ChangesTold{Volume: o.volume, At: o.at()}
	wantEvents(t, o.sub, o.moved(api.Idle, api.RequestingMetadata), told, o.moved(api.RequestingMetadata, api.ApplyingChanges))

	req := api.BlobsRequest{Volume: o.volume, Refs: []cas.Ref{blob.Ref()}, Session: o.session.Session}
	keep := func(cas.Blob) error { return nil }
	err := o.Blobs(t.Context(), req, func(cas.Blob) error { return o.Blobs(t.Context(), req, keep) })
	if err != nil {
		t.Fatal(err)
	}
	done := events.DownloadCompleted{Volume: o.volume, Blobs: 1, Bytes: 7, At: o.at()}
	wantEvents(t, o.sub, o.moved(api.ApplyingChanges, api.TransferringFiles), done, done, o.moved(api.TransferringFiles, api.ApplyingChanges))

	if err := o.Report(t.Context(), o.session.Session, api.Complete); err != nil {
		t.Fatal(err)
	}
	wantEvents(t, o.sub, o.moved(api.ApplyingChanges, api.Complete))
	ask() // a request of a session that has ended is served
	wantEvents(t, o.sub, told)
	for _, id := range []api.SessionID{o.session.Session, session, randomID()} {
		req.Session = id
		if err := o.Blobs(t.Context(), req, keep); err != nil {
			t.Fatal(err)
		}
		wantEvents(t, o.sub, done)
	}
}

// TestSessionOfAnotherVolume: a request for one volume says nothing about a session of another.
func TestSessionOfAnotherVolume(t *testing.T) {
	t.Parallel()
	o := observe(t, t.TempDir(), nil, Options{})
	other, err := o.CreateVolume(t.Context(), "other", randomID())
	if err != nil {
		t.Fatal(err)
	}
	wantEvents(t, o.sub, events.VolumeCreated{Volume: other.ID, Name: "other", At: o.at()})
	for _, err := range o.Changes(t.Context(), api.ChangesRequest{Volume: other.ID, Session: o.session.Session}) {
		if err != nil {
			t.Fatal(err)
		}
	}
	wantEvents(t, o.sub, events.ChangesTold{Volume: other.ID, At: o.at()})
}
