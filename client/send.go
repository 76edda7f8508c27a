package client

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"dfs/cas"
	"dfs/cas/chunker"
	"dfs/client/worktree"
	"dfs/server/api"
)

const (
	batchBytes = 2 << 20     // plain bytes of a batch of blobs; with inFlight the most that a kill costs
	batchEdits = 4096        // edits of a batch
	batchPart  = 1 << 20     // bytes of a batch's edits, about
	worthPart  = 256 << 10   // bytes of edits, about, from which they go with a batch: the hub syncs each part to disk
	inFlight   = 4           // batches that are asked about and sent at once
	maxKnown   = 1 << 18     // blobs that a sender remembers as handled
	heartbeat  = time.Minute // between signs of life, or less where the hub expires sessions early
)

// piece is a blob on its way to the hub: in memory, or to be read again from a
// file when the hub turns out to lack it.
type piece struct {
	ref  cas.Ref
	size int
	blob cas.Blob
	slab *slab           // what the blob's bytes lie in, if any
	file *worktree.Entry // not nil: there is no blob yet; it is in this file at off
	off  int64
}

// sealed makes the piece of bytes that lie in a slab (nil: elsewhere).
func sealed(kind cas.Kind, data []byte, slab *slab) piece {
	b := cas.Seal(kind, data)
	return piece{ref: b.Ref(), size: len(data), blob: b, slab: slab}
}

// sender brings blobs and edits to the hub in batches: for each it asks what
// the hub lacks, and sends that. Blobs come in any order, edits in path order.
// Batches overlap each other and what fills them. It is safe for concurrent use.
type sender struct {
	r      *run
	group  *errgroup.Group
	ctx    context.Context // of the group
	mu     sync.Mutex
	batch  *batch
	edits  []api.Edit // that no batch has yet
	weight int        // bytes of them, about
	known  map[cas.Ref]struct{}
	parts  int
	stored chan struct{} // closed when all batches so far are stored
	shrunk chan []byte   // memory for compressed blobs, one for each batch in flight

	expects *expectation
}

// batch is some blobs and perhaps a part of the session.
type batch struct {
	part   int // the number of its part, if it has edits
	edits  []api.Edit
	blobs  []piece
	bytes  int
	before chan struct{} // closed when all earlier batches are stored
	stored chan struct{} // closed when this one is, too
}

func newSender(ctx context.Context, r *run) *sender {
	s := &sender{r: r, batch: &batch{}, known: map[cas.Ref]struct{}{}, stored: make(chan struct{}), shrunk: make(chan []byte, inFlight)}
	close(s.stored)
	session := r.session
	go s.beat(ctx, session.Session, beatOf(session.Limits))
	s.expects = newExpectation(tellAfter, func(bytes int64) {
		if ctx.Err() == nil {
			_ = r.conn.Expect(ctx, session.Session, bytes) // progress is all that it is for
		}
	})
	s.group, s.ctx = errgroup.WithContext(ctx)
	s.group.SetLimit(inFlight)
	return s
}

// beatOf returns the time between two signs of life to a hub: two may be lost before the session expires.
func beatOf(limits api.Limits) time.Duration {
	if limits.SessionTimeout <= 0 {
		return heartbeat
	}
	return min(heartbeat, time.Duration(limits.SessionTimeout)*time.Second/3)
}

// beat keeps the session alive while files are read and nothing needs to be sent.
// It ends with the context, which is the run's.
func (s *sender) beat(ctx context.Context, session api.SessionID, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	ask := []cas.Ref{{Kind: cas.Chunk, ID: chunker.ZeroID()}}
	for {
		select {
		case <-tick.C:
			// What went wrong shows when something is sent.
			s.r.conn.Diff(ctx, api.DiffRequest{Session: session, Ask: ask})
		case <-ctx.Done():
			return
		}
	}
}

// blob takes over p, and its hold on its slab.
func (s *sender) blob(p piece) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.known[p.ref]; ok {
		s.expects.skip(int64(p.size))
		p.slab.release()
		return s.ctx.Err()
	}
	if len(s.known) >= maxKnown {
		clear(s.known)
	}
	s.known[p.ref] = struct{}{}
	s.batch.blobs = append(s.batch.blobs, p)
	s.batch.bytes += p.size
	return s.flushIfFull()
}

// edit adds an edit; paths must ascend.
func (s *sender) edit(e api.Edit) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.edits = append(s.edits, e)
	s.weight += 64 + len(e.Path)
	if e.New != nil {
		s.weight += 64 + 48*len(e.New.Runs) + len(e.New.Target)
	}
	return s.flushIfFull()
}

// flush sends what blobs there are.
func (s *sender) flush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b := s.batch; len(b.blobs) > 0 {
		s.seal(false)
		s.group.Go(func() error { return s.send(b) })
	}
}

func (s *sender) flushIfFull() error {
	b := s.batch
	if b.bytes < batchBytes && len(b.blobs) < s.r.session.Limits.Blobs/2 && len(s.edits) < batchEdits && s.weight < batchPart {
		return nil
	}
	s.seal(s.weight >= worthPart || len(s.edits) >= batchEdits)
	s.group.Go(func() error { return s.send(b) })
	return s.ctx.Err()
}

