package client

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"dfs/cas"
	"dfs/cas/chunker"
	"dfs/client/worktree"
	"dfs/manifest"
)

const (
	windowBytes  = 4 << 20 // plain bytes of the chunks that are fetched in one request
	windowPieces = 1024
	fetchers     = 4
	flushFiles   = 4096     // complete files that are made durable together
	flushBytes   = 64 << 20 // or bytes of them
)

// assembler makes files from chunks: those that local files hold are copied, the
// others fetched, in windows that overlap. Who writes the last piece of a file completes
// it; complete files are made durable and put in place in batches, beside the fetching.
type assembler struct {
	r        *run
	apply    *worktree.Applier
	parent   context.Context
	ctx      context.Context // of the fetchers
	group    *errgroup.Group
	locate   func() (*localChunks, error)
	room     room
	window   *window
	windows  chan *window
	batches  chan struct{} // each a batch of complete files
	flusher  *errgroup.Group
	mu       sync.Mutex // guards the following
	problems []worktree.Problem
	files    int                       // that are complete since the last batch
	bytes    int64                     // of them
	open     map[*output]struct{}      // with a temporary file that is not complete
	paged    map[string][]manifest.Run // the runs of files whose manifests have pages, for the index
	carried  map[string]worktree.Runs  // the same of files that are renamed
}

// room is how much may be under way under temporary names: less where the disk is
// nearly full, since what is replaced makes room only once the new is in place.
type room struct {
	window  int64 // bytes of a window
	flush   int64 // bytes that are put in place together
	fetches int   // windows at once
}

func (r *run) roomFor() room {
	most := room{windowBytes, flushBytes, fetchers}
	free, _, err := r.root.Space()
	if err != nil || free > 16*flushBytes {
		return most
	}
	return room{window: min(most.window, free/32), flush: min(most.flush, free/8), fetches: 1}
}

// output is a file being made.
type output struct {
	target
	left atomic.Int64 // pieces to be written, and 1 while more may come
	mu   sync.Mutex
	temp *worktree.Temp
	err  error
}

func newAssembler(ctx context.Context, r *run, apply *worktree.Applier) *assembler {
	a := &assembler{r: r, apply: apply, parent: ctx, room: r.roomFor(), window: newWindow(), windows: make(chan *window), batches: make(chan struct{}), open: map[*output]struct{}{}, paged: map[string][]manifest.Run{}, carried: map[string]worktree.Runs{}}
	a.group, a.ctx = errgroup.WithContext(ctx)
	a.locate = sync.OnceValues(func() (*localChunks, error) { return findLocal(r) })
	for range a.room.fetches {
		a.group.Go(func() error {
			for w := range a.windows {
				if err := a.fetch(w); err != nil {
					return err
				}
			}
			return nil
		})
	}
	a.flusher = new(errgroup.Group)
	a.flusher.Go(a.flush)
	return a
}

// file has the file t made. It blocks while too much is under way.
func (a *assembler) file(t target) error {
	out := &output{target: t}
	out.left.Store(1)
	off := int64(0)
	for run, err := range a.runs(t) {
		if damaged(err) {
			out.fail(fmt.Errorf("its list of chunks did not come whole from the hub: %w", err))
			break
		}
		if err != nil {
			return err
		}
		if !t.m.Pages.IsZero() {
			a.note(t.path, run)
		}
		if run.ID != chunker.ZeroID() {
			if err := a.add(part{out, off, run}); err != nil {
				return err
			}
		}
		off += int64(run.Bytes())
	}
	return a.done(out)
}

// runs yields the content of t in order. That of a small file is in its manifest.
func (a *assembler) runs(t target) iter.Seq2[manifest.Run, error] {
	return func(yield func(manifest.Run, error) bool) {
		if t.m.Pages.IsZero() {
			for _, run := range t.m.Runs {
				if !yield(run, nil) {
					return
				}
			}
			return
		}
		source, err := a.pages(t)
		if err != nil {
			yield(manifest.Run{}, err)
			return
		}
		manifest.Runs(a.ctx, t.m, source)(yield)
	}
}

// carries says that the file that is to be renamed to path has the runs.
func (a *assembler) carries(path string, runs worktree.Runs) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.carried[path] = runs
}

func (a *assembler) note(path string, run manifest.Run) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.paged[path] = append(a.paged[path], run)
}

// add puts a part into the window.
func (a *assembler) add(p part) error {
	p.out.left.Add(1)
	w := a.window
	if _, ok := w.parts[p.run.ID]; !ok {
		w.refs = append(w.refs, cas.Ref{Kind: cas.Chunk, ID: p.run.ID})
		w.bytes += int64(p.run.Size)
	}
	w.parts[p.run.ID] = append(w.parts[p.run.ID], p)
	w.count++
	if w.bytes < a.room.window && w.count < windowPieces {
		return nil
	}
	return a.dispatch()
}

