package api

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"log/slog"
	"strings"
	"time"
)

// An Admin is the administration of a hub, beside its [Hub]. Implementations are safe for
// concurrent use; their errors are as those of a Hub. ErrForbidden when the caller does
// not administer what a call is about.
//
// Secrets are made by whoever asks: the hub gets them, stores their hashes, and never sends
// one. So each call may be repeated.
type Admin interface {
	// Register makes a client with the rights of a join key, and the token that it is known
	// by. The same key and token again give the same answer; ErrForbidden for a key that is
	// unknown, expired, revoked, or used with another token: these cannot be told apart.
	Register(ctx context.Context, req RegisterRequest) (Registered, error)

	// Invite makes a join key that one client can register with. The same key again gives
	// the same answer. ErrForbidden unless the caller administers all that it grants.
	Invite(ctx context.Context, req InviteRequest) (Invite, error)

	// Invites lists the join keys, the oldest first, used and revoked ones too.
	Invites(ctx context.Context) ([]Invite, error)

	// Tokens lists the tokens, the oldest first, revoked ones too.
	Tokens(ctx context.Context) ([]Token, error)

	// RotateToken gives a client a new token in place of its former, which is revoked. The
	// same again gives the same answer. A client may do so itself: ErrForbidden when it had MaxRotations
	// tokens within a day. ErrNotFound for an unknown or revoked client.
	RotateToken(ctx context.Context, req RotateRequest) (Token, error)

	// Revoke ends a client's access, or a join key's validity, at once and for good. A
	// client may do so itself, but for the last one that administers the hub: ErrInvalid.
	// ErrNotFound for an unknown ID.
	Revoke(ctx context.Context, id ClientID) error
}

// RegisterRequest asks OpRegister.
type RegisterRequest struct {
	Key   Secret `json:"key"`   // the join key
	Token Secret `json:"token"` // what the client is to be known by; see NewToken
	Name  string `json:"name"`  // who it is, for people; empty: as the invitation says
}

// Registered answers a RegisterRequest.
type Registered struct {
	HubID  ClientID `json:"hub_id"`
	Client ClientID `json:"client"`
	Name   string   `json:"name"`
	Grants Grants   `json:"grants"`
}

// InviteRequest asks OpInvite.
type InviteRequest struct {
	Key       Secret `json:"key"`  // the join key to be; see NewJoinKey
	Name      string `json:"name"` // whom it is for, for people
	Grants    Grants `json:"grants"`
	ExpiresIn int64  `json:"expires_in"` // seconds from now; at most MaxInvite
}

// Invite describes a join key.
type Invite struct {
	ID      ClientID  `json:"id"`
	Name    string    `json:"name"`
	Grants  Grants    `json:"grants"`
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires"`
	Used    bool      `json:"used"`
	Revoked bool      `json:"revoked"`
}

// RotateRequest asks OpRotateToken.
type RotateRequest struct {
	Client ClientID `json:"client"`
	Token  Secret   `json:"token"` // the new one
}

// Token describes a token.
type Token struct {
	Client  ClientID  `json:"client"`
	Name    string    `json:"name"`
	Grants  Grants    `json:"grants"`
	Created time.Time `json:"created"`
	Revoked bool      `json:"revoked"` // or rotated
}

// The JSON forms of lists, which have no type of their own in the Admin interface.
type (
	// TokenList answers OpTokens.
	TokenList struct {
		Tokens []Token `json:"tokens"`
	}
	// InviteList answers OpInvites.
	InviteList struct {
		Invites []Invite `json:"invites"`
	}
)

// MaxInvite bounds how long a join key is valid.
const MaxInvite = 30 * 24 * time.Hour

// MaxRotations bounds how many tokens a client gets in 24 hours by replacing its own, unless it administers what
// they are for: a hub keeps a record of each token for good.
const MaxRotations = 32

// MaxClientName bounds the name of a client, in bytes.
const MaxClientName = 128

// A Secret is a token or a join key. Its form is a prefix that tells which, and 64 lower-case
// hexadecimal digits: 256 random bits. Formatted with package fmt or logged it does not
// show itself; string(s) is the secret.
type Secret string

// The prefixes of secrets.
const (
	tokenPrefix   = "dfs_token_"
	joinKeyPrefix = "dfs_join_"
	secretBytes   = 32
)

// NewToken makes a token.
func NewToken() Secret { return newSecret(tokenPrefix) }

// NewJoinKey makes a join key.
func NewJoinKey() Secret { return newSecret(joinKeyPrefix) }

func newSecret(prefix string) Secret {
	var bits [secretBytes]byte
	// It never fails.
	_, _ = rand.Read(bits[:])
	return Secret(prefix + hex.EncodeToString(bits[:]))
}

// IsToken reports whether s has the form of a token.
func (s Secret) IsToken() bool { return s.hasForm(tokenPrefix) }

// IsJoinKey reports whether s has the form of a join key.
func (s Secret) IsJoinKey() bool { return s.hasForm(joinKeyPrefix) }

func (s Secret) hasForm(prefix string) bool {
	digits, ok := strings.CutPrefix(string(s), prefix)
	return ok && len(digits) == 2*secretBytes && strings.Trim(digits, "0123456789abcdef") == ""
}

// String implements [fmt.Stringer] and says no more than that there is a secret.
func (s Secret) String() string {
	if s == "" {
		return "(no secret)"
	}
	return "(secret)"
}

// Format implements [fmt.Formatter]: no verb shows the secret.
func (s Secret) Format(f fmt.State, _ rune) {
	// What f writes to reports its own errors.
	_, _ = f.Write([]byte(s.String()))
}

// LogValue implements [slog.LogValuer] with [Secret.String].
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }
