package openapi_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"dfs/server/api"
	"dfs/server/openapi"
)

func document(t *testing.T) []byte {
	t.Helper()
	b, err := openapi.Document()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestComplete holds the document to the table: every operation is there, with its parameters
// described and its JSON bodies.
func TestComplete(t *testing.T) {
	var doc struct {
		Paths map[string]map[string]struct {
			OperationID string `json:"operationId"`
			Summary     string
			Parameters  []struct{ Name, In, Description string }
			RequestBody *struct {
				Content map[string]struct{ Schema json.RawMessage }
			}
			Responses map[string]struct {
				Ref     string `json:"$ref"`
				Content map[string]struct{ Schema json.RawMessage }
			}
			Security []map[string][]string
		}
	}
	if err := json.Unmarshal(document(t), &doc); err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	n := 0
	for op := range api.Op(api.Ops()) {
		route := op.Route()
		o, ok := doc.Paths[route.Path][strings.ToLower(route.Method)]
		if !ok || o.OperationID == "" || ids[o.OperationID] || o.Summary != route.Does {
			t.Errorf("%v: %+v", op, o)
		}
		ids[o.OperationID] = true
		n++
		described := map[string]bool{}
		for _, p := range o.Parameters {
			described[p.Name] = p.Description != ""
		}
		for _, name := range route.Query {
			if !described[name] {
				t.Errorf("%v: parameter %s is not described", op, name)
			}
		}
		if (o.RequestBody == nil) != (route.Takes == nil) {
			t.Errorf("%v: request body: %+v", op, o.RequestBody)
		}
		for _, kind := range route.Takes {
			if media, ok := o.RequestBody.Content[kind]; !ok || (media.Schema == nil) != (kind != api.JSON) {
				t.Errorf("%v: request %s: %s", op, kind, media.Schema)
			}
		}
		for _, kind := range route.Gives {
			media, ok := o.Responses["200"].Content[kind]
			if ok == (route.Method == "HEAD") || ok && (media.Schema == nil) != (kind != api.JSON) {
				t.Errorf("%v: answer %s: %s", op, kind, media.Schema)
			}
		}
		if o.Responses["default"].Ref == "" || (len(o.Security) == 0) != (route.Needs == api.NeedsNothing) {
			t.Errorf("%v: %+v", op, o)
		}
	}
	for path, methods := range doc.Paths {
		n -= len(methods)
		if n < 0 {
			t.Errorf("%s: more operations than the table has", path)
		}
	}
}

func TestDocumentIsStable(t *testing.T) {
	if !bytes.Equal(document(t), document(t)) {
		t.Error("two documents differ")
	}
}

// TestWhatMustBeGiven: a parameter is required where a hub refuses a request without it.
func TestWhatMustBeGiven(t *testing.T) {
	var doc struct {
		Paths map[string]map[string]struct {
			Parameters []struct {
				Name     string
				Required bool
			}
		}
	}
	if err := json.Unmarshal(document(t), &doc); err != nil {
		t.Fatal(err)
	}
	required := map[string]bool{
		"volume of download": true, "path of download": true, "volume of stat": true, "path of stat": true, "volume of changes": true,
		"volume of status": true, "volume of snapshot": true, "volume of snapshots": true, "volume of conflicts": true,
		"session of upload": true, "session of abort session": true, "id of revoke": true,
	}
	for op := range api.Op(api.Ops()) {
		route := op.Route()
		for _, p := range doc.Paths[route.Path][strings.ToLower(route.Method)].Parameters {
			if name := p.Name + " of " + route.Name; p.Required != required[name] {
				t.Errorf("%s: required %v", name, p.Required)
			}
		}
	}
}
