package hub

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"dfs/cas"
	"dfs/server/api"
)

var states = []api.State{api.Idle, api.ComputingDiff, api.RequestingMetadata, api.TransferringFiles,
	api.ResolvingConflicts, api.ApplyingChanges, api.Complete, api.Failed, api.Expired, api.Aborted, api.Braked}

// TestStates checks the table: what has ended stays so, nothing goes back to IDLE,
// every live state may end, and a session goes through the states in their order.
func TestStates(t *testing.T) {
	t.Parallel()
	for i, from := range states {
		for j, to := range states {
			var want bool
			switch {
			case i >= 6: // ended
			case i == j, j >= 6:
				want = true
			case j == 0, j == 1:
				want = i < j
			case i == 3 && j == 2: // parts that follow the first blob do not lead back
			default:
				want = i < j || i >= 4
			}
			if got := may(from, to); got != want {
				t.Errorf("%s to %s: %v", from, to, got)
			}
		}
	}
}

func TestSessionStates(t *testing.T) {
	t.Parallel()
	h := openTest(t, t.TempDir(), nil, Options{})
	v := newTestVolume(t, h)
	c := newClient(h, v)
	run := randomID()
	var session api.SessionID
	at := func(want api.State) {
		t.Helper()
		s, err := c.start(t.Context(), run)
		if err != nil || s.State != want {
			t.Fatalf("state %s, not %s: %v", s.State, want, err)
		}
		session = s.Session
	}
	at(api.Idle)
	m, blob := file("x")
	ask := api.DiffRequest{Session: session, Ask: []cas.Ref{blob.Ref()}}
	if _, err := h.Diff(t.Context(), ask); err != nil {
		t.Fatal(err)
	}
	at(api.ComputingDiff)
	diff := api.DiffRequest{Session: session, Edits: c.build(edits{"f": m})}
	if _, err := h.Diff(t.Context(), diff); err != nil {
		t.Fatal(err)
	}
	at(api.RequestingMetadata)
	if _, err := h.Diff(t.Context(), ask); err != nil {
		t.Fatal(err)
	}
	at(api.RequestingMetadata)
	if err := h.Upload(t.Context(), session, []cas.Blob{blob}); err != nil {
		t.Fatal(err)
	}
	at(api.TransferringFiles)
	diff.Part, diff.Edits = 1, c.build(edits{"g": m})
	if _, err := h.Diff(t.Context(), diff); err != nil {
		t.Fatal(err)
	}
	at(api.TransferringFiles)
	status, err := h.Status(t.Context(), v)
	if err != nil || len(status.Sessions) != 1 {
		t.Fatalf("%+v: %v", status, err)
	}
	if s := status.Sessions[0]; s.ID != session || s.Blobs != 1 || s.Bytes != 1 || s.Parts != 2 || s.Client != "host" || s.Command != "sync" {
		t.Fatalf("session %+v", s)
	}
	if err := h.Report(t.Context(), session, api.ApplyingChanges); err != nil {
		t.Fatal(err)
	}
	wantError(t, h.Report(t.Context(), session, api.Idle), api.ErrState)
	wantError(t, h.Report(t.Context(), session, api.Expired), api.ErrState)
	wantError(t, h.Report(t.Context(), session, "NO_STATE"), api.ErrState)
	if _, err := h.Commit(t.Context(), api.CommitRequest{Session: session, Key: randomID(), Parts: 2}); err != nil {
		t.Fatal(err)
	}
	_, err = h.Diff(t.Context(), diff)
	wantError(t, err, api.ErrState)
	wantError(t, h.Upload(t.Context(), session, []cas.Blob{blob}), api.ErrState)
	wantError(t, h.Report(t.Context(), session, api.ApplyingChanges), api.ErrState)
	_, err = h.Commit(t.Context(), api.CommitRequest{Session: session, Key: randomID()})
	wantError(t, err, api.ErrState)
	wantError(t, h.Report(t.Context(), randomID(), api.ApplyingChanges), api.ErrNoSession)
	wantParts(t, h, 0)
	if status, err = h.Status(t.Context(), v); err != nil || len(status.Sessions) != 0 {
		t.Fatalf("%+v: %v", status, err)
	}
}

