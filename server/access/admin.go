package access

import (
	"context"
	"time"

	"dfs/server/api"
)

// errKey says the same of every join key that does not let in.
var errKey = refuse(api.ErrForbidden, "the join key is not valid: unknown, expired, revoked, or used already")

// errForm is of a secret that was not made as it should be.
var errForm = refuse(api.ErrInvalid, "the new secret does not have the form of one: a prefix and 64 lower-case hexadecimal digits")

// errSpent is of a secret that was made before.
var errSpent = refuse(api.ErrExists, "the new secret is in use, or was, for something else; make another")

// Register is as [api.Admin] says, but for the hub's ID. Again means that the client was there already.
func (r *Registry) Register(req api.RegisterRequest) (answer api.Registered, again bool, err error) {
	if !req.Token.IsToken() {
		return answer, false, errForm
	}
	if err := checkName(req.Name); err != nil {
		return answer, false, err
	}
	key, hash := digestOf(req.Key), digestOf(req.Token)
	r.mu.Lock()
	defer r.mu.Unlock()
	i, t := r.invites[key], r.tokens[hash]
	switch {
	case i == nil || i.revoked:
		return answer, false, errKey
	case i.use != nil:
		if t == nil || t.revoked || string(i.use.Token) != string(hash[:]) {
			return answer, false, errKey
		}
		return t.registered(), true, nil
	case !r.now().Before(i.rec.Expires):
		return answer, false, errKey
	case t != nil:
		return answer, false, errSpent
	}
	name := req.Name
	if name == "" {
		name = i.rec.Name
	}
	t = newToken(hash, tokenRecord{Client: randomID(), Name: name, Grants: i.rec.Grants, Created: r.time()})
	use := useRecord{Token: hash[:], Client: t.rec.Client}
	rec, err := record(keyUse, key, use)
	if err == nil {
		err = r.add(t, rec)
	}
	if err != nil {
		return answer, false, err
	}
	i.use = &use
	return t.registered(), false, nil
}

func (t *token) registered() api.Registered {
	return api.Registered{Client: t.rec.Client, Name: t.rec.Name, Grants: t.rec.Grants}
}

// Invite is as [api.Admin] says.
func (r *Registry) Invite(ctx context.Context, req api.InviteRequest) (api.Invite, error) {
	lifetime := time.Duration(req.ExpiresIn) * time.Second
	switch {
	case !req.Key.IsJoinKey():
		return api.Invite{}, errForm
	case req.Grants.Highest() == api.RightNone:
		return api.Invite{}, refuse(api.ErrInvalid, "the invitation grants nothing")
	case req.ExpiresIn <= 0 || req.ExpiresIn > int64(api.MaxInvite/time.Second):
		return api.Invite{}, refuse(api.ErrInvalid, "a join key is valid for 1 s to %v, not %d s", api.MaxInvite, req.ExpiresIn)
	case !administers(api.CallerOf(ctx), req.Grants):
		return api.Invite{}, refuse(api.ErrForbidden, "to invite takes the right admin for all that the invitation grants")
	}
	if err := checkName(req.Name); err != nil {
		return api.Invite{}, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	hash := digestOf(req.Key)
	if old := r.invites[hash]; old != nil {
		if old.rec.Name != req.Name || !old.rec.Grants.Covers(req.Grants) || !req.Grants.Covers(old.rec.Grants) {
			return api.Invite{}, errSpent
		}
		return old.describe(), nil
	}
	now := r.time()
	i := &invite{hash: hash, rec: inviteRecord{ID: randomID(), Name: req.Name, Grants: req.Grants, Created: now, Expires: now.Add(lifetime)}}
	rec, err := record(keyInvite, hash, i.rec)
	if err == nil {
		err = r.store.Add(rec)
	}
	if err != nil {
		return api.Invite{}, err
	}
	r.invites[hash] = i
	return i.describe(), nil
}

func (i *invite) describe() api.Invite {
	return api.Invite{ID: i.rec.ID, Name: i.rec.Name, Grants: i.rec.Grants, Created: i.rec.Created,
		Expires: i.rec.Expires, Used: i.use != nil, Revoked: i.revoked}
}

func (t *token) describe() api.Token {
	return api.Token{Client: t.rec.Client, Name: t.rec.Name, Grants: t.rec.Grants, Created: t.rec.Created, Revoked: t.revoked}
}

// Invites is as [api.Admin] says: those are listed of which the caller administers all that they grant.
func (r *Registry) Invites(ctx context.Context) []api.Invite {
	caller := api.CallerOf(ctx)
	r.mu.RLock()
	defer r.mu.RUnlock()
	var list []api.Invite
	for _, i := range sorted(r.invites, func(i *invite) bool { return administers(caller, i.rec.Grants) },
		func(i *invite) time.Time { return i.rec.Created }) {
		list = append(list, i.describe())
	}
	return list
}

// Tokens is as [api.Admin] says: those are listed of which the caller administers all that is granted.
func (r *Registry) Tokens(ctx context.Context) []api.Token {
	caller := api.CallerOf(ctx)
	r.mu.RLock()
	defer r.mu.RUnlock()
	var list []api.Token
	for _, t := range sorted(r.tokens, func(t *token) bool { return administers(caller, t.rec.Grants) },
		func(t *token) time.Time { return t.rec.Created }) {
		list = append(list, t.describe())
	}
	return list
}

// Names returns the names of all clients, of those too whose tokens are revoked.
func (r *Registry) Names() map[api.ClientID]string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	names := make(map[api.ClientID]string)
	for _, t := range r.tokens {
		names[t.rec.Client] = t.rec.Name
	}
	return names
}

