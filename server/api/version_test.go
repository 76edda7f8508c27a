package api_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"dfs/server/api"
)

func TestVersionError(t *testing.T) {
	for _, c := range []struct {
		client, hub int
		says        string
	}{{2, 1, "side of the hub"}, {1, 2, "side of the client"}} {
		err := api.VersionError(c.client, c.hub)
		if !errors.Is(err, api.ErrVersion) || !strings.Contains(err.Message, "protocol 2") || !strings.Contains(err.Message, "protocol 1") ||
			!strings.HasSuffix(err.Message, c.says) {
			t.Errorf("%d and %d: %v", c.client, c.hub, err)
		}
	}
}

func TestProtocolOf(t *testing.T) {
	for text, want := range map[string]int{"": api.ProtocolVersion, "1": 1, "7": 7, "0": 0, "-1": 0, "x": 0, "1.1": 0} {
		got, err := api.ProtocolOf(http.Header{api.HeaderProtocol: {text}})
		if got != want || (want == 0) != errors.Is(err, api.ErrVersion) {
			t.Errorf("%q: %d, %v", text, got, err)
		}
	}
}
