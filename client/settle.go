package client

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"

	"dfs/cas"
	"dfs/cas/chunker"
	"dfs/client/merge3"
	"dfs/client/reconcile"
	"dfs/client/replica"
	"dfs/manifest"
	"dfs/merkle"
	"dfs/server/api"
)

const (
	maxRulings = 1024 // conflicts that one commit settles: the hub settles so many at once
	textProbe  = 8000 // bytes at the start of a file in which a NUL says that it is no text
)

// A ruling is a conflict and what is to become of it.
type ruling struct {
	api.Conflict
	reconcile.Decision
	content func() (io.ReadCloser, error) // of Result, where that lacks it and it is no merge
}

// rulings joins conflicts with what was decided about them, without those that stay open.
func rulings(list []api.Conflict, decisions []reconcile.Decision) []ruling {
	var out []ruling
	for i, d := range decisions {
		if d.Take != "" {
			out = append(out, ruling{Conflict: list[i], Decision: d})
		}
	}
	return out
}

// settleAll has the hub do what was decided, in path order and in as many commits as it takes, and
// the base take it in. It returns those that are settled; merges that are not clean are left.
// api.ErrMoved when a conflict is not what it was any more.
func (r *run) settleAll(ctx context.Context, list []ruling) (settled []ruling, err error) {
	for part := range slices.Chunk(list, maxRulings) {
		done, err := r.settleSome(ctx, part)
		settled = append(settled, done...)
		if err != nil {
			return settled, err
		}
	}
	return settled, nil
}

