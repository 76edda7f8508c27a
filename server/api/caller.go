package api

import (
	"context"
	"fmt"

	"dfs/cas"
)

// ClientID is the random identity of a client: of whoever registered once with a hub.
type ClientID = cas.VolumeID

// Right is what a client may do with a volume. Each one includes those before it.
type Right uint8

// The rights.
const (
	RightNone  Right = iota // nothing: to the client there is no such volume
	RightRead               // pull, and see all of its history
	RightWrite              // also add snapshots to it. Nothing of its history goes
	RightAdmin              // also administer it
)

var rightNames = [...]string{RightNone: "none", RightRead: "read", RightWrite: "write", RightAdmin: "admin"}

// String returns the right's name.
func (r Right) String() string {
	if int(r) < len(rightNames) {
		return rightNames[r]
	}
	return fmt.Sprintf("right(%d)", uint8(r))
}

// ParseRight reads the form of [Right.String].
func ParseRight(s string) (Right, error) {
	for r, name := range rightNames {
		if s == name {
			return Right(r), nil
		}
	}
	return RightNone, fmt.Errorf("right %.64q is none of read, write, admin", s)
}

// MarshalText implements [encoding.TextMarshaler] with the form of [Right.String].
func (r Right) MarshalText() ([]byte, error) {
	if int(r) >= len(rightNames) {
		return nil, fmt.Errorf("%v is no right", r)
	}
	return []byte(r.String()), nil
}

// UnmarshalText implements [encoding.TextUnmarshaler].
func (r *Right) UnmarshalText(text []byte) (err error) {
	*r, err = ParseRight(string(text))
	return err
}

// Grants are the rights of a client: with all volumes, those to come too, and beyond that
// with some. Whoever may write all may make new ones; whoever administers all
// administers the hub. The map is shared and must not be changed.
type Grants struct {
	All     Right                  `json:"all"`
	Volumes map[cas.VolumeID]Right `json:"volumes,omitempty"`
}

// May reports whether the right is granted for the volume.
func (g Grants) May(v cas.VolumeID, r Right) bool { return max(g.All, g.Volumes[v]) >= r }

// Highest returns the highest right that is granted for any volume.
func (g Grants) Highest() Right {
	highest := g.All
	for _, r := range g.Volumes {
		highest = max(highest, r)
	}
	return highest
}

// Covers reports whether all that other grants is granted.
func (g Grants) Covers(other Grants) bool {
	for v, r := range other.Volumes {
		if !g.May(v, r) {
			return false
		}
	}
	return g.All >= other.All
}

// A Caller is who makes a call. A nil Caller is the process itself, or anybody who reaches
// a hub without accounts, and may do all.
type Caller struct {
	Client ClientID
	Name   string // for people
	Grants
}

// May reports whether the caller has the right with the volume.
func (c *Caller) May(v cas.VolumeID, r Right) bool { return c == nil || c.Grants.May(v, r) }

// MayAll reports whether the caller has the right with all volumes, those to come too.
func (c *Caller) MayAll(r Right) bool { return c == nil || c.All >= r }

// Meets reports whether the caller has what a route needs. Which volumes it is about is
// not asked here: the hub decides that.
func (c *Caller) Meets(n Need) bool { return c == nil || c.Highest() >= n.Right() }

// Right returns the right that is needed for some volume.
func (n Need) Right() Right {
	switch n {
	case NeedsRead:
		return RightRead
	case NeedsWrite:
		return RightWrite
	case NeedsAdmin:
		return RightAdmin
	}
	return RightNone
}

// ID returns the caller's client, zero for the process itself.
func (c *Caller) ID() ClientID {
	if c == nil {
		return ClientID{}
	}
	return c.Client
}

// callerKey is the key of a context's caller.
type callerKey struct{}

// WithCaller returns a context of calls that c makes.
func WithCaller(ctx context.Context, c *Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// CallerOf returns who makes a call with the context; nil when nobody was named.
func CallerOf(ctx context.Context) *Caller {
	c, _ := ctx.Value(callerKey{}).(*Caller)
	return c
}
