package worktree

import (
	"cmp"
	"os"
	"slices"
)

// Inodes finds records of an index by what a file keeps when it is renamed: inode, size
// and modification time. It takes 16 bytes a record. One goroutine at a time uses it, not
// after the index was closed.
type Inodes struct {
	sorted *os.File
	recent []Record   // of the journal
	refs   []inodeRef // by inode
	begin  int64      // of the frame of sorted that was read last; 0: none
	frames frameReader
	frame  []Record
}

// inodeRef says where the record of an inode is: from the top a bit for the journal, 47 of
// where its frame begins, 15 of which it is in there (of the journal 62 of that alone), and
// the caller's.
type inodeRef struct{ ino, at uint64 }

const (
	inJournal  = 1 << 63
	nthBits    = 15
	markedFlag = 1
)

// Inodes returns the records that the index had when it was opened or last merged, but for those
// that have no inode. mark is called with each, in path order; what it says Find
// tells. value is valid only during the call.
func (ix *Index) Inodes(mark func(path string, value []byte) (bool, error)) (*Inodes, error) {
	ix.mu.Lock()
	n := &Inodes{sorted: ix.sorted, recent: ix.recent, refs: make([]inodeRef, 0, int(ix.count)+len(ix.recent))}
	ix.mu.Unlock()
	var r recordReader
	ok := false
	if n.sorted != nil {
		r = newRecordReader(n.sorted)
		ok = r.next()
	}
	for i := 0; ok || i < len(n.recent); {
		order := -1
		if i < len(n.recent) {
			order = 1
			if ok {
				order = compare(r.path, n.recent[i].Path)
			}
		}
		var err error
		switch {
		case order < 0:
			r.Path = string(r.path)
			err = n.add(&r.Record, uint64(r.begin)<<nthBits|uint64(r.nth), mark)
		case order > 0:
			err = n.add(&n.recent[i], inJournal>>1|uint64(i), mark)
			i++
		}
		if err != nil {
			return nil, err
		}
		if order <= 0 { // where they are equal the journal's is the newer one
			ok = r.next()
		}
	}
	slices.SortFunc(n.refs, func(a, b inodeRef) int { return cmp.Compare(a.ino, b.ino) })
	return n, nil
}

func (n *Inodes) add(rec *Record, at uint64, mark func(string, []byte) (bool, error)) error {
	if rec.Ino == 0 {
		return nil
	}
	marked, err := mark(rec.Path, rec.Value)
	at <<= 1
	if marked {
		at |= markedFlag
	}
	n.refs = append(n.refs, inodeRef{rec.Ino, at})
	return err
}

// Find returns the record of another path that has inode, size and modification time of e,
// and what mark said of it. Of several records of the inode only that with the latest ctime counts: the file was
// seen at more than one path, and may have been changed between. None counts where that one is racy. Its
// Value is valid until the next call.
func (n *Inodes) Find(e Entry) (rec Record, marked, ok bool) {
	i, _ := slices.BinarySearchFunc(n.refs, e.Ino, func(r inodeRef, ino uint64) int { return cmp.Compare(r.ino, ino) })
	newest, at := Record{}, uint64(0)
	for ; i < len(n.refs) && n.refs[i].ino == e.Ino; i++ {
		rec, ok := n.at(n.refs[i].at)
		if ok && rec.Ino == e.Ino && rec.Path != e.Path && (newest.Ino == 0 || rec.Ctime.Compare(newest.Ctime) > 0) {
			newest, at = rec, n.refs[i].at
		}
	}
	if newest.Ino == 0 || newest.Racy || newest.Size != e.Size || newest.Mtime != e.Mtime {
		return Record{}, false, false
	}
	rec, ok = n.at(at) // what the others have overwritten is read again
	return rec, at&markedFlag != 0, ok
}

// at returns a record by its place.
func (n *Inodes) at(at uint64) (Record, bool) {
	if at&inJournal != 0 {
		return n.recent[at&^inJournal>>1], true
	}
	at >>= 1
	begin, nth := int64(at>>nthBits), int(at&(1<<nthBits-1))
	if begin != n.begin {
		n.load(begin)
	}
	if nth >= len(n.frame) {
		return Record{}, false
	}
	return n.frame[nth], true
}

// load reads the records of the frame that begins at begin; none where it is damaged.
func (n *Inodes) load(begin int64) {
	n.frame, n.begin = n.frame[:0], begin
	n.frames.file, n.frames.at = n.sorted, begin
	kind, payload, err := n.frames.next()
	if err != nil || kind != frameRecords {
		return
	}
	var path []byte
	for rest := (decoder{b: payload}); len(rest.b) > 0; {
		var rec Record
		shared, suffix, err := rest.record(n.sorted, &rec)
		if err != nil || shared > uint64(len(path)) {
			return
		}
		path = append(path[:shared], suffix...)
		rec.Path = string(path)
		n.frame = append(n.frame, rec)
	}
}
