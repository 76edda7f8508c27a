package hub_test

import (
	"testing"

	"dfs/server/api"
	"dfs/server/api/hubtest"
	"dfs/server/hub"
)

func TestContract(t *testing.T) {
	hubtest.TestHub(t, func(t *testing.T) api.Hub {
		h, err := hub.Open(t.TempDir(), hub.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := h.Close(); err != nil {
				t.Error(err)
			}
		})
		return h
	})
}
