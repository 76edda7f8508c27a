package state_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"dfs/client/state"
	"dfs/server/api"
)

func TestCredentials(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "config", "dfs")
	c := state.OpenCredentials(dir)
	const url = "https://hub:8420"
	if _, ok, err := c.For(url); ok || err != nil {
		t.Fatal(ok, err)
	}
	key := api.NewJoinKey()
	token, err := c.Joining(url, key)
	if err != nil || !token.IsToken() {
		t.Fatal(token, err)
	}
	// A registration that is repeated has the same token, one with another key has another.
	if again, err := state.OpenCredentials(dir).Joining(url, key); again != token || err != nil {
		t.Errorf("the same key: same token %v, %v", again == token, err)
	}
	first, err := c.Joining("https://other", api.NewJoinKey())
	if err != nil {
		t.Fatal(err)
	}
	second, err := c.Joining("https://other", api.NewJoinKey())
	if err != nil || first == token || second == first {
		t.Errorf("another hub or another key has the same token: %v, %v, %v", first == token, second == first, err)
	}
	if _, ok, _ := c.For(url); ok {
		t.Error("what is not registered yet is a credential")
	}
	want := state.Credential{Client: api.ClientID{1}, Token: token, Fingerprint: "sha256:00"}
	if err := c.Record(url, want); err != nil {
		t.Fatal(err)
	}
	if got, ok, err := c.For(url); got != want || !ok || err != nil {
		t.Errorf("recorded %v, %v, %v", got == want, ok, err)
	}
	if other, err := c.Joining(url, key); other == token || err != nil {
		t.Errorf("after the end: same token %v, %v", other == token, err)
	}
	file := filepath.Join(dir, "credentials")
	info, err := os.Stat(file)
	if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	for range 2 {
		if _, err := c.Forget(url); err != nil {
			t.Fatal(err)
		}
	}
	if urls, err := c.URLs(); len(urls) != 0 || err != nil {
		t.Errorf("%q, %v", urls, err)
	}
	if data, err := os.ReadFile(file); err != nil || strings.Contains(string(data), string(token)) {
		t.Error("a forgotten token is in the file")
	}
}

// TestCredentialsAtOnce has many log in and out at once, each as another process would: none loses what another records.
func TestCredentialsAtOnce(t *testing.T) {
	dir := t.TempDir()
	if err := state.OpenCredentials(dir).Record("gone", state.Credential{}); err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for n := range 20 {
		group.Go(func() {
			c, url := state.OpenCredentials(dir), fmt.Sprint("https://hub", n)
			token, err := c.Joining(url, api.NewJoinKey())
			if err == nil {
				err = c.Record(url, state.Credential{Token: token})
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	group.Go(func() {
		if had, err := state.OpenCredentials(dir).Forget("gone"); !had || err != nil {
			t.Error(had, err)
		}
	})
	group.Wait()
	if urls, err := state.OpenCredentials(dir).URLs(); len(urls) != 20 || err != nil {
		t.Errorf("%q, %v", urls, err)
	}
}

// TestLoginsToOneHub: who logs in to a hub while another login to it is under way does not take that one's token away.
func TestLoginsToOneHub(t *testing.T) {
	c := state.OpenCredentials(t.TempDir())
	const url = "https://hub"
	first, second := api.NewJoinKey(), api.NewJoinKey()
	former, err := c.Joining(url, first)
	if err != nil {
		t.Fatal(err)
	}
	token, err := c.Joining(url, second)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Record(url, state.Credential{Token: former}); err != nil {
		t.Fatal(err)
	}
	if again, err := c.Joining(url, second); again != token || err != nil {
		t.Errorf("the same key: same token %v, %v", again == token, err)
	}
}

func TestCredentialsOfOthers(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no modes")
	}
	dir := t.TempDir()
	c := state.OpenCredentials(dir)
	token := api.NewToken()
	if err := c.Record("u", state.Credential{Token: token}); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "credentials")
	for _, mode := range []os.FileMode{0o640, 0o604, 0o620} {
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
		if _, _, err := c.For("u"); err == nil || !strings.Contains(err.Error(), "chmod") {
			t.Errorf("mode %o: %v", mode, err)
		}
		if err := c.Record("v", state.Credential{}); err == nil {
			t.Errorf("mode %o: recorded", mode)
		}
	}
	if err := os.WriteFile(file, []byte(`{"hubs": "`+string(token)+`"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.For("u"); err == nil || strings.Contains(err.Error(), string(token)) {
		t.Errorf("garbage: %v", err)
	}
}