// seal closes the batch being filled, with the edits so far if it is to have a
// part, and starts the next.
func (s *sender) seal(part bool) *batch {
	b := s.batch
	b.part, b.before, b.stored = s.parts, s.stored, make(chan struct{})
	if part {
		b.edits, s.edits, s.weight = s.edits, nil, 0
		s.parts++
	}
	s.stored = b.stored
	s.batch = &batch{}
	return b
}

// send stages a batch and sends what the hub lacks of its blobs: pages after the
// chunks and pages before them, which they may name.
func (s *sender) send(b *batch) error {
	missing, err := s.ask(b)
	if err != nil {
		return err
	}
	chunks, pages, done, err := s.load(missing)
	defer done()
	if err != nil {
		return err
	}
	if err := s.upload(chunks); err != nil {
		return err
	}
	select {
	case <-b.before:
	case <-s.ctx.Done():
		return s.ctx.Err()
	}
	if err := s.upload(pages); err != nil {
		return err
	}
	close(b.stored)
	return nil
}

func (s *sender) upload(blobs []cas.Blob) error {
	if len(blobs) == 0 {
		return nil
	}
	if err := s.r.conn.Upload(s.ctx, s.r.session.Session, blobs); err != nil {
		return fmt.Errorf("upload: %w", err)
	}
	return nil
}

// ask stages the batch's part, if any, and returns the blobs of the batch that the
// hub lacks; the others are released. Where the volume was just made on an empty hub it lacks all.
func (s *sender) ask(b *batch) ([]piece, error) {
	if s.r.session.Fresh && len(b.edits) == 0 {
		return b.blobs, nil
	}
	req := api.DiffRequest{Session: s.r.session.Session, Part: b.part, Edits: b.edits}
	names := api.EditNames(b.edits)
	where := map[cas.Ref]int{} // ref → its first place in the request's names
	for i, ref := range names {
		if _, ok := where[ref]; !ok {
			where[ref] = i
		}
	}
	named := len(names)
	for _, p := range b.blobs {
		if _, ok := where[p.ref]; !ok {
			where[p.ref] = named + len(req.Ask)
			req.Ask = append(req.Ask, p.ref)
		}
	}
	answer, err := s.r.conn.Diff(s.ctx, req)
	if err != nil {
		return nil, fmt.Errorf("upload: %w", err)
	}
	if len(answer.Missing) != named+len(req.Ask) {
		return nil, fmt.Errorf("upload: the hub answered for %d blobs, not %d", len(answer.Missing), named+len(req.Ask))
	}
	missing, had := b.blobs[:0], int64(0)
	for _, p := range b.blobs {
		if answer.Missing[where[p.ref]] {
			missing = append(missing, p)
		} else {
			had += int64(p.size)
			p.slab.release()
		}
	}
	s.expects.skip(had)
	return missing, nil
}

// load compresses the blobs, after reading again those that are not in memory. The
// memory is free again after done.
func (s *sender) load(list []piece) (chunks, pages []cas.Blob, done func(), err error) {
	room := s.room()
	done = func() {
		for _, p := range list {
			p.slab.release()
		}
		select {
		case s.shrunk <- room:
		default:
		}
	}
	again := reader{root: s.r.root}
	defer again.close()
	for _, p := range list {
		if p.file != nil {
			if p.blob, err = again.chunk(p); err != nil {
				return nil, nil, done, err
			}
		}
		if p.ref.Kind == cas.Page {
			pages = append(pages, p.blob)
			continue
		}
		chunks = append(chunks, p.blob)
		s.r.meter.chunks.Add(1)
		s.r.meter.bytesNew.Add(int64(p.size))
		s.r.meter.tick()
	}
	s.r.cfg.Codec.CompressAll(chunks, room)
	s.r.cfg.Codec.CompressAll(pages, nil)
	return chunks, pages, done, nil
}

// room returns memory for the compressed blobs of a batch.
func (s *sender) room() []byte {
	select {
	case room := <-s.shrunk:
		return room
	default:
		return make([]byte, 0, batchBytes+2*slabSize)
	}
}

// remainder is what a sender leaves to the commit.
type remainder struct {
	parts int        // staged
	edits []api.Edit // not staged: all edits, when parts is 0
	blobs []cas.Blob // that the hub lacks, chunks before pages
	done  func()     // frees the blobs' memory
}

// finish waits for all batches and prepares the last one to go with the
// commit, which saves a small push its round trips.
func (s *sender) finish() (remainder, error) {
	rest := remainder{done: func() {}}
	s.mu.Lock()
	last := s.seal(s.parts > 0 && len(s.edits) > 0)
	s.mu.Unlock()
	if len(last.edits) > 0 {
		s.group.Go(func() error { return s.send(last) })
		return remainder{parts: s.parts, done: func() {}}, s.group.Wait()
	}
	rest.parts, rest.edits = s.parts, s.edits
	var missing []piece
	if len(last.blobs) > 0 {
		s.group.Go(func() (err error) {
			missing, err = s.ask(last)
			return err
		})
	}
	if err := s.group.Wait(); err != nil {
		return rest, err
	}
	chunks, pages, done, err := s.load(missing)
	rest.blobs, rest.done = append(chunks, pages...), done
	return rest, err
}
