package server_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"dfs/cas"
	"dfs/server"
	"dfs/server/api"
)

// unready is a hub that would not take a push.
type unready struct {
	api.Hub
	err error
}

func (u unready) Ready(context.Context) error { return u.err }

func TestReadyz(t *testing.T) {
	secret := "/srv/secret"
	for _, c := range []struct {
		err  error
		kind *api.Error
	}{
		{fmt.Errorf("store %s: %w", secret, cas.ErrNoSpace), api.ErrNoSpace},
		{fmt.Errorf("store %s: %w", secret, cas.ErrPoisoned), api.ErrPoisoned},
		{api.ErrBusy, api.ErrBusy},
		{errors.New(secret), api.ErrInternal},
	} {
		base := "http://" + serve(t, unready{err: c.err}, server.Options{})
		resp, data := do(t, "GET", base+"/readyz", "", nil)
		wantRefusal(t, c.err.Error(), resp, data, 503, c.kind)
		if strings.Contains(string(data), secret) {
			t.Errorf("a stranger is told: %s", data)
		}
		if resp, data = do(t, "GET", base+"/healthz", "", nil); resp.StatusCode != 200 {
			t.Errorf("health of %v: %s %s", c.err, resp.Status, data)
		}
	}
	if resp, data := do(t, "GET", "http://"+serve(t, unready{}, server.Options{})+"/readyz", "", nil); resp.StatusCode != 200 || string(data) != "{}\n" {
		t.Errorf("%s %s", resp.Status, data)
	}
}
