package hubtest

import (
	"context"
	"testing"
	"time"

	"dfs/cas"
	"dfs/server/api"
)

// A Managed hub is one with accounts.
type Managed interface {
	api.Hub
	api.Admin
}

// As returns a hub as the client with the token has it, and the context of its calls. The empty
// token is a stranger's. The error is that of a token that is not valid, unless calls give it.
type As func(t *testing.T, token api.Secret) (context.Context, Managed, error)

// TestAccess runs the contract of [api.Admin] and of what a caller may see. Open returns a hub
// without volumes, which the test's cleanup closes, and the token of its administrator.
// It must not limit failed attempts.
func TestAccess(t *testing.T, open func(t *testing.T) (admin api.Secret, as As)) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, *company)
	}{
		{"register", testRegister},
		{"rotate", testRotate},
		{"revoke", testRevoke},
		{"revoke while it waits", testRevokeWaiting},
		{"only administrators administer", testAdministrators},
		{"rights", testRights},
		{"new volumes", testNewVolumes},
		{"absent and not yours", testAbsentOrNotYours},
		{"sessions of others", testOthersSessions},
		{"replicas of others", testReplicasOfOthers},
		{"blobs of volumes that the caller reads", testReadableBlobs},
		{"history stays", testHistoryStays},
		{"quotas of others", testOthersQuotas},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			admin, as := open(t)
			c := &company{as: as}
			c.admin = c.member(t, admin)
			test.run(t, c)
		})
	}
}

// company is a hub with clients.
type company struct {
	as    As
	admin *fixture
}

// member returns the hub as the client with the token has it.
func (c *company) member(t *testing.T, token api.Secret) *fixture {
	t.Helper()
	ctx, hub, err := c.as(t, token)
	must(t, err)
	return &fixture{Hub: hub, ctx: ctx, admin: hub}
}

// works makes a call with the token, and returns its error.
func (c *company) works(t *testing.T, token api.Secret) error {
	ctx, hub, err := c.as(t, token)
	if err == nil {
		_, err = hub.Info(ctx, "")
	}
	return err
}

// hire registers a client with the rights and returns it with its token.
func (c *company) hire(t *testing.T, grants api.Grants) (*fixture, api.Secret, api.Registered) {
	t.Helper()
	key, token := api.NewJoinKey(), api.NewToken()
	_, err := c.admin.admin.Invite(c.admin.ctx, api.InviteRequest{Key: key, Name: "member", Grants: grants, ExpiresIn: 60})
	must(t, err)
	stranger := c.stranger(t)
	answer, err := stranger.admin.Register(stranger.ctx, api.RegisterRequest{Key: key, Token: token})
	must(t, err)
	return c.member(t, token), token, answer
}

// stranger returns the hub as who has no token has it.
func (c *company) stranger(t *testing.T) *fixture {
	t.Helper()
	return c.member(t, "")
}

// volume makes a volume.
func (c *company) volume(t *testing.T, name string) api.Volume {
	t.Helper()
	v, err := c.admin.CreateVolume(c.admin.ctx, name, random())
	must(t, err)
	return v
}

// at returns the fixture for a volume.
func (f *fixture) at(v api.Volume) *fixture {
	return &fixture{Hub: f.Hub, ctx: f.ctx, admin: f.admin, volume: v}
}

func only(v api.Volume, r api.Right) api.Grants {
	return api.Grants{Volumes: map[cas.VolumeID]api.Right{v.ID: r}}
}

func testRegister(t *testing.T, c *company) {
	docs := c.volume(t, "docs")
	key, token := api.NewJoinKey(), api.NewToken()
	req := api.InviteRequest{Key: key, Name: "ann", Grants: only(docs, api.RightWrite), ExpiresIn: 60}
	invite, err := c.admin.admin.Invite(c.admin.ctx, req)
	must(t, err)
	again, err := c.admin.admin.Invite(c.admin.ctx, req)
	must(t, err)
	equal(t, "invite again", again, invite)
	if invite.Name != "ann" || invite.Used || !invite.Grants.May(docs.ID, api.RightWrite) || invite.Expires.Sub(invite.Created) != time.Minute {
		t.Fatalf("invite: %+v", invite)
	}
	stranger := c.stranger(t)
	info, err := c.admin.Info(c.admin.ctx, "")
	must(t, err)
	reg := api.RegisterRequest{Key: key, Token: token, Name: "ann's laptop"}
	answer, err := stranger.admin.Register(stranger.ctx, reg)
	must(t, err)
	twice, err := stranger.admin.Register(stranger.ctx, reg)
	must(t, err)
	equal(t, "register again", twice, answer)
	if answer.HubID != info.HubID || answer.Name != "ann's laptop" || !answer.Grants.May(docs.ID, api.RightWrite) || answer.Grants.All != api.RightNone {
		t.Fatalf("registered: %+v", answer)
	}
	_, err = stranger.admin.Register(stranger.ctx, api.RegisterRequest{Key: key, Token: api.NewToken()})
	want(t, err, api.ErrForbidden)
	_, err = stranger.admin.Register(stranger.ctx, api.RegisterRequest{Key: api.NewJoinKey(), Token: token})
	want(t, err, api.ErrForbidden)
	must(t, c.works(t, token))
	ann := c.member(t, token)
	own, err := ann.Info(ann.ctx, "")
	must(t, err)
	equal(t, "who asks", own.Client, answer.Client)
	invites, err := c.admin.admin.Invites(c.admin.ctx)
	must(t, err)
	invite.Used = true
	equal(t, "invites", invites, []api.Invite{invite})
	tokens, err := c.admin.admin.Tokens(c.admin.ctx)
	must(t, err)
	if len(tokens) != 2 || tokens[0].Grants.All != api.RightAdmin || tokens[1].Client != answer.Client || tokens[1].Name != answer.Name || tokens[1].Revoked {
		t.Fatalf("tokens: %+v", tokens)
	}
}

