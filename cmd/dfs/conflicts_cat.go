package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"dfs/client"
	"dfs/manifest"
	"dfs/server/api"
)

// versionName is a flag's value that names a version of a conflict: ID:VERSION.
type versionName struct{ id, version string }

// Set implements [pflag.Value].
func (v *versionName) Set(s string) error {
	id, version, _ := strings.Cut(s, ":")
	if id == "" || !slices.Contains([]string{"base", "ours", "theirs"}, version) {
		return errors.New("not ID:base, ID:ours or ID:theirs, as in 1f447cdb:ours")
	}
	*v = versionName{id, version}
	return nil
}

// String implements [pflag.Value].
func (v *versionName) String() string {
	if v.id == "" {
		return ""
	}
	return v.id + ":" + v.version
}

// Type implements [pflag.Value].
func (v *versionName) Type() string { return "version" }

// fileVersions names the versions of a conflict that are files, as --cat takes them: the first whole, the
// others in brackets; "" where there are none.
func fileVersions(c *api.Conflict) string {
	var names []string
	for _, v := range []struct {
		name string
		m    *manifest.Manifest
	}{{"ours", c.Ours}, {"theirs", c.Theirs}, {"base", c.Base}} {
		if v.m != nil && v.m.Kind == manifest.File {
			names = append(names, ":"+v.name)
		}
	}
	switch len(names) {
	case 0:
		return ""
	case 1:
		return c.ID.Short() + names[0]
	}
	return fmt.Sprintf("%s%s (or %s)", c.ID.Short(), names[0], strings.Join(names[1:], ", "))
}

// catVersion writes the content of a version to stdout. A closed pipe is an error like a full disk.
func (a *app) catVersion(ctx context.Context, desk *client.Desk, v versionName) (int, error) {
	c, err := desk.Find(ctx, v.id)
	if err != nil {
		return 0, err
	}
	in, err := desk.Open(ctx, &c, v.version)
	if err != nil {
		return 0, err
	}
	signal.Ignore(syscall.SIGPIPE)
	defer signal.Reset(syscall.SIGPIPE)
	out := &sink{w: a.out.stdout}
	n, err := io.Copy(out, in)
	if err == nil {
		out.close()
	}
	switch {
	case out.err != nil:
		return 0, fmt.Errorf("%s, %s: standard output, after %s of %s: %w", quoted(c.Path), v.version, size(n), size(in.Size()), out.err)
	case err != nil:
		return 0, fmt.Errorf("%s, %s: after %s of %s: %w", quoted(c.Path), v.version, size(n), size(in.Size()), err)
	}
	return exitDone, nil
}

// A sink is a writer that keeps its first error, apart from those of what is copied to it.
type sink struct {
	w   io.Writer
	err error
}

// Write implements [io.Writer].
func (s *sink) Write(p []byte) (int, error) {
	n, err := s.w.Write(p)
	s.keep(err)
	return n, err
}

// close closes what can be closed: some file systems tell only then that they are full.
func (s *sink) close() {
	if c, ok := s.w.(io.Closer); ok {
		s.keep(c.Close())
	}
}

func (s *sink) keep(err error) {
	var path *fs.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	if s.err == nil {
		s.err = err
	}
}
