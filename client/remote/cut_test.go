package remote_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"iter"
	"reflect"
	"testing"

	"dfs/cas"
	"dfs/client/remote"
	"dfs/manifest"
	"dfs/merkle"
	"dfs/server"
	"dfs/server/api"
)

func random() (id cas.VolumeID) {
	_, _ = rand.Read(id[:])
	return id
}

// scene is a volume as a request finds it.
type scene struct {
	hub     api.Hub // in process
	venue   *venue  // where that is; of TestChaos alone
	volume  api.Volume
	session api.SessionID
	blobs   []cas.Blob // held by the volume
	edits   []api.Edit // not committed
	head    api.Head
	all     []api.Change // from the empty tree to the head
	nodes   []cas.ID
}

// newScene makes a volume with 750 links, whose changes take several frames, and
// 100 blobs, and a session in it.
func newScene(t *testing.T, hub api.Hub) *scene {
	t.Helper()
	id := random()
	v, err := hub.CreateVolume(t.Context(), "of "+id.String(), id)
	if err != nil {
		t.Fatal(err)
	}
	s := &scene{hub: hub, volume: v}
	start := func() api.SessionID {
		a, err := hub.Start(t.Context(), api.StartRequest{Protocol: api.ProtocolVersion, Replica: random(), Volume: id, Run: random()})
		if err != nil {
			t.Fatal(err)
		}
		return a.Session
	}
	req := api.CommitRequest{Session: start(), Key: random()}
	for i := range 1500 {
		link := &manifest.Manifest{Kind: manifest.Symlink, Mode: 0o777, Target: fmt.Sprintf("%0400d %x", i, random())}
		e := api.Edit{Path: fmt.Sprintf("link%05d", i), New: link}
		if i%2 == 0 {
			req.Edits = append(req.Edits, e)
			s.all = append(s.all, api.Change{Path: e.Path, New: e.New})
		} else if i < 200 {
			s.edits = append(s.edits, e)
		}
	}
	for i := range 100 {
		s.blobs = append(s.blobs, cas.Seal(cas.Chunk, append(make([]byte, 20*i), id[:]...)))
	}
	req.Blobs = s.blobs
	answer, err := hub.Commit(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	s.head, s.session = answer.Head, start()
	if s.nodes, err = leaves(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	return s
}

// end ends the session, if there is one: a hub has only so many.
func (s *scene) end(t *testing.T) {
	t.Helper()
	if s.session.IsZero() {
		return
	}
	if err := s.hub.AbortSession(t.Context(), s.session); err != nil && !errors.Is(err, api.ErrNoSession) {
		t.Error(err)
	}
}

// leaves lists the nodes that a walk of the head's tree reads.
func leaves(ctx context.Context, s *scene) (ids []cas.ID, err error) {
	for _, err := range merkle.Walk(ctx, noting{s, &ids}, s.head.Root, "") {
		if err != nil {
			return nil, err
		}
	}
	return ids, nil
}

type noting struct {
	s   *scene
	ids *[]cas.ID
}

func (n noting) Nodes(ctx context.Context, ids []cas.ID, fn func(cas.Blob) error) error {
	*n.ids = append(*n.ids, ids...)
	return n.s.hub.Nodes(ctx, n.s.volume.ID, ids, fn)
}

// same returns an error unless got is want.
func same(got, want any) error {
	if !reflect.DeepEqual(got, want) {
		return fmt.Errorf("got %+v\nwant %+v", got, want)
	}
	return nil
}

// request is a request of a kind, with a check of its answer and of its effect.
type request struct {
	name string
	run  func(ctx context.Context, h api.Hub, s *scene) error
}

func requests() []request {
	return []request{
		{"info", func(ctx context.Context, h api.Hub, s *scene) error {
			info, err := h.Info(ctx, s.volume.Name)
			return errors.Join(err, same(info.Protocol, api.ProtocolVersion), same(info.Volume.ID, s.volume.ID))
		}},
		{"ready", func(ctx context.Context, h api.Hub, s *scene) error { return h.Ready(ctx) }},
		{"volumes", func(ctx context.Context, h api.Hub, s *scene) error {
			got, err := h.Volumes(ctx, s.volume.Name)
			return errors.Join(err, same(got, []api.Volume{{ID: s.volume.ID, Name: s.volume.Name, Head: s.head}}))
		}},
		{"status", func(ctx context.Context, h api.Hub, s *scene) error {
			got, err := h.Status(ctx, s.volume.ID)
			return errors.Join(err, same(got.Volume.Head, s.head))
		}},
		{"sessions", func(ctx context.Context, h api.Hub, s *scene) error {
			got, err := h.Sessions(ctx, s.volume.ID)
			if err != nil || len(got) != 1 {
				return fmt.Errorf("%d sessions: %w", len(got), err)
			}
			return same(got[0].ID, s.session)
		}},
		{"create volume", func(ctx context.Context, h api.Hub, s *scene) error {
			id := random()
			v, err := h.CreateVolume(ctx, "of "+id.String(), id)
			return errors.Join(err, same(v.ID, id))
		}},
		{"start", func(ctx context.Context, h api.Hub, s *scene) error {
			a, err := h.Start(ctx, api.StartRequest{Protocol: api.ProtocolVersion, Replica: random(), Volume: s.volume.ID, Run: random(), Seen: s.head.Snapshot, SeenSeq: s.head.Seq})
			return errors.Join(err, same(a.Head, s.head))
		}},
		{"report", func(ctx context.Context, h api.Hub, s *scene) error {
			return h.Report(ctx, s.session, api.ComputingDiff)
		}},
		{"snapshot", func(ctx context.Context, h api.Hub, s *scene) error {
			got, err := h.Snapshot(ctx, s.volume.ID, cas.ID{})
			return errors.Join(err, same(got.ID, s.head.Snapshot))
		}},
		{"snapshots", func(ctx context.Context, h api.Hub, s *scene) error {
			got, err := h.Snapshots(ctx, api.SnapshotsRequest{Volume: s.volume.ID})
			return errors.Join(err, same(len(got), 2), same(got[0].ID, s.head.Snapshot))
		}},
		{"abort session", func(ctx context.Context, h api.Hub, s *scene) error {
			err := h.AbortSession(ctx, s.session)
			left, err2 := s.hub.Sessions(ctx, s.volume.ID)
			return errors.Join(err, err2, same(len(left), 0))
		}},
		{"diff", func(ctx context.Context, h api.Hub, s *scene) error {
			answer, err := h.Diff(ctx, api.DiffRequest{Session: s.session, Edits: s.edits, Ask: []cas.Ref{s.blobs[0].Ref(), {Kind: cas.Chunk}}})
			return errors.Join(err, same(answer.Missing, []bool{false, true}))
		}},
		{"upload", func(ctx context.Context, h api.Hub, s *scene) error {
			var blobs []cas.Blob
			var refs []cas.Ref
			for i := range 50 {
				b := cas.Seal(cas.Chunk, append(make([]byte, 400*i), s.session[:]...))
				blobs, refs = append(blobs, b), append(refs, b.Ref())
			}
			err := h.Upload(ctx, s.session, blobs)
			return errors.Join(err, s.hub.Blobs(ctx, api.BlobsRequest{Volume: s.volume.ID, Refs: refs}, keep))
		}},
		{"commit", commitOnce},
		{"changes", func(ctx context.Context, h api.Hub, s *scene) error {
			var got []api.Change
			for c, err := range h.Changes(ctx, api.ChangesRequest{Volume: s.volume.ID}) {
				if err != nil {
					return err
				}
				got = append(got, c)
			}
			return same(got, s.all)
		}},
		{"conflicts", func(ctx context.Context, h api.Hub, s *scene) error {
			if err := s.clash(ctx); err != nil {
				return err
			}
			req := api.ConflictsRequest{Volume: s.volume.ID}
			want, err := conflicts(s.hub.Conflicts(ctx, req))
			if err != nil {
				return err
			}
			got, err := conflicts(h.Conflicts(ctx, req))
			return errors.Join(err, same(len(want), 600), same(got, want))
		}},
		{"blobs", func(ctx context.Context, h api.Hub, s *scene) error {
			var got []cas.Ref
			err := h.Blobs(ctx, api.BlobsRequest{Volume: s.volume.ID, Refs: refs(s.blobs...)}, func(b cas.Blob) error { got = append(got, b.Ref()); return nil })
			return errors.Join(err, same(got, refs(s.blobs...)))
		}},
		{"nodes", func(ctx context.Context, h api.Hub, s *scene) error {
			var got []cas.ID
			err := h.Nodes(ctx, s.volume.ID, s.nodes, func(b cas.Blob) error { got = append(got, b.ID()); return nil })
			return errors.Join(err, same(got, s.nodes))
		}},
	}
}

// clash makes two conflicts at each of 300 links.
func (s *scene) clash(ctx context.Context) error {
	for i := range 2 {
		a, err := s.hub.Start(ctx, api.StartRequest{Protocol: api.ProtocolVersion, Replica: random(), Volume: s.volume.ID, Run: random()})
		if err != nil {
			return err
		}
		req := api.CommitRequest{Session: a.Session, Key: random()}
		for _, c := range s.all[:300] {
			link := &manifest.Manifest{Kind: manifest.Symlink, Mode: 0o777, Target: fmt.Sprint(i)}
			req.Edits = append(req.Edits, api.Edit{Path: c.Path, New: link})
		}
		if _, err := s.hub.Commit(ctx, req); err != nil {
			return err
		}
	}
	return nil
}

func conflicts(seq iter.Seq2[api.Conflict, error]) (all []api.Conflict, err error) {
	for c, err := range seq {
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, nil
}

// commitOnce commits, and checks that one snapshot came of it.
func commitOnce(ctx context.Context, h api.Hub, s *scene) error {
	answer, err := h.Commit(ctx, api.CommitRequest{Session: s.session, Key: random(), Edits: s.edits, Seen: s.head.Snapshot,
		Blobs: []cas.Blob{chunk(s.session.String())}})
	if err != nil {
		return err
	}
	status, err := s.hub.Status(ctx, s.volume.ID)
	return errors.Join(err, same(answer.Head.Seq, s.head.Seq+1), same(status.Volume.Head, answer.Head), same(status.Conflicts, 0), same(answer.Merged, false))
}

// TestCuts cuts the connection after so many bytes of each kind of request, and
// of its answer: the call succeeds all the same, with one effect.
func TestCuts(t *testing.T) {
	hub := openHub(t)
	url := serve(t, server.New(hub, server.Options{}))
	for _, r := range requests() {
		for _, dir := range []direction{up, down} {
			t.Run(fmt.Sprintf("%s/%s", r.name, []string{"request", "answer"}[dir]), func(t *testing.T) {
				t.Parallel()
				for _, n := range []int{0, 1, 10, 100, 200, 300, 1000, 3000, 10_000, 30_000, 100_000, 300_000} {
					s := newScene(t, hub)
					p := newProxy(t, url, 0)
					h := dial(t, p.url, remote.Options{})
					p.cut(dir, n)
					if err := r.run(t.Context(), h, s); err != nil {
						t.Fatalf("cut after %d bytes: %v", n, err)
					}
					if p.done() == 0 {
						return // the request is shorter
					}
					// The transport repeats what it lost on a connection that it had kept.
					if retries := h.Traffic().Retries; retries > 1 {
						t.Errorf("cut after %d bytes: %d retries", n, retries)
					}
				}
			})
		}
	}
}

// TestLostAnswerOfCommit has the hub commit and the answer get lost.
func TestLostAnswerOfCommit(t *testing.T) {
	hub := openHub(t)
	s := newScene(t, hub)
	p := newProxy(t, serve(t, server.New(hub, server.Options{})), 0)
	h := dial(t, p.url, remote.Options{})
	p.cut(down, 0)
	if err := commitOnce(t.Context(), h, s); err != nil {
		t.Error(err)
	}
	if p.done() != 1 {
		t.Error("no answer was lost")
	}
}

// TestDamage changes bytes of answers on their way.
func TestDamage(t *testing.T) {
	hub := openHub(t)
	s := newScene(t, hub)
	p := newProxy(t, serve(t, server.New(hub, server.Options{})), 0)
	h := dial(t, p.url, remote.Options{})
	ctx := t.Context()
	p.damage(40_000) // of 106,000: every attempt brings some blobs
	var got []cas.Ref
	err := h.Blobs(ctx, api.BlobsRequest{Volume: s.volume.ID, Refs: refs(s.blobs...)}, func(b cas.Blob) error {
		got = append(got, b.Ref())
		return same(cas.Sum(b.Plain()), b.ID())
	})
	if err := errors.Join(err, same(got, refs(s.blobs...))); err != nil || p.done() == 0 || h.Traffic().Retries == 0 {
		t.Errorf("%v after %d harms and %d retries", err, p.done(), h.Traffic().Retries)
	}
	p.damage(1000)
	err = h.Blobs(ctx, api.BlobsRequest{Volume: s.volume.ID, Refs: refs(s.blobs[90])}, keep)
	if !errors.Is(err, cas.ErrCorrupt) {
		t.Errorf("damaged each time: %v", err)
	}
	p.damage(0)
	if err := h.Blobs(ctx, api.BlobsRequest{Volume: s.volume.ID, Refs: refs(s.blobs[90])}, keep); err != nil {
		t.Error(err)
	}
}
