package client

import "sync"

const (
	worthTelling = 1 << 20 // bytes from which the hub is told what to expect
	tellAgain    = 8       // it is told again when that has become less by an eighth
)

// An expectation is how many bytes a push is going to send: those of the files that it is to read, without what
// turns out to be on the hub already or was handed out before. It is told from when all files have been found. It is
// safe for concurrent use; nil expects nothing.
type expectation struct {
	mu      sync.Mutex
	tell    func(bytes int64)
	whole   bool // all files are found
	bytes   int64
	told    int64
	telling bool
}

func newExpectation(tell func(bytes int64)) *expectation { return &expectation{tell: tell} }

// find adds the bytes of a file that is to be read.
func (e *expectation) find(bytes int64) { e.add(bytes, false) }

// foundAll says that there are no more.
func (e *expectation) foundAll() { e.add(0, true) }

// skip says that bytes of the files will not be sent.
func (e *expectation) skip(bytes int64) { e.add(-bytes, false) }

func (e *expectation) add(bytes int64, whole bool) {
	if e == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.bytes, e.whole = e.bytes+bytes, e.whole || whole
	now := max(e.bytes, 0)
	first := e.told == 0 && now >= worthTelling
	if !e.whole || e.telling || !first && e.told-now <= e.told/tellAgain {
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
