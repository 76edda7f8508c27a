// Package report holds the records of a benchmark and what is made of them: a table
// for a terminal, a page for a browser, and a comparison of two runs.
//
// # The file
//
// A file of results is JSON lines. A line of type "machine" ([Header]) says where,
// when and how the runs after it were made; a line of type "run" ([Record]) is one
// measured run. Lines of other types are passed over, so that a later version may
// add some. The units are bytes and seconds; a count that was not measured is 0.
//
// # Rows and groups
//
// Runs that agree in workload, operation, link, cache and scale are a group: the same
// work. A group's runs of one tool are a row. A row's figures are the median of its
// runs, with the least and the greatest wall time beside it, but for memory, where
// the greatest peak stands, and for what a store grew by in the states of a tree, which is the mean. Runs that failed count as failures and in no figure.
//
// Each row is held against the row of [Baseline] in its group, and against the least
// time that the machine's own limits allow ([Limit]).
package report

import (
	"encoding/json"
	"io"
)

// Baseline is the tool that the others are held against.
const Baseline = "rsync"

// The operations that have a least time ([Limit]). A record may be of any other, in words.
const (
	OpPush      = "push"       // the first push
	OpUnchanged = "unchanged"  // a push with nothing changed
	OpPushChurn = "push-churn" // a push after some files changed
	OpStatus    = "status"
	OpPull      = "pull"       // into an empty directory
	OpPullChurn = "pull-churn" // into a former state
	OpUpload    = "upload"     // blobs in parallel streams
	OpCommit    = "commit"     // of one small file, as a call of the hub

	OpFirstState    = "push of the first state" // of a source tree
	OpNextState     = "push of the next state"
	OpOneChanged    = "push after 1 file changed"
	OpOverwritten   = "push after 1 byte overwritten" // in one large file, as the next two
	OpInserted      = "push after 1 byte inserted"
	OpAppended      = "push after 1 MiB appended"
	OpResumed       = "push resumed after a kill" // when half was sent
	OpChangedStatus = "status after 1 % changed"
	OpMerkleDiff    = "merkle diff" // of two trees in memory
)

// The types of lines.
const (
	TypeMachine = "machine"
	TypeRun     = "run"
)

// Record is one measured run.
type Record struct {
	Type      string  `json:"type"` // TypeRun
	Workload  string  `json:"workload"`
	Operation string  `json:"operation"`
	Tool      string  `json:"tool"`
	Version   string  `json:"version,omitempty"`
	Link      string  `json:"link,omitempty"`  // "loopback", "20ms-100mbit"
	Cache     string  `json:"cache,omitempty"` // "warm", "cold"
	Scale     float64 `json:"scale"`           // of the workload: 1 is its full size
	Run       int     `json:"run"`

	Files int64 `json:"files"` // of the workload
	Bytes int64 `json:"bytes"`

	Wall    float64 `json:"wall"` // seconds, all timed steps
	User    float64 `json:"user"` // of the client
	Sys     float64 `json:"sys"`
	HubUser float64 `json:"hub_user,omitempty"`
	HubSys  float64 `json:"hub_sys,omitempty"`

	PeakAnon    int64 `json:"peak_anon,omitempty"` // RssAnon
	PeakRSS     int64 `json:"peak_rss,omitempty"`
	HubPeakAnon int64 `json:"hub_peak_anon,omitempty"`
	HubPeakRSS  int64 `json:"hub_peak_rss,omitempty"`

	WireSent     int64 `json:"wire_sent,omitempty"`
	WireReceived int64 `json:"wire_received,omitempty"`
	Requests     int64 `json:"requests,omitempty"`
	RoundTrips   int64 `json:"round_trips,omitempty"`
	Connections  int64 `json:"connections,omitempty"`

	StoreBytes int64 `json:"store_bytes,omitempty"` // blocks allocated in the store, or added by this operation

	Note   string `json:"note,omitempty"`
	Failed string `json:"failed,omitempty"` // why it does not count
}

// Header says where, when and how runs were made.
type Header struct {
	Type    string             `json:"type"` // TypeMachine
	Machine any                `json:"machine"`
	Limits  map[string]float64 `json:"limits"` // the keys are those of Limit
	Time    string             `json:"time"`
	Seed    uint64             `json:"seed"`
	Command string             `json:"command"`
}

// Set is the content of a file of results.
type Set struct {
	Headers []Header
	Records []Record
}

// WriteJSON writes v as a line. The type of a Record or Header is filled in.
func WriteJSON(w io.Writer, v any) error {
	switch line := v.(type) {
	case Record:
		line.Type = TypeRun
		v = line
	case Header:
		line.Type = TypeMachine
		v = line
	}
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = w.Write(append(data, '\n'))
	return err
}

// limits returns the machine's limits: of several headers, the last one's.
func (s Set) limits() map[string]float64 {
	if len(s.Headers) == 0 {
		return nil
	}
	return s.Headers[len(s.Headers)-1].Limits
}
