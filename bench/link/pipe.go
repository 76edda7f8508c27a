package link

import (
	"errors"
	"io"
	"sync"
	"time"
)

// A lane is one direction of the link. It sends one byte after the other.
type lane struct {
	rate int64 // bits a second, 0 for no limit

	mu   sync.Mutex
	free time.Time // when what was booked has been sent
}

// book books the lane for n bytes that are there now, and returns when the last
// of them has been sent.
func (l *lane) book(n int, now time.Time) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.free.Before(now) {
		l.free = now
	}
	if l.rate > 0 {
		l.free = l.free.Add(duration(int64(n), l.rate))
	}
	return l.free
}

// duration is how long n bytes take at a rate in bits a second.
func duration(n, rate int64) time.Duration {
	return time.Duration(float64(n) * 8 / float64(rate) * float64(time.Second))
}

var errAborted = errors.New("the connection was ended")

// A pipe holds the bytes that are under way in one direction of one
// connection: a ring, filled by one goroutine and emptied by another.
type pipe struct {
	buf   []byte
	chunk int // most bytes to be put at once

	mu     sync.Mutex
	change sync.Cond
	w, n   int    // where to put, and how many are held
	r      int    // where to take
	marks  []mark // of what is held, in order, each in one piece
	end    *time.Time
	gone   bool
}

// A mark says when bytes are due at the receiver.
type mark struct {
	n   int
	due time.Time
}

// newPipe makes a pipe that holds what the link does in a round trip and 10 ms,
// and at least four chunks, so that the lane stays booked ahead.
func newPipe(l Link) *pipe {
	const smallest, largest, most = 4 << 10, 64 << 10, 32 << 20
	p := &pipe{chunk: largest}
	size := int64(most)
	if l.BitsPerSecond > 0 { // a chunk is what is sent in a millisecond
		p.chunk = int(min(largest, max(smallest, l.BitsPerSecond/8/1000)))
		ahead := l.RTT + 10*time.Millisecond
		size = min(4*most, max(4*int64(p.chunk), int64(float64(l.BitsPerSecond)/8*ahead.Seconds())))
	} else if l.RTT == 0 {
		size = 4 * largest
	}
	p.buf = make([]byte, size)
	p.change.L = &p.mu
	return p
}

// space waits until there is room and returns some of it, to be filled from its
// beginning and put.
func (p *pipe) space() ([]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.n == len(p.buf) && !p.gone {
		p.change.Wait()
	}
	if p.gone {
		return nil, errAborted
	}
	room := min(len(p.buf)-p.n, len(p.buf)-p.w, p.chunk)
	return p.buf[p.w : p.w+room], nil
}

// put hands over the first n bytes of the space.
func (p *pipe) put(n int, due time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.w = (p.w + n) % len(p.buf)
	p.n += n
	p.marks = append(p.marks, mark{n, due})
	p.change.Broadcast()
}

// finish says that nothing more is put.
func (p *pipe) finish(due time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.end = &due
	p.change.Broadcast()
}

// abort ends the waiting of both sides.
func (p *pipe) abort() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gone = true
	p.change.Broadcast()
}

// next waits for bytes and returns them with the time at which they are due;
// they stay in the pipe until free. At the end the error is io.EOF.
func (p *pipe) next() ([]byte, time.Time, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.marks) == 0 && p.end == nil && !p.gone {
		p.change.Wait()
	}
	switch {
	case p.gone:
		return nil, time.Time{}, errAborted
	case len(p.marks) == 0:
		return nil, *p.end, io.EOF
	}
	m := p.marks[0]
	return p.buf[p.r : p.r+m.n], m.due, nil
}

// free frees the n bytes that next returned.
func (p *pipe) free(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.marks = p.marks[1:]
	p.r = (p.r + n) % len(p.buf)
	p.n -= n
	p.change.Broadcast()
}
