package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"dfs/server/api"
)

// A Hub is asked, each time the metrics are read, for what no event tells.
type Hub interface {
	// SessionStates counts the sessions that have not ended, by their state.
	SessionStates() map[api.State]int
	// StoreSize returns how many bytes the blobs take on disk.
	StoreSize() (int64, error)
}

// state collects what the hub is asked for.
type state struct{ hub Hub }

var (
	sessions = prometheus.NewDesc("dfs_sessions", "Sessions that have not ended, by state.", []string{"state"}, nil)
	size     = prometheus.NewDesc("dfs_store_size_bytes", "Bytes that the store of blobs takes on disk.", nil, nil)
)

// live are the states of sessions that have not ended.
var live = [...]api.State{api.Idle, api.ComputingDiff, api.RequestingMetadata, api.TransferringFiles, api.ResolvingConflicts, api.ApplyingChanges}

// Describe implements [prometheus.Collector].
func (*state) Describe(to chan<- *prometheus.Desc) {
	to <- sessions
	to <- size
}

// Collect implements [prometheus.Collector].
func (s *state) Collect(to chan<- prometheus.Metric) {
	counts := s.hub.SessionStates()
	for _, state := range live {
		to <- prometheus.MustNewConstMetric(sessions, prometheus.GaugeValue, float64(counts[state]), string(state))
	}
	bytes, err := s.hub.StoreSize()
	if err != nil {
		to <- prometheus.NewInvalidMetric(size, err)
		return
	}
	to <- prometheus.MustNewConstMetric(size, prometheus.GaugeValue, float64(bytes))
}
