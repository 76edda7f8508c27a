package remote

import (
	"context"
	"net/url"

	"dfs/server/api"
)

var _ api.Admin = (*Hub)(nil)

// Register implements [api.Admin].
func (h *Hub) Register(ctx context.Context, req api.RegisterRequest) (answer api.Registered, err error) {
	if err := checkText(req.Name); err != nil {
		return answer, err
	}
	err = h.call(ctx, api.OpRegister, nil, req, &answer)
	return answer, err
}

// Invite implements [api.Admin].
func (h *Hub) Invite(ctx context.Context, req api.InviteRequest) (answer api.Invite, err error) {
	if err := checkText(req.Name); err != nil {
		return answer, err
	}
	err = h.call(ctx, api.OpInvite, nil, req, &answer)
	return answer, err
}

// Invites implements [api.Admin].
func (h *Hub) Invites(ctx context.Context) ([]api.Invite, error) {
	var list api.InviteList
	err := h.call(ctx, api.OpInvites, nil, nil, &list)
	return list.Invites, err
}

// Tokens implements [api.Admin].
func (h *Hub) Tokens(ctx context.Context) ([]api.Token, error) {
	var list api.TokenList
	err := h.call(ctx, api.OpTokens, nil, nil, &list)
	return list.Tokens, err
}

// RotateToken implements [api.Admin].
func (h *Hub) RotateToken(ctx context.Context, req api.RotateRequest) (answer api.Token, err error) {
	err = h.call(ctx, api.OpRotateToken, nil, req, &answer)
	return answer, err
}

// Revoke implements [api.Admin].
func (h *Hub) Revoke(ctx context.Context, id api.ClientID) error {
	return h.call(ctx, api.OpRevoke, url.Values{"id": {id.String()}}, nil, nil)
}
