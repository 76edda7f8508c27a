package hub

import (
	"strings"
	"testing"

	"dfs/server/api"
)

// TestStartIsChecked: what a session is to be listed with can be printed, and what is expected of it is no debt.
func TestStartIsChecked(t *testing.T) {
	h := open(t, t.TempDir(), Options{})
	v, err := h.CreateVolume(t.Context(), "docs", randomID())
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*api.StartRequest){
		"bytes":               func(r *api.StartRequest) { r.Bytes = -1 },
		"client's line":       func(r *api.StartRequest) { r.Client = "a\nb" },
		"client that is not":  func(r *api.StartRequest) { r.Client = "\xff" },
		"client's secret":     func(r *api.StartRequest) { r.Client = string(api.NewToken()) },
		"command's colour":    func(r *api.StartRequest) { r.Command = "\x1b[31mpush" },
		"command that is not": func(r *api.StartRequest) { r.Command = "\xff" },
		"":                    func(*api.StartRequest) {},
	} {
		req := api.StartRequest{Protocol: api.ProtocolVersion, Replica: randomID(), Run: randomID(), Volume: v.ID, Client: "häuschen", Command: "push"}
		change(&req)
		if _, err := h.Start(t.Context(), req); (name == "") != (err == nil) || err != nil && !isError(err, api.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestVolumeNamedAsAnID: a volume's name is none by which another could be meant.
func TestVolumeNamedAsAnID(t *testing.T) {
	h := open(t, t.TempDir(), Options{})
	id := randomID()
	if _, err := h.CreateVolume(t.Context(), id.String(), randomID()); !isError(err, api.ErrInvalid) {
		t.Errorf("an ID: %v", err)
	}
	for _, name := range []string{strings.ToUpper(id.String()) + "A", id.String()[:31], "x" + id.String()[1:]} {
		if _, err := h.CreateVolume(t.Context(), name, randomID()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestAbortOfNoSession says that there is none, to who started none.
func TestAbortOfNoSession(t *testing.T) {
	h := open(t, t.TempDir(), Options{})
	if err := h.AbortSession(t.Context(), randomID()); !isError(err, api.ErrNoSession) || strings.Contains(err.Error(), "start again") {
		t.Error(err)
	}
}

// TestCommitMessage: a message may have lines and tabs, and nothing else that a terminal obeys, nor a secret.
func TestCommitMessage(t *testing.T) {
	t.Parallel()
	h := openTest(t, t.TempDir(), nil, Options{})
	c := newClient(h, newTestVolume(t, h))
	for message, ok := range map[string]bool{
		"": true, "naïve 日本": true, "two\n\tlines": true,
		"\x1b[2J": false, "two\r\nlines": false, "\xff": false, "by " + string(api.NewToken()): false,
	} {
		s, err := c.start(t.Context(), randomID())
		if err != nil {
			t.Fatal(err)
		}
		_, err = h.Commit(t.Context(), api.CommitRequest{Session: s.Session, Key: randomID(), Message: message})
		if ok && err != nil || !ok && !isError(err, api.ErrInvalid) {
			t.Errorf("%q: %v", message, err)
		}
	}
}
