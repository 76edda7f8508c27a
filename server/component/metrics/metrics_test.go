package metrics_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"dfs/cas"
	"dfs/server/api"
	"dfs/server/component/metrics"
	"dfs/server/events"
)

type hub struct {
	size   int64
	failed error
}

func (hub) SessionStates() map[api.State]int { return map[api.State]int{api.Idle: 3} }
func (h hub) StoreSize() (int64, error)      { return h.size, h.failed }
func at(seconds int64) time.Time             { return time.Unix(1e9+seconds, 0) }
func session(n byte) (id api.SessionID)      { return cas.VolumeID{n} }
func moved(n byte, from, to api.State, s int64) events.Event {
	return events.SessionStateChanged{Session: session(n), From: from, To: to, At: at(s)}
}

// some are events of all types that metrics count.
func some() []events.Event {
	return []events.Event{
		moved(1, "", api.Idle, 0), moved(2, "", api.Idle, 0),
		moved(1, api.Idle, api.TransferringFiles, 1),
		events.BlobsNamed{Known: 30, New: 10},
		events.BlobsReceived{Blobs: 10, Bytes: 1000},
		events.UploadCompleted{Blobs: 10, Bytes: 1000, Duration: 2},
		events.SnapshotCommitted{Files: 5, Bytes: 4000},
		events.CommitCompleted{Duration: 0.5},
		moved(1, api.TransferringFiles, api.Complete, 4),
		events.ChangesTold{Changes: 6, Files: 5},
		events.DownloadCompleted{Blobs: 20, Bytes: 3000, Duration: 0.5},
		events.VolumeCreated{}, events.ConflictDetected{}, events.ConflictDetected{}, events.ConflictResolved{},
		events.ClientRegistered{}, events.QuotaExceeded{}, events.ClientQuotaExceeded{}, events.ConnectionCut{}, events.Brake{},
		events.RequestRefused{Code: api.ErrBusy.Code, Status: 503}, events.RequestRefused{Code: api.ErrBusy.Code, Status: 503},
		events.BlobDamaged{}, events.BlobsVerified{Blobs: 9, Damaged: 1}, events.SnapshotsUnverified{Snapshots: 4},
		events.Lost{Count: 7},
	}
}

// read returns the answer of metrics that saw the events.
func read(t *testing.T, h hub, all ...events.Event) (status int, body string) {
	t.Helper()
	var bus events.Bus
	m, sub := metrics.New(h), events.Subscribe[events.Event](&bus, len(all)+1)
	for _, e := range all {
		bus.Publish(e)
	}
	bus.Close()
	m.Run(context.Background(), sub)
	answer := httptest.NewRecorder()
	m.Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	data, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.Code, string(data)
}

func TestCounts(t *testing.T) {
	status, body := read(t, hub{size: 12345}, some()...)
	if status != http.StatusOK {
		t.Fatal(status, body)
	}
	for _, want := range []string{
		`dfs_transfer_bytes_total{direction="up"} 1000`, `dfs_transfer_bytes_total{direction="down"} 3000`,
		`dfs_transfer_blobs_total{direction="up"} 10`, `dfs_transfer_blobs_total{direction="down"} 20`,
		`dfs_transfer_files_total{direction="up"} 5`, `dfs_transfer_files_total{direction="down"} 5`,
		`dfs_named_blobs_total{state="known"} 30`, `dfs_named_blobs_total{state="new"} 10`,
		`dfs_committed_bytes_total 4000`, `dfs_dedup_ratio 0.75`,
		`dfs_sessions{state="IDLE"} 3`, `dfs_sessions{state="APPLYING_CHANGES"} 0`,
		`dfs_session_transitions_total{state="COMPLETE"} 1`, `dfs_session_transitions_total{state="IDLE"} 2`,
		`dfs_conflicts_detected_total 2`, `dfs_conflicts_resolved_total 1`,
		`dfs_snapshots_total 1`, `dfs_commits_total 1`, `dfs_volumes_created_total 1`, `dfs_clients_registered_total 1`,
		`dfs_quota_refusals_total 2`, `dfs_connections_cut_total 1`, `dfs_brakes_total 1`, `dfs_blob_alarms_total 1`,
		`dfs_verified_blobs_total{result="damaged"} 1`, `dfs_verified_blobs_total{result="sound"} 8`, `dfs_unverified_snapshots_total 4`,
		`dfs_refusals_total{code="busy",status="503"} 2`, `dfs_events_lost_total 7`, `dfs_events_total 25`,
		`dfs_store_size_bytes 12345`,
		`dfs_session_duration_seconds_sum 4`, `dfs_session_duration_seconds_count 1`,
		`dfs_commit_duration_seconds_sum 0.5`,
		`dfs_transfer_duration_seconds_sum{direction="up"} 2`, `dfs_transfer_rate_bytes_per_second_sum{direction="up"} 500`,
		`dfs_transfer_duration_seconds_count{direction="down"} 1`, `dfs_transfer_rate_bytes_per_second_sum{direction="down"} 6000`,
		`go_goroutines `,
	} {
		if !strings.Contains(body, "\n"+want) {
			t.Errorf("no %s", want)
		}
	}
	if t.Failed() {
		t.Log(body)
	}
}

// TestLint has the library's linter look at all metrics, before and after there was something to count.
func TestLint(t *testing.T) {
	for _, all := range [][]events.Event{nil, some()} {
		_, body := read(t, hub{}, all...)
		problems, err := promlint.New(strings.NewReader(body)).Lint()
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range problems {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
}

// TestUnknownSize: the size of a store that cannot be measured is missing, and nothing else is.
func TestUnknownSize(t *testing.T) {
	status, body := read(t, hub{failed: errors.New("no such disk")})
	if status != http.StatusOK || strings.Contains(body, "store_size") || !strings.Contains(body, `dfs_sessions{state="IDLE"} 3`) {
		t.Error(status, body)
	}
}
