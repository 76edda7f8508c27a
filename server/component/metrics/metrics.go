// Package metrics counts what happens on a hub, for Prometheus. Names and meanings of metrics stay as
// they are. Bytes are plain bytes of blobs, before compression. Counters count from the start of the process.
package metrics

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"dfs/server/api"
	"dfs/server/events"
)

// Directions of what is transferred, as seen from clients.
const (
	up   = "up"
	down = "down"
)

// Metrics are the metrics of one hub, in a registry of their own.
type Metrics struct {
	registry *prometheus.Registry

	bytes, blobs, files, named     *prometheus.CounterVec
	committed, events, lost        prometheus.Counter
	unverified                     prometheus.Counter
	refused, transitions, verified *prometheus.CounterVec
	counts                         map[string]prometheus.Counter // by the type of the event that they count
	uploads, downloads             *transfers
	commits, sessions              prometheus.Histogram
	dedup                          prometheus.Gauge

	began map[api.SessionID]time.Time // sessions under way

	received, logical float64 // bytes that came, and those of committed files, as dedup compares them
}

// transfers is what is measured of the transfers of a direction.
type transfers struct {
	duration, rate prometheus.Observer
}

// New returns metrics that count what Run sees, and ask a hub for the rest.
func New(hub Hub) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry(), began: make(map[api.SessionID]time.Time)}
	m.bytes = m.vector("dfs_transfer_bytes_total", "Bytes of blobs that were transferred, by direction.", "direction")
	m.blobs = m.vector("dfs_transfer_blobs_total", "Blobs that were transferred, by direction.", "direction")
	m.files = m.vector("dfs_transfer_files_total", "Files and symlinks: up those of new snapshots, down those of changes that clients were told.", "direction")
	m.named = m.vector("dfs_named_blobs_total", "Blobs that clients named before sending, by whether the hub had them: known or new.", "state")
	m.committed = m.counter("dfs_committed_bytes_total", "Bytes of the files of new snapshots, whether or not they had to be sent.")
	m.dedup = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "dfs_dedup_ratio", Help: "Share of the bytes of the files of new snapshots that did not have to be sent.",
	})
	m.events = m.counter("dfs_events_total", "Events on the hub's bus.")
	m.lost = m.counter("dfs_events_lost_total", "Events that are missing in these metrics because they came too fast.")
	m.refused = m.vector("dfs_refusals_total", "Requests that were refused, by the code of the error and the status of HTTP.", "code", "status")
	m.transitions = m.vector("dfs_session_transitions_total", "Changes of sessions, by the state that they went to.", "state")
	m.verified = m.vector("dfs_verified_blobs_total", "Blobs of new snapshots that were read again, by result: sound or damaged.", "result")
	m.unverified = m.counter("dfs_unverified_snapshots_total", "New snapshots of which nothing was read again, because they came too fast.")
	m.counts = map[string]prometheus.Counter{
		events.SnapshotCommitted{}.Type(): m.counter("dfs_snapshots_total", "New snapshots."),
		events.CommitCompleted{}.Type():   m.counter("dfs_commits_total", "Commits, those that changed nothing too."),
		events.VolumeCreated{}.Type():     m.counter("dfs_volumes_created_total", "New volumes."),
		events.ConflictDetected{}.Type():  m.counter("dfs_conflicts_detected_total", "Conflicts that were kept as open."),
		events.ConflictResolved{}.Type():  m.counter("dfs_conflicts_resolved_total", "Conflicts that were settled."),
		events.ClientRegistered{}.Type():  m.counter("dfs_clients_registered_total", "New clients."),
		events.QuotaExceeded{}.Type():     m.counter("dfs_quota_refusals_total", "Requests that a quota refused."),
		events.ConnectionCut{}.Type():     m.counter("dfs_connections_cut_total", "Connections with a request under way that were cut because too little of it moved."),
		events.Brake{}.Type():             m.counter("dfs_brakes_total", "Runs that clients stopped before they did damage."),
		events.BlobDamaged{}.Type():       m.counter("dfs_blob_alarms_total", "Blobs of new snapshots that the store does not give back as they were."),
	}
	m.counts[events.ClientQuotaExceeded{}.Type()] = m.counts[events.QuotaExceeded{}.Type()]
	duration := m.histograms("dfs_transfer_duration_seconds", "Durations of transfers: up of a session's blobs, down of one request's.",
		prometheus.ExponentialBuckets(0.001, 4, 10))
	rate := m.histograms("dfs_transfer_rate_bytes_per_second", "Rates of transfers.", prometheus.ExponentialBuckets(1<<10, 4, 12))
	m.uploads = &transfers{duration.WithLabelValues(up), rate.WithLabelValues(up)}
	m.downloads = &transfers{duration.WithLabelValues(down), rate.WithLabelValues(down)}
	m.commits = m.histogram("dfs_commit_duration_seconds", "Durations of commits.", prometheus.ExponentialBuckets(0.001, 4, 9))
	m.sessions = m.histogram("dfs_session_duration_seconds", "Durations of sessions.", prometheus.ExponentialBuckets(0.01, 4, 9))
	m.registry.MustRegister(m.dedup, &state{hub: hub}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.prepare()
	return m
}

