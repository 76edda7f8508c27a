package remote_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dfs/cas"
	"dfs/client/remote"
	"dfs/manifest"
	"dfs/server"
	"dfs/server/api"
)

// double is a hub of which a test gives the parts that it needs.
type double struct {
	api.Hub
	info   api.Info
	fail   error // of Status, and of Blobs and Changes after what they yield
	blobs  []cas.Blob
	change []api.Change
	upload func(blobs []cas.Blob) error
}

func newDouble() *double {
	return &double{info: api.Info{Protocol: api.ProtocolVersion, Limits: api.DefaultLimits()}}
}

func (d *double) Info(context.Context, string) (api.Info, error) { return d.info, nil }
func (d *double) Status(context.Context, cas.VolumeID) (api.Status, error) {
	return api.Status{}, d.fail
}
func (d *double) Upload(_ context.Context, _ api.SessionID, blobs []cas.Blob) error {
	return d.upload(blobs)
}
func (d *double) Blobs(_ context.Context, _ api.BlobsRequest, fn func(cas.Blob) error) error {
	for _, b := range d.blobs {
		if err := fn(b); err != nil {
			return err
		}
	}
	return d.fail
}
func (d *double) Changes(context.Context, api.ChangesRequest) iter.Seq2[api.Change, error] {
	return func(yield func(api.Change, error) bool) {
		for _, c := range d.change {
			if !yield(c, nil) {
				return
			}
		}
		if d.fail != nil {
			yield(api.Change{}, d.fail)
		}
	}
}

func chunk(text string) cas.Blob { return cas.Seal(cas.Chunk, []byte(text)) }

func refs(blobs ...cas.Blob) (all []cas.Ref) {
	for _, b := range blobs {
		all = append(all, b.Ref())
	}
	return all
}

func keep(cas.Blob) error { return nil }

// TestErrorsCross has each error of the contract cross as a refusal and amid streams.
func TestErrorsCross(t *testing.T) {
	missing := []cas.Ref{{Kind: cas.Chunk, ID: cas.ID{1}}, {Kind: cas.Page, ID: cas.ID{2}}}
	for _, c := range []struct {
		err error
		is  []error
	}{
		{api.ErrInvalid, nil}, {api.ErrNotFound, nil}, {api.ErrExists, nil}, {api.ErrState, nil}, {api.ErrNoSession, nil},
		{api.ErrRoot, nil}, {api.ErrTooLarge, nil}, {api.ErrVersion, nil}, {api.ErrForbidden, nil}, {api.ErrInternal, nil},
		{&api.Error{Code: api.ErrIncomplete.Code, Message: "m", Missing: missing}, []error{api.ErrIncomplete}},
		{&cas.CorruptError{Ref: missing[0], Detail: "d"}, []error{cas.ErrCorrupt, api.ErrCorrupt}},
		{fmt.Errorf("x: %w", cas.ErrNotFound), []error{cas.ErrNotFound, api.ErrNoBlob}},
		{api.ErrQuota, nil}, {fmt.Errorf("x: %w", cas.ErrNoSpace), []error{cas.ErrNoSpace, api.ErrNoSpace}},
		{fmt.Errorf("x: %w", cas.ErrPoisoned), []error{cas.ErrPoisoned, api.ErrPoisoned}},
	} {
		d := newDouble()
		d.fail, d.blobs, d.change = c.err, []cas.Blob{chunk("a"), chunk("b")}, []api.Change{{Path: "p"}}
		h := dial(t, serve(t, server.New(d, server.Options{})), remote.Options{})
		check := func(how string, err error) {
			t.Helper()
			is := c.is
			if is == nil {
				is = []error{c.err}
			}
			for _, target := range is {
				if !errors.Is(err, target) {
					t.Errorf("%s: %v arrives as %v, which is not %v", how, c.err, err, target)
				}
			}
			if e, ok := errors.AsType[*api.Error](err); !ok || len(e.Missing) != len(api.AsError(c.err).Missing) || e.Message != api.AsError(c.err).Message {
				t.Errorf("%s: %v arrives as %#v", how, c.err, err)
			}
		}
		_, err := h.Status(t.Context(), cas.VolumeID{})
		check("refusal", err)
		n := 0
		err = h.Blobs(t.Context(), api.BlobsRequest{Refs: append(refs(d.blobs...), missing...)}, func(cas.Blob) error { n++; return nil })
		check("amid blobs", err)
		for _, e := range h.Changes(t.Context(), api.ChangesRequest{To: cas.ID{1}}) {
			n++
			err = e
		}
		check("amid changes", err)
		if n != 2+2 {
			t.Errorf("%v: %d items", c.err, n)
		}
		if retries := h.Traffic().Retries; retries != 0 {
			t.Errorf("%v: %d retries", c.err, retries)
		}
	}
}

