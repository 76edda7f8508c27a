package access

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"dfs/server/api"
)

// A Store keeps the records of a Registry.
type Store interface {
	// Each calls fn for every record; key and value are valid until fn returns.
	Each(fn func(key, value []byte) error) error

	// Add adds records, all or none. They are durable when it returns.
	Add(records ...Record) error
}

// A Record is a key with its value.
type Record struct{ Key, Value []byte }

// Options are the choices of Open. The zero Options are good.
type Options struct {
	Now    func() time.Time // nil: time.Now
	Limits Limits           // of failed attempts; zero: DefaultLimits
}

// A Registry knows the tokens and join keys of a hub. It is safe for concurrent use.
type Registry struct {
	store   Store
	now     func() time.Time
	limiter *limiter

	mu      sync.RWMutex
	tokens  map[digest]*token
	invites map[digest]*invite
}

// digest is the SHA-256 of a secret.
type digest [sha256.Size]byte

func digestOf(s api.Secret) digest { return sha256.Sum256([]byte(s)) }

// The first byte of each key.
const (
	keyToken   = 't'
	keyInvite  = 'i'
	keyUse     = 'u'
	keyRevoked = 'x'
)

// tokenRecord is the value of a token's key.
type tokenRecord struct {
	Client  api.ClientID `json:"client"`
	Name    string       `json:"name"`
	Grants  api.Grants   `json:"grants"`
	Created time.Time    `json:"created"`
}

// inviteRecord is the value of a join key's key.
type inviteRecord struct {
	ID      api.ClientID `json:"id"`
	Name    string       `json:"name"`
	Grants  api.Grants   `json:"grants"`
	Created time.Time    `json:"created"`
	Expires time.Time    `json:"expires"`
}

// useRecord says which token a join key was used for.
type useRecord struct {
	Token  []byte       `json:"token"`
	Client api.ClientID `json:"client"`
}

// revokedRecord is the value of a revocation's key.
type revokedRecord struct {
	At time.Time `json:"at"`
}

// token is a token in memory.
type token struct {
	hash    digest
	rec     tokenRecord
	caller  *api.Caller
	live    context.Context // ends with the revocation, of which errUnknown is the cause
	end     func()
	revoked bool
}

// invite is a join key in memory.
type invite struct {
	hash    digest
	rec     inviteRecord
	use     *useRecord
	revoked bool
}

// Open reads the records of store.
func Open(store Store, opts Options) (*Registry, error) {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Limits == (Limits{}) {
		opts.Limits = DefaultLimits()
	}
	r := &Registry{
		store: store, now: opts.Now, limiter: newLimiter(opts.Limits, opts.Now),
		tokens: make(map[digest]*token), invites: make(map[digest]*invite),
	}
	l := loading{Registry: r, uses: make(map[digest]*useRecord)}
	err := store.Each(func(key, value []byte) error {
		if err := l.take(key, value); err != nil {
			return fmt.Errorf("access record %q: %w", key, err)
		}
		return nil
	})
	l.finish()
	return r, err
}

// loading collects records, which may come before what they are about.
type loading struct {
	*Registry
	uses map[digest]*useRecord
	ends []digest
}

func (l *loading) take(key, value []byte) (err error) {
	var hash digest
	if len(key) != 1+len(hash) {
		return errRecord
	}
	copy(hash[:], key[1:])
	switch key[0] {
	case keyToken:
		var rec tokenRecord
		err = json.Unmarshal(value, &rec)
		l.tokens[hash] = newToken(hash, rec)
	case keyInvite:
		i := &invite{hash: hash}
		err = json.Unmarshal(value, &i.rec)
		l.invites[hash] = i
	case keyUse:
		l.uses[hash] = new(useRecord)
		err = json.Unmarshal(value, l.uses[hash])
	case keyRevoked:
		l.ends = append(l.ends, hash)
	default:
		err = errRecord
	}
	return err
}

var errRecord = errors.New("not of a known form")

func (l *loading) finish() {
	for hash, use := range l.uses {
		if i := l.invites[hash]; i != nil {
			i.use = use
		}
	}
	for _, hash := range l.ends {
		l.revoked(hash)
	}
}

func newToken(hash digest, rec tokenRecord) *token {
	t := &token{hash: hash, rec: rec, caller: &api.Caller{Client: rec.Client, Name: rec.Name, Grants: rec.Grants}}
	live, end := context.WithCancelCause(context.Background())
	t.live, t.end = live, func() { end(errUnknown) }
	return t
}

// revoked makes the secret with the hash of no use any more.
func (r *Registry) revoked(hash digest) {
	if t := r.tokens[hash]; t != nil {
		t.revoked = true
		t.end()
	}
	if i := r.invites[hash]; i != nil {
		i.revoked = true
	}
}

