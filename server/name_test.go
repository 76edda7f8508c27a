package server_test

import (
	"strings"
	"testing"

	"dfs/server"
	"dfs/server/api"
)

// TestAnswersNameTheirRequests looks for the name of a request in its answer, be that a refusal.
func TestAnswersNameTheirRequests(t *testing.T) {
	url := "http://" + serve(t, &double{}, server.Options{})
	for name, want := range map[string]string{
		"": "", "17": "17", strings.Repeat("n", api.MaxRequestName): strings.Repeat("n", api.MaxRequestName), strings.Repeat("n", api.MaxRequestName+1): "",
	} {
		for _, path := range []string{"/healthz", "/no/such/route"} {
			resp, _ := do(t, "GET", url+path, "", nil, api.HeaderRequest, name)
			if got := resp.Header.Get(api.HeaderRequest); got != want {
				t.Errorf("%s: request %q has an answer to %q", path, name, got)
			}
		}
	}
}
