// Package state keeps what an installation remembers beside its replicas: where
// they are, and with what it logs in to hubs.
//
// # The registry
//
// The file replicas lists the known replicas, so that a directory whose .dfs is not
// there any more (not mounted, emptied, replaced) is not taken for a new one. It
// is text:
//
//	file   = "dfs replicas 1" LF line*
//	line   = replica SP volume SP path [SP hub] LF
//	replica is the replica's ID in hex; volume, path and hub are Go string literals.
//	The hub may be missing: lines had none once.
//
// It is replaced as a whole. Two runs that do so at the same moment can lose one of
// their lines, which the next run of that replica writes again.
package state

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"dfs/server/api"
)

const (
	fileName = "replicas"
	header   = "dfs replicas 1"
)

// Known is a replica that the installation has seen.
type Known struct {
	Path    string // absolute, as [Canonical] gives it
	Replica api.ReplicaID
	Volume  string // its volume's name
	Hub     string // where its hub was reached last; "": not known
}

// Registry is the list of known replicas, in a directory of the installation.
type Registry struct{ dir string }

// Open returns the registry in dir, which is made when something is recorded. With an
// empty dir there is none: nothing is known, and nothing recorded.
func Open(dir string) Registry { return Registry{dir} }

// Canonical returns the absolute path of a directory, without symbolic links as far
// as it exists.
func Canonical(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	below := ""
	for at := path; ; {
		if real, err := filepath.EvalSymlinks(at); err == nil {
			return filepath.Join(real, below), nil
		}
		up := filepath.Dir(at)
		if up == at {
			return path, nil
		}
		below = filepath.Join(filepath.Base(at), below)
		at = up
	}
}

// At returns what is known of a path.
func (r Registry) At(path string) (k Known, ok bool, err error) {
	path, err = Canonical(path)
	if err != nil {
		return k, false, err
	}
	return r.find(func(k Known) bool { return k.Path == path })
}

// Of returns where a replica was seen last.
func (r Registry) Of(id api.ReplicaID) (k Known, ok bool, err error) {
	return r.find(func(k Known) bool { return k.Replica == id })
}

func (r Registry) find(match func(Known) bool) (Known, bool, error) {
	all, err := r.load()
	for _, k := range all {
		if match(k) {
			return k, true, err
		}
	}
	return Known{}, false, err
}

// Record notes where a replica is: k.Path need not be canonical. What was known of that
// path, or of that replica elsewhere, is forgotten.
func (r Registry) Record(k Known) (err error) {
	if r.dir == "" {
		return nil
	}
	if k.Path, err = Canonical(k.Path); err != nil {
		return err
	}
	all, err := r.load()
	if err != nil {
		return err
	}
	kept := all[:0]
	for _, other := range all {
		if other == k {
			return nil
		}
		if other.Path != k.Path && other.Replica != k.Replica {
			kept = append(kept, other)
		}
	}
	return r.save(append(kept, k))
}

func (r Registry) load() ([]Known, error) {
	if r.dir == "" {
		return nil, nil
	}
	name := filepath.Join(r.dir, fileName)
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var all []Known
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		if n == 1 && lines.Text() == header {
			continue
		}
		k, err := parse(lines.Text())
		if n == 1 || err != nil {
			return nil, fmt.Errorf("%s:%d: not a list of replicas of version 1 (%v); move the file away to start a new one", name, n, err)
		}
		all = append(all, k)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return all, nil
}

func parse(line string) (k Known, err error) {
	id, rest, _ := strings.Cut(line, " ")
	if err := k.Replica.UnmarshalText([]byte(id)); err != nil {
		return k, err
	}
	for _, field := range []*string{&k.Volume, &k.Path, &k.Hub} {
		if field == &k.Hub && rest == "" {
			break
		}
		literal, err := strconv.QuotedPrefix(rest)
		if err != nil {
			return k, err
		}
		if *field, err = strconv.Unquote(literal); err != nil {
			return k, err
		}
		rest = strings.TrimPrefix(rest[len(literal):], " ")
	}
	if rest != "" {
		return k, fmt.Errorf("%q is too much", rest)
	}
	return k, nil
}

func (r Registry) save(all []Known) error {
	if err := os.MkdirAll(r.dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(r.dir, fileName+".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	w := bufio.NewWriter(f)
	fmt.Fprintln(w, header)
	for _, k := range all {
		fmt.Fprintf(w, "%v %q %q", k.Replica, k.Volume, k.Path)
		if k.Hub != "" {
			fmt.Fprintf(w, " %q", k.Hub)
		}
		fmt.Fprintln(w)
	}
	err = w.Flush()
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(r.dir, fileName))
	}
	return err
}
