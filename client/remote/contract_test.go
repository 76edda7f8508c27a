package remote_test

import (
	"context"
	"net"
	"net/http"
	"testing"

	"dfs/client/remote"
	"dfs/server"
	"dfs/server/access"
	"dfs/server/api"
	"dfs/server/api/hubtest"
	"dfs/server/hub"
)

// TestContract runs the contract over real sockets.
func TestContract(t *testing.T) {
	hubtest.TestHub(t, func(t *testing.T) api.Hub {
		return dial(t, serve(t, server.New(openHub(t), server.Options{})), remote.Options{})
	})
}

// TestAccess runs the contract of accounts over real sockets.
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
		url := serve(t, server.New(h, server.Options{Accounts: h}))
		return admin, func(t *testing.T, token api.Secret) (context.Context, hubtest.Managed, error) {
			r, err := remote.New(url, remote.Options{Token: token})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { r.Close() })
			return t.Context(), r, nil
		}
	})
}

// openHub opens a hub for the time of the test.
func openHub(t testing.TB) *hub.Hub {
	t.Helper()
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
}

// serve serves on the loopback for the time of the test and returns the URL.
func serve(t testing.TB, handler http.Handler) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, ln, handler, nil) }()
	t.Cleanup(func() {
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return "http://" + ln.Addr().String()
}

// greet returns the hub at the URL once it has answered.
func greet(ctx context.Context, url string, opts remote.Options) (*remote.Hub, error) {
	h, err := remote.New(url, opts)
	if err != nil {
		return nil, err
	}
	if _, err = h.Info(ctx, ""); err != nil {
		h.Close()
	}
	return h, err
}

// dial returns the hub at the URL for the time of the test.
func dial(t testing.TB, url string, opts remote.Options) *remote.Hub {
	t.Helper()
	h, err := greet(context.Background(), url, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}
