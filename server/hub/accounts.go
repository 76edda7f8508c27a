package hub

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"dfs/server/access"
	"dfs/server/api"
	"dfs/server/events"
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

// Attempt calls try and counts its failure, see [access.Registry.Attempt].
func (h *Hub) Attempt(from string, try func() error) error { return h.users.Attempt(from, try) }

// Founded reports whether the hub has or had a token.
func (h *Hub) Founded() bool { return h.users.Founded() }

// adminFile is the file of the repository that holds the hub's first token.
const adminFile = "admin-token"

// Found makes the hub's first token, which administers it, and returns it with the file in
// the repository, readable by its owner only, that holds it too. When there is or was one it does
// nothing and returns false.
func (h *Hub) Found() (token api.Secret, file string, made bool, err error) {
	err = h.account(func() error {
		if h.users.Founded() {
			return nil
		}
		token, file = api.NewToken(), filepath.Join(h.dir, adminFile)
		// First the file: a token that nobody has would keep all out.
		if err := writeFile(h.dir, adminFile, []byte(string(token)+"\n")); err != nil {
			return err
		}
		made, err = h.users.Found(token, "admin")
		return err
	})
	return token, file, made, err
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
		var again bool
		if answer, again, err = h.users.Register(req); err == nil && !again {
			h.events.Publish(events.ClientRegistered{Client: answer.Client, Name: answer.Name, At: h.now().UTC()})
		}
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

// RotateToken implements [api.Admin]. Where the file of the first token holds the one that ends, it gets the new one.
func (h *Hub) RotateToken(ctx context.Context, req api.RotateRequest) (answer api.Token, err error) {
	err = h.account(func() error {
		kept := h.adminFileIs(req.Client)
		if answer, err = h.users.RotateToken(ctx, req); err != nil || !kept {
			return err
		}
		return writeFile(h.dir, adminFile, []byte(string(req.Token)+"\n"))
	})
	return answer, err
}

// adminFileIs reports whether the file of the first token holds the client's.
func (h *Hub) adminFileIs(client api.ClientID) bool {
	text, err := os.ReadFile(filepath.Join(h.dir, adminFile))
	if err != nil {
		return false
	}
	holder, ok := h.users.Holder(api.Secret(strings.TrimSpace(string(text))))
	return ok && holder == client
}

// Revoke implements [api.Admin]. The sessions of a client that has no token any more end.
func (h *Hub) Revoke(ctx context.Context, id api.ClientID) error {
	return h.account(func() error {
		if err := h.users.Revoke(ctx, id); err != nil || h.users.Live(id) {
			return err
		}
		return h.abortAll(id)
	})
}
