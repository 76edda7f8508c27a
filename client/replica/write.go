package replica

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"

	"dfs/merkle"
)

// A Writer makes a record file beside the present one. Nothing changes for
// readers until Commit.
type Writer struct {
	Summary
	root  string
	file  *os.File
	out   *bufio.Writer
	tree  *merkle.Builder
	block []byte
	path  string // of the block's last record, for front coding
	last  string // of the file's last record, for order
}

// NewWriter starts a new base for the replica at root.
func NewWriter(root string) (*Writer, error) { return newWriter(root, "base", merkle.NewBuilder(nil)) }

// NewSpool starts a temporary record file, to be read back with Reread.
func NewSpool(root string) (*Writer, error) { return newWriter(root, "spool", nil) }

func newWriter(root, name string, tree *merkle.Builder) (*Writer, error) {
	f, err := os.CreateTemp(filepath.Join(root, Dir), name+".new-*")
	if err != nil {
		return nil, err
	}
	w := &Writer{root: root, file: f, out: bufio.NewWriterSize(f, 256<<10), tree: tree}
	w.body = uint64(len(magic))
	_, err = w.out.WriteString(magic)
	return w, err
}

// Add appends a record; paths must ascend. A record that is absent on both
// sides is left out. The slices are copied.
func (w *Writer) Add(rec Record) error {
	if rec.Base == nil && rec.Remote == nil {
		return nil
	}
	if w.Records > 0 && merkle.Compare(w.last, rec.Path) >= 0 {
		return fmt.Errorf("base: %q after %q", rec.Path, w.last)
	}
	flags := byte(0)
	if rec.Base != nil {
		flags |= hasBase
	}
	if rec.Pending() {
		flags |= differs
		if rec.Remote != nil {
			flags |= hasRemote
		}
		w.Pending++
	}
	if rec.Ignored {
		flags |= isIgnored
		w.Ignored++
	}
	w.append(rec, flags)
	w.Records++
	w.last = rec.Path
	if w.tree != nil && rec.Remote != nil {
		if err := w.tree.Add(merkle.Entry{Path: rec.Path, Value: rec.Remote}); err != nil {
			return err
		}
	}
	if len(w.block) >= blockTarget {
		return w.flush()
	}
	return nil
}

func (w *Writer) append(rec Record, flags byte) {
	shared := 0
	for shared < len(w.path) && shared < len(rec.Path) && w.path[shared] == rec.Path[shared] {
		shared++
	}
	w.path = rec.Path
	w.block = binary.AppendUvarint(w.block, uint64(shared))
	w.block = appendBytes(w.block, rec.Path[shared:])
	w.block = append(w.block, flags)
	if flags&hasBase != 0 {
		w.block = appendBytes(w.block, rec.Base)
	}
	if flags&hasRemote != 0 {
		w.block = appendBytes(w.block, rec.Remote)
	}
}

func appendBytes[T string | []byte](b []byte, v T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(v))), v...)
}

func (w *Writer) flush() error {
	if len(w.block) == 0 {
		return nil
	}
	var head [8]byte
	binary.LittleEndian.PutUint32(head[:], uint32(len(w.block)))
	binary.LittleEndian.PutUint32(head[4:], crc32.Checksum(w.block, castagnoli))
	w.out.Write(head[:])
	_, err := w.out.Write(w.block) // a bufio.Writer keeps its first error
	w.body += uint64(len(head) + len(w.block))
	w.block, w.path = w.block[:0], ""
	return err
}

// Finish ends the records and sets Root: the root of the tree of all Remote
// manifests.
func (w *Writer) Finish() (err error) {
	if err := w.flush(); err != nil {
		return err
	}
	if w.tree != nil {
		w.Root, err = w.tree.Finish()
	}
	return err
}

// Commit makes the finished file the replica's base, with seen as the snapshot
// whose tree the Remote manifests are. It is durable on return.
func (w *Writer) Commit(seen Seen) error {
	if seen.Root != w.Root {
		return fmt.Errorf("base: tree has root %s, snapshot %s has %s", w.Root.Short(), seen.Snapshot.Short(), seen.Root.Short())
	}
	w.Seen = seen
	if err := w.end(); err != nil {
		return err
	}
	return publish(w.file, filepath.Join(w.root, Dir, "base"))
}

func (w *Writer) end() error {
	w.out.Write(w.encode())
	return w.out.Flush()
}

// Reread ends a spool and opens it for reading. The Reader may be opened
// again and again; the file is gone after Abort.
func (w *Writer) Reread() (*Reader, error) {
	f, err := os.Open(w.file.Name())
	if err != nil {
		return nil, err
	}
	r, err := newReader(f)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", f.Name(), err)
	}
	return r, nil
}

// Seal ends a spool: Reread works from now on.
func (w *Writer) Seal() error {
	if err := w.flush(); err != nil {
		return err
	}
	return w.end()
}

// Abort drops the new file. After Commit it does nothing.
func (w *Writer) Abort() {
	w.file.Close()
	os.Remove(w.file.Name())
}
