package hub

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"dfs/cas"
	"dfs/server/api"
	"dfs/server/events"
)

// wantEvents compares with what is queued, which must be all.
func wantEvents(t *testing.T, sub *events.Subscription, want ...events.Event) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var got []events.Event
	for {
		e, err := sub.Next(ctx)
		if err != nil {
			break
		}
		got = append(got, e)
	}
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			t.Fatalf("event %d is missing: %+v", i, want[i])
		case i >= len(want):
			t.Fatalf("event %d is one too many: %T %+v", i, got[i], got[i])
		case got[i] != want[i]:
			t.Fatalf("event %d is %T %+v, not %T %+v", i, got[i], got[i], want[i], want[i])
		}
	}
}

// observed is a hub on a bus, with a volume and a replica's session.
type observed struct {
	*Hub
	bus     *events.Bus
	sub     *events.Subscription
	clock   *clock
	volume  cas.VolumeID
	client  *client
	session api.StartAnswer
	run     cas.VolumeID
}

func observe(t *testing.T, dir string, mem *cas.Mem, opts Options) *observed {
	t.Helper()
	o := &observed{bus: new(events.Bus), clock: newClock(), run: randomID()}
	opts.Now, opts.Events = o.clock.now, o.bus
	o.sub = events.Subscribe[events.Event](o.bus, 0)
	t.Cleanup(o.bus.Close)
	o.Hub = openTest(t, dir, mem, opts)
	o.volume = newTestVolume(t, o.Hub)
	o.client = newClient(o.Hub, o.volume)
	o.start(t)
	wantEvents(t, o.sub, events.VolumeCreated{Volume: o.volume, Name: "docs", At: o.at()}, o.moved("", api.Idle), o.started())
	return o
}

func (o *observed) at() time.Time { return o.clock.now().UTC() }

func (o *observed) start(t *testing.T) {
	t.Helper()
	var err error
	if o.session, err = o.client.start(t.Context(), o.run); err != nil {
		t.Fatal(err)
	}
}

func (o *observed) moved(from, to api.State) events.Event {
	return events.SessionStateChanged{
		Session: o.session.Session, Replica: o.client.replica, Volume: o.volume, From: from, To: to, At: o.at(),
	}
}

func (o *observed) started() events.Event {
	return events.SessionStarted{
		Session: o.session.Session, Replica: o.client.replica, Volume: o.volume, Client: "host", Command: "sync",
		SeenSeq: o.client.seen.Seq, Head: o.session.Head, At: o.at(),
	}
}

func (o *observed) named(known, fresh int64) events.Event {
	return events.BlobsNamed{
		Session: o.session.Session, Replica: o.client.replica, Volume: o.volume, Known: known, New: fresh, At: o.at(),
	}
}

func (o *observed) snapshot(head api.Head, changes, files, bytes int64) events.Event {
	return events.SnapshotCommitted{
		Volume: o.volume, Snapshot: head.Snapshot, Seq: head.Seq, Parent: o.session.Head.Snapshot,
		Replica: o.client.replica, Client: "host", Changes: changes, Files: files, Bytes: bytes, At: o.at(),
	}
}

func (o *observed) stage(t *testing.T, part int, want edits) {
	t.Helper()
	if _, err := o.Diff(t.Context(), api.DiffRequest{Session: o.session.Session, Part: part, Edits: o.client.build(want)}); err != nil {
		t.Fatal(err)
	}
}

