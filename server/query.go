package server

import (
	"strconv"

	"github.com/gin-gonic/gin"

	"dfs/cas"
	"dfs/server/api"
)

// queryVolume returns the volume that the query names: by its ID, or else by its name.
func (s *server) queryVolume(c *gin.Context) (cas.VolumeID, error) {
	text := c.Query("volume")
	if v, err := cas.ParseVolumeID(text); err == nil {
		return v, nil
	}
	if text == "" {
		return cas.VolumeID{}, invalid(api.ErrInvalid, "query: volume is missing")
	}
	list, err := s.hub.Volumes(c.Request.Context(), text)
	if err == nil && len(list) == 0 {
		err = invalid(api.ErrNotFound, "no volume %.128q", text)
	}
	if err != nil {
		return cas.VolumeID{}, err
	}
	return list[0].ID, nil
}

func querySession(c *gin.Context) (api.SessionID, error) {
	id, err := cas.ParseVolumeID(c.Query("session"))
	if err != nil {
		return id, invalid(api.ErrInvalid, "query: session: %v", err)
	}
	return id, nil
}

// queryPull reads the session of the pull that asks; without the parameter it is zero.
func queryPull(c *gin.Context) (id api.SessionID, err error) {
	if c.Query("session") == "" {
		return id, nil
	}
	return querySession(c)
}

// queryNumber reads a number from 1 to most; without the parameter it is 0.
func queryNumber(c *gin.Context, name string, most uint64) (uint64, error) {
	text := c.Query(name)
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil || n == 0 || n > most {
		return 0, invalid(api.ErrInvalid, "query: %s %.64q is not a number from 1 to %d", name, text, most)
	}
	return n, nil
}

// queryID reads an ID; without the parameter it is zero.
func queryID(c *gin.Context, name string) (id cas.ID, err error) {
	if err := id.UnmarshalText([]byte(c.Query(name))); err != nil {
		return id, invalid(api.ErrInvalid, "query: %s: %v", name, err)
	}
	return id, nil
}
