package server_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"dfs/cas"
	"dfs/merkle"
	"dfs/server"
	"dfs/server/access"
	"dfs/server/api"
	"dfs/server/hub"
)

// The callers of the matrix. Other has the right write for another volume; reader, writer for the volume.
const (
	none = iota
	garbage
	revoked
	other
	reader
	writer
	admin
	callers
)

var callerNames = [callers]string{"no token", "garbage", "revoked", "other volume", "read", "write", "admin"}

// line is what a route answers: the code of the refusal, "" for none.
type line struct {
	request func(m *matrix, caller int) (query, contentType string, body []byte)

	stranger                     api.Code // no token, garbage, revoked
	other, reader, writer, admin api.Code
	open                         api.Code // anybody, when the hub has no accounts
}

// The lines of routes that read a volume, and of those that use a session of it.
func reads(request func(*matrix, int) (string, string, []byte)) line {
	return line{request, "unauthorized", "not_found", "", "", "", ""}
}

func writes(request func(*matrix, int) (string, string, []byte)) line {
	return line{request, "unauthorized", "no_session", "forbidden", "", "", ""}
}

func administers(request func(*matrix, int) (string, string, []byte)) line {
	return line{request, "unauthorized", "forbidden", "forbidden", "forbidden", "", "forbidden"}
}