func TestDialUnreachable(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "http://" + ln.Addr().String()
	_, err = greet(t.Context(), url, remote.Options{First: 300 * time.Millisecond}) // it is accepted, and never answered
	if !errors.Is(err, remote.ErrUnreachable) || !strings.Contains(err.Error(), url) {
		t.Errorf("silent: %v", err)
	}
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = greet(t.Context(), url, remote.Options{First: 300 * time.Millisecond})
	if !errors.Is(err, remote.ErrUnreachable) || !strings.Contains(err.Error(), url) || !strings.Contains(err.Error(), "refused") {
		t.Errorf("closed: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err = greet(ctx, url, remote.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestDialRefuses(t *testing.T) {
	for _, url := range []string{"", "hub", "127.0.0.1:80", "ftp://h", "http://", "http://u:secret@h", "http://h?x", "http://h#x", ":"} {
		if _, err := greet(t.Context(), url, remote.Options{}); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", url, err)
		}
	}
	d := newDouble()
	d.info.Protocol = 2
	if _, err := greet(t.Context(), serve(t, server.New(d, server.Options{})), remote.Options{}); !errors.Is(err, api.ErrVersion) {
		t.Errorf("another protocol: %v", err)
	}
}

// TestAnotherProtocol has a hub speak another version in answers of any kind.
func TestAnotherProtocol(t *testing.T) {
	hub := server.New(newDouble(), server.Options{})
	var asked string // the version that the client told
	url := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r.Header.Get(api.HeaderProtocol)
		hub.ServeHTTP(changed{w}, r)
	}))
	h, err := remote.New(url, remote.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	_, jsonErr := h.Status(t.Context(), cas.VolumeID{})
	binaryErr := h.Blobs(t.Context(), api.BlobsRequest{}, keep)
	refusal := h.Events(t.Context(), cas.VolumeID{}, func() {}, nil) // the hub has none
	for _, err := range []error{jsonErr, binaryErr, refusal} {
		if !errors.Is(err, api.ErrVersion) || !strings.Contains(err.Error(), "protocol 2") || !strings.Contains(err.Error(), url) ||
			!strings.Contains(err.Error(), "side of the client") || h.Traffic().Retries != 0 {
			t.Errorf("%v", err)
		}
	}
	if asked != "1" {
		t.Errorf("the client tells version %q", asked)
	}
}

// changed tells another version of the protocol.
type changed struct{ http.ResponseWriter }

func (c changed) WriteHeader(status int) {
	c.Header().Set(api.HeaderProtocol, "2")
	c.ResponseWriter.WriteHeader(status)
}

func TestBasePath(t *testing.T) {
	d := newDouble()
	url := serve(t, http.StripPrefix("/sub/dfs", server.New(d, server.Options{})))
	h := dial(t, url+"/sub/dfs/", remote.Options{})
	if _, err := h.Status(t.Context(), cas.VolumeID{}); err != nil {
		t.Error(err)
	}
}

func TestNoHub(t *testing.T) {
	var asked atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { asked.Add(1) }))
	defer other.Close()
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		says    string
	}{
		"redirect":     {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL, http.StatusFound) }, other.URL},
		"another site": {func(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) }, "404"},
		"a web page":   {func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte("<html>")) }, "not as expected"},
	} {
		srv := httptest.NewServer(c.handler)
		_, err := greet(t.Context(), srv.URL, remote.Options{First: time.Minute})
		srv.Close()
		if err == nil || errors.Is(err, remote.ErrUnreachable) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if asked.Load() != 0 {
		t.Error("the redirect was followed")
	}
}