// Live reports whether the client has a token that is not revoked.
func (r *Registry) Live(client api.ClientID) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.liveToken(client) != nil
}

// RotateToken is as [api.Admin] says.
func (r *Registry) RotateToken(ctx context.Context, req api.RotateRequest) (api.Token, error) {
	if !req.Token.IsToken() {
		return api.Token{}, errForm
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	old := r.liveToken(req.Client)
	if old == nil || !mayTend(api.CallerOf(ctx), req.Client, old.rec.Grants) {
		return api.Token{}, refuse(api.ErrNotFound, "no client %v with a valid token", req.Client)
	}
	hash := digestOf(req.Token)
	if old.hash == hash {
		return old.describe(), nil
	}
	if r.tokens[hash] != nil {
		return api.Token{}, errSpent
	}
	if !administers(api.CallerOf(ctx), old.rec.Grants) && r.issued(req.Client, r.now().Add(-24*time.Hour)) >= api.MaxRotations {
		return api.Token{}, refuse(api.ErrForbidden, "client %v has had %d tokens within a day; who administers the hub may give it another",
			req.Client, api.MaxRotations)
	}
	rec := old.rec
	rec.Created = r.time()
	end, err := r.revocation(old.hash)
	if err != nil {
		return api.Token{}, err
	}
	t := newToken(hash, rec)
	err = r.add(t, end)
	// Also where it is not known whether the record is stored.
	r.revoked(old.hash)
	return t.describe(), err
}

// Holder returns the client that the token lets in, if it does.
func (r *Registry) Holder(token api.Secret) (client api.ClientID, ok bool) {
	if t := r.lookUp(token); t != nil {
		return t.rec.Client, true
	}
	return client, false
}

// liveToken returns the client's token that is not revoked, or nil.
func (r *Registry) liveToken(client api.ClientID) *token {
	for _, t := range r.tokens {
		if t.rec.Client == client && !t.revoked {
			return t
		}
	}
	return nil
}

// issued counts the tokens that the client got since then.
func (r *Registry) issued(client api.ClientID, since time.Time) (n int) {
	for _, t := range r.tokens {
		if t.rec.Client == client && t.rec.Created.After(since) {
			n++
		}
	}
	return n
}

// Revoke is as [api.Admin] says.
func (r *Registry) Revoke(ctx context.Context, id api.ClientID) error {
	caller := api.CallerOf(ctx)
	r.mu.Lock()
	defer r.mu.Unlock()
	found := false
	var records []Record
	var hashes []digest
	end := func(hash digest, grants api.Grants, revoked bool) (err error) {
		if !mayTend(caller, id, grants) {
			return nil
		}
		found = true
		if revoked {
			return nil
		}
		rec, err := r.revocation(hash)
		records, hashes = append(records, rec), append(hashes, hash)
		return err
	}
	for hash, t := range r.tokens {
		if t.rec.Client == id {
			if err := end(hash, t.rec.Grants, t.revoked); err != nil {
				return err
			}
		}
	}
	for hash, i := range r.invites {
		if i.rec.ID == id {
			if err := end(hash, i.rec.Grants, i.revoked); err != nil {
				return err
			}
		}
	}
	if !found {
		return refuse(api.ErrNotFound, "no client and no join key %v", id)
	}
	if len(records) == 0 {
		return nil
	}
	if caller != nil && r.administered(nil) && !r.administered(&id) {
		return refuse(api.ErrInvalid, "client %v is the last that administers the hub: invite another first, or give it another token (rotate)", id)
	}
	err := r.store.Add(records...)
	// Also where it is not known whether the records are stored.
	for _, hash := range hashes {
		r.revoked(hash)
	}
	return err
}

// administered reports whether a token that is not revoked gives the administration of
// the hub to another client than but.
func (r *Registry) administered(but *api.ClientID) bool {
	for _, t := range r.tokens {
		if !t.revoked && t.rec.Grants.All >= api.RightAdmin && (but == nil || t.rec.Client != *but) {
			return true
		}
	}
	return false
}

// administers reports whether the caller administers all that is granted.
func administers(c *api.Caller, grants api.Grants) bool {
	if grants.All > api.RightNone && !c.MayAll(api.RightAdmin) {
		return false
	}
	for v := range grants.Volumes {
		if !c.May(v, api.RightAdmin) {
			return false
		}
	}
	return true
}

// mayTend reports whether the caller may rotate or revoke a client with the grants.
func mayTend(c *api.Caller, client api.ClientID, grants api.Grants) bool {
	return c != nil && c.Client == client || administers(c, grants)
}

func checkName(name string) error {
	if len(name) > api.MaxClientName || !api.IsLabel(name) {
		return refuse(api.ErrInvalid, "name %.64q is above %d bytes, or not UTF-8 without control characters and secrets", name, api.MaxClientName)
	}
	return nil
}
