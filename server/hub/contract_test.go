package hub_test

import (
	"context"
	"testing"

	"dfs/server/access"
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

// TestAccess runs the contract of accounts in process.
func TestAccess(t *testing.T) {
	hubtest.TestAccess(t, func(t *testing.T) (api.Secret, hubtest.As) {
		h, err := hub.Open(t.TempDir(), hub.Options{Attempts: access.Unlimited()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := h.Close(); err != nil {
				t.Error(err)
			}
		})
		admin, _, _, err := h.Found()
		if err != nil {
			t.Fatal(err)
		}
		return admin, func(t *testing.T, token api.Secret) (context.Context, hubtest.Managed, error) {
			if token == "" {
				return api.WithCaller(t.Context(), &api.Caller{}), h, nil
			}
			ctx, release, err := h.Authenticate(t.Context(), token, "")
			if err == nil {
				t.Cleanup(release)
			}
			return ctx, h, err
		}
	})
}
