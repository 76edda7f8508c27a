package component_test

import (
	"bytes"
	"context"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"dfs/cas"
	"dfs/manifest"
	"dfs/server/api"
	"dfs/server/component"
	"dfs/server/events"
	"dfs/server/hub"
)

func id() (v cas.VolumeID) {
	for i := range v {
		v[i] = byte(rand.Uint32())
	}
	return v
}

// faulty is a store in memory that damages what it is told to.
type faulty struct {
	cas.Mem
	damaged cas.ID
}

func (f *faulty) Get(ctx context.Context, scope cas.Scope, refs []cas.Ref, fn func(cas.Blob) error) error {
	if len(refs) == 1 && refs[0].ID == f.damaged {
		return &cas.CorruptError{Ref: refs[0], Detail: "has other bytes"}
	}
	return f.Mem.Get(ctx, scope, refs, fn)
}

// TestComponents follows a push to a hub whose store damages what it is sent.
func TestComponents(t *testing.T) {
	var bus events.Bus
	var log bytes.Buffer
	content := cas.Seal(cas.Chunk, []byte("content"))
	store := &faulty{damaged: content.ID()}
	h, err := hub.Open(t.TempDir(), hub.Options{Events: &bus, Store: func(string) (cas.Store, error) { return store, nil }})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	heard := events.Subscribe[events.BlobsVerified](&bus, 0)
	parts := component.Start(&bus, h, component.Options{Log: slog.NewTextHandler(&log, nil)})
	volume, err := h.CreateVolume(t.Context(), "docs", id())
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, h, api.StartRequest{Volume: volume.ID, Bytes: 28, Client: "here"})
	if _, err := h.Diff(t.Context(), api.DiffRequest{Session: s.Session, Ask: []cas.Ref{content.Ref()}}); err != nil {
		t.Fatal(err)
	}
	if err := h.Upload(t.Context(), s.Session, []cas.Blob{content}); err != nil {
		t.Fatal(err)
	}
	status := until(t, h, parts, volume.ID, func(s *api.Status) bool {
		return len(s.Sessions) == 1 && s.Sessions[0].Transfer != nil && s.Sessions[0].Transfer.Percent != nil &&
			*s.Sessions[0].Transfer.Percent == 25 && len(s.Queue.Uploads) == 1
	})
	if transfer := status.Sessions[0].Transfer; transfer.New != 1 || *transfer.Total != 28 || status.Queue.Uploads[0] != s.Session {
		t.Errorf("%+v, %+v", transfer, status.Queue)
	}
	start(t, h, api.StartRequest{Volume: volume.ID, Command: "pull"})
	m := &manifest.Manifest{Kind: manifest.File, Mode: 0o644, Profile: 1, Size: 7, Runs: []manifest.Run{{ID: content.ID(), Size: 7, Count: 1}}}
	_, err = h.Commit(t.Context(), api.CommitRequest{Session: s.Session, Key: id(), Edits: []api.Edit{{Path: "f", New: m}}})
	if err != nil {
		t.Fatal(err)
	}
	status = until(t, h, parts, volume.ID, func(s *api.Status) bool { return len(s.Queue.Replicas) == 1 && len(s.Queue.Uploads) == 0 })
	if w := status.Queue.Replicas[0]; w.Behind != 1 || w.SeenSeq != 1 {
		t.Errorf("%+v", w)
	}
	if _, err := heard.Next(t.Context()); err != nil {
		t.Fatal(err)
	}
	parts.Close()
	if got := log.String(); !strings.Contains(got, "level=ERROR msg=blob_damaged ") || !strings.Contains(got, "msg=snapshot_committed") {
		t.Error(got)
	}
	answer := httptest.NewRecorder()
	parts.Metrics().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for _, want := range []string{"dfs_blob_alarms_total 1", "dfs_snapshots_total 1", `dfs_sessions{state="IDLE"} 1`} {
		if !strings.Contains(answer.Body.String(), "\n"+want+"\n") {
			t.Errorf("no %s", want)
		}
	}
	var o api.Overview
	if parts.Oversee(&o); o.Alarm == nil || o.Alarm.Volume != volume.ID || o.Alarm.Path != "f" || o.Alarm.Count != 1 {
		t.Errorf("alarm: %+v", o.Alarm)
	}
	if end := parts.Feed().End(); end == 0 {
		t.Error("the feed is empty")
	}
}

// start begins a session of a new replica.
func start(t *testing.T, h *hub.Hub, req api.StartRequest) api.StartAnswer {
	t.Helper()
	req.Protocol, req.Replica, req.Run = api.ProtocolVersion, id(), id()
	s, err := h.Start(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// until asks for the status until the components have seen what makes it so.
func until(t *testing.T, h *hub.Hub, parts *component.Set, v cas.VolumeID, so func(*api.Status) bool) api.Status {
	t.Helper()
	for {
		status, err := h.Status(t.Context(), v)
		if err != nil {
			t.Fatal(err)
		}
		if parts.Observe(&status); so(&status) {
			return status
		}
	}
}