// wantParts counts the slices of staged parts.
func wantParts(t *testing.T, h *Hub, want int) {
	t.Helper()
	got := 0
	err := h.meta.each([]byte{keyPart}, true, func(_, _ []byte) error { got++; return nil })
	if err != nil || got != want {
		t.Fatalf("%d slices of parts, not %d: %v", got, want, err)
	}
}

func TestPullReportsItsStates(t *testing.T) {
	t.Parallel()
	h := openTest(t, t.TempDir(), nil, Options{})
	c := newClient(h, newTestVolume(t, h))
	s, err := c.start(t.Context(), randomID())
	if err != nil {
		t.Fatal(err)
	}
	for _, state := range []api.State{api.ComputingDiff, api.RequestingMetadata, api.TransferringFiles, api.ApplyingChanges, api.Complete} {
		if err := h.Report(t.Context(), s.Session, state); err != nil {
			t.Fatal(err)
		}
	}
	wantError(t, h.Report(t.Context(), s.Session, api.Complete), api.ErrState)
}

func TestSessionIsResumed(t *testing.T) {
	t.Parallel()
	dir, mem, now := t.TempDir(), &cas.Mem{}, newClock()
	h := openTest(t, dir, mem, Options{Now: now.now})
	v := newTestVolume(t, h)
	c := newClient(h, v)
	run := randomID()
	first, err := c.start(t.Context(), run)
	if err != nil {
		t.Fatal(err)
	}
	big := make(edits)
	for i := range 9000 {
		big[fmt.Sprintf("a%04d-%0100d", i, i)] = link("x") // more than a slice
	}
	for part, want := range []edits{big, {"b": link("x")}, {"c": link("x")}} {
		if _, err := h.Diff(t.Context(), api.DiffRequest{Session: first.Session, Part: part, Edits: c.build(want)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	now.pass(time.Hour) // a hub that was down is no delay of the client
	h = openTest(t, dir, mem, Options{Now: now.now})
	c.hub = h
	again, err := c.start(t.Context(), run)
	if err != nil || again.Session != first.Session || again.Staged != 3 || again.State != api.RequestingMetadata {
		t.Fatalf("%+v: %v", again, err)
	}
	// A smaller part leaves nothing of the former.
	if _, err := h.Diff(t.Context(), api.DiffRequest{Session: first.Session, Part: 0, Edits: c.build(edits{"a": link("x")})}); err != nil {
		t.Fatal(err)
	}
	wantParts(t, h, 3)
	if _, err := h.Commit(t.Context(), api.CommitRequest{Session: first.Session, Key: randomID(), Parts: 3}); err != nil {
		t.Fatal(err)
	}
	c.mustPull(t)
	if len(c.base) != 3 {
		t.Fatalf("tree %v", c.base)
	}
}

func TestAnotherRunDropsParts(t *testing.T) {
	t.Parallel()
	dir, mem := t.TempDir(), &cas.Mem{}
	h := openTest(t, dir, mem, Options{})
	v := newTestVolume(t, h)
	c := newClient(h, v)
	first, err := c.start(t.Context(), randomID())
	if err != nil {
		t.Fatal(err)
	}
	diff := api.DiffRequest{Session: first.Session, Edits: c.build(edits{"f": link("x")})}
	if _, err := h.Diff(t.Context(), diff); err != nil {
		t.Fatal(err)
	}
	second, err := c.start(t.Context(), randomID())
	if err != nil || second.Session == first.Session || second.Staged != 0 || second.State != api.Idle {
		t.Fatalf("%+v: %v", second, err)
	}
	wantParts(t, h, 0)
	_, err = h.Diff(t.Context(), diff) // delayed
	wantError(t, err, api.ErrNoSession)
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	h = openTest(t, dir, mem, Options{})
	wantError(t, h.Report(t.Context(), first.Session, api.ComputingDiff), api.ErrNoSession)
}

func TestSessionExpires(t *testing.T) {
	t.Parallel()
	now := newClock()
	h := openTest(t, t.TempDir(), nil, Options{Now: now.now})
	v := newTestVolume(t, h)
	c := newClient(h, v)
	run := randomID()
	first, err := c.start(t.Context(), run)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Diff(t.Context(), api.DiffRequest{Session: first.Session, Edits: c.build(edits{"f": link("x")})}); err != nil {
		t.Fatal(err)
	}
	for range 3 { // a heartbeat is progress
		now.pass(DefaultIdle)
		if err := h.Report(t.Context(), first.Session, api.RequestingMetadata); err != nil {
			t.Fatal(err)
		}
	}
	now.pass(DefaultIdle + 1)
	s, err := h.Status(t.Context(), v)
	if err != nil || len(s.Sessions) != 0 {
		t.Fatalf("%+v: %v", s, err)
	}
	wantParts(t, h, 0)
	_, err = h.Commit(t.Context(), api.CommitRequest{Session: first.Session, Key: randomID(), Parts: 1})
	wantError(t, err, api.ErrNoSession)
	wantError(t, h.Upload(t.Context(), first.Session, nil), api.ErrNoSession)
	again, err := c.start(t.Context(), run)
	if err != nil || again.Session == first.Session || again.Staged != 0 || again.State != api.Idle {
		t.Fatalf("%+v: %v", again, err)
	}
	now.pass(time.Hour)
	if _, err := h.Status(t.Context(), v); err != nil {
		t.Fatal(err)
	}
	now.pass(time.Hour)
	if _, err := h.Status(t.Context(), v); err != nil || len(h.sessions)+len(h.slots) != 0 {
		t.Fatalf("sessions %v and slots %v are kept: %v", h.sessions, h.slots, err)
	}
}

// TestCallKeepsSessionAlive has a call that takes longer than a session lives idle.
func TestCallKeepsSessionAlive(t *testing.T) {
	t.Parallel()
	now := newClock()
	store := &slowStore{Mem: &cas.Mem{}, during: func() {}}
	h := open(t, t.TempDir(), Options{Now: now.now, Store: func(string) (cas.Store, error) { return store, nil }})
	v := newTestVolume(t, h)
	c := newClient(h, v)
	s, err := c.start(t.Context(), randomID())
	if err != nil {
		t.Fatal(err)
	}
	_, blob := file("x")
	store.during = func() {
		now.pass(time.Hour)
		if _, err := h.Status(t.Context(), v); err != nil { // which looks for what has expired
			t.Error(err)
		}
	}
	for range 2 {
		if err := h.Upload(t.Context(), s.Session, []cas.Blob{blob}); err != nil {
			t.Fatal(err)
		}
	}
}

type slowStore struct {
	*cas.Mem
	during func()
}

func (s *slowStore) Put(ctx context.Context, v cas.VolumeID, blobs []cas.Blob) error {
	s.during()
	return s.Mem.Put(ctx, v, blobs)
}

func TestStart(t *testing.T) {
	t.Parallel()
	h := openTest(t, t.TempDir(), nil, Options{})
	v := newTestVolume(t, h)
	good := api.StartRequest{Protocol: api.ProtocolVersion, Replica: randomID(), Volume: v, Run: randomID()}
	try := func(change func(*api.StartRequest)) error {
		req := good
		change(&req)
		_, err := h.Start(t.Context(), req)
		return err
	}
	wantError(t, try(func(r *api.StartRequest) { r.Protocol++ }), api.ErrVersion)
	wantError(t, try(func(r *api.StartRequest) { r.Volume = randomID() }), api.ErrNotFound)
	wantError(t, try(func(r *api.StartRequest) { r.Run = cas.VolumeID{} }), api.ErrInvalid)
	wantError(t, try(func(r *api.StartRequest) { r.Client = "\xff" }), api.ErrInvalid)
	wantError(t, try(func(r *api.StartRequest) { r.Command = string(make([]byte, 99)) }), api.ErrInvalid)

	c := newClient(h, v)
	c.must(t, edits{"f": link("x")})
	for _, seen := range []struct {
		head api.Head
		ok   bool
	}{{api.Head{}, true}, {c.seen, true}, {api.Head{Snapshot: c.seen.Snapshot, Seq: 1}, false}, {api.Head{Snapshot: cas.ID{1}, Seq: 2}, false}} {
		c.seen = seen.head
		s, err := c.start(t.Context(), randomID())
		if err != nil || s.SeenOK != seen.ok || s.Head.Seq != 2 || s.Profile != 1 || s.HubID != h.id {
			t.Fatalf("seen %+v: %+v: %v", seen, s, err)
		}
	}
}

func TestManySessionsAreBounded(t *testing.T) {
	t.Parallel()
	h := openTest(t, t.TempDir(), nil, Options{})
	v := newTestVolume(t, h)
	for range api.DefaultLimits().Sessions {
		if _, err := newClient(h, v).start(t.Context(), randomID()); err != nil {
			t.Fatal(err)
		}
	}
	c := newClient(h, v)
	_, err := c.start(t.Context(), randomID())
	wantError(t, err, api.ErrBusy)
	for _, s := range h.sessions { // one that has ended makes room
		if err := h.Report(t.Context(), s.id, api.Failed); err != nil {
			t.Fatal(err)
		}
		break
	}
	if _, err := c.start(t.Context(), randomID()); err != nil {
		t.Fatal(err)
	}
}

func TestDiff(t *testing.T) {
	t.Parallel()
	h := openTest(t, t.TempDir(), nil, Options{})
	v := newTestVolume(t, h)
	a, b := newClient(h, v), newClient(h, v)
	had, hadBlob := file("had")
	lacked, lackedBlob := file("lacked")
	a.must(t, edits{"f": had, "g": link("x")}, hadBlob)
	b.mustPull(t)
	a.must(t, edits{"g": link("theirs")})
	s, err := b.start(t.Context(), randomID())
	if err != nil {
		t.Fatal(err)
	}
	req := api.DiffRequest{Session: s.Session, Edits: b.build(edits{"c": lacked, "d": had, "g": link("ours")}),
		Ask: []cas.Ref{hadBlob.Ref(), lackedBlob.Ref()}}
	answer, err := h.Diff(t.Context(), req)
	if err != nil || !slices.Equal(answer.Missing, []bool{true, false, false, true}) || !slices.Equal(answer.Conflicts, []string{"g"}) {
		t.Fatalf("%+v: %v", answer, err)
	}
	// A request that only asks takes no part's place.
	ask := api.DiffRequest{Session: s.Session, Ask: req.Ask}
	if _, err := h.Diff(t.Context(), ask); err != nil {
		t.Fatal(err)
	}
	if edits, err := h.loadPart(s.Session, 0); err != nil || len(edits) != 3 {
		t.Fatalf("part %v: %v", edits, err)
	}
	limits := api.DefaultLimits()
	for name, bad := range map[string]api.DiffRequest{
		"part":  {Part: limits.Parts},
		"ask":   {Ask: make([]cas.Ref, limits.Blobs+1)},
		"edits": {Edits: make([]api.Edit, limits.Edits+1)},
	} {
		bad.Session = s.Session
		if _, err := h.Diff(t.Context(), bad); !isError(err, api.ErrTooLarge) {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err = h.Diff(t.Context(), api.DiffRequest{Session: s.Session, Ask: []cas.Ref{{Kind: cas.Snapshot, ID: s.Head.Snapshot}}})
	wantError(t, err, api.ErrInvalid)
}

// TestFresh: only the first session of a hub's first volume has nothing to ask about.
func TestFresh(t *testing.T) {
	h := open(t, t.TempDir(), Options{})
	start := func(req api.StartRequest) bool {
		t.Helper()
		req.Protocol, req.Hub = api.ProtocolVersion, h.id
		answer, err := h.Start(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		return answer.Fresh
	}
	first := api.StartRequest{Replica: randomID(), Run: randomID(), Volume: randomID(), Create: "first"}
	if !start(first) {
		t.Error("the first session of an empty hub is not fresh")
	}
	if start(first) {
		t.Error("a session that was there is fresh")
	}
	if start(api.StartRequest{Replica: randomID(), Run: randomID(), Volume: randomID(), Create: "second"}) {
		t.Error("the second volume's session is fresh: the first may have blobs")
	}
}