// lines has a line for each route.
var lines = map[api.Op]line{
	api.OpHealth:  {(*matrix).nothing, "", "", "", "", "", ""},
	api.OpInfo:    {(*matrix).nothing, "unauthorized", "", "", "", "", ""},
	api.OpVolumes: {(*matrix).nothing, "unauthorized", "", "", "", "", ""},
	api.OpReady:   {(*matrix).nothing, "", "", "", "", "", ""},
	api.OpOpenAPI: {(*matrix).nothing, "unauthorized", "", "", "", "", ""},
	api.OpQuotas:  {(*matrix).nothing, "unauthorized", "", "", "", "", ""},
	api.OpSetQuota: {func(m *matrix, _ int) (string, string, []byte) {
		return asJSON("", api.QuotaBounds{Volume: m.volume.ID, Files: 1 << 40})
	}, "unauthorized", "forbidden", "forbidden", "forbidden", "", ""},
	api.OpOverview: {(*matrix).nothing, "unauthorized", "forbidden", "forbidden", "forbidden", "", ""},
	api.OpMetrics:  {(*matrix).nothing, "unauthorized", "forbidden", "forbidden", "forbidden", "", ""},

	api.OpRegister: {func(m *matrix, _ int) (string, string, []byte) {
		return asJSON("", api.RegisterRequest{Key: m.joinKey(), Token: api.NewToken()})
	}, "", "", "", "", "", "forbidden"},
	api.OpInvite: administers(func(m *matrix, _ int) (string, string, []byte) {
		return asJSON("", api.InviteRequest{Key: api.NewJoinKey(), Grants: m.grants(api.RightRead), ExpiresIn: 60})
	}),
	api.OpInvites: administers((*matrix).nothing),
	api.OpTokens:  administers((*matrix).nothing),
	api.OpRotateToken: {func(m *matrix, _ int) (string, string, []byte) {
		return asJSON("", api.RotateRequest{Client: m.hire(m.grants(api.RightRead)), Token: api.NewToken()})
	}, "unauthorized", "not_found", "not_found", "not_found", "", "forbidden"},
	api.OpRevoke: {func(m *matrix, _ int) (string, string, []byte) {
		return "?id=" + m.hire(m.grants(api.RightRead)).String(), "", nil
	}, "unauthorized", "not_found", "not_found", "not_found", "", "forbidden"},

	api.OpCreateVolume: {func(m *matrix, _ int) (string, string, []byte) {
		id := newID()
		return asJSON("", api.NewVolume{Name: "v" + id.String(), ID: id})
	}, "unauthorized", "forbidden", "forbidden", "forbidden", "", ""},
	api.OpStart: reads(func(m *matrix, _ int) (string, string, []byte) { return asJSON("", m.startRequest()) }),

	api.OpDiff: writes(func(m *matrix, caller int) (string, string, []byte) {
		msg, err := (&api.DiffRequest{Session: m.session(caller), Ask: []cas.Ref{m.blob.Ref()}}).Append(nil)
		return asMessage(m.t, msg, err)
	}),
	api.OpUpload: writes(func(m *matrix, caller int) (string, string, []byte) {
		return "?session=" + m.session(caller).String(), api.Binary, frames(chunk(10, 1))
	}),
	api.OpCommit: writes(func(m *matrix, caller int) (string, string, []byte) {
		msg, err := (&api.CommitRequest{Session: m.session(caller), Key: newID()}).Append(nil)
		return asMessage(m.t, msg, err)
	}),
	api.OpReport: {func(m *matrix, caller int) (string, string, []byte) {
		return asJSON("", api.Progress{Session: m.session(caller), State: api.ComputingDiff})
	}, "unauthorized", "no_session", "", "", "", ""},
	api.OpSettle: {func(m *matrix, _ int) (string, string, []byte) {
		return asJSON("", api.SettleRequest{Volume: m.volume.ID, ID: cas.ID{1}, Take: "ours"})
	}, "unauthorized", "not_found", "forbidden", "not_found", "not_found", "not_found"},

	api.OpStatus:    reads((*matrix).ofVolume),
	api.OpSnapshot:  reads((*matrix).ofVolume),
	api.OpChanges:   reads((*matrix).ofVolume),
	api.OpConflicts: reads((*matrix).ofVolume),
	api.OpSnapshots: reads((*matrix).ofVolume),
	api.OpSessions:  reads((*matrix).ofVolume),
	api.OpEvents:    reads((*matrix).ofVolume),
	api.OpDownload:  reads((*matrix).ofFile),
	api.OpStat:      reads((*matrix).ofFile),
	api.OpAbortSession: {func(m *matrix, caller int) (string, string, []byte) {
		return "?session=" + m.session(caller).String(), "", nil
	}, "unauthorized", "forbidden", "forbidden", "forbidden", "", ""},
	api.OpBlobs: reads(func(m *matrix, _ int) (string, string, []byte) {
		return asMessage(m.t, (&api.BlobsRequest{Volume: m.volume.ID, Refs: []cas.Ref{m.blob.Ref()}}).Append(nil), nil)
	}),
	api.OpNodes: reads(func(m *matrix, _ int) (string, string, []byte) {
		return asMessage(m.t, (&api.NodesRequest{Volume: m.volume.ID, IDs: []cas.ID{merkle.EmptyRoot()}}).Append(nil), nil)
	}),
}

// matrix is a hub with a volume and callers of each kind.
type matrix struct {
	t      *testing.T
	hub    *hub.Hub
	url    string
	volume api.Volume
	code   api.Volume
	blob   cas.Blob
	tokens [callers]api.Secret
	who    [callers]*api.Caller
}

func newID() (id cas.VolumeID) {
	_, _ = rand.Read(id[:])
	return id
}

