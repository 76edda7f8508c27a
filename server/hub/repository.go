package hub

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"dfs/cas"
)

// formatVersion is the version of a repository's layout that this package reads and writes.
const formatVersion = 1

// The files of a repository's directory, besides the folders of its stores.
const (
	recordFile = "repository"
	lockFile   = "lock"
	holderFile = "holder"
)

// ErrLocked: another process has the repository open. The error that wraps it names the
// holder as far as known.
var ErrLocked = errors.New("repository is in use")

// record is the content of the file "repository".
type record struct {
	Format int          `json:"format"`
	HubID  cas.VolumeID `json:"hub_id"`
}

// claim locks the repository in dir, which it makes if it is not there, and
// reads its record. It writes nothing into a repository of another version.
func claim(dir string) (lock *os.File, rec record, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, record{}, fmt.Errorf("repository: %w", err)
	}
	if rec, err = readRecord(dir); err != nil {
		return nil, record{}, err
	}
	if rec.Format == 0 {
		if err := checkFresh(dir); err != nil {
			return nil, record{}, err
		}
	}
	lock, err = os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, record{}, fmt.Errorf("repository: %w", err)
	}
	if rec, err = settle(dir, lock); err != nil {
		return nil, record{}, errors.Join(err, lock.Close())
	}
	return lock, rec, nil
}

// settle takes the lock, names this process as its holder and returns the
// record, which it writes first when there is none.
func settle(dir string, lock *os.File) (record, error) {
	ok, err := tryLock(lock)
	if err != nil {
		return record{}, fmt.Errorf("repository %s: lock: %w", dir, err)
	}
	if !ok {
		return record{}, fmt.Errorf("%s: %w by %s", dir, ErrLocked, holder(dir))
	}
	self := fmt.Sprintf("process %d (%s)\n", os.Getpid(), strings.Join(os.Args, " "))
	if err := os.WriteFile(filepath.Join(dir, holderFile), []byte(self), 0o600); err != nil {
		return record{}, fmt.Errorf("repository: %w", err)
	}
	rec, err := readRecord(dir)
	if err != nil || rec.Format != 0 {
		return rec, err
	}
	rec.Format = formatVersion
	rand.Read(rec.HubID[:])
	return rec, writeRecord(dir, rec)
}

// holder returns what the process that holds the lock wrote about itself.
func holder(dir string) string {
	b, err := os.ReadFile(filepath.Join(dir, holderFile))
	if name := strings.TrimSpace(string(b)); err == nil && name != "" {
		return name
	}
	return "another process"
}

// readRecord returns the repository's record, the zero record when there is none.
func readRecord(dir string) (record, error) {
	name := filepath.Join(dir, recordFile)
	b, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return record{}, nil
	}
	if err != nil {
		return record{}, fmt.Errorf("repository: %w", err)
	}
	var rec record
	if err := json.Unmarshal(b, &rec); err != nil {
		return record{}, fmt.Errorf("%s: %w", name, err)
	}
	if rec.Format != formatVersion {
		return record{}, fmt.Errorf("%s: format %d is not known to this version, which knows %d", name, rec.Format, formatVersion)
	}
	if rec.HubID.IsZero() {
		return record{}, fmt.Errorf("%s: hub_id is missing", name)
	}
	return rec, nil
}

// checkFresh refuses a directory that has other things in it than the making of a
// repository leaves when it is cut short.
func checkFresh(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("repository: %w", err)
	}
	for _, e := range entries {
		if !slices.Contains([]string{recordFile, recordFile + ".new", lockFile, holderFile}, e.Name()) {
			return fmt.Errorf("%s is no repository and not empty: it has %s", dir, e.Name())
		}
	}
	return nil
}

// writeRecord puts the record in place, whole and durable.
func writeRecord(dir string, rec record) error {
	b, err := json.Marshal(rec)
	if err != nil {
		return err
	}
	return writeFile(dir, recordFile, append(b, '\n'))
}

// writeFile puts a file of the repository in place, whole and durable. Only its owner may read it.
func writeFile(dir, file string, data []byte) error {
	name := filepath.Join(dir, file)
	f, err := os.OpenFile(name+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("repository: %w", err)
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("repository: %w", err)
	}
	if err := os.Rename(name+".new", name); err != nil {
		return fmt.Errorf("repository: %w", err)
	}
	return errors.Join(syncDir(dir), syncDir(filepath.Dir(dir)))
}
