package worktree

import (
	"container/heap"
	"sync"

	"dfs/client/worktree/ignore"
)

// aheadLimit is how many entries workers may read ahead of their delivery.
const aheadLimit = 32 << 10

type taskState uint8

const (
	idle taskState = iota
	taken
	ended
)

// task is to list a directory and look at its first entries, or to look at a
// further slice of a large directory's. After it is done its result is the
// delivering goroutine's.
type task struct {
	path  string   // of the directory
	first string   // the first path that it can deliver
	names []string // to look at, sorted; nil: list the directory
	dev   uint64   // the directory's file system
	above uint64   // that of the directory above
	rules *ignore.Rules
	ruled bool   // the rules are the directory's own
	only  *Scope // what to look at
	state taskState

	entries  []Entry
	dirs     []*task // of the directories among entries, in their order
	odd      []odd   // the entries that are not delivered as such, in their order
	more     []*task // the further slices of this directory
	err      error   // the directory cannot be read
	vanished bool    // the directory is gone
	nested   bool    // the directory is a replica of its own
}

// odd tells why the entry at an index is none of the tree: an error, a
// temporary file, ignored, or else something to skip.
type odd struct {
	at      int
	err     error
	temp    bool
	ignored bool
}

// scanner does tasks: workers take them in path order, within a limit, and the
// delivering goroutine does whatever it needs that nobody has started. So it
// waits only for a task that is being done.
type scanner struct {
	root     dir
	mounted  map[string]bool
	own      *reader // the delivering goroutine's
	parallel bool

	mu      sync.Mutex
	work    sync.Cond // pending, ahead or stopped changed
	ready   sync.Cond // a task is done
	pending taskHeap
	ahead   int // entries of tasks done and not yet delivered
	waits   int // workers in work.Wait
	stopped bool
	workers sync.WaitGroup
}

func newScanner(root dir, mounted map[string]bool) *scanner {
	s := &scanner{root: root, mounted: mounted, own: newReader(root, mounted)}
	s.work.L, s.ready.L = &s.mu, &s.mu
	return s
}

func (s *scanner) start(workers int) {
	s.parallel = true
	for range workers {
		s.workers.Go(func() {
			r := newReader(s.root, s.mounted)
			for t := s.next(); t != nil; t = s.next() {
				r.do(t)
				s.done(t)
			}
		})
	}
}

// stop ends the workers and waits for them.
func (s *scanner) stop() {
	s.mu.Lock()
	s.stopped = true
	s.work.Broadcast()
	s.mu.Unlock()
	s.workers.Wait()
}

// next takes the first pending task in path order; nil when stopped.
func (s *scanner) next() *task {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		for len(s.pending) > 0 && s.pending[0].state != idle {
			heap.Pop(&s.pending)
		}
		switch {
		case s.stopped:
			return nil
		case len(s.pending) > 0 && s.ahead < aheadLimit:
			t := heap.Pop(&s.pending).(*task)
			t.state = taken
			return t
		}
		s.waits++
		s.work.Wait()
		s.waits--
	}
}

// done publishes a task's result and the tasks that it found.
func (s *scanner) done(t *task) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t.state = ended
	if !s.parallel {
		return
	}
	s.ahead += len(t.entries)
	for _, found := range [][]*task{t.dirs, t.more} {
		for _, f := range found {
			heap.Push(&s.pending, f)
		}
	}
	if s.waits > 0 && len(s.pending) > 0 {
		s.work.Broadcast()
	}
	s.ready.Signal()
}

// finish returns when t is done, doing it where nobody has begun.
func (s *scanner) finish(t *task) {
	s.mu.Lock()
	if t.state == idle {
		t.state = taken
		s.mu.Unlock()
		s.own.do(t)
		s.done(t)
		return
	}
	for t.state != ended {
		s.ready.Wait()
	}
	s.mu.Unlock()
}

// delivered takes t's entries off the count of those read ahead.
func (s *scanner) delivered(t *task) {
	if !s.parallel {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	full := s.ahead >= aheadLimit
	s.ahead -= len(t.entries)
	if full && s.ahead < aheadLimit {
		s.work.Broadcast()
	}
}

// taskHeap orders tasks by when they are delivered.
type taskHeap []*task

func (h taskHeap) Len() int { return len(h) }

func (h taskHeap) Less(i, j int) bool { return compare(h[i].first, h[j].first) < 0 }

func (h taskHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

func (h *taskHeap) Push(x any) { *h = append(*h, x.(*task)) }

func (h *taskHeap) Pop() any {
	last := len(*h) - 1
	t := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return t
}
