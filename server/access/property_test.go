package access_test

import (
	"context"
	"errors"
	"testing"

	"pgregory.net/rapid"

	"dfs/server/access"
	"dfs/server/api"
)

// TestTokens issues, rotates, revokes and reopens at random: at any time those tokens let in
// that were given out and neither rotated nor revoked, and no other ever again.
func TestTokens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		store := new(memory)
		opts := access.Options{Limits: access.Unlimited()}
		r, err := access.Open(store, opts)
		if err != nil {
			t.Fatal(err)
		}
		live := make(map[api.ClientID]api.Secret)
		var clients []api.ClientID
		var dead []api.Secret
		ctx := context.Background()
		pick := func(t *rapid.T) api.ClientID {
			if len(clients) == 0 {
				t.Skip("no client")
			}
			return rapid.SampledFrom(clients).Draw(t, "client")
		}
		t.Repeat(map[string]func(*rapid.T){
			"register": func(t *rapid.T) {
				key, token := api.NewJoinKey(), api.NewToken()
				if _, err := r.Invite(ctx, api.InviteRequest{Key: key, Grants: api.Grants{All: api.RightRead}, ExpiresIn: 60}); err != nil {
					t.Fatal(err)
				}
				var answer api.Registered
				for range rapid.IntRange(1, 3).Draw(t, "times") {
					if answer, _, err = r.Register(api.RegisterRequest{Key: key, Token: token}); err != nil {
						t.Fatal(err)
					}
				}
				live[answer.Client] = token
				clients = append(clients, answer.Client)
			},
			"rotate": func(t *rapid.T) {
				client, token := pick(t), api.NewToken()
				for range rapid.IntRange(1, 3).Draw(t, "times") {
					_, err := r.RotateToken(ctx, api.RotateRequest{Client: client, Token: token})
					if _, ok := live[client]; ok != (err == nil) {
						t.Fatalf("rotate: %v", err)
					}
				}
				if old, ok := live[client]; ok {
					live[client], dead = token, append(dead, old)
				}
			},
			"give out a dead token again": func(t *rapid.T) {
				if len(dead) == 0 {
					t.Skip("none is dead")
				}
				client, token := pick(t), rapid.SampledFrom(dead).Draw(t, "token")
				if _, err := r.RotateToken(ctx, api.RotateRequest{Client: client, Token: token}); err == nil {
					t.Fatal("a dead token is given out again")
				}
			},
			"revoke": func(t *rapid.T) {
				client := pick(t)
				if err := r.Revoke(ctx, client); err != nil {
					t.Fatal(err)
				}
				if token, ok := live[client]; ok {
					delete(live, client)
					dead = append(dead, token)
				}
			},
			"reopen": func(t *rapid.T) {
				if r, err = access.Open(store, opts); err != nil {
					t.Fatal(err)
				}
			},
			"": func(t *rapid.T) {
				for _, token := range live {
					if !works(r, token) {
						t.Fatal("a live token does not let in")
					}
				}
				for _, token := range dead {
					if _, _, err := r.Authenticate(ctx, token, here); !errors.Is(err, api.ErrUnauthorized) {
						t.Fatalf("a dead token: %v", err)
					}
				}
				if n := len(r.Tokens(ctx)); n != len(live)+len(dead) {
					t.Fatalf("%d tokens are listed, not %d and %d", n, len(live), len(dead))
				}
			},
		})
	})
}
