package server

import (
	"context"
	"crypto/rand"
	"errors"
	"strconv"

	"github.com/gin-gonic/gin"

	"dfs/cas"
	"dfs/server/api"
)

func (s *server) conflicts(c *gin.Context) (any, error) {
	v, err := s.queryVolume(c)
	if err != nil {
		return nil, err
	}
	req := api.ConflictsRequest{Volume: v, ID: c.Query("id")}
	if replica := c.Query("replica"); replica != "" {
		if req.Replica, err = cas.ParseVolumeID(replica); err != nil {
			return nil, invalid(api.ErrInvalid, "query: replica: %v", err)
		}
	}
	switch all := c.Query("all"); all {
	case "true":
		req.All = true
	case "", "false":
	default:
		return nil, invalid(api.ErrInvalid, "query: all is true or false, not %.64q", all)
	}
	if after := c.Query("after"); after != "" {
		if req.After, err = strconv.ParseUint(after, 10, 64); err != nil {
			return nil, invalid(api.ErrInvalid, "query: after: %v", err)
		}
	}
	from := api.Conflict{Path: c.Query("from")}
	rest := without(s.hub.Conflicts(c.Request.Context(), req), func(c *api.Conflict) bool { return c.Compare(&from) < 0 })
	return nil, sequence(s, c, "conflicts", rest, (*api.Conflict).Append)
}

// settle is a commit that settles a conflict, in a session of a replica of its own.
func (s *server) settle(c *gin.Context) (any, error) {
	var req api.SettleRequest
	if err := s.readJSON(c, &req); err != nil {
		return nil, err
	}
	ctx := c.Request.Context()
	conflict, err := s.find(ctx, &req)
	if err == nil && conflict.Open {
		conflict, err = s.settleOpen(ctx, &req, &conflict)
	}
	if err != nil {
		return nil, err
	}
	head, err := s.hub.Snapshot(ctx, req.Volume, cas.ID{})
	return api.Settled{Conflict: conflict, Head: api.Head{Snapshot: head.ID, Seq: head.Record.Seq, Root: head.Record.Root}}, err
}

// settleOpen settles a conflict and returns it as it is recorded: by this request or, where that was sent
// twice, by the one that came first.
func (s *server) settleOpen(ctx context.Context, req *api.SettleRequest, c *api.Conflict) (api.Conflict, error) {
	moved := s.commitSettlement(ctx, req, c)
	if moved != nil && !errors.Is(moved, api.ErrMoved) {
		return *c, moved
	}
	settled, err := s.find(ctx, req)
	if moved != nil && (err != nil || settled.Open) {
		err = moved
	}
	return settled, err
}

// find returns the conflict that the request is about: open, or settled as the request says.
func (s *server) find(ctx context.Context, req *api.SettleRequest) (api.Conflict, error) {
	var c api.Conflict
	var err error = invalid(api.ErrNotFound, "no conflict %v", req.ID)
	// A whole ID names one at most.
	for found, failed := range s.hub.Conflicts(ctx, api.ConflictsRequest{Volume: req.Volume, All: true, ID: req.ID.String()}) {
		c, err = found, failed
	}
	switch {
	case err != nil:
		return c, err
	case !c.Open && c.Take != req.Take:
		return c, invalid(api.ErrMoved, "conflict %v at %q is settled already: %s", c.ID, c.Path, c.Take)
	case req.Ours != nil && *req.Ours != c.Ours.Hash() || req.Theirs != nil && *req.Theirs != c.Theirs.Hash():
		return c, invalid(api.ErrMoved, "conflict %v at %q: its versions are not those of the request", c.ID, c.Path)
	}
	return c, nil
}

// commitSettlement settles the conflict.
func (s *server) commitSettlement(ctx context.Context, req *api.SettleRequest, c *api.Conflict) error {
	theirs := c.Theirs.Hash()
	commit := api.CommitRequest{
		Key:     randomID(),
		Settle:  []api.Settlement{{Conflict: c.ID, Ours: c.Ours.Hash(), Theirs: theirs, Take: req.Take}},
		Message: "conflict settled: " + req.Take,
	}
	switch req.Take {
	case "ours":
		commit.Edits = []api.Edit{{Path: c.Path, Base: theirs, New: c.Ours}}
	case "base":
		if !c.BaseKnown() {
			return invalid(api.ErrNotFound, "conflict %v at %q: its base is not known", c.ID, c.Path)
		}
		commit.Edits = []api.Edit{{Path: c.Path, Base: theirs, New: c.Base}}
	case "both":
		var err error
		if commit.Edits, err = s.aside(ctx, req.Volume, c); err != nil {
			return err
		}
	case "theirs":
	default:
		return invalid(api.ErrInvalid, "take is ours, theirs, both or base, not %.64q", req.Take)
	}
	session, err := s.hub.Start(ctx, api.StartRequest{Protocol: api.ProtocolVersion, Replica: randomID(), Volume: req.Volume,
		Run: randomID(), Command: "resolve"})
	if err != nil {
		return err
	}
	commit.Session = session.Session
	if _, err = s.hub.Commit(ctx, commit); err != nil {
		// The session would expire anyway.
		_ = s.hub.Report(context.WithoutCancel(ctx), session.Session, api.Aborted)
	}
	return err
}

func randomID() (id cas.VolumeID) {
	// It never fails.
	_, _ = rand.Read(id[:])
	return id
}
