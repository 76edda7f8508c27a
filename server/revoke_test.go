package server_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"dfs/cas"
	"dfs/cas/chunker"
	"dfs/server/api"
	"dfs/server/events"
)

// TestUploadEndsForTheRevoked revokes a token while a body is on its way: of what comes after that nothing is stored.
func TestUploadEndsForTheRevoked(t *testing.T) {
	h, at := newGuarded(t, time.Hour)
	v, err := h.CreateVolume(t.Context(), "docs", cas.VolumeID{1})
	if err != nil {
		t.Fatal(err)
	}
	grants := api.Grants{Volumes: map[cas.VolumeID]api.Right{v.ID: api.RightWrite}}
	token, client := member(t, h, grants)
	ctx := api.WithCaller(t.Context(), &api.Caller{Client: client, Grants: grants})
	session, err := h.Start(ctx, api.StartRequest{Protocol: api.ProtocolVersion, Replica: newID(), Volume: v.ID, Run: newID()})
	if err != nil {
		t.Fatal(err)
	}
	const size, fill = chunker.Max, cas.MaxSize / chunker.Max // of them are stored together
	var blobs []cas.Blob
	for i := range fill {
		blobs = append(blobs, chunk(size, byte(i)))
	}
	first, second := blobs[0], chunk(1000, fill)
	body := frames(append(blobs, second)...)
	began := events.Subscribe[events.UploadStarted](at.bus, 0)
	c := raw(t, strings.TrimPrefix(at.url, "http://"), fmt.Sprintf(
		"POST /api/file/upload?session=%v HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n",
		session.Session, string(token), api.Binary, len(body)))
	// With the header of the last blob those before it are stored.
	cut := (fill+1)*api.HeaderSize + fill*size
	if _, err := c.Write(body[:cut]); err != nil {
		t.Fatal(err)
	}
	if _, err := began.Next(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := h.Revoke(t.Context(), client); err != nil {
		t.Fatal(err)
	}
	// It may be refused before all of it is sent.
	_, _ = c.Write(body[cut:])
	resp, data := readAnswer(t, c)
	wantRefusal(t, "the rest of the body", resp, data, 401, api.ErrUnauthorized)
	if resp.Header.Get("WWW-Authenticate") != "Bearer" {
		t.Errorf("%v", resp.Header)
	}
	for b, stored := range map[*cas.Blob]bool{&first: true, &second: false} {
		err := h.Blobs(t.Context(), api.BlobsRequest{Volume: v.ID, Refs: []cas.Ref{b.Ref()}}, func(cas.Blob) error { return nil })
		if (err == nil) != stored {
			t.Errorf("%v: %v", b.Ref(), err)
		}
	}
}
