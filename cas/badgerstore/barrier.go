package badgerstore

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
)

// rounds let callers that wait for the same work share it.
type rounds struct {
	mu   sync.Mutex
	next *round // has callers and has not begun
	busy bool
	wg   sync.WaitGroup
}

// round is one run of the work. err is valid once done is closed.
type round struct {
	done chan struct{}
	err  error
}

// join returns a round that begins after the call.
func (r *rounds) join(work func() error) *round {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.next == nil {
		r.next = &round{done: make(chan struct{})}
	}
	if !r.busy {
		r.busy = true
		r.wg.Go(func() { r.run(work) })
	}
	return r.next
}

func (r *rounds) run(work func() error) {
	for {
		r.mu.Lock()
		now := r.next
		r.next, r.busy = nil, now != nil
		r.mu.Unlock()
		if now == nil {
			return
		}
		now.err = work()
		close(now.done)
	}
}

// wait returns when no round is under way.
func (r *rounds) wait() { r.wg.Wait() }

// A logName is the name of one of Badger's files: 00001.mem, 000001.vlog, 000001.sst.
type logName struct {
	ext string
	num uint64
}

// parseLogName returns false for a name that is no log's.
func parseLogName(name string) (logName, bool) {
	f, ok := parseName(name)
	return f, ok && f.ext != ".sst"
}

func parseName(name string) (logName, bool) {
	ext := filepath.Ext(name)
	if ext != ".mem" && ext != ".vlog" && ext != ".sst" {
		return logName{}, false
	}
	num, err := strconv.ParseUint(strings.TrimSuffix(name, ext), 10, 64)
	return logName{ext, num}, err == nil
}

// logSet holds a descriptor of every log that may have bytes which are not durable.
type logSet struct {
	path  string
	fsync func(*os.File) error

	mu       sync.Mutex
	dir      *os.File
	open     map[logName]*os.File
	settled  map[string]uint64 // by extension: logs up to this number are durable for good
	newest   map[string]uint64 // by extension: the highest number seen
	newNames bool              // the directory has entries that are not durable
	unseen   int64             // bytes written since the directory was read
}

// openLogs begins to watch dir, before Badger opens it. In a clean one, all
// logs that are there are durable and will not change.
func openLogs(path string, clean bool, fsync func(*os.File) error) (*logSet, error) {
	dir, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	l := &logSet{path: path, fsync: fsync, dir: dir, open: map[logName]*os.File{},
		settled: map[string]uint64{}, newest: map[string]uint64{}, newNames: !clean}
	if err := l.discover(); err != nil {
		return nil, errors.Join(err, l.close())
	}
	if clean {
		for name, f := range l.open {
			l.settle(name, f)
		}
		l.newNames = false
	}
	return l, nil
}

// wrote counts bytes written, and from time to time looks for new logs. When
// that fails, sync finds them, or the reason why not.
func (l *logSet) wrote(bytes int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.unseen += bytes; l.unseen >= watchEvery {
		_ = l.discover()
	}
}

// discover opens the logs that are new.
func (l *logSet) discover() error {
	l.unseen = 0
	entries, err := os.ReadDir(l.path)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name, ok := parseName(e.Name())
		if !ok || name.num <= l.settled[name.ext] {
			continue
		}
		if name.num > l.newest[name.ext] {
			l.newest[name.ext] = name.num
			l.newNames = true
		}
		if name.ext == ".sst" || l.open[name] != nil {
			continue
		}
		f, err := openLog(filepath.Join(l.path, e.Name()))
		if errors.Is(err, fs.ErrNotExist) {
			continue // its content is durable in a table
		}
		if err != nil {
			return err
		}
		if f != nil {
			l.open[name] = f
		}
	}
	return nil
}

// sync makes durable all that was written to logs before the call. Only one call
// may be under way.
func (l *logSet) sync() error {
	l.mu.Lock()
	err := l.discover()
	files := make(map[logName]*os.File, len(l.open))
	sealed := make(map[logName]bool)
	for name, f := range l.open {
		files[name] = f
		sealed[name] = name.num < l.newest[name.ext]
	}
	newNames := l.newNames
	l.newNames = false
	l.mu.Unlock()
	if err != nil {
		return err
	}
	for _, f := range files {
		if err := l.fsync(f); err != nil {
			return err
		}
	}
	if newNames {
		if err := syncOpenDir(l.dir, l.fsync); err != nil {
			return err
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for name, f := range files {
		if sealed[name] {
			l.settle(name, f)
		}
	}
	return nil
}

// settle forgets a log that is durable and will not change. Those with lower
// numbers are settled in the same run, if they were not before.
func (l *logSet) settle(name logName, f *os.File) {
	_ = f.Close() // it was only read and synced
	delete(l.open, name)
	l.settled[name.ext] = max(l.settled[name.ext], name.num)
}

func (l *logSet) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for name, f := range l.open {
		_ = f.Close()
		delete(l.open, name)
	}
	return l.dir.Close()
}