// TestBusyIsWaitedFor is told to wait more often than patience lasts.
func TestBusyIsWaitedFor(t *testing.T) {
	handler := server.New(newDouble(), server.Options{})
	var n atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch n.Add(1) {
		case 2:
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
		case 3:
			w.WriteHeader(http.StatusTooManyRequests)
			_, _ = w.Write([]byte(`{"code":"too_many","message":"m"}`))
		case 4:
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = w.Write([]byte(`{"code":"busy","message":"m"}`))
		case 5:
			w.WriteHeader(http.StatusBadGateway) // patience counts from here
		default:
			handler.ServeHTTP(w, r)
		}
	}))
	defer srv.Close()
	h := dial(t, srv.URL, remote.Options{Patience: time.Second})
	began := time.Now()
	if _, err := h.Status(t.Context(), cas.VolumeID{}); err != nil {
		t.Fatal(err)
	}
	if waited := time.Since(began); waited < time.Second {
		t.Errorf("came back after %v", waited)
	}
	if got := h.Traffic(); got.Requests != 6 || got.Retries != 4 {
		t.Errorf("%+v", got)
	}
}

func TestPatienceEnds(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, ln, server.New(newDouble(), server.Options{}), nil) }()
	url := "http://" + ln.Addr().String()
	h := dial(t, url, remote.Options{Patience: 500 * time.Millisecond})
	stop()
	if err := <-served; err != nil {
		t.Fatal(err)
	}
	_, err = h.Status(t.Context(), cas.VolumeID{})
	if !errors.Is(err, remote.ErrUnreachable) || !strings.Contains(err.Error(), url) || h.Traffic().Retries == 0 {
		t.Errorf("%v after %d retries", err, h.Traffic().Retries)
	}
	short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := greet(short, url, remote.Options{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the context ends while it waits: %v", err)
	}
}

// TestStalledAnswerIsCut has the first answer stop half-way.
func TestStalledAnswerIsCut(t *testing.T) {
	blobs := []cas.Blob{chunk("a"), chunk("b")}
	d := newDouble()
	d.blobs = blobs
	handler := server.New(d, server.Options{})
	var n atomic.Int64
	release := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1) != 2 {
			d.blobs = blobs[n.Load()/3:] // after the stall only the rest is asked for
			handler.ServeHTTP(w, r)
			return
		}
		var b bytes.Buffer
		_ = api.NewFrameWriter(&b).Blob(blobs[0])
		_, _ = w.Write(b.Bytes())
		w.(http.Flusher).Flush()
		<-release
	}))
	defer srv.Close()
	defer close(release)
	h := dial(t, srv.URL, remote.Options{Stall: time.Second})
	var got []cas.Ref
	err := h.Blobs(t.Context(), api.BlobsRequest{Refs: refs(blobs...)}, func(b cas.Blob) error {
		got = append(got, b.Ref())
		return nil
	})
	if err != nil || len(got) != 2 || h.Traffic().Retries != 1 {
		t.Errorf("%v, %v, %+v", err, got, h.Traffic())
	}
}

// TestSlowAnswerSurvives has an answer take longer than the stall time.
func TestSlowAnswerSurvives(t *testing.T) {
	const stall = 500 * time.Millisecond
	blob := chunk(strings.Repeat("slow", 25))
	handler := server.New(newDouble(), server.Options{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			handler.ServeHTTP(w, r)
			return
		}
		var b bytes.Buffer
		frames := api.NewFrameWriter(&b)
		_ = frames.Blob(blob)
		_ = frames.End(nil)
		_, _ = io.Copy(io.Discard, r.Body)
		for _, c := range b.Bytes() { // 186 of them
			time.Sleep(stall / 100)
			_, _ = w.Write([]byte{c})
			_ = http.NewResponseController(w).Flush()
		}
	}))
	defer srv.Close()
	h := dial(t, srv.URL, remote.Options{Stall: stall})
	if err := h.Blobs(t.Context(), api.BlobsRequest{Refs: refs(blob)}, keep); err != nil || h.Traffic().Retries != 0 {
		t.Errorf("%v, %+v", err, h.Traffic())
	}
}