func testRotate(t *testing.T, c *company) {
	_, old, who := c.hire(t, api.Grants{All: api.RightRead})
	next := api.NewToken()
	req := api.RotateRequest{Client: who.Client, Token: next}
	token, err := c.admin.admin.RotateToken(c.admin.ctx, req)
	must(t, err)
	again, err := c.admin.admin.RotateToken(c.admin.ctx, req)
	must(t, err)
	equal(t, "rotate again", again, token)
	want(t, c.works(t, old), api.ErrUnauthorized)
	must(t, c.works(t, next))
	_, err = c.admin.admin.RotateToken(c.admin.ctx, api.RotateRequest{Client: who.Client, Token: old})
	want(t, err, api.ErrExists)
	_, err = c.admin.admin.RotateToken(c.admin.ctx, api.RotateRequest{Client: random(), Token: api.NewToken()})
	want(t, err, api.ErrNotFound)
}

func testRevoke(t *testing.T, c *company) {
	_, token, who := c.hire(t, api.Grants{All: api.RightRead})
	for range 2 {
		must(t, c.admin.admin.Revoke(c.admin.ctx, who.Client))
		want(t, c.works(t, token), api.ErrUnauthorized)
	}
	_, err := c.admin.admin.RotateToken(c.admin.ctx, api.RotateRequest{Client: who.Client, Token: token})
	want(t, err, api.ErrNotFound)
	want(t, c.admin.admin.Revoke(c.admin.ctx, random()), api.ErrNotFound)
	key := api.NewJoinKey()
	invite, err := c.admin.admin.Invite(c.admin.ctx, api.InviteRequest{Key: key, Grants: api.Grants{All: api.RightRead}, ExpiresIn: 60})
	must(t, err)
	must(t, c.admin.admin.Revoke(c.admin.ctx, invite.ID))
	stranger := c.stranger(t)
	_, err = stranger.admin.Register(stranger.ctx, api.RegisterRequest{Key: key, Token: api.NewToken()})
	want(t, err, api.ErrForbidden)
}

// testRevokeWaiting revokes a client that waits for a head.
func testRevokeWaiting(t *testing.T, c *company) {
	docs := c.volume(t, "docs")
	ann, _, who := c.hire(t, only(docs, api.RightRead))
	done := make(chan error, 1)
	go func() {
		var err error
		for _, err = range ann.Changes(ann.ctx, api.ChangesRequest{Volume: docs.ID, From: docs.Head.Snapshot, Wait: api.MaxWait}) {
		}
		done <- err
	}()
	must(t, c.admin.admin.Revoke(c.admin.ctx, who.Client))
	select {
	case err := <-done:
		if err == nil {
			t.Error("who is revoked gets an answer")
		}
	case <-time.After(api.MaxWait / 2):
		t.Error("who is revoked waits on")
	}
}

func testAdministrators(t *testing.T, c *company) {
	docs, code := c.volume(t, "docs"), c.volume(t, "code")
	_, _, member := c.hire(t, only(docs, api.RightWrite))
	for name, grants := range map[string]api.Grants{
		"writer": {All: api.RightWrite}, "writer of docs": only(docs, api.RightWrite), "admin of code": only(code, api.RightAdmin),
	} {
		f, _, _ := c.hire(t, grants)
		_, err := f.admin.Invite(f.ctx, api.InviteRequest{Key: api.NewJoinKey(), Grants: only(docs, api.RightRead), ExpiresIn: 60})
		want(t, err, api.ErrForbidden)
		_, err = f.admin.RotateToken(f.ctx, api.RotateRequest{Client: member.Client, Token: api.NewToken()})
		want(t, err, api.ErrNotFound)
		absent := f.admin.Revoke(f.ctx, random())
		others := f.admin.Revoke(f.ctx, member.Client)
		want(t, others, api.ErrNotFound)
		equal(t, name+": refusals", veil(others.Error()), veil(absent.Error()))
		if tokens, _ := f.admin.Tokens(f.ctx); len(tokens) > 0 && tokens[0].Client == member.Client {
			t.Errorf("%s sees %+v", name, tokens)
		}
	}
	f, _, _ := c.hire(t, only(docs, api.RightAdmin))
	_, err := f.admin.Invite(f.ctx, api.InviteRequest{Key: api.NewJoinKey(), Grants: only(docs, api.RightAdmin), ExpiresIn: 60})
	must(t, err)
	_, err = f.admin.Invite(f.ctx, api.InviteRequest{Key: api.NewJoinKey(), Grants: api.Grants{All: api.RightRead}, ExpiresIn: 60})
	want(t, err, api.ErrForbidden)
	must(t, f.admin.Revoke(f.ctx, member.Client))
}