func newMatrix(t *testing.T, accounts bool) *matrix {
	h, err := hub.Open(t.TempDir(), hub.Options{Attempts: access.Unlimited()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	m := &matrix{t: t, hub: h, blob: chunk(1000, 7)}
	opts := server.Options{Feed: endedFeed(), Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })}
	if accounts {
		opts.Accounts = h
	}
	m.url = "http://" + serve(t, h, opts)
	m.volume, err = h.CreateVolume(t.Context(), "docs", newID())
	if err != nil {
		t.Fatal(err)
	}
	m.code, err = h.CreateVolume(t.Context(), "code", newID())
	if err != nil {
		t.Fatal(err)
	}
	start, err := h.Start(t.Context(), m.startRequest())
	if err == nil {
		err = h.Upload(t.Context(), start.Session, []cas.Blob{m.blob})
	}
	if err == nil {
		file, blobs := fileOf(t, []byte("content"), 7)
		_, err = h.Commit(t.Context(), api.CommitRequest{Session: start.Session, Key: newID(), Edits: []api.Edit{{Path: "f", New: file}}, Blobs: blobs})
	}
	if err != nil {
		t.Fatal(err)
	}
	for caller, grants := range map[int]api.Grants{
		revoked: {All: api.RightAdmin}, other: {Volumes: map[cas.VolumeID]api.Right{m.code.ID: api.RightWrite}},
		reader: m.grants(api.RightRead), writer: m.grants(api.RightWrite), admin: {All: api.RightAdmin},
	} {
		m.who[caller] = &api.Caller{Client: m.hireAs(grants, &m.tokens[caller]), Grants: grants}
	}
	m.tokens[garbage] = api.NewToken()
	if err := h.Revoke(t.Context(), m.who[revoked].Client); err != nil {
		t.Fatal(err)
	}
	return m
}

func (m *matrix) grants(r api.Right) api.Grants {
	return api.Grants{Volumes: map[cas.VolumeID]api.Right{m.volume.ID: r}}
}

func (m *matrix) joinKeyFor(grants api.Grants) api.Secret {
	key := api.NewJoinKey()
	if _, err := m.hub.Invite(m.t.Context(), api.InviteRequest{Key: key, Grants: grants, ExpiresIn: 60}); err != nil {
		m.t.Fatal(err)
	}
	return key
}

func (m *matrix) joinKey() api.Secret { return m.joinKeyFor(m.grants(api.RightRead)) }

// hireAs registers a client with a new token.
func (m *matrix) hireAs(grants api.Grants, token *api.Secret) api.ClientID {
	*token = api.NewToken()
	answer, err := m.hub.Register(m.t.Context(), api.RegisterRequest{Key: m.joinKeyFor(grants), Token: *token})
	if err != nil {
		m.t.Fatal(err)
	}
	return answer.Client
}

func (m *matrix) hire(grants api.Grants) api.ClientID {
	var token api.Secret
	return m.hireAs(grants, &token)
}

func (m *matrix) startRequest() api.StartRequest {
	return api.StartRequest{Protocol: api.ProtocolVersion, Replica: newID(), Volume: m.volume.ID, Run: newID(), Command: "push"}
}

// session starts a session as the caller, or as the writer where the caller cannot.
func (m *matrix) session(caller int) api.SessionID {
	if caller < reader {
		caller = writer
	}
	ctx := api.WithCaller(context.Background(), m.who[caller])
	answer, err := m.hub.Start(ctx, m.startRequest())
	if err != nil {
		m.t.Fatal(err)
	}
	return answer.Session
}

func (m *matrix) nothing(int) (query, contentType string, body []byte) { return "", "", nil }

func (m *matrix) ofVolume(int) (query, contentType string, body []byte) {
	return "?volume=" + m.volume.ID.String(), "", nil
}

func (m *matrix) ofFile(int) (query, contentType string, body []byte) {
	return "?path=f&volume=" + m.volume.ID.String(), "", nil
}

func asJSON(query string, v any) (string, string, []byte) {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return query, api.JSON, data
}

func asMessage(t *testing.T, msg []byte, err error) (query, contentType string, body []byte) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return "", api.Binary, api.AppendStream(nil, msg)
}