func (r *run) settleSome(ctx context.Context, list []ruling) ([]ruling, error) {
	if r.ended {
		if err := r.begin(ctx); err != nil {
			return nil, err
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	d := &draft{r: r, send: newSender(ctx, r), edits: map[string]api.Edit{}}
	answer, err := d.commit(ctx, list)
	if err != nil {
		cancel()
		d.send.group.Wait()
		return nil, err
	}
	if len(d.settled) == 0 {
		return nil, nil
	}
	r.committed(answer.Head)
	for _, c := range answer.Conflicts {
		r.result.Conflicts = append(r.result.Conflicts, c.Path)
	}
	r.result.Settled += int64(len(d.settled))
	r.result.Added, r.result.Modified, r.result.Deleted = r.result.Added+d.counts.Added, r.result.Modified+d.counts.Modified, r.result.Deleted+d.counts.Deleted
	return d.settled, r.takeIn(ctx, d.settled, answer.Head)
}

// takeIn makes the versions of this replica that were settled its base: see absorb. Where the base is another
// by now than the conflict's, because the replica has given way meanwhile, it stays.
func (r *run) takeIn(ctx context.Context, settled []ruling, head api.Head) error {
	own := map[string][]api.Conflict{}
	for _, s := range settled {
		if s.Replica == r.id.Replica {
			own[s.Path] = []api.Conflict{s.Conflict}
		}
	}
	if len(own) == 0 {
		return nil
	}
	spool, err := replica.NewSpool(r.cfg.Dir)
	if err != nil {
		return err
	}
	defer spool.Abort()
	if err := r.fillDecided(spool, own); err != nil || spool.Records == 0 {
		return err
	}
	if err := spool.Seal(); err != nil {
		return err
	}
	edits, err := spool.Reread()
	if err != nil {
		return err
	}
	defer edits.Close()
	return r.fetch(ctx, head, edits, nil)
}

// draft is a commit that settles conflicts, in the making.
type draft struct {
	r       *run
	send    *sender
	edits   map[string]api.Edit
	emptied []string // directories of the head that are to be no directories
	settle  []api.Settlement
	settled []ruling
	counts  Summary // of what changes at the head
}

func (d *draft) commit(ctx context.Context, list []ruling) (api.CommitAnswer, error) {
	for _, ruling := range list {
		if err := d.add(ctx, ruling); err != nil {
			return api.CommitAnswer{}, fmt.Errorf("conflict at %q: %w", ruling.Path, err)
		}
	}
	if err := d.empty(); err != nil {
		return api.CommitAnswer{}, err
	}
	for _, e := range d.sorted() {
		if err := d.send.edit(e); err != nil {
			return api.CommitAnswer{}, err
		}
	}
	rest, err := d.send.finish()
	defer rest.done()
	if err != nil || len(d.settled) == 0 {
		return api.CommitAnswer{}, err
	}
	base, err := replica.OpenBase(d.r.cfg.Dir)
	if err != nil {
		return api.CommitAnswer{}, err
	}
	base.Close()
	answer, err := d.r.conn.Commit(ctx, api.CommitRequest{
		Session: d.r.session.Session, Key: replica.NewID(), Parts: rest.parts, Edits: rest.edits, Blobs: rest.blobs,
		Settle: d.settle, Seen: base.Snapshot, Message: d.r.cfg.Message,
	})
	if err != nil {
		return answer, fmt.Errorf("commit: %w", err)
	}
	return answer, nil
}

func (d *draft) sorted() []api.Edit {
	edits := make([]api.Edit, 0, len(d.edits))
	for _, e := range d.edits {
		edits = append(edits, e)
	}
	slices.SortFunc(edits, func(a, b api.Edit) int { return merkle.Compare(a.Path, b.Path) })
	return edits
}

// add turns a ruling into edits, and has the hub get the content that it lacks.
func (d *draft) add(ctx context.Context, s ruling) error {
	if s.Merge || s.content != nil {
		clean, err := d.upload(ctx, &s)
		if err != nil || !clean {
			return err
		}
	}
	if !manifest.Equal(s.Result, s.Theirs) {
		if err := d.count(s.Theirs, s.Result); err != nil {
			return err
		}
		d.edits[s.Path] = api.Edit{Path: s.Path, Base: s.Theirs.Hash(), New: s.Result}
		if isDirectory(s.Theirs) && !isDirectory(s.Result) {
			d.emptied = append(d.emptied, s.Path)
		}
	}
	if s.Copy != "" {
		if err := d.count(nil, s.Ours); err != nil {
			return err
		}
		d.edits[s.Copy] = api.Edit{Path: s.Copy, New: s.Ours}
	}
	d.settle = append(d.settle, api.Settlement{Conflict: s.ID, Ours: s.Ours.Hash(), Theirs: s.Theirs.Hash(), Take: s.Decision.Take})
	d.settled = append(d.settled, s)
	return nil
}

func (d *draft) count(old, new *manifest.Manifest) error {
	was, is, err := encodeBoth(old, new)
	if err != nil {
		return err
	}
	return d.counts.add(was, is, 1)
}

func isDirectory(m *manifest.Manifest) bool { return m != nil && m.Kind == manifest.Directory }

// upload completes a ruling's Result with its content, which the hub gets.
func (d *draft) upload(ctx context.Context, s *ruling) (clean bool, err error) {
	var in io.ReadCloser
	if s.Merge {
		merged, clean, err := d.r.merge(ctx, &s.Conflict)
		if err != nil || !clean {
			return false, err
		}
		in = io.NopCloser(bytes.NewReader(merged))
	} else if in, err = s.content(); err != nil {
		return false, err
	}
	defer in.Close()
	m := *s.Result
	s.Result = &m
	return true, d.send.content(in, &m)
}

// empty adds the removal of what the head has in directories that are to be none.
func (d *draft) empty() error {
	if len(d.emptied) == 0 {
		return nil
	}
	return d.r.eachRecord(func(rec replica.Record) error {
		if rec.Remote == nil || !slices.ContainsFunc(d.emptied, func(dir string) bool { return below(rec.Path, dir) }) {
			return nil
		}
		if _, ok := d.edits[rec.Path]; !ok {
			d.edits[rec.Path] = api.Edit{Path: rec.Path, Base: cas.Sum(rec.Remote)}
			return d.counts.add(rec.Remote, nil, 1)
		}
		return nil
	})
}

// eachRecord calls visit for each record of the base file.
func (r *run) eachRecord(visit func(replica.Record) error) error {
	base, err := replica.OpenBase(r.cfg.Dir)
	if err != nil {
		return err
	}
	defer base.Close()
	for {
		rec, ok, err := base.Next()
		if err != nil || !ok {
			return err
		}
		if err := visit(rec); err != nil {
			return err
		}
	}
}

// walls returns a function that tells what stands, and is no directory, above the path of a
// conflict at the head: see reconcile.Strategy.Settle. Only a path that the head has nothing at
// can have something above it.
func (r *run) walls(list []api.Conflict) (func(path string) string, error) {
	asked := map[string]bool{} // the ancestors; true: is one
	for _, c := range list {
		for i := range c.Path {
			if c.Theirs == nil && c.Path[i] == '/' {
				asked[c.Path[:i]] = false
			}
		}
	}
	if len(asked) > 0 {
		err := r.eachRecord(func(rec replica.Record) error {
			if _, ok := asked[rec.Path]; !ok || rec.Remote == nil {
				return nil
			}
			kind, err := manifest.KindOf(rec.Remote)
			asked[rec.Path] = kind != manifest.Directory
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return func(path string) string {
		for i := range path {
			if path[i] == '/' && asked[path[:i]] {
				return path[:i]
			}
		}
		return ""
	}, nil
}

// fillBases completes this replica's conflicts of whose base the hub had no tree at hand: the base file
// has it.
func (r *run) fillBases(list []api.Conflict) error {
	unknown := map[string]*api.Conflict{}
	for i := range list {
		if c := &list[i]; c.Replica == r.id.Replica && !c.BaseKnown() {
			unknown[c.Path] = c
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	return r.eachRecord(func(rec replica.Record) error {
		c, ok := unknown[rec.Path]
		if !ok || c.From != baseHash(rec) {
			return nil
		}
		var err error
		c.Base, err = decode(rec.Base)
		return err
	})
}

// merge merges the three versions of a conflict line by line. It is not clean where they are no texts.
func (r *run) merge(ctx context.Context, c *api.Conflict) (merged []byte, clean bool, err error) {
	var texts [3][]byte
	for i, m := range []*manifest.Manifest{c.Base, c.Ours, c.Theirs} {
		var ok bool
		if texts[i], ok, err = r.text(ctx, m); err != nil || !ok {
			return nil, false, err
		}
	}
	merged, clean = merge3.Merge(texts[0], texts[1], texts[2])
	return merged, clean, nil
}

// text returns the content that a file has on the hub; ok is false where that is no text.
func (r *run) text(ctx context.Context, m *manifest.Manifest) (data []byte, ok bool, err error) {
	if m == nil || m.Kind != manifest.File || m.Size > reconcile.MaxText {
		return nil, false, nil
	}
	in, err := manifest.Open(ctx, m, r.source)
	if err != nil {
		return nil, false, err
	}
	data = make([]byte, in.Size())
	if _, err := io.ReadFull(in, data); err != nil {
		return nil, false, err
	}
	return data, bytes.IndexByte(data[:min(len(data), textProbe)], 0) < 0, nil
}

// source is a manifest.Source: the volume's blobs.
func (r *run) source(ctx context.Context, refs []cas.Ref, fn func(cas.Blob) error) error {
	return r.conn.Blobs(ctx, api.BlobsRequest{Volume: r.binding.VolumeID, Refs: refs}, fn)
}

// content cuts what in has into chunks, sends what the hub lacks, and completes m with it.
func (s *sender) content(in io.Reader, m *manifest.Manifest) error {
	cut := chunker.New(in)
	list := manifest.NewBuilder(func(page cas.Blob) error {
		return s.blob(piece{ref: page.Ref(), size: page.Size(), blob: page})
	})
	for {
		data, err := cut.Next(nil)
		if err == io.EOF {
			return list.Finish(m)
		}
		if err != nil {
			return err
		}
		p := sealed(cas.Chunk, data, nil)
		if err := s.blob(p); err != nil {
			return err
		}
		if err := list.Add(manifest.Run{ID: p.ref.ID, Size: uint32(len(data)), Count: 1}); err != nil {
			return err
		}
	}
}
