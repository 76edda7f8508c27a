package server_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"dfs/server"
	"dfs/server/api"
	"dfs/server/openapi"
)

// secrets are what a server neither logs nor sends.
var secrets = regexp.MustCompile(`dfs_(token|join)_[0-9a-f]{64}`)

// secretsFound is a log that only remembers whether there was a secret in it.
type secretsFound struct{ atomic.Bool }

func (s *secretsFound) Write(p []byte) (int, error) {
	if secrets.Match(p) {
		s.Store(true)
	}
	return len(p), nil
}

// logged is a log in memory.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// taken returns what was logged since the last call.
func (l *logged) taken() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.text.Reset()
	return l.text.String()
}

// misplaced is a request that has a secret where none belongs.
type misplaced struct {
	op           api.Op
	what, method string
	target       string
	body         []byte
}

// misplacedIn returns requests of an operation with the secret in its path, in each parameter of its query, and
// in each field of its JSON body, as one, and as a field's name.
func misplacedIn(t *testing.T, m *matrix, op api.Op, secret string) (all []misplaced) {
	route := op.Route()
	add := func(what, target string, body []byte) {
		all = append(all, misplaced{op, what, route.Method, target, body})
	}
	query, contentType, body := lines[op].request(m, admin)
	add("path", route.Path+"/"+secret, nil)
	add("coded path", route.Path+"/"+strings.Replace(secret, "_", "%5F", 1), nil)
	add("parameter", route.Path+"?"+secret, nil)
	for _, name := range route.Query {
		rest := regexp.MustCompile("[?&]"+name+"=[^&]*").ReplaceAllString(query, "")
		add("parameter "+name, route.Path+"?"+name+"="+secret+strings.Replace(rest, "?", "&", 1), nil)
	}
	fields := map[string]any{}
	if contentType == api.JSON {
		if err := json.Unmarshal(body, &fields); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range append(bodyFields(t, route), secret) {
		for _, value := range []any{secret, []any{secret}, map[string]any{secret: secret}} {
			with := map[string]any{name: value}
			for other, v := range fields {
				if other != name {
					with[other] = v
				}
			}
			data, err := json.Marshal(with)
			if err != nil {
				t.Fatal(err)
			}
			add("field "+name, route.Path+query, data)
		}
	}
	return all
}

// bodyFields returns the fields of a route's JSON body, as the OpenAPI document has them.
func bodyFields(t *testing.T, route api.Route) (names []string) {
	document, err := openapi.Document()
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]any
	if err := json.Unmarshal(document, &all); err != nil {
		t.Fatal(err)
	}
	at := func(v any, path ...string) any {
		for _, name := range path {
			in, _ := v.(map[string]any)
			v = in[name]
		}
		return v
	}
	schema := at(all, "paths", route.Path, strings.ToLower(route.Method), "requestBody", "content", api.JSON, "schema")
	if ref, ok := at(schema, "$ref").(string); ok {
		schema = at(all, strings.Split(strings.TrimPrefix(ref, "#/"), "/")...)
	}
	properties, _ := at(schema, "properties").(map[string]any)
	for name := range properties {
		names = append(names, name)
	}
	return names
}

// TestMisplacedSecrets sends secrets, and what is shorter or longer than one, where none belong, to each route: nothing of
// them is in an answer or in the log.
func TestMisplacedSecrets(t *testing.T) {
	m := newMatrix(t, true)
	log := new(logged)
	base := "http://" + serve(t, m.hub, server.Options{Accounts: m.hub, Feed: endedFeed(), Metrics: http.NotFoundHandler(),
		Log: slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	fields := 0
	for n := range api.Ops() {
		for _, secret := range []string{string(api.NewToken()), string(api.NewJoinKey()), string(api.NewToken())[:40], string(api.NewToken()) + "abc"} {
			digits := secret[len("dfs_token_"):][:20]
			for _, r := range misplacedIn(t, m, api.Op(n), secret) {
				fields += strings.Count(r.what, "field")
				contentType := ""
				if r.body != nil && r.op.Route().Takes != nil {
					contentType = api.JSON
				}
				resp, data := do(t, r.method, base+r.target, contentType, bytes.NewReader(r.body), "Authorization", "Bearer "+string(m.tokens[admin]), "Dfs-Request", secret)
				if answer := string(data); strings.Contains(answer, digits) {
					t.Errorf("%v, %s: the answer %s shows it: %s", r.op, r.what, resp.Status, answer)
				}
				for _, values := range resp.Header {
					if strings.Contains(strings.Join(values, " "), digits) {
						t.Errorf("%v, %s: the header shows it", r.op, r.what)
					}
				}
				if text := log.taken(); strings.Contains(text, digits) {
					t.Errorf("%v, %s: the log shows it: %s", r.op, r.what, text)
				}
			}
		}
	}
	if fields < 100 {
		t.Errorf("%d fields of bodies were tried", fields)
	}
}
