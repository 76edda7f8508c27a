package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"dfs/cas"
	"dfs/server/api"
)

// credentialsFile is the file of the credentials. It is JSON, {"hubs": {URL: {"client", "token",
// "fingerprint"}}, "joining": {URL: {"key", "token"}}}, and is replaced as a whole, under the lock of a file beside it.
const (
	credentialsFile = "credentials"
	credentialsLock = credentialsFile + ".lock"
)

// A Credential is what an installation shows a hub, and asks it to show.
type Credential struct {
	Client      api.ClientID `json:"client"`
	Token       api.Secret   `json:"token"`
	Fingerprint string       `json:"fingerprint,omitempty"` // as of api.Fingerprint; "": the certificate is verified
}

// Credentials is the list of credentials by the hub's URL, in a directory of the installation
// that may be readable by others; the file is not.
type Credentials struct{ dir string }

// OpenCredentials returns the credentials in dir, which is made when some are recorded. With an
// empty dir there are none, and none can be recorded.
func OpenCredentials(dir string) Credentials { return Credentials{dir} }

// credentials is the content of the file.
type credentials struct {
	Hubs    map[string]Credential `json:"hubs"`
	Joining map[string]joining    `json:"joining,omitempty"`
}

// joining is a registration or a rotation under way. Its key is the SHA-256 of the join key or the former token.
type joining struct {
	Key   cas.ID     `json:"key"`
	Token api.Secret `json:"token"`
}

// For returns what is recorded for the hub at the URL.
func (c Credentials) For(url string) (Credential, bool, error) {
	all, err := c.load()
	found, ok := all.Hubs[url]
	return found, ok, err
}

// Joining returns the token for a registration with a join key, or to take the place of the token
// that is the key: a new one, which is on the disk when it returns, or the one of a call with the same key
// after which nothing was recorded.
func (c Credentials) Joining(url string, key api.Secret) (token api.Secret, err error) {
	hash := cas.Sum([]byte(key))
	err = c.change(func(all *credentials) bool {
		if j, ok := all.Joining[url]; ok && j.Key == hash {
			token = j.Token
			return false
		}
		token = api.NewToken()
		if all.Joining == nil {
			all.Joining = make(map[string]joining)
		}
		all.Joining[url] = joining{Key: hash, Token: token}
		return true
	})
	return token, err
}

// Record notes the credential for the hub at the URL, in place of a former.
func (c Credentials) Record(url string, cred Credential) error {
	return c.change(func(all *credentials) bool {
		if all.Hubs == nil {
			all.Hubs = make(map[string]Credential)
		}
		all.Hubs[url] = cred
		if all.Joining[url].Token == cred.Token { // else it is another one's, which is under way
			delete(all.Joining, url)
		}
		return true
	})
}

// Forget drops what is recorded for the hub at the URL, and reports whether there was something.
func (c Credentials) Forget(url string) (had bool, err error) {
	err = c.change(func(all *credentials) bool {
		_, had = all.Hubs[url]
		delete(all.Hubs, url)
		return had
	})
	return had, err
}

// URLs returns the URLs of the hubs for which something is recorded, in any order.
func (c Credentials) URLs() ([]string, error) {
	all, err := c.load()
	var urls []string
	for url := range all.Hubs {
		urls = append(urls, url)
	}
	return urls, err
}

// change has fn change the credentials, and saves them if it reports that it did. Meanwhile no other call and no
// other process changes them.
func (c Credentials) change(fn func(*credentials) bool) (err error) {
	if c.dir == "" {
		return errors.New("there is no directory for credentials")
	}
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return err
	}
	lock, err := os.OpenFile(filepath.Join(c.dir, credentialsLock), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer lock.Close() // which ends the lock
	if err := waitLock(lock); err != nil {
		return fmt.Errorf("%s: lock: %w", lock.Name(), err)
	}
	all, err := c.load()
	if err != nil || !fn(&all) {
		return err
	}
	return c.save(all)
}

func (c Credentials) load() (all credentials, err error) {
	if c.dir == "" {
		return all, nil
	}
	data, err := ReadSecret(filepath.Join(c.dir, credentialsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return all, nil
	}
	if err != nil {
		return all, err
	}
	// The text of a JSON error could quote a token.
	if json.Unmarshal(data, &all) != nil {
		return all, fmt.Errorf("%s: not a file of credentials; move it away and log in again", filepath.Join(c.dir, credentialsFile))
	}
	return all, nil
}

// ReadSecret reads a file that only its owner may read: another is refused.
func ReadSecret(file string) ([]byte, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 && runtime.GOOS != "windows" {
		return nil, fmt.Errorf("%s: others may read or write it (mode %o), and it holds a secret; chmod 600 it", file, mode)
	}
	return os.ReadFile(file)
}

func (c Credentials) save(all credentials) error {
	data, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return err
	}
	// CreateTemp makes files that only their owner may read.
	f, err := os.CreateTemp(c.dir, credentialsFile+".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(append(data, '\n'))
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), filepath.Join(c.dir, credentialsFile))
}