// errUnknown says the same of every token that does not let in.
var errUnknown = refuse(api.ErrUnauthorized, "the token is not valid on this hub")

// Authenticate returns a context with the caller that the token names. It ends with ctx, with
// the call of release, and when the token is revoked: then with ErrUnauthorized as its cause.
// ErrUnauthorized for a token that is unknown or revoked; ErrTooMany for such a one that comes from an
// address, as of net/http's RemoteAddr, that failed too often, or amid too many of all addresses. One that is
// valid lets in whatever others sent.
func (r *Registry) Authenticate(ctx context.Context, secret api.Secret, from string) (_ context.Context, release func(), err error) {
	t := r.lookUp(secret)
	if t == nil {
		return nil, nil, r.missed(from, errUnknown)
	}
	// A child of the token's context has ended when the revocation returns.
	live, cancel := context.WithCancelCause(t.live)
	stop := context.AfterFunc(ctx, func() { cancel(context.Cause(ctx)) })
	return api.WithCaller(joint{live, ctx}, t.caller), func() { stop(); cancel(nil) }, nil
}

// joint is a context with the values of another one too.
type joint struct {
	context.Context
	values context.Context
}

// Value implements [context.Context].
func (j joint) Value(key any) any {
	if v := j.Context.Value(key); v != nil {
		return v
	}
	return j.values.Value(key)
}

// lookUp returns the token that the secret is, nil when there is none or it is revoked.
func (r *Registry) lookUp(secret api.Secret) *token {
	hash := digestOf(secret)
	r.mu.RLock()
	defer r.mu.RUnlock()
	t := r.tokens[hash]
	if t == nil || subtle.ConstantTimeCompare(t.hash[:], hash[:]) != 1 || t.revoked {
		return nil
	}
	return t
}

// Attempt calls try, which presents a secret on behalf of an address, and returns what it returns. Where that is
// ErrUnauthorized or ErrForbidden it counts as failed: ErrTooMany instead when there were too many of those.
func (r *Registry) Attempt(from string, try func() error) error {
	err := try()
	if errors.Is(err, api.ErrUnauthorized) || errors.Is(err, api.ErrForbidden) {
		return r.missed(from, err)
	}
	return err
}

// missed counts an attempt that failed, and returns its refusal, or that there were too many.
func (r *Registry) missed(from string, refusal error) error {
	if r.limiter.miss(originOf(from)) {
		return refusal
	}
	return refuse(api.ErrTooMany, "too many attempts with secrets that are not valid; try again later")
}

// Found makes the first token of a hub, which administers it. It does nothing, and returns
// false, when the hub has or had a token already.
func (r *Registry) Found(secret api.Secret, name string) (bool, error) {
	if !secret.IsToken() {
		return false, errForm
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.tokens) > 0 {
		return false, nil
	}
	t := newToken(digestOf(secret), tokenRecord{Client: randomID(), Name: name,
		Grants: api.Grants{All: api.RightAdmin}, Created: r.time()})
	return true, r.add(t)
}

// Founded reports whether the hub has or had a token.
func (r *Registry) Founded() bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return len(r.tokens) > 0
}

// add stores a new token, with further records that belong to it.
func (r *Registry) add(t *token, further ...Record) error {
	rec, err := record(keyToken, t.hash, t.rec)
	if err != nil {
		return err
	}
	if err := r.store.Add(append(further, rec)...); err != nil {
		return err
	}
	r.tokens[t.hash] = t
	return nil
}

// revocation returns the record that revokes the secret with the hash.
func (r *Registry) revocation(hash digest) (Record, error) {
	return record(keyRevoked, hash, revokedRecord{r.time()})
}

func (r *Registry) time() time.Time { return r.now().UTC().Round(0) }

func record(kind byte, hash digest, value any) (Record, error) {
	data, err := json.Marshal(value)
	return Record{append([]byte{kind}, hash[:]...), data}, err
}

// sorted returns the values of m that keep keeps, by time and then by hash.
func sorted[T any](m map[digest]T, keep func(T) bool, created func(T) time.Time) []T {
	type entry struct {
		hash  digest
		value T
	}
	var entries []entry
	for hash, v := range m {
		if keep(v) {
			entries = append(entries, entry{hash, v})
		}
	}
	slices.SortFunc(entries, func(a, b entry) int {
		return cmp.Or(created(a.value).Compare(created(b.value)), slices.Compare(a.hash[:], b.hash[:]))
	})
	values := make([]T, len(entries))
	for i, e := range entries {
		values[i] = e.value
	}
	return values
}

func randomID() (id api.ClientID) {
	// It never fails.
	_, _ = rand.Read(id[:])
	return id
}

func refuse(kind *api.Error, format string, args ...any) error {
	return &api.Error{Code: kind.Code, Message: fmt.Sprintf(format, args...)}
}
