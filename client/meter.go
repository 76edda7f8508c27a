package client

import (
	"sync"
	"sync/atomic"
	"time"
)

// reportEvery is the least time between two progress reports.
const reportEvery = 100 * time.Millisecond

// meter counts what a run does and reports it. It is safe for concurrent use.
type meter struct {
	scanned, bytesScanned atomic.Int64
	hashed, bytesHashed   atomic.Int64
	unchanged             atomic.Int64
	chunks, bytesNew      atomic.Int64 // that the receiving side lacked
	applied, bytesApplied atomic.Int64

	mu     sync.Mutex
	report func(Event)
	last   time.Time
	now    Event // phase and totals
}

func newMeter(report func(Event)) *meter { return &meter{report: report} }

// restart sets to zero what another look at the directory counts again.
func (m *meter) restart() {
	for _, n := range []*atomic.Int64{&m.scanned, &m.bytesScanned, &m.unchanged} {
		n.Store(0)
	}
}

// enter begins a phase with its totals, 0 where unknown.
func (m *meter) enter(p Phase, files, bytes int64) {
	m.mu.Lock()
	m.now.Phase, m.now.FilesTotal, m.now.BytesTotal = p, files, bytes
	m.last = time.Time{}
	m.mu.Unlock()
	m.tick()
}

// tick reports progress where the last report is old enough.
func (m *meter) tick() {
	if m.report == nil || !m.mu.TryLock() {
		return
	}
	defer m.mu.Unlock()
	if time.Since(m.last) < reportEvery {
		return
	}
	m.last = time.Now()
	e := m.now
	e.Files, e.Bytes = m.scanned.Load(), m.bytesHashed.Load()
	if e.Phase == Applying {
		e.Files, e.Bytes = m.applied.Load(), m.bytesApplied.Load()
	}
	e.Transferred = m.bytesNew.Load()
	m.report(e)
}

// fill copies the counts into s.
func (m *meter) fill(s *Summary) {
	s.FilesScanned, s.BytesScanned = m.scanned.Load(), m.bytesScanned.Load()
	s.Unchanged = m.unchanged.Load()
	s.FilesHashed, s.BytesHashed = m.hashed.Load(), m.bytesHashed.Load()
	s.ChunksNew, s.BytesNew = m.chunks.Load(), m.bytesNew.Load()
}