// TestPushIsTold follows a push, its repetition, and a pull.
func TestPushIsTold(t *testing.T) {
	t.Parallel()
	o := observe(t, t.TempDir(), nil, Options{})
	m, blob := file("content")
	o.stage(t, 0, edits{"f": m})
	o.stage(t, 1, edits{"g": m})
	wantEvents(t, o.sub, o.moved(api.Idle, api.RequestingMetadata), o.named(0, 1), o.named(0, 1))
	session, replica := o.session.Session, o.client.replica
	received := events.BlobsReceived{
		Session: session, Replica: replica, Volume: o.volume, Blobs: 1, Bytes: 7, TotalBlobs: 1, TotalBytes: 7, At: o.at(),
	}
	if err := o.Upload(t.Context(), session, []cas.Blob{blob}); err != nil {
		t.Fatal(err)
	}
	began := events.UploadStarted{Session: session, Replica: replica, Volume: o.volume, At: o.at()}
	wantEvents(t, o.sub, o.moved(api.RequestingMetadata, api.TransferringFiles), began, received)
	o.stage(t, 2, edits{"h": m})
	wantEvents(t, o.sub, o.named(1, 0))
	o.clock.pass(time.Second)
	commit := api.CommitRequest{Session: session, Key: randomID(), Parts: 3, Blobs: []cas.Blob{blob}}
	answer, err := o.Commit(t.Context(), commit)
	if err != nil {
		t.Fatal(err)
	}
	received.TotalBlobs, received.TotalBytes, received.At = 2, 14, o.at()
	wantEvents(t, o.sub,
		o.moved(api.TransferringFiles, api.ResolvingConflicts), received,
		o.moved(api.ResolvingConflicts, api.ApplyingChanges),
		events.UploadCompleted{Session: session, Replica: replica, Volume: o.volume, Blobs: 2, Bytes: 14, Duration: 1, At: o.at()},
		o.snapshot(answer.Head, 3, 3, 21),
		events.CommitCompleted{Session: session, Replica: replica, Volume: o.volume, Former: o.session.Head, Head: answer.Head, Merged: answer.Merged, At: o.at()},
		o.moved(api.ApplyingChanges, api.Complete))
	if _, err := o.Commit(t.Context(), commit); err != nil {
		t.Fatal(err)
	}
	wantEvents(t, o.sub)

	take := func(cas.Blob) error { return nil }
	if err := o.Blobs(t.Context(), api.BlobsRequest{Volume: o.volume, Refs: []cas.Ref{blob.Ref()}}, take); err != nil {
		t.Fatal(err)
	}
	wantEvents(t, o.sub, events.DownloadCompleted{Volume: o.volume, Blobs: 1, Bytes: 7, At: o.at()})
	for _, err := range o.Changes(t.Context(), api.ChangesRequest{Volume: o.volume}) {
		if err != nil {
			t.Fatal(err)
		}
	}
	wantEvents(t, o.sub, events.ChangesTold{Volume: o.volume, Changes: 3, Files: 3, At: o.at()})
	for range o.Changes(t.Context(), api.ChangesRequest{Volume: o.volume}) {
		break // the client went away
	}
	wantEvents(t, o.sub)
	cut := errors.New("the client went away")
	if err := o.Blobs(t.Context(), api.BlobsRequest{Volume: o.volume, Refs: []cas.Ref{blob.Ref()}}, func(cas.Blob) error { return cut }); !errors.Is(err, cut) {
		t.Fatal(err)
	}
	wantEvents(t, o.sub)
}

func TestConflictIsTold(t *testing.T) {
	t.Parallel()
	o := observe(t, t.TempDir(), nil, Options{})
	other := newClient(o.Hub, o.volume)
	theirs, ours := link("theirs"), link("ours")
	other.must(t, edits{"f": theirs})
	o.sub.Close()
	o.sub = events.Subscribe[events.Event](o.bus, 0)
	answer, err := o.Commit(t.Context(), api.CommitRequest{Session: o.session.Session, Key: randomID(), Edits: o.client.build(edits{"f": ours})})
	if err != nil || len(answer.Conflicts) != 1 {
		t.Fatalf("%+v: %v", answer, err)
	}
	wantEvents(t, o.sub,
		o.moved(api.Idle, api.ResolvingConflicts), o.moved(api.ResolvingConflicts, api.ApplyingChanges),
		events.ConflictDetected{
			Conflict: answer.Conflicts[0].ID, Replica: o.client.replica, Volume: o.volume, Path: "f",
			Ours: ours.Hash(), Theirs: theirs.Hash(), At: o.at(),
		},
		events.CommitCompleted{
			Session: o.session.Session, Replica: o.client.replica, Volume: o.volume,
			Former: answer.Head, Head: answer.Head, Merged: true, Conflicts: 1, At: o.at(),
		},
		o.moved(api.ApplyingChanges, api.Complete))
}

