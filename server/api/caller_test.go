package api_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"dfs/cas"
	"dfs/server/api"
)

func TestGrants(t *testing.T) {
	docs, code, other := cas.VolumeID{1}, cas.VolumeID{2}, cas.VolumeID{3}
	some := api.Grants{Volumes: map[cas.VolumeID]api.Right{docs: api.RightRead, code: api.RightWrite}}
	all := api.Grants{All: api.RightWrite}
	for _, c := range []struct {
		caller *api.Caller
		volume cas.VolumeID
		right  api.Right
		may    bool
	}{
		{nil, docs, api.RightAdmin, true},
		{&api.Caller{}, docs, api.RightRead, false},
		{&api.Caller{Grants: some}, docs, api.RightRead, true},
		{&api.Caller{Grants: some}, docs, api.RightWrite, false},
		{&api.Caller{Grants: some}, code, api.RightRead, true},
		{&api.Caller{Grants: some}, other, api.RightRead, false},
		{&api.Caller{Grants: all}, other, api.RightWrite, true},
		{&api.Caller{Grants: all}, other, api.RightAdmin, false},
	} {
		if got := c.caller.May(c.volume, c.right); got != c.may {
			t.Errorf("%+v: May(%v, %v) = %v", c.caller, c.volume, c.right, got)
		}
	}
	if !all.Covers(some) || some.Covers(all) || !some.Covers(some) || some.Covers(api.Grants{Volumes: map[cas.VolumeID]api.Right{other: api.RightRead}}) {
		t.Error("Covers is wrong")
	}
	if some.Highest() != api.RightWrite || (api.Grants{}).Highest() != api.RightNone {
		t.Error("Highest is wrong")
	}
}

func TestMeets(t *testing.T) {
	reader := &api.Caller{Grants: api.Grants{Volumes: map[cas.VolumeID]api.Right{{1}: api.RightRead}}}
	for need, want := range map[api.Need][3]bool{ // nil, none, reader
		api.NeedsNothing: {true, true, true},
		api.NeedsToken:   {true, true, true},
		api.NeedsRead:    {true, false, true},
		api.NeedsWrite:   {true, false, false},
		api.NeedsAdmin:   {true, false, false},
	} {
		var none *api.Caller
		if got := [3]bool{none.Meets(need), (&api.Caller{}).Meets(need), reader.Meets(need)}; got != want {
			t.Errorf("need %d: %v, want %v", need, got, want)
		}
	}
}

func TestRightText(t *testing.T) {
	for r := api.RightNone; r <= api.RightAdmin; r++ {
		if back, err := api.ParseRight(r.String()); err != nil || back != r {
			t.Errorf("%v: %v, %v", r, back, err)
		}
	}
	if _, err := api.ParseRight("owner"); err == nil {
		t.Error("owner is a right")
	}
	data, err := json.Marshal(api.Grants{All: api.RightRead, Volumes: map[cas.VolumeID]api.Right{{1}: api.RightAdmin}})
	if want := `{"all":"read","volumes":{"01000000000000000000000000000000":"admin"}}`; err != nil || string(data) != want {
		t.Errorf("%s, %v", data, err)
	}
}

// TestSecretHidden formats and logs a secret, alone and in a struct: it does not show.
func TestSecretHidden(t *testing.T) {
	token := api.NewToken()
	if !token.IsToken() || token.IsJoinKey() || !api.NewJoinKey().IsJoinKey() {
		t.Fatal("a secret does not have its form")
	}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		fmt.Fprintf(&out, verb+verb, token, api.RegisterRequest{Token: token})
	}
	slog.New(slog.NewTextHandler(&out, nil)).Info("register", "token", token, "request", api.RegisterRequest{Token: token})
	slog.New(slog.NewJSONHandler(&out, nil)).Info("register", "token", token, "text", fmt.Sprint(token))
	digits := strings.TrimPrefix(string(token), "dfs_token_")
	if strings.Contains(out.String(), digits) || strings.Contains(out.String(), fmt.Sprintf("%x", digits)) {
		t.Errorf("the secret shows: %s", &out)
	}
}
