package server_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"dfs/cas"
	"dfs/server"
	"dfs/server/api"
)

// waitFor polls until ok, which must come.
func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal(what)
		}
	}
}

func TestStalledBodyIsDropped(t *testing.T) {
	r := &recorder{}
	addr := serve(t, &double{upload: r.upload}, server.Options{Stall: 500 * time.Millisecond})
	body := frames(chunk(1000, 1), chunk(2<<10, 2), chunk(3000, 3))
	cut := api.HeaderSize + 1000 + api.HeaderSize + 2<<10 + 50
	c := raw(t, addr, post(uploadPath, len(body))+string(body[:cut]))
	// The test closes nothing: that the connection ends is the server's doing.
	if _, err := io.Copy(io.Discard, c); err != nil {
		t.Fatal(err)
	}
	if n := r.count(); n != 2 {
		t.Errorf("%d blobs are stored of the 2 that came whole", n)
	}
}

func TestSlowBodySurvives(t *testing.T) {
	r := &recorder{}
	const stall = 500 * time.Millisecond
	addr := serve(t, &double{upload: r.upload}, server.Options{Stall: stall})
	body := frames(chunk(1000, 1), chunk(1000, 2))
	c := raw(t, addr, post(uploadPath, len(body)))
	tick := time.NewTicker(stall / 20)
	defer tick.Stop()
	for piece := range len(body)/50 + 1 { // twice the stall time in all
		<-tick.C
		if _, err := c.Write(body[min(50*piece, len(body)):min(50*piece+50, len(body))]); err != nil {
			t.Fatal(err)
		}
	}
	resp, data := readAnswer(t, c)
	if resp.StatusCode != 200 || r.count() != 2 {
		t.Errorf("%s %s, %d stored", resp.Status, data, r.count())
	}
}

func TestStalledReaderIsDropped(t *testing.T) {
	ended := make(chan error, 1)
	d := &double{blobs: func(ctx context.Context, fn func(cas.Blob) error) error {
		b := chunk(cas.MaxSize, 1)
		for {
			if err := fn(b); err != nil {
				ended <- err
				return err
			}
		}
	}}
	addr := serve(t, d, server.Options{Stall: 100 * time.Millisecond})
	msg := (&api.BlobsRequest{Volume: cas.VolumeID{1}}).Append(nil)
	body := api.AppendStream(nil, msg)
	raw(t, addr, post("/api/chunks/get", len(body))+string(body))
	select {
	case <-ended:
	case <-time.After(20 * time.Second):
		t.Fatal("the answer goes on without a reader")
	}
}

func TestCutBodyKeepsWhatCameWhole(t *testing.T) {
	body := frames(chunk(700<<10, 1), chunk(700<<10, 2), chunk(100, 3))
	for _, c := range []struct{ cut, stored int }{
		{0, 0}, {10, 0}, {api.HeaderSize + 700<<10, 1}, {2 * (api.HeaderSize + 700<<10), 2}, {len(body) - 1, 3},
	} {
		r := &recorder{}
		addr := serve(t, &double{upload: r.upload}, server.Options{})
		conn := raw(t, addr, post(uploadPath, len(body)))
		if _, err := conn.Write(body[:c.cut]); err != nil {
			t.Fatal(err)
		}
		if err := conn.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, conn)
		waitFor(t, "what came whole is not stored", func() bool { return r.count() >= c.stored })
		if n := r.count(); n != c.stored {
			t.Errorf("cut at %d: %d blobs stored, want %d", c.cut, n, c.stored)
		}
	}
}

func TestCorruptFrameIsNotStored(t *testing.T) {
	r := &recorder{}
	addr := serve(t, &double{upload: r.upload}, server.Options{})
	body := frames(chunk(1000, 1))
	body[api.HeaderSize+500] ^= 1
	resp, data := do(t, "POST", "http://"+addr+uploadPath, api.Binary, bytes.NewReader(body))
	wantRefusal(t, "corrupt frame", resp, data, 422, api.ErrCorrupt)
	if r.count() != 0 {
		t.Errorf("%d blobs stored", r.count())
	}
	body = frames(chunk(1000, 1))
	resp, data = do(t, "POST", "http://"+addr+uploadPath, api.Binary, bytes.NewReader(body[:len(body)-44]))
	wantRefusal(t, "no end frame", resp, data, 400, api.ErrInvalid)
}