// TestSettlementIsTold: a conflict is settled by somebody, and another by its own replica's edit.
func TestSettlementIsTold(t *testing.T) {
	t.Parallel()
	o := observe(t, t.TempDir(), nil, Options{})
	other := newClient(o.Hub, o.volume)
	other.must(t, edits{"f": link("theirs"), "g": link("theirs")})
	answer, err := o.client.commit(t.Context(), edits{"f": link("ours"), "g": link("ours")})
	if err != nil || len(answer.Conflicts) != 2 {
		t.Fatalf("%+v: %v", answer, err)
	}
	sub := events.Subscribe[events.ConflictResolved](o.bus, 0)
	if _, err := settled(o.Hub, o.volume, answer.Conflicts[0], "theirs"); err != nil {
		t.Fatal(err)
	}
	resolved := events.ConflictResolved{
		Conflict: answer.Conflicts[0].ID, Replica: o.client.replica, Volume: o.volume, Path: "f", Take: "theirs", At: o.at(),
	}
	wantEvents(t, sub, resolved)
	o.client.mustPull(t)
	o.client.must(t, edits{"g": link("both")})
	resolved.Conflict, resolved.Path, resolved.Take = answer.Conflicts[1].ID, "g", "edit"
	wantEvents(t, sub, resolved)
}

// TestEndsAreTold: a commit that is refused leaves its session alive; a session ends
// by its client's word, or by its client's next run.
func TestEndsAreTold(t *testing.T) {
	t.Parallel()
	o := observe(t, t.TempDir(), nil, Options{})
	o.stage(t, 0, edits{"f": link("x")})
	_, err := o.Commit(t.Context(), api.CommitRequest{Session: o.session.Session, Key: randomID(), Parts: 2})
	wantError(t, err, api.ErrInvalid)
	wantEvents(t, o.sub, o.moved(api.Idle, api.RequestingMetadata), o.moved(api.RequestingMetadata, api.ResolvingConflicts),
		o.moved(api.ResolvingConflicts, api.TransferringFiles))
	if err := o.Report(t.Context(), o.session.Session, api.Failed); err != nil {
		t.Fatal(err)
	}
	wantEvents(t, o.sub, o.moved(api.TransferringFiles, api.Failed), events.SessionFailed{
		Session: o.session.Session, Replica: o.client.replica, Volume: o.volume, State: api.TransferringFiles, Parts: 1, At: o.at(),
	})
	wantParts(t, o.Hub, 0)
	o.start(t)
	wantEvents(t, o.sub, o.moved("", api.Idle), o.started())
	aborted := o.moved(api.Idle, api.Aborted)
	o.run = randomID()
	o.start(t)
	wantEvents(t, o.sub, aborted, o.moved("", api.Idle), o.started())
	if err := o.Report(t.Context(), o.session.Session, api.Complete); err != nil {
		t.Fatal(err)
	}
	wantEvents(t, o.sub, o.moved(api.Idle, api.Complete))
	o.start(t)
	if err := o.Report(t.Context(), o.session.Session, api.Braked); err != nil {
		t.Fatal(err)
	}
	wantEvents(t, o.sub, o.moved("", api.Idle), o.started(), o.moved(api.Idle, api.Braked), events.Brake{
		Session: o.session.Session, Replica: o.client.replica, Volume: o.volume, State: api.Idle, At: o.at(),
	})
}

// TestUnknownSeen: what a replica says it has seen is told when the volume has it.
func TestUnknownSeen(t *testing.T) {
	t.Parallel()
	o := observe(t, t.TempDir(), nil, Options{})
	o.client.mustPull(t)
	sub := events.Subscribe[events.SessionStarted](o.bus, 0)
	o.start(t)
	wantEvents(t, sub, o.started())
	o.client.seen.Snapshot = cas.ID{1}
	o.start(t)
	unknown := o.started().(events.SessionStarted)
	unknown.SeenSeq = 0
	wantEvents(t, sub, unknown)
}