func (a *assembler) dispatch() error {
	w := a.window
	a.window = newWindow()
	select {
	case a.windows <- w:
		return nil
	case <-a.ctx.Done():
		return a.ctx.Err()
	}
}

// write puts a chunk in all its places. A file that cannot be written is left out.
func (a *assembler) write(parts []part, data []byte) error {
	for _, p := range parts {
		if err := a.writePart(p, data); err != nil {
			p.out.fail(err)
		}
		if err := a.apply.Err(); err != nil {
			return err
		}
		a.r.meter.bytesApplied.Add(int64(p.run.Bytes()))
		a.r.meter.tick()
		if err := a.done(p.out); err != nil {
			return err
		}
	}
	return nil
}

func (a *assembler) writePart(p part, data []byte) error {
	if len(data) != int(p.run.Size) {
		return &cas.CorruptError{Ref: cas.Ref{Kind: cas.Chunk, ID: p.run.ID}, Detail: "has another size than the manifest says"}
	}
	temp, err := a.temp(p.out)
	if err != nil {
		return err
	}
	for i := range p.run.Count {
		if _, err := temp.WriteAt(data, p.off+int64(i)*int64(p.run.Size)); err != nil {
			return err
		}
	}
	return nil
}

// temp makes the temporary file of o when that is not there yet.
func (a *assembler) temp(o *output) (*worktree.Temp, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.temp == nil && o.err == nil {
		if o.temp, o.err = a.apply.File(o.path, o.m, o.entry); o.err == nil {
			a.mu.Lock()
			a.open[o] = struct{}{}
			a.mu.Unlock()
		}
	}
	return o.temp, o.err
}

func (o *output) fail(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err == nil {
		o.err = err
	}
}

// done drops one reason to wait for out, and completes it after the last.
func (a *assembler) done(out *output) error {
	if out.left.Add(-1) > 0 || !a.complete(out) {
		return nil
	}
	select {
	case a.batches <- struct{}{}:
		return nil
	case <-a.ctx.Done():
		return a.ctx.Err()
	}
}

// wait ends the assembling; err is why nothing more comes, nil at the regular end. All that
// was finished is in place on return.
func (a *assembler) wait(err error) error {
	if err == nil && a.window.count > 0 {
		err = a.dispatch()
	}
	close(a.windows)
	gerr := a.group.Wait()
	close(a.batches)
	ferr := a.flusher.Wait()
	for out := range a.open { // not complete, after an error
		out.temp.Abort()
	}
	if err == nil || errors.Is(err, context.Canceled) && gerr != nil {
		err = gerr
	}
	if err == nil || errors.Is(err, context.Canceled) && ferr != nil {
		err = ferr
	}
	return err
}

// flush puts complete files in place, batch by batch.
func (a *assembler) flush() error {
	var first error
	for range a.batches {
		if first == nil {
			first = a.place()
		}
	}
	if first != nil {
		return first
	}
	return a.place()
}

// complete hands a file to the applier, and reports whether a batch is full with it.
func (a *assembler) complete(out *output) bool {
	temp, err := a.temp(out)
	if err == nil {
		err = temp.Done()
	} else if temp != nil {
		temp.Abort()
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.open, out)
	if err != nil {
		a.problems = append(a.problems, worktree.Problem{Path: out.path, Err: err})
		return false
	}
	a.files++
	a.bytes += int64(out.m.Size)
	if a.files < flushFiles && a.bytes < a.room.flush {
		return false
	}
	a.files, a.bytes = 0, 0
	return true
}

func (a *assembler) place() error {
	applied, problems, err := a.apply.Flush(a.parent)
	a.fail(problems...)
	if err != nil {
		return err
	}
	return a.remember(applied)
}

func (a *assembler) fail(problems ...worktree.Problem) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.problems = append(a.problems, problems...)
}

// remember puts the files that were applied into the index.
func (a *assembler) remember(applied []worktree.Applied) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, done := range applied {
		a.r.meter.applied.Add(1)
		if done.Manifest == nil || done.Manifest.Kind != manifest.File {
			continue
		}
		value, err := done.Manifest.Encode()
		if err != nil {
			return err
		}
		rec := done.Record(value)
		rec.Runs = a.carried[done.Path]
		if !done.Manifest.Pages.IsZero() && len(a.paged[done.Path]) == 0 && rec.Runs.Empty() {
			continue // only its attributes changed: it is read once more when its chunks are wanted
		}
		if len(a.paged[done.Path]) > 0 {
			rec.Runs = worktree.Runs{}
		}
		for _, run := range a.paged[done.Path] {
			rec.Runs.Append(run)
		}
		delete(a.paged, done.Path)
		if err := a.r.index.Add(rec); err != nil {
			return err
		}
	}
	return nil
}
