package server

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"dfs/cas"
	"dfs/server/api"
)

// Accounts say who may do what on a hub.
type Accounts interface {
	api.Admin

	// Authenticate returns a context with the caller that a token names. It ends with ctx, with
	// the call of release, and when the token is revoked, with ErrUnauthorized as its cause. From is the peer's
	// address and port. ErrUnauthorized for a token that is not valid, ErrTooMany where there were too many of
	// those from the address, or from all.
	Authenticate(ctx context.Context, token api.Secret, from string) (_ context.Context, release func(), err error)

	// Attempt calls try, which presents another secret on behalf of an address, and counts its
	// ErrForbidden like a token that is not valid: where there were too many it returns ErrTooMany instead.
	Attempt(from string, try func() error) error
}

// retryAttempt is the Retry-After, in seconds, of a peer that guesses.
const retryAttempt = "10"

// serveKnown serves a request once its sender speaks this protocol, is known, and may use the route.
func (s *server) serveKnown(c *gin.Context, route api.Route, h handler) {
	err := checkProtocol(c.Request)
	release := func() {}
	if err == nil {
		release, err = s.identify(c, route)
	}
	defer release()
	if err != nil {
		e := api.AsError(err)
		if e.Code == api.ErrTooMany.Code {
			c.Header("Retry-After", retryAttempt)
		}
		s.refuse(c, e.Code.Status(), e)
		return
	}
	s.serve(c, route, h)
}

// identify puts the caller into the request's context, also one whom it refuses. A stranger, whom some routes
// serve, is a caller without rights.
func (s *server) identify(c *gin.Context, route api.Route) (release func(), err error) {
	if s.opts.Accounts == nil {
		return func() {}, nil
	}
	ctx := c.Request.Context()
	if route.Needs == api.NeedsNothing {
		c.Request = c.Request.WithContext(api.WithCaller(ctx, &api.Caller{}))
		return func() {}, nil
	}
	token, err := bearer(c.Request)
	if err != nil {
		return func() {}, err
	}
	ctx, release, err = s.opts.Accounts.Authenticate(ctx, token, c.Request.RemoteAddr)
	if err != nil {
		return func() {}, err
	}
	c.Request = c.Request.WithContext(ctx)
	c.Request.Body = &callersBody{c.Request.Body, ctx}
	if !api.CallerOf(ctx).Meets(route.Needs) {
		err = invalid(api.ErrForbidden, "this client may %s", mayNot(api.CallerOf(ctx), route.Needs))
	}
	return release, err
}

// mayNot tells for people what a caller may do, who has not what a route needs.
func mayNot(c *api.Caller, needs api.Need) string {
	switch {
	case needs == api.NeedsAdmin:
		return "administer no volume"
	case c.Highest() == api.RightNone:
		return "read no volume"
	}
	return "read volumes, not write to them"
}

// callersBody is the body of a caller's request, which ends when the token is revoked.
type callersBody struct {
	io.ReadCloser
	ctx context.Context
}

func (b *callersBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if cause := context.Cause(b.ctx); errors.Is(cause, api.ErrUnauthorized) {
		return 0, cause
	}
	return n, err
}

// bearer returns the token of a request, which stands in its Authorization header and nowhere else.
func bearer(r *http.Request) (api.Secret, error) {
	values := r.Header.Values("Authorization")
	if len(values) == 0 {
		return "", invalid(api.ErrUnauthorized, "this hub has accounts: a request needs a token; dfs login gets one")
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	if len(values) > 1 || !strings.EqualFold(scheme, "Bearer") || token == "" {
		return "", invalid(api.ErrUnauthorized, "the Authorization header is not one Bearer with a token")
	}
	return api.Secret(token), nil
}

// accounts returns the hub's accounts. An open hub gives none away: who reached it while it was open
// would be let in when it is not any more.
func (s *server) accounts() (Accounts, error) {
	if s.opts.Accounts == nil {
		return nil, invalid(api.ErrForbidden, "this hub has no accounts: whoever reaches it may do all; nobody needs to log in")
	}
	return s.opts.Accounts, nil
}

func (s *server) register(c *gin.Context) (any, error) {
	accounts, err := s.accounts()
	if err != nil {
		return nil, err
	}
	var req api.RegisterRequest
	if err := s.readJSON(c, &req); err != nil {
		return nil, err
	}
	var answer api.Registered
	err = accounts.Attempt(c.Request.RemoteAddr, func() (err error) {
		answer, err = accounts.Register(c.Request.Context(), req)
		return err
	})
	if errors.Is(err, api.ErrTooMany) {
		c.Header("Retry-After", retryAttempt)
	}
	return answer, err
}

func (s *server) invite(c *gin.Context) (any, error) {
	accounts, err := s.accounts()
	if err != nil {
		return nil, err
	}
	var req api.InviteRequest
	if err := s.readJSON(c, &req); err != nil {
		return nil, err
	}
	return accounts.Invite(c.Request.Context(), req)
}

func (s *server) invites(c *gin.Context) (any, error) {
	accounts, err := s.accounts()
	if err != nil {
		return nil, err
	}
	list, err := accounts.Invites(c.Request.Context())
	if list == nil {
		list = []api.Invite{}
	}
	return api.InviteList{Invites: list}, err
}

func (s *server) tokens(c *gin.Context) (any, error) {
	accounts, err := s.accounts()
	if err != nil {
		return nil, err
	}
	list, err := accounts.Tokens(c.Request.Context())
	if list == nil {
		list = []api.Token{}
	}
	return api.TokenList{Tokens: list}, err
}

func (s *server) rotateToken(c *gin.Context) (any, error) {
	accounts, err := s.accounts()
	if err != nil {
		return nil, err
	}
	var req api.RotateRequest
	if err := s.readJSON(c, &req); err != nil {
		return nil, err
	}
	return accounts.RotateToken(c.Request.Context(), req)
}

func (s *server) revoke(c *gin.Context) (any, error) {
	accounts, err := s.accounts()
	if err != nil {
		return nil, err
	}
	id, err := cas.ParseVolumeID(c.Query("id"))
	if err != nil {
		return nil, invalid(api.ErrInvalid, "query: id: %v", err)
	}
	return struct{}{}, accounts.Revoke(c.Request.Context(), id)
}