// TestExpiryNeedsNoCall: nobody asks the hub anything, and yet it notices that a
// client is gone, drops what that had staged, and says so.
func TestExpiryNeedsNoCall(t *testing.T) {
	t.Parallel()
	const idle = 20 * time.Millisecond // in which the hub looks, by a clock that stands still
	dir, mem := t.TempDir(), &cas.Mem{}
	o := observe(t, dir, mem, Options{Idle: idle})
	active := o.at()
	o.stage(t, 0, edits{"f": link("x")})
	if status, err := o.Status(t.Context(), o.volume); err != nil || len(status.Sessions) != 1 || status.Sessions[0].State != api.RequestingMetadata {
		t.Fatalf("%+v: %v", status, err)
	}
	wantEvents(t, o.sub, o.moved(api.Idle, api.RequestingMetadata))
	o.clock.pass(idle + 1)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for _, want := range []events.Event{o.moved(api.RequestingMetadata, api.Expired), events.SessionExpired{
		Session: o.session.Session, Replica: o.client.replica, Volume: o.volume, State: api.RequestingMetadata, Active: active, Parts: 1, At: o.at(),
	}} {
		if got, err := o.sub.Next(ctx); err != nil || got != want {
			t.Fatalf("%+v, not %+v: %v", got, want, err)
		}
	}
	wantParts(t, o.Hub, 0)
	if status, err := o.Status(t.Context(), o.volume); err != nil || len(status.Sessions) != 0 {
		t.Fatalf("%+v: %v", status, err)
	}
	// Also for who opens the repository next it has ended.
	if err := o.Hub.Close(); err != nil {
		t.Fatal(err)
	}
	h := openTest(t, dir, mem, Options{})
	wantError(t, h.Report(t.Context(), o.session.Session, api.TransferringFiles), api.ErrNoSession)
}

// TestAnotherProcessResumes has a client and then the hub replaced by another process in
// the middle of a push: what was staged and sent counts, and the time in between does not.
func TestAnotherProcessResumes(t *testing.T) {
	t.Parallel()
	dir, mem := t.TempDir(), &cas.Mem{}
	o := observe(t, dir, mem, Options{})
	m, blob := file("content")
	o.stage(t, 0, edits{"a": m})
	if err := o.Upload(t.Context(), o.session.Session, []cas.Blob{blob}); err != nil {
		t.Fatal(err)
	}
	resume := func(staged int, state api.State) {
		t.Helper()
		former := o.session.Session
		o.client = &client{hub: o.Hub, volume: o.volume, replica: o.client.replica}
		o.start(t)
		if o.session.Session != former || o.session.Staged != staged || o.session.State != state {
			t.Fatalf("%+v", o.session)
		}
		answer, err := o.Diff(t.Context(), api.DiffRequest{Session: former, Ask: []cas.Ref{blob.Ref()}})
		if err != nil || answer.Missing[0] {
			t.Fatalf("%+v: %v", answer, err)
		}
	}
	resume(1, api.TransferringFiles)
	o.stage(t, 1, edits{"b": m})
	if err := o.Hub.Close(); err != nil {
		t.Fatal(err)
	}
	o.bus.Close()
	o.bus = new(events.Bus)
	defer o.bus.Close()
	o.sub = events.Subscribe[events.Event](o.bus, 0)
	o.clock.pass(time.Hour)
	o.Hub = openTest(t, dir, mem, Options{Now: o.clock.now, Events: o.bus})
	resume(2, api.RequestingMetadata)
	wantEvents(t, o.sub, o.started(), o.named(1, 0))
	o.clock.pass(DefaultIdle)
	answer, err := o.Commit(t.Context(), api.CommitRequest{Session: o.session.Session, Key: randomID(), Parts: 2})
	if err != nil {
		t.Fatal(err)
	}
	wantEvents(t, o.sub, o.moved(api.RequestingMetadata, api.ResolvingConflicts), o.moved(api.ResolvingConflicts, api.ApplyingChanges),
		o.snapshot(answer.Head, 2, 2, 14),
		events.CommitCompleted{
			Session: o.session.Session, Replica: o.client.replica, Volume: o.volume,
			Former: o.session.Head, Head: answer.Head, Merged: answer.Merged, At: o.at(),
		},
		o.moved(api.ApplyingChanges, api.Complete))
}

// TestClosedHubIsSilent: a hub does not close the bus, which may be of several.
func TestClosedHubIsSilent(t *testing.T) {
	t.Parallel()
	o := observe(t, t.TempDir(), nil, Options{})
	if err := o.Hub.Close(); err != nil {
		t.Fatal(err)
	}
	wantEvents(t, o.sub)
	o.bus.Publish(events.VolumeCreated{})
	wantEvents(t, o.sub, events.VolumeCreated{})
	o.bus.Close()
	if e, err := o.sub.Next(t.Context()); !errors.Is(err, io.EOF) {
		t.Fatalf("%v: %v", e, err)
	}
}