// prepare makes the series of all directions and results, so that they are there with zero.
func (m *Metrics) prepare() {
	for _, direction := range []string{up, down} {
		m.bytes.WithLabelValues(direction)
		m.blobs.WithLabelValues(direction)
		m.files.WithLabelValues(direction)
	}
	m.named.WithLabelValues("known")
	m.named.WithLabelValues("new")
	m.verified.WithLabelValues("sound")
	m.verified.WithLabelValues("damaged")
}

func (m *Metrics) counter(name, help string) prometheus.Counter {
	c := prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	m.registry.MustRegister(c)
	return c
}

func (m *Metrics) vector(name, help string, labels ...string) *prometheus.CounterVec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	m.registry.MustRegister(c)
	return c
}

func (m *Metrics) histogram(name, help string, buckets []float64) prometheus.Histogram {
	h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets})
	m.registry.MustRegister(h)
	return h
}

func (m *Metrics) histograms(name, help string, buckets []float64) *prometheus.HistogramVec {
	h := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, []string{"direction"})
	m.registry.MustRegister(h)
	return h
}

// Handler answers with the metrics, without those that cannot be had.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError})
}

// Run counts what s brings until that or ctx ends.
func (m *Metrics) Run(ctx context.Context, s *events.Subscription) { events.Each(ctx, s, m.see) }

func (m *Metrics) see(e events.Event) {
	if lost, ok := e.(events.Lost); ok {
		m.lost.Add(float64(lost.Count))
		clear(m.began) // whose end may be among what is lost
		return
	}
	m.events.Inc()
	if c := m.counts[e.Type()]; c != nil {
		c.Inc()
	}
	switch e := e.(type) {
	case events.BlobsReceived:
		m.transferred(up, e.Blobs, e.Bytes)
		m.received += float64(e.Bytes)
	case events.DownloadCompleted:
		m.transferred(down, e.Blobs, e.Bytes)
		m.downloads.observe(e.Bytes, e.Duration)
	case events.UploadCompleted:
		m.uploads.observe(e.Bytes, e.Duration)
	case events.BlobsNamed:
		m.named.WithLabelValues("known").Add(float64(e.Known))
		m.named.WithLabelValues("new").Add(float64(e.New))
	case events.SnapshotCommitted:
		m.files.WithLabelValues(up).Add(float64(e.Files))
		m.committed.Add(float64(e.Bytes))
		m.logical += float64(e.Bytes)
		m.compare()
	case events.ChangesTold:
		m.files.WithLabelValues(down).Add(float64(e.Files))
	case events.CommitCompleted:
		m.commits.Observe(e.Duration)
	case events.SessionStateChanged:
		m.moved(e)
	case events.RequestRefused:
		m.refused.WithLabelValues(string(e.Code), strconv.Itoa(e.Status)).Inc()
	case events.BlobsVerified:
		m.verified.WithLabelValues("sound").Add(float64(e.Blobs - e.Damaged))
		m.verified.WithLabelValues("damaged").Add(float64(e.Damaged))
	case events.SnapshotsUnverified:
		m.unverified.Add(float64(e.Snapshots))
	}
}

func (m *Metrics) transferred(direction string, blobs, bytes int64) {
	m.blobs.WithLabelValues(direction).Add(float64(blobs))
	m.bytes.WithLabelValues(direction).Add(float64(bytes))
}

// compare tells which share of the committed bytes was not sent. What came and is not committed counts as sent.
func (m *Metrics) compare() {
	if m.logical > 0 {
		m.dedup.Set(max(0, 1-m.received/m.logical))
	}
}

func (t *transfers) observe(bytes int64, duration float64) {
	t.duration.Observe(duration)
	if duration > 0 {
		t.rate.Observe(float64(bytes) / duration)
	}
}

// mostSessions bounds the sessions whose beginning is remembered.
const mostSessions = 8192

func (m *Metrics) moved(e events.SessionStateChanged) {
	m.transitions.WithLabelValues(string(e.To)).Inc()
	if e.From == "" && len(m.began) < mostSessions {
		m.began[e.Session] = e.At
	}
	if began, ok := m.began[e.Session]; ok && e.To.Ended() {
		delete(m.began, e.Session)
		m.sessions.Observe(e.At.Sub(began).Seconds())
	}
}