// TestSlowUploadSurvives sends for longer than the stall time; most of it lies in the
// buffers of sockets, where the client sees nothing of it move.
func TestSlowUploadSurvives(t *testing.T) {
	var stored atomic.Int64
	d := newDouble()
	d.upload = func(blobs []cas.Blob) error { stored.Add(int64(len(blobs))); return nil }
	p := newProxy(t, serve(t, server.New(d, server.Options{Beat: 20 * time.Millisecond})), 3*time.Millisecond)
	h := dial(t, p.url, remote.Options{Stall: 300 * time.Millisecond})
	var blobs []cas.Blob
	for i := range 14 {
		blobs = append(blobs, cas.Seal(cas.Chunk, bytes.Repeat([]byte{byte(i)}, cas.MaxSize)))
	}
	began := time.Now()
	if err := h.Upload(t.Context(), cas.VolumeID{}, blobs); err != nil {
		t.Fatal(err)
	}
	if got := h.Traffic(); got.Retries != 0 || stored.Load() != 14 || got.Sent < 14<<20 {
		t.Errorf("%+v, %d stored", got, stored.Load())
	}
	if time.Since(began) < time.Second {
		t.Error("the link was not slow")
	}
}

func TestUploadSplits(t *testing.T) {
	var mu sync.Mutex
	got := map[cas.ID]int{}
	d := newDouble()
	d.info.Limits.Body = 1200 << 10
	d.upload = func(blobs []cas.Blob) error {
		mu.Lock()
		defer mu.Unlock()
		for _, b := range blobs {
			got[b.ID()]++
		}
		return nil
	}
	h := dial(t, serve(t, server.New(d, server.Options{Limits: d.info.Limits})), remote.Options{})
	var blobs []cas.Blob
	for i := range 20 {
		blobs = append(blobs, cas.Seal(cas.Chunk, bytes.Repeat([]byte{byte(i)}, 400<<10)))
	}
	if err := h.Upload(t.Context(), cas.VolumeID{}, blobs); err != nil {
		t.Fatal(err)
	}
	for _, b := range blobs {
		if got[b.ID()] != 1 {
			t.Errorf("%v stored %d times", b.Ref(), got[b.ID()])
		}
	}
	if n := h.Traffic().Requests; n != 1+10 {
		t.Errorf("%d requests", n)
	}
	_, err := h.Commit(t.Context(), api.CommitRequest{Blobs: blobs})
	if !errors.Is(err, api.ErrTooLarge) {
		t.Errorf("commit above the limit: %v", err)
	}
}

func TestAnswersAreVerified(t *testing.T) {
	d := newDouble()
	h := dial(t, serve(t, server.New(d, server.Options{})), remote.Options{})
	a, b := chunk("a"), chunk("b")
	for name, sent := range map[string][]cas.Blob{
		"another order": {b, a},
		"too few":       {a},
		"another kind":  {cas.Seal(cas.Page, []byte("a")), b},
	} {
		d.blobs = sent
		if err := h.Blobs(t.Context(), api.BlobsRequest{Refs: refs(a, b)}, keep); err == nil {
			t.Errorf("%s passes", name)
		}
	}
	d.blobs, d.change = []cas.Blob{a, b}, []api.Change{{Path: "x", New: &manifest.Manifest{Kind: manifest.Directory}}}
	if err := h.Blobs(t.Context(), api.BlobsRequest{Refs: refs(a, b)}, keep); err != nil {
		t.Error(err)
	}
}

func TestTraffic(t *testing.T) {
	d := newDouble()
	d.upload = func([]cas.Blob) error { return nil }
	h := dial(t, serve(t, server.New(d, server.Options{})), remote.Options{})
	before := h.Traffic()
	if before.Requests != 1 || before.Sent == 0 || before.Received == 0 {
		t.Errorf("after the first contact: %+v", before)
	}
	if err := h.Upload(t.Context(), cas.VolumeID{}, []cas.Blob{cas.Seal(cas.Chunk, make([]byte, 100_000))}); err != nil {
		t.Fatal(err)
	}
	sent := h.Traffic().Sent - before.Sent
	if sent < 100_000+2*api.HeaderSize || sent > 100_000+1000 {
		t.Errorf("%d bytes sent", sent)
	}
}
