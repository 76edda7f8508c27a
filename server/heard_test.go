package server_test

import (
	"bytes"
	"context"
	"testing"
	"time"

	"dfs/cas"
	"dfs/server"
	"dfs/server/api"
)

// TestProgressIsHeard sends parts of bodies: the hub hears of the session before the rest has come.
func TestProgressIsHeard(t *testing.T) {
	heard := make(chan api.SessionID, 100)
	r := &recorder{}
	d := &double{upload: r.upload, commit: func(context.Context, api.CommitRequest) (api.CommitAnswer, error) {
		return api.CommitAnswer{}, nil
	}}
	addr := serve(t, d, server.Options{Progress: func(_ context.Context, id api.SessionID) { heard <- id }})
	session := api.SessionID{9: 7}
	msg, err := (&api.CommitRequest{Session: session}).Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	big := chunk(cas.MaxSize, 1)
	var commit bytes.Buffer
	w := api.NewFrameWriter(&commit)
	_, _, _ = w.Message(msg), w.Blob(big), w.End(nil)
	for name, c := range map[string]struct {
		path string
		body []byte
	}{
		"upload": {"/api/file/upload?session=" + session.String(), frames(big)},
		"commit": {"/api/sync/commit", commit.Bytes()},
	} {
		conn := raw(t, addr, post(c.path, len(c.body)))
		half := len(c.body) / 2
		if _, err := conn.Write(c.body[:half]); err != nil {
			t.Fatal(err)
		}
		select {
		case id := <-heard:
			if id != session {
				t.Errorf("%s: heard of %v", name, id)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("%s: nothing is heard of the first half of the body", name)
		}
		if _, err := conn.Write(c.body[half:]); err != nil {
			t.Fatal(err)
		}
		if resp, data := readAnswer(t, conn); resp.StatusCode != 200 {
			t.Errorf("%s: %s %s", name, resp.Status, data)
		}
	}
}
