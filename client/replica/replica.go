// Package replica keeps what a replica remembers of its hub in DIR/.dfs: who it
// is (file id), what it is bound to (file binding), the base (file base) and which settlements
// that has taken in (file heard).
//
// The base file holds, path by path, the manifest on which replica and hub last
// agreed, and where the tree of the newest known snapshot ("seen") differs
// from that, the snapshot's manifest too. So the file always tells two trees:
// the base, and the tree of seen. Fetching moves seen forward without touching
// the working tree; applying and pushing move the base.
//
// The package reads and writes these files and nothing else.
package replica

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"dfs/cas"
	"dfs/server/api"
)

// Dir is the name of the state directory at a replica's root.
const Dir = ".dfs"

// version is the newest format of the files of this package.
const version = 1

// ErrNone: the directory is no replica.
var ErrNone = errors.New("not a replica")

// Identity is the content of the file id, which is written once. The inodes tell
// the directory that was made a replica from a copy of it; zero is unknown.
type Identity struct {
	Version int           `json:"version"`
	Replica api.ReplicaID `json:"replica"`
	Root    uint64        `json:"root_inode,omitempty"` // of the replica's directory
	Self    uint64        `json:"id_inode,omitempty"`   // of the file id
}

// Binding is the content of the file binding: where the replica's volume is.
type Binding struct {
	Version  int          `json:"version"`
	HubID    cas.VolumeID `json:"hub_id"`
	VolumeID cas.VolumeID `json:"volume_id"`
	Volume   string       `json:"volume"` // the volume's name
	Location string       `json:"hub"`    // URL or path of the hub when it was last reached
}

// NewID returns a random identity, for replicas, runs, keys and volumes alike.
func NewID() (id cas.VolumeID) {
	rand.Read(id[:])
	return id
}

// Exists reports whether root holds a replica's identity.
func Exists(root string) bool {
	_, err := os.Lstat(filepath.Join(root, Dir, "id"))
	return err == nil
}

// SameDirectory reports whether two paths of replicas lead to one directory.
func SameDirectory(a, b string) bool {
	x, err1 := os.Stat(filepath.Join(a, Dir, "id"))
	y, err2 := os.Stat(filepath.Join(b, Dir, "id"))
	return err1 == nil && err2 == nil && os.SameFile(x, y)
}

// LoadIdentity reads the identity of the replica at root; ErrNone when there is
// none. same says that the inodes are those that it was made with, where these are known.
func LoadIdentity(root string) (id Identity, same bool, err error) {
	if err := load(root, "id", &id, &id.Version); err != nil {
		return id, false, err
	}
	rootInode, self, err := inodes(root, filepath.Join(root, Dir, "id"))
	if err != nil {
		return id, false, err
	}
	known := id.Root != 0 && rootInode != 0
	return id, !known || id.Root == rootInode && id.Self == self, nil
}

// LoadBinding reads the binding of the replica at root; ErrNone when there is none.
func LoadBinding(root string) (Binding, error) {
	var b Binding
	err := load(root, "binding", &b, &b.Version)
	return b, err
}

// Create makes an identity for the replica at root, whose .dfs must exist, in
// place of one that may be there. It is durable on return.
func Create(root string) (Identity, error) {
	id := Identity{Version: version, Replica: NewID()}
	err := saveWith(root, "id", func(temp string) (data []byte, err error) {
		if id.Root, id.Self, err = inodes(root, temp); err != nil {
			return nil, err
		}
		return encode(id)
	})
	return id, err
}

// inodes returns the inode numbers of a directory and of a file in it; zeros where they mean nothing.
func inodes(root, file string) (dir, in uint64, err error) {
	if !StableInodes(root) {
		return 0, 0, nil
	}
	if dir, err = inode(root); err == nil {
		in, err = inode(file)
	}
	return dir, in, err
}

// DropBase removes the base, so that the replica starts from an empty one: nothing
// is deleted on either side, and what differs becomes a conflict. It is durable on return.
func DropBase(root string) error {
	if err := dropHeard(root); err != nil {
		return err
	}
	dir := filepath.Join(root, Dir)
	if err := os.Remove(filepath.Join(dir, "base")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return syncDir(dir)
}

// Bind records b for the replica at root, durable on return.
func Bind(root string, b Binding) error {
	b.Version = version
	return save(root, "binding", b)
}

func load(root, name string, v any, got *int) error {
	path := filepath.Join(root, Dir, name)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: %w", root, ErrNone)
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if *got < 1 || *got > version {
		return fmt.Errorf("%s: format version %d is not known to this dfs; use a newer one", path, *got)
	}
	return nil
}

func save(root, name string, v any) error {
	data, err := encode(v)
	if err != nil {
		return err
	}
	return saveBytes(root, name, data)
}

func encode(v any) ([]byte, error) {
	data, err := json.MarshalIndent(v, "", "  ")
	return append(data, '\n'), err
}

func saveBytes(root, name string, data []byte) error {
	return saveWith(root, name, func(string) ([]byte, error) { return data, nil })
}

// saveWith saves what content returns, which is told the file's path of the moment.
func saveWith(root, name string, content func(temp string) ([]byte, error)) error {
	f, err := os.CreateTemp(filepath.Join(root, Dir), name+".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	data, err := content(f.Name())
	if err == nil {
		_, err = f.Write(data)
	}
	if err != nil {
		f.Close()
		return err
	}
	return publish(f, filepath.Join(root, Dir, name))
}

// publish makes the open file f durable under its final path, and closes it.
func publish(f *os.File, path string) error {
	err := f.Sync()
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// Sweep removes what interrupted writers left in .dfs. The caller holds the replica's lock.
func Sweep(root string) error {
	left, err := filepath.Glob(filepath.Join(escape(filepath.Join(root, Dir)), "*.new-*"))
	for _, path := range left {
		err = errors.Join(err, os.Remove(path))
	}
	return err
}

// escape makes a path stand for itself in a pattern.
func escape(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}
