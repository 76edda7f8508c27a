package server_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"dfs/cas"
	"dfs/manifest"
	"dfs/server"
	"dfs/server/access"
	"dfs/server/api"
	"dfs/server/component/feed"
	"dfs/server/hub"
)

// contract is a hub over HTTP, each of whose answers is held to its own OpenAPI document.
type contract struct {
	t        *testing.T
	base     string
	token    api.Secret // of the hub's administrator
	compiler *jsonschema.Compiler
	asked    map[api.Op]bool
}

const documentURL = "http://hub/openapi.json"

// newContract opens a hub with accounts.
func newContract(t *testing.T) *contract {
	t.Helper()
	h, err := hub.Open(t.TempDir(), hub.Options{Attempts: access.Unlimited()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	c := &contract{t: t, compiler: jsonschema.NewCompiler(), asked: map[api.Op]bool{}}
	if c.token, _, _, err = h.Found(); err != nil {
		t.Fatal(err)
	}
	metrics := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Type", api.PlainText) })
	c.base = "http://" + serve(t, h, server.Options{Accounts: h, Feed: feed.New(16), Metrics: metrics})
	_, data := c.do("GET", "/api/openapi.json", "", nil)
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	c.compiler.DefaultDraft(jsonschema.Draft2020)
	c.compiler.AssertFormat()
	closed(document)
	if err := c.compiler.AddResource(documentURL, document); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *contract) do(method, path, contentType string, body io.Reader) (*http.Response, []byte) {
	c.t.Helper()
	return do(c.t, method, c.base+path, contentType, body, "Authorization", "Bearer "+string(c.token))
}

// closed has every object of the document's schemas take no more than its properties, so that
// a field that is not described is found.
func closed(v any) {
	switch v := v.(type) {
	case map[string]any:
		if _, ok := v["properties"]; ok && v["type"] == "object" && v["additionalProperties"] == nil {
			v["additionalProperties"] = false
		}
		for _, part := range v {
			closed(part)
		}
	case []any:
		for _, part := range v {
			closed(part)
		}
	}
}

// check holds JSON to the schema at a place in the document.
func (c *contract) check(what string, data []byte, place ...string) {
	c.t.Helper()
	pointer := ""
	for _, token := range place {
		pointer += "/" + url.PathEscape(strings.NewReplacer("~", "~0", "/", "~1").Replace(token))
	}
	schema, err := c.compiler.Compile(documentURL + "#" + pointer)
	if err != nil {
		c.t.Errorf("%s: %v", what, err)
		return
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err == nil {
		err = schema.Validate(value)
	}
	if err != nil {
		c.t.Errorf("%s: %s\n%v", what, data, err)
	}
}

// ask makes a request, which must be as the document says, as its answer must. Where the answer
// is JSON it is read into out.
func (c *contract) ask(op api.Op, query, contentType, body string, out any) {
	c.t.Helper()
	c.asked[op] = true
	route := op.Route()
	at := []string{"paths", route.Path, strings.ToLower(route.Method)}
	if contentType == api.JSON {
		c.check(op.String()+": request", []byte(body), append(at, "requestBody", "content", api.JSON, "schema")...)
	}
	var r io.Reader
	if contentType != "" {
		r = strings.NewReader(body)
	}
	resp, data := c.do(route.Method, route.Path+query, contentType, r)
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != route.Gives[0] {
		c.t.Fatalf("%v%s: %s %q %s", op, query, resp.Status, resp.Header.Get("Content-Type"), data)
	}
	if route.Gives[0] != api.JSON {
		return
	}
	c.check(op.String()+": answer", data, append(at, "responses", "200", "content", api.JSON, "schema")...)
	if out == nil {
		return
	}
	if err := json.Unmarshal(data, out); err != nil {
		c.t.Fatal(err)
	}
}

// refused makes a request that is refused.
func (c *contract) refused(op api.Op) {
	c.t.Helper()
	route := op.Route()
	for status, token := range map[int]api.Secret{http.StatusBadRequest: c.token, http.StatusUnauthorized: "dfs_token_"} {
		if status == http.StatusUnauthorized && route.Needs == api.NeedsNothing {
			continue
		}
		resp, data := do(c.t, route.Method, c.base+route.Path+"?unknown=1", "", nil, "Authorization", "Bearer "+string(token))
		if resp.StatusCode != status {
			c.t.Errorf("%v: %s", op, resp.Status)
		}
		if route.Method != http.MethodHead {
			c.refusal(op.String(), data)
		}
	}
}

// refusal holds the body of a refusal to what the document says of all.
func (c *contract) refusal(what string, data []byte) {
	c.t.Helper()
	c.check(what+": refusal", data, "components", "responses", "Refusal", "content", api.JSON, "schema")
}

// stream begins an answer that does not end.
func (c *contract) stream(op api.Op) {
	c.t.Helper()
	c.asked[op] = true
	route := op.Route()
	req, err := http.NewRequestWithContext(c.t.Context(), route.Method, c.base+route.Path, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+string(c.token))
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != route.Gives[0] {
		c.t.Errorf("%v: %s %v", op, resp.Status, resp.Header)
	}
}

// accounts asks by the routes of accounts.
func (c *contract) accounts() {
	c.t.Helper()
	key := api.NewJoinKey()
	c.ask(api.OpInvite, "", api.JSON, fmt.Sprintf(`{"key":%q,"name":"n","grants":{"all":"none","volumes":{%q:"read"}},"expires_in":60}`,
		string(key), cas.VolumeID{1}), nil)
	var client api.Registered
	c.ask(api.OpRegister, "", api.JSON, fmt.Sprintf(`{"key":%q,"token":%q,"name":"c"}`, string(key), string(api.NewToken())), &client)
	c.ask(api.OpRotateToken, "", api.JSON, fmt.Sprintf(`{"client":%q,"token":%q}`, client.Client, string(api.NewToken())), nil)
	c.ask(api.OpInvites, "", "", "", nil)
	c.ask(api.OpTokens, "", "", "", nil)
	c.ask(api.OpRevoke, "?id="+client.Client.String(), "", "", nil)
}

// TestAnswersAreAsDescribed asks a hub by every route, with and without success.
func TestAnswersAreAsDescribed(t *testing.T) {
	c := newContract(t)
	v, q := cas.VolumeID{1}, "?volume="+cas.VolumeID{1}.String()
	for _, op := range []api.Op{api.OpHealth, api.OpReady, api.OpInfo, api.OpVolumes, api.OpOpenAPI, api.OpSessions, api.OpMetrics} {
		c.ask(op, "", "", "", nil)
	}
	c.stream(api.OpEvents)
	c.accounts()
	c.ask(api.OpCreateVolume, "", api.JSON, fmt.Sprintf(`{"name":"docs","id":%q}`, v), nil)
	c.ask(api.OpVolumes, "?name=docs", "", "", nil)
	start := func(replica byte) (s api.StartAnswer) {
		c.ask(api.OpStart, "", api.JSON, fmt.Sprintf(`{"protocol":1,"replica":%q,"volume":%q,"run":%q,"client":"c","command":"push","seen":"","seen_seq":0}`,
			cas.VolumeID{replica}, v, cas.VolumeID{replica, 1}), &s)
		return s
	}
	first := start(2)
	blob := cas.Seal(cas.Chunk, []byte("content"))
	c.ask(api.OpUpload, "?session="+first.Session.String(), api.Binary, string(frames(blob)), nil)
	c.ask(api.OpDiff, "", api.JSON, fmt.Sprintf(`{"session":%q,"part":0,"edits":%s,"ask":[{"kind":"chunk","id":%q}]}`,
		first.Session, editsJSON(t, fileOfBlob(blob)), cas.ID{9}), nil)
	c.ask(api.OpStatus, q, "", "", nil)
	c.ask(api.OpSessions, q, "", "", nil)
	c.ask(api.OpCommit, "", api.JSON, fmt.Sprintf(`{"session":%q,"key":%q,"parts":1,"edits":[],"seen":"","expect":"","message":"m"}`, first.Session, cas.VolumeID{4}), nil)
	second := start(3)
	link := &manifest.Manifest{Kind: manifest.Symlink, Mode: 0o777, Target: "\xff"}
	var commit struct{ Conflicts []struct{ ID string } }
	c.ask(api.OpCommit, "", api.JSON, fmt.Sprintf(`{"session":%q,"key":%q,"edits":%s}`, second.Session, cas.VolumeID{5}, editsJSON(t, link)), &commit)
	if len(commit.Conflicts) != 2 {
		t.Fatalf("%+v", commit)
	}
	c.ask(api.OpChanges, q, "", "", nil)
	c.ask(api.OpChanges, q+"&skip=9", "", "", nil)
	c.ask(api.OpSnapshot, q, "", "", nil)
	c.ask(api.OpSnapshots, q, "", "", nil)
	c.ask(api.OpSnapshots, q+"&limit=1", "", "", nil)
	c.ask(api.OpDownload, q+"&path=a", "", "", nil)
	c.ask(api.OpStat, q+"&path=a", "", "", nil)
	c.ask(api.OpConflicts, q, "", "", nil)
	c.ask(api.OpSettle, "", api.JSON, fmt.Sprintf(`{"volume":%q,"id":%q,"take":"ours","theirs":%q}`, v, commit.Conflicts[0].ID, fileOfBlob(blob).Hash()), nil)
	c.ask(api.OpConflicts, q+"&all=true", "", "", nil)
	third := start(5)
	c.ask(api.OpSetQuota, "", api.JSON, fmt.Sprintf(`{"volume":%q,"bytes":1000000,"files":0}`, v), nil)
	c.ask(api.OpQuotas, "", "", "", nil)
	c.ask(api.OpOverview, "", "", "", nil)
	c.ask(api.OpReport, "", api.JSON, fmt.Sprintf(`{"session":%q,"state":"APPLYING_CHANGES"}`, third.Session), nil)
	c.ask(api.OpStatus, q, "", "", nil)
	c.ask(api.OpAbortSession, "?session="+third.Session.String(), "", "", nil)
	c.ask(api.OpBlobs, "", api.Binary, string(api.AppendStream(nil, (&api.BlobsRequest{Volume: v, Refs: []cas.Ref{blob.Ref()}}).Append(nil))), nil)
	c.ask(api.OpNodes, "", api.Binary, string(api.AppendStream(nil, (&api.NodesRequest{Volume: v}).Append(nil))), nil)
	for op := range api.Op(api.Ops()) {
		if !c.asked[op] {
			t.Errorf("no answer of %v was looked at", op)
		}
		c.refused(op)
	}
	// One with a list of blobs.
	last := start(6)
	gone := fileOfBlob(cas.Seal(cas.Chunk, []byte("never sent")))
	resp, data := c.do("POST", "/api/sync/commit", api.JSON, strings.NewReader(
		fmt.Sprintf(`{"session":%q,"key":%q,"edits":%s}`, last.Session, cas.VolumeID{6}, editsJSON(t, gone))))
	wantRefusal(t, "blobs are missing", resp, data, 422, api.ErrIncomplete)
	c.refusal("incomplete", data)
}

// fileOfBlob is a file of one chunk.
func fileOfBlob(b cas.Blob) *manifest.Manifest {
	return &manifest.Manifest{Kind: manifest.File, Mode: 0o644, Profile: 1, Size: uint64(b.Size()),
		Runs: []manifest.Run{{ID: b.ID(), Size: uint32(b.Size()), Count: 1}}}
}

// editsJSON makes the path a and one that is not UTF-8 be m.
func editsJSON(t *testing.T, m *manifest.Manifest) string {
	t.Helper()
	b, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	canonical := base64.StdEncoding.EncodeToString(b)
	return fmt.Sprintf(`[{"path":"a","base":"","new":{"canonical":%q}},{"path":{"bytes":"/w=="},"base":"","new":{"canonical":%q}}]`, canonical, canonical)
}
