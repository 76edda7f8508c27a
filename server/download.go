package server

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"path"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"

	"dfs/cas"
	"dfs/manifest"
	"dfs/merkle"
	"dfs/server/api"
)

const (
	downloadMemory = 2 << 20 // bytes that a download holds, about: a window of the content and some pages
	maxRanges      = 32      // of a request: each costs the reading of a chunk
)

// download answers with the content of a file, as RFC 9110 has it: whole, or the ranges asked for,
// or that it is what the peer has already. A download costs the same wherever in the file it begins.
func (s *server) download(c *gin.Context) (any, error) {
	m, snapshot, err := s.findFile(c)
	if err != nil {
		return nil, err
	}
	ranges := rangesOf(c.Request)
	if strings.Count(ranges, ",") >= maxRanges {
		return nil, invalid(api.ErrTooLarge, "range: more than %d", maxRanges)
	}
	v, ctx := snapshot.Record.Volume, c.Request.Context()
	content, err := manifest.Open(ctx, m, func(ctx context.Context, refs []cas.Ref, fn func(cas.Blob) error) error {
		return s.hub.Blobs(ctx, api.BlobsRequest{Volume: v, Refs: refs}, fn)
	})
	if err != nil {
		return nil, err
	}
	if c.Request.Method != http.MethodHead {
		held, err := s.holdOf(s.copies, c, downloadMemory)
		if err != nil {
			return nil, err
		}
		defer held.release()
	}
	c.Header("Content-Type", api.Bytes)
	c.Header("Content-Disposition", attachment(path.Base(c.Query("path"))))
	c.Header("Cache-Control", "private, no-cache")
	c.Header("ETag", etag(m))
	c.Header(api.HeaderSnapshot, snapshot.ID.String())
	return nil, s.serveContent(c, content, ranges)
}

// findFile returns the file that the query names, and the snapshot in which it is so.
func (s *server) findFile(c *gin.Context) (*manifest.Manifest, api.Snapshot, error) {
	name := c.Query("path")
	if err := manifest.CheckPath(name); err != nil {
		return nil, api.Snapshot{}, invalid(api.ErrInvalid, "query: %v", err)
	}
	v, err := s.queryVolume(c)
	if err != nil {
		return nil, api.Snapshot{}, err
	}
	id, err := queryID(c, "snapshot")
	if err != nil {
		return nil, api.Snapshot{}, err
	}
	ctx := c.Request.Context()
	snapshot, err := s.hub.Snapshot(ctx, v, id)
	if err != nil {
		return nil, api.Snapshot{}, err
	}
	value, ok, err := merkle.NewCursor(ctx, nodeSource{s.hub, v}, snapshot.Record.Root).Get(name)
	if err != nil {
		return nil, api.Snapshot{}, err
	}
	if !ok {
		return nil, api.Snapshot{}, invalid(api.ErrNotFound, "snapshot %v has no %q", snapshot.ID, name)
	}
	m, err := manifest.Decode(value)
	switch {
	case err != nil:
		return nil, api.Snapshot{}, fmt.Errorf("snapshot %v: %q: %w", snapshot.ID, name, err)
	case m.Kind == manifest.Symlink:
		return nil, api.Snapshot{}, invalid(api.ErrNotFile, "%q is a symlink to %q; ask for what it leads to", name, m.Target)
	case m.Kind != manifest.File:
		return nil, api.Snapshot{}, invalid(api.ErrNotFile, "%q is a %v; ask for a file in it", name, m.Kind)
	}
	return m, snapshot, nil
}

// nodeSource reads the nodes of a volume from the hub.
type nodeSource struct {
	hub    api.Hub
	volume cas.VolumeID
}

// Nodes implements [merkle.Source].
func (n nodeSource) Nodes(ctx context.Context, ids []cas.ID, fn func(cas.Blob) error) error {
	return n.hub.Nodes(ctx, n.volume, ids, fn)
}

// etag returns the strong validator of a file's content: the hash of a manifest that says nothing
// else. Mode and times of the file do not change it.
func etag(m *manifest.Manifest) string {
	content := manifest.Manifest{Kind: m.Kind, Size: m.Size, Profile: m.Profile, Runs: m.Runs, Pages: m.Pages}
	return `"` + content.Hash().String() + `"`
}

// attachment returns the Content-Disposition of a file to be saved under a name: the name in
// UTF-8 as in RFC 5987, and one in ASCII for those that cannot read it.
func attachment(name string) string {
	name = strings.ToValidUTF8(name, "\uFFFD")
	var plain, coded strings.Builder
	for _, r := range name {
		if r < ' ' || r > '~' || strings.ContainsRune(`"\%`, r) {
			r = '_'
		}
		plain.WriteRune(r)
	}
	for _, b := range []byte(name) {
		if b >= '0' && b <= '9' || b >= 'A' && b <= 'Z' || b >= 'a' && b <= 'z' || strings.IndexByte("!#$&+-.^_`|~", b) >= 0 {
			coded.WriteByte(b)
		} else {
			fmt.Fprintf(&coded, "%%%02X", b)
		}
	}
	return fmt.Sprintf(`attachment; filename="%s"; filename*=UTF-8''%s`, &plain, &coded)
}

// serveContent is [http.ServeContent], whose refusals become ours. It tells no time of modification:
// one that a client has set is no validator. The ranges are what rangesOf returns of the request.
func (s *server) serveContent(c *gin.Context, content io.ReadSeeker, ranges string) error {
	source := &failing{ReadSeeker: content}
	w := &refusing{ResponseWriter: c.Writer}
	r := c.Request.Clone(c.Request.Context())
	r.Header.Del("Range")
	if ranges != "" {
		r.Header.Set("Range", ranges)
	}
	http.ServeContent(w, r, "", time.Time{}, source)
	cause := source.err.Load()
	if cause != nil && c.Writer.Written() {
		// The length that was announced is not reached, so the peer knows.
		s.opts.Log.InfoContext(c.Request.Context(), "download cut", "path", c.Request.URL.Path, "cause", *cause)
		return nil
	}
	if cause == nil && w.status == 0 {
		return nil
	}
	for _, name := range []string{"Accept-Ranges", "Content-Disposition", "ETag"} {
		c.Writer.Header().Del(name)
	}
	switch w.status {
	case http.StatusRequestedRangeNotSatisfiable:
		s.refuse(c, w.status, invalid(api.ErrInvalid, "range %.128q is not within the file", c.GetHeader("Range")))
	case http.StatusPreconditionFailed:
		s.refuse(c, w.status, invalid(api.ErrInvalid, "the file is not what the request wants it to be"))
	case 0:
		c.Writer.Header().Del("Content-Range")
		return *cause
	}
	return nil
}

// failing remembers an error of the reading of a content.
type failing struct {
	io.ReadSeeker
	err atomic.Pointer[error]
}

func (f *failing) Read(p []byte) (int, error) {
	n, err := f.ReadSeeker.Read(p)
	if err != nil && err != io.EOF {
		f.err.Store(&err)
	}
	return n, err
}

// refusing keeps refusals back.
type refusing struct {
	http.ResponseWriter
	status int // of the refusal; 0: none
}

func (w *refusing) WriteHeader(status int) {
	if status >= http.StatusBadRequest {
		w.status = status
		return
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *refusing) Write(p []byte) (int, error) {
	if w.status != 0 {
		return len(p), nil
	}
	return w.ResponseWriter.Write(p)
}
