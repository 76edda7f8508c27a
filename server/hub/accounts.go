package hub

import (
	"context"

	"dfs/server/access"
	"dfs/server/api"
)

// accessStore keeps the records of package access in the metadata.
type accessStore struct{ meta *meta }

func (s accessStore) Each(fn func(key, value []byte) error) error {
	return s.meta.each([]byte{keyAccess}, false, func(key, value []byte) error { return fn(key[1:], value) })
}

func (s accessStore) Add(records ...access.Record) error {
	writes := make([]kv, len(records))
	for i, r := range records {
		writes[i] = kv{append([]byte{keyAccess}, r.Key...), r.Value}
	}
	return s.meta.write(writes...)
}

// Authenticate returns a context with the caller that a token names, see [access.Registry.Authenticate].
func (h *Hub) Authenticate(ctx context.Context, token api.Secret, from string) (context.Context, func(), error) {
	return h.users.Authenticate(ctx, token, from)
}

// Attempt calls try unless the address failed too often, see [access.Registry.Attempt].
func (h *Hub) Attempt(from string, try func() error) error { return h.users.Attempt(from, try) }

// Founded reports whether the hub has or had a token.
func (h *Hub) Founded() bool { return h.users.Founded() }

// Found makes the hub's first token, which administers it, durably; false when there is or was one.
func (h *Hub) Found(token api.Secret, name string) (made bool, err error) {
	err = h.account(func() error {
		made, err = h.users.Found(token, name)
		return err
	})
	return made, err
}

// account makes a call of the registry.
func (h *Hub) account(call func() error) error {
	if err := h.enter(); err != nil {
		return err
	}
	defer h.leave()
	return wire(call())
}

// Register implements [api.Admin].
func (h *Hub) Register(_ context.Context, req api.RegisterRequest) (answer api.Registered, err error) {
	err = h.account(func() error {
		answer, err = h.users.Register(req)
		return err
	})
	answer.HubID = h.id
	return answer, err
}

// Invite implements [api.Admin].
func (h *Hub) Invite(ctx context.Context, req api.InviteRequest) (answer api.Invite, err error) {
	err = h.account(func() error {
		answer, err = h.users.Invite(ctx, req)
		return err
	})
	return answer, err
}

// Invites implements [api.Admin].
func (h *Hub) Invites(ctx context.Context) ([]api.Invite, error) { return h.users.Invites(ctx), nil }

// Tokens implements [api.Admin].
func (h *Hub) Tokens(ctx context.Context) ([]api.Token, error) { return h.users.Tokens(ctx), nil }

// RotateToken implements [api.Admin].
func (h *Hub) RotateToken(ctx context.Context, req api.RotateRequest) (answer api.Token, err error) {
	err = h.account(func() error {
		answer, err = h.users.RotateToken(ctx, req)
		return err
	})
	return answer, err
}

// Revoke implements [api.Admin].
func (h *Hub) Revoke(ctx context.Context, id api.ClientID) error {
	return h.account(func() error { return h.users.Revoke(ctx, id) })
}
