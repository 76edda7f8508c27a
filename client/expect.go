package client

import (
	"sync"
	"time"
)

const (
	worthTelling = 1 << 20     // bytes from which the hub is told what to expect
	tellAfter    = time.Second // from when all files are found; what takes less nobody watches, and telling takes a connection
	tellAgain    = 8           // it is told again when that has become less by an eighth
)

// An expectation is how many bytes a push is going to send: those of the files that it is to read, without what
// turns out to be on the hub already or was handed out before. It is told some time after all files have been found. It
// is safe for concurrent use; nil expects nothing.
type expectation struct {
	mu      sync.Mutex
	tell    func(bytes int64)
	after   time.Duration
	due     bool // all files were found so long ago
	bytes   int64
	told    int64
	telling bool
}

func newExpectation(after time.Duration, tell func(bytes int64)) *expectation {
	return &expectation{after: after, tell: tell}
}

// find adds the bytes of a file that is to be read.
func (e *expectation) find(bytes int64) { e.add(bytes, false) }

// foundAll says that there are no more.
func (e *expectation) foundAll() {
	if e != nil {
		time.AfterFunc(e.after, func() { e.add(0, true) })
	}
}

// skip says that bytes of the files will not be sent.
func (e *expectation) skip(bytes int64) { e.add(-bytes, false) }

func (e *expectation) add(bytes int64, due bool) {
	if e == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.bytes, e.due = e.bytes+bytes, e.due || due
	now := max(e.bytes, 0)
	first := e.told == 0 && now >= worthTelling
	if !e.due || e.telling || !first && e.told-now <= e.told/tellAgain {
		return
	}
	e.told, e.telling = now, true
	go func() {
		e.tell(now)
		e.mu.Lock()
		e.telling = false
		e.mu.Unlock()
		e.add(0, false) // what changed meanwhile
	}()
}