// ask makes a request and returns the code of the refusal, "" for none, with the body.
func (m *matrix) ask(caller int, method, target, contentType string, body []byte) (int, api.Code, string) {
	m.t.Helper()
	var header []string
	if m.tokens[caller] != "" {
		header = []string{"Authorization", "Bearer " + string(m.tokens[caller])}
	}
	resp, data := do(m.t, method, m.url+target, contentType, bytes.NewReader(body), header...)
	for _, token := range m.tokens {
		if token != "" && strings.Contains(string(data)+fmt.Sprint(resp.Header), string(token)) {
			m.t.Errorf("%s %s shows a token", method, target)
		}
	}
	if resp.StatusCode == http.StatusUnauthorized && resp.Header.Get("WWW-Authenticate") != "Bearer" {
		m.t.Errorf("%s %s: %v", method, target, resp.Header)
	}
	if len(resp.Header.Values("Set-Cookie")) > 0 {
		m.t.Errorf("%s %s sets a cookie", method, target)
	}
	var e api.Error
	if method == http.MethodHead { // whose refusals have no body
		e.Code = map[int]api.Code{http.StatusUnauthorized: "unauthorized", http.StatusForbidden: "forbidden", http.StatusNotFound: "not_found"}[resp.StatusCode]
	} else if resp.StatusCode != http.StatusOK && (json.Unmarshal(data, &e) != nil || e.Code.Status() != resp.StatusCode) {
		e.Code = api.Code(fmt.Sprintf("%s with %q", resp.Status, data))
	}
	return resp.StatusCode, e.Code, string(data)
}

// TestMatrix asks each route as each caller, on a hub with accounts and on an open one.
func TestMatrix(t *testing.T) {
	m, open := newMatrix(t, true), newMatrix(t, false)
	for n := range api.Ops() {
		op := api.Op(n)
		l, ok := lines[op]
		if !ok {
			t.Errorf("route %v has no line in the matrix", op)
			continue
		}
		route := op.Route()
		want := [callers]api.Code{l.stranger, l.stranger, l.stranger, l.other, l.reader, l.writer, l.admin}
		var texts [callers]string
		for caller, code := range want {
			query, contentType, body := l.request(m, caller)
			var got api.Code
			_, got, texts[caller] = m.ask(caller, route.Method, route.Path+query, contentType, body)
			if got != code {
				t.Errorf("%v, %s: %q, want %q", op, callerNames[caller], got, code)
			}
			query, contentType, body = l.request(open, caller)
			if _, got, _ := open.ask(caller, route.Method, route.Path+query, contentType, body); got != l.open {
				t.Errorf("%v, %s, open: %q, want %q", op, callerNames[caller], got, l.open)
			}
		}
		if l.stranger != "" && texts[garbage] != texts[revoked] {
			t.Errorf("%v: garbage %s, revoked %s", op, texts[garbage], texts[revoked])
		}
	}
}

// TestMatrixOfMethods asks the path of each route with the methods that it is not for.
func TestMatrixOfMethods(t *testing.T) {
	known := make(map[string]bool)
	for n := range api.Ops() {
		route := api.Op(n).Route()
		known[route.Method+route.Path] = true
	}
	for _, accounts := range []bool{true, false} {
		m := newMatrix(t, accounts)
		for n := range api.Ops() {
			path := api.Op(n).Route().Path
			for _, method := range []string{"GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "MKCOL"} {
				if known[method+path] {
					continue
				}
				for caller := range callers {
					if status, _, text := m.ask(caller, method, path, "", nil); status != http.StatusMethodNotAllowed {
						t.Errorf("%s %s, %s: %d %s", method, path, callerNames[caller], status, text)
					}
				}
			}
		}
	}
}

// TestTokenPlaces sends a valid token in ways that do not count.
func TestTokenPlaces(t *testing.T) {
	m := newMatrix(t, true)
	token := string(m.tokens[admin])
	for name, header := range map[string][]string{
		"Basic":      {"Authorization", "Basic " + token},
		"bare":       {"Authorization", token},
		"no token":   {"Authorization", "Bearer "},
		"two spaces": {"Authorization", "Bearer  " + token},
		"cookie":     {"Cookie", "token=" + token},
		"own header": {"X-Token", token},
	} {
		resp, data := do(t, "GET", m.url+"/api/hub", "", nil, header...)
		wantRefusal(t, name, resp, data, http.StatusUnauthorized, api.ErrUnauthorized)
	}
	resp, data := do(t, "GET", m.url+"/api/hub?access_token="+token, "", nil)
	wantRefusal(t, "in the URL", resp, data, http.StatusUnauthorized, api.ErrUnauthorized)
	resp, _ = do(t, "GET", m.url+"/api/hub", "", nil, "Authorization", "bearer "+token)
	if resp.StatusCode != http.StatusOK {
		t.Errorf("bearer: %s", resp.Status)
	}
}

