package measure

import (
	"sync"
	"time"
)

// A Watch watches a process and all below it.
type Watch struct {
	pid  int
	stop chan struct{}
	wg   sync.WaitGroup

	looks       int    // at the process, alive
	first, last sample // CPU time when watching began, and when last seen
	anon, rss   int64  // peaks
}

// A sample is what a process and those below it have at one moment.
type sample struct {
	user, sys float64 // CPU seconds, with those of children that have ended
	anon, rss int64   // bytes, in all
	high      int64   // the kernel's record of the most resident bytes of one of them
}

// Start begins to watch the process pid, which goes on: a server.
func Start(pid int) *Watch {
	w := &Watch{pid: pid, stop: make(chan struct{})}
	w.look()
	w.first = w.last
	w.wg.Go(w.loop)
	return w
}

func (w *Watch) loop() {
	began := time.Now()
	tick := time.NewTimer(interval(0))
	defer tick.Stop()
	for {
		select {
		case <-w.stop:
			return
		case <-tick.C:
			w.look()
			tick.Reset(interval(time.Since(began)))
		}
	}
}

// interval returns how long to wait for the next look after so long a watch.
func interval(watched time.Duration) time.Duration {
	return min(max(time.Millisecond, watched/8), 20*time.Millisecond)
}

// look takes a sample; a process that has ended leaves the last one.
func (w *Watch) look() {
	s, ok := look(w.pid)
	if !ok {
		return
	}
	w.looks++
	w.last = s
	w.anon = max(w.anon, s.anon)
	w.rss = max(w.rss, s.rss, s.high)
}

// Stop ends the watch. It returns the CPU seconds taken since Start, exact to
// 10 ms, and the most anonymous and resident bytes, for which the time before
// Start counts only in the kernel's record of the resident ones. Of a process
// that ended meanwhile it tells what was last seen. Call it once.
func (w *Watch) Stop() (cpuUser, cpuSys float64, peakAnon, peakRSS int64) {
	close(w.stop)
	w.wg.Wait()
	w.look()
	return w.last.user - w.first.user, w.last.sys - w.first.sys, w.anon, w.rss
}