func TestRefusalArrivesDespiteABodyUnread(t *testing.T) {
	d := &double{upload: func(context.Context, []cas.Blob) error { return cas.ErrNoSpace }}
	addr := serve(t, d, server.Options{})
	var blobs []cas.Blob
	for i := range byte(15) {
		blobs = append(blobs, chunk(cas.MaxSize, i))
	}
	resp, data := do(t, "POST", "http://"+addr+uploadPath, api.Binary, bytes.NewReader(frames(blobs...)))
	wantRefusal(t, "no space", resp, data, http.StatusInsufficientStorage, api.ErrNoSpace)
}

func TestBombs(t *testing.T) {
	var sizes atomic.Int64
	d := &double{
		upload: func(_ context.Context, blobs []cas.Blob) error {
			n := 0
			for _, b := range blobs {
				n += b.Size()
			}
			if n > cas.MaxSize {
				return errors.New("more than 1 MiB together")
			}
			sizes.Add(int64(n))
			return nil
		},
		commit: func(context.Context, api.CommitRequest) (api.CommitAnswer, error) {
			return api.CommitAnswer{}, nil
		},
	}
	addr := serve(t, d, server.Options{})
	bomb := cas.NewCodec(cas.CompressBulk).Compress(chunk(cas.MaxSize, 0), nil)
	var blobs []cas.Blob
	for range 100 {
		blobs = append(blobs, bomb)
	}
	resp, data := do(t, "POST", "http://"+addr+uploadPath, api.Binary, bytes.NewReader(frames(blobs...)))
	if resp.StatusCode != 200 || sizes.Load() != 100<<20 {
		t.Errorf("upload: %s %s, %d bytes", resp.Status, data, sizes.Load())
	}
	msg, err := (&api.CommitRequest{}).Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ blobs, status int }{{16, 200}, {17, 413}} {
		var body bytes.Buffer
		w := api.NewFrameWriter(&body)
		_ = w.Message(msg)
		for range c.blobs {
			_ = w.Blob(bomb)
		}
		_ = w.End(nil)
		resp, data = do(t, "POST", "http://"+addr+"/api/sync/commit", api.Binary, &body)
		if resp.StatusCode != c.status {
			t.Errorf("commit of %d bombs: %s %s", c.blobs, resp.Status, data)
		}
	}
}

// TestParallelUploadsAreBounded has 64 uploads share memory for two.
func TestParallelUploadsAreBounded(t *testing.T) {
	const uploads, memory = 64, 2 * 6 << 20
	var running, most atomic.Int64
	d := &double{upload: func(context.Context, []cas.Blob) error {
		n := running.Add(1)
		defer running.Add(-1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		return nil
	}}
	addr := serve(t, d, server.Options{Memory: memory})
	before := runtime.NumGoroutine()
	body := frames(chunk(cas.MaxSize, 1), chunk(cas.MaxSize, 2), chunk(cas.MaxSize, 3))
	done := make(chan *http.Response, uploads)
	for range uploads {
		go func() {
			resp, _ := do(t, "POST", "http://"+addr+uploadPath, api.Binary, bytes.NewReader(body))
			done <- resp
		}()
	}
	for range uploads {
		if resp := <-done; resp.StatusCode != 200 {
			t.Error(resp.Status)
		}
	}
	if m := most.Load(); m < 1 || m > 2 {
		t.Errorf("%d uploads stored at a time", m)
	}
	waitFor(t, "goroutines are left over", func() bool { return runtime.NumGoroutine() <= before+2 })
}

func TestBusyWithoutMemory(t *testing.T) {
	entered, goOn := make(chan struct{}), make(chan struct{})
	d := &double{upload: func(context.Context, []cas.Blob) error {
		close(entered)
		<-goOn
		return nil
	}}
	addr := serve(t, d, server.Options{Memory: 1, Stall: 500 * time.Millisecond})
	first := make(chan *http.Response, 1)
	go func() {
		resp, _ := do(t, "POST", "http://"+addr+uploadPath, api.Binary, bytes.NewReader(frames(chunk(9, 1))))
		first <- resp
	}()
	<-entered
	resp, data := do(t, "POST", "http://"+addr+uploadPath, api.Binary, bytes.NewReader(frames(chunk(9, 2))))
	wantRefusal(t, "second upload", resp, data, 429, api.ErrTooMany)
	if resp.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	close(goOn)
	if resp := <-first; resp.StatusCode != 200 {
		t.Error(resp.Status)
	}
}