// TestAttemptsAreLimited guesses a token until the hub answers no guess any more, but for those who need none.
func TestAttemptsAreLimited(t *testing.T) {
	h, err := hub.Open(t.TempDir(), hub.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	base := "http://" + serve(t, h, server.Options{Accounts: h})
	for range access.DefaultLimits().Address {
		resp, data := do(t, "GET", base+"/api/hub", "", nil, "Authorization", "Bearer guess")
		wantRefusal(t, "a guess", resp, data, http.StatusUnauthorized, api.ErrUnauthorized)
	}
	for _, path := range []string{"/api/hub", "/api/volumes"} {
		resp, data := do(t, "GET", base+path, "", nil, "Authorization", "Bearer guess")
		wantRefusal(t, "one more", resp, data, http.StatusTooManyRequests, api.ErrTooMany)
		if resp.Header.Get("Retry-After") != "10" {
			t.Errorf("it is to come back after %q", resp.Header.Get("Retry-After"))
		}
	}
	_, contentType, body := asJSON("", api.RegisterRequest{Key: api.NewJoinKey(), Token: api.NewToken()})
	resp, data := do(t, "POST", base+"/api/register", contentType, bytes.NewReader(body))
	wantRefusal(t, "a join key", resp, data, http.StatusTooManyRequests, api.ErrTooMany)
	if resp.Header.Get("Retry-After") != "10" {
		t.Errorf("a join key is to come back after %q", resp.Header.Get("Retry-After"))
	}
	token, _ := member(t, h, api.Grants{All: api.RightRead})
	if resp, data := do(t, "GET", base+"/api/hub", "", nil, "Authorization", "Bearer "+string(token)); resp.StatusCode != http.StatusOK {
		t.Errorf("a user: %s %s", resp.Status, data)
	}
	key := api.NewJoinKey()
	if _, err := h.Invite(t.Context(), api.InviteRequest{Key: key, Name: "late", Grants: api.Grants{All: api.RightRead}, ExpiresIn: 60}); err != nil {
		t.Fatal(err)
	}
	_, contentType, body = asJSON("", api.RegisterRequest{Key: key, Token: api.NewToken()})
	if resp, data := do(t, "POST", base+"/api/register", contentType, bytes.NewReader(body)); resp.StatusCode != http.StatusOK {
		t.Errorf("who was invited: %s %s", resp.Status, data)
	}
	if resp, _ := do(t, "GET", base+"/healthz", "", nil); resp.StatusCode != http.StatusOK {
		t.Errorf("health: %s", resp.Status)
	}
}

// TestHostsWithAccounts addresses a hub with accounts by other names, and from web pages.
func TestHostsWithAccounts(t *testing.T) {
	h := newMatrix(t, true).hub
	for _, c := range []struct {
		hosts  []string
		header []string
		kind   *api.Error
	}{
		{nil, []string{"Host", "hub.example"}, api.ErrUnauthorized},
		{[]string{"hub.example"}, []string{"Host", "hub.example:8420"}, api.ErrUnauthorized},
		{[]string{"hub.example"}, []string{"Host", "evil.example"}, api.ErrForbidden},
		{nil, []string{"Origin", "http://evil.example"}, api.ErrForbidden},
		{nil, []string{"Sec-Fetch-Site", "cross-site"}, api.ErrUnauthorized},
	} {
		base := "http://" + serve(t, h, server.Options{Accounts: h, Hosts: c.hosts})
		resp, data := do(t, "GET", base+"/api/hub", "", nil, c.header...)
		wantRefusal(t, fmt.Sprint(c.hosts, c.header), resp, data, c.kind.Code.Status(), c.kind)
	}
}
