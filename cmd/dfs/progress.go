package main

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/cwriter"
	"github.com/vbauerster/mpb/v8/decor"

	"dfs/client"
)

// progress shows on a terminal what a run is doing. The zero value shows nothing.
type progress struct {
	terminal *os.File
	bars     *mpb.Progress
	bar      *mpb.Bar

	mu    sync.Mutex
	meter meter
	log   func(string, ...any) // of the phases, or nil
}

// startProgress begins to show progress where that is wanted and stderr is a terminal.
func (o *output) startProgress() *progress {
	p := &progress{meter: meter{now: time.Now}}
	p.meter.began = p.meter.now()
	if o.verbose > 1 {
		p.log = o.notice
		return p
	}
	f, ok := o.stderr.(*os.File)
	if o.json || o.quiet || o.noProgress || !ok || !cwriter.IsTerminal(int(f.Fd())) {
		return p
	}
	p.terminal = f
	return p
}

// show begins a line on the terminal.
func (p *progress) show() {
	text := decor.Any(func(decor.Statistics) string {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.meter.text()
	})
	p.bars = mpb.New(mpb.WithOutput(p.terminal), mpb.WithAutoRefresh(), mpb.WithRefreshRate(200*time.Millisecond))
	p.bar = p.bars.MustAdd(0, mpb.NopStyle().Build(), mpb.PrependDecorators(text), mpb.BarFillerTrim())
}

// report is the client's Config.Report.
func (p *progress) report(e client.Event) {
	if p.terminal != nil && p.bar == nil {
		p.show()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.meter.update(e) && p.log != nil {
		p.log("%7s %s", seconds(p.meter.now().Sub(p.meter.began).Seconds()), phaseText(e.Phase))
	}
}

// stop removes what is shown.
func (p *progress) stop() {
	if p.bar != nil {
		p.bar.Abort(true)
		p.bars.Wait()
	}
}

// A meter turns events into a line of text.
type meter struct {
	now   func() time.Time
	began time.Time // the run
	since time.Time // the phase
	first client.Event
	last  client.Event
}

// update takes an event and reports whether it begins a phase.
func (m *meter) update(e client.Event) (begins bool) {
	begins = m.since.IsZero() || e.Phase != m.last.Phase
	if begins {
		m.since, m.first = m.now(), e
	}
	m.last = e
	return begins
}

// text returns the line: phase, files, bytes, rate and what remains.
func (m *meter) text() string {
	parts := []string{phaseText(m.last.Phase)}
	if n := m.last.Files; n > 0 {
		parts = append(parts, of(number(n), m.last.FilesTotal, number)+" files")
	}
	if n := m.last.Bytes; n > 0 {
		parts = append(parts, of(size(n), m.last.BytesTotal, size))
	}
	if n := m.last.Transferred; n > 0 {
		parts = append(parts, size(n)+" "+wireText(m.last.Phase))
	}
	elapsed := m.now().Sub(m.since).Seconds()
	done := m.last.Bytes - m.first.Bytes
	if r := rate(done, elapsed); r != "" {
		parts = append(parts, r)
		if left := m.last.BytesTotal - m.last.Bytes; left > 0 {
			parts = append(parts, seconds(float64(left)/float64(done)*elapsed)+" left")
		}
	}
	return strings.Join(parts, "  ")
}

func of(done string, total int64, write func(int64) string) string {
	if total == 0 {
		return done
	}
	return fmt.Sprintf("%s/%s", done, write(total))
}

func phaseText(p client.Phase) string {
	switch p {
	case client.Scanning:
		return "scanning"
	case client.Fetching:
		return "fetching"
	case client.Applying:
		return "applying"
	}
	return "committing"
}

func wireText(p client.Phase) string {
	if p == client.Scanning {
		return "sent"
	}
	return "received"
}
