package remote_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dfs/client/remote"
	"dfs/server"
	"dfs/server/api"
)

// serveTLS serves a hub with a key of its own making and returns its URL and the key's fingerprint.
func serveTLS(t *testing.T) (url, fingerprint string) {
	t.Helper()
	cert, err := server.SelfSigned(filepath.Join(t.TempDir(), "tls.pem"))
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	handler := server.New(openHub(t), server.Options{TLS: server.TLS(cert)})
	go func() { served <- server.Serve(ctx, ln, handler, nil) }()
	t.Cleanup(func() {
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return "https://" + ln.Addr().String(), api.Fingerprint(cert.Leaf)
}

func TestPinnedKey(t *testing.T) {
	url, fingerprint := serveTLS(t)
	// What is not trusted is refused at once, and not tried again.
	patient := remote.Options{First: time.Hour, Patience: time.Hour}
	for name, c := range map[string]struct {
		pin  string
		want string // in the error; "": none
	}{
		"pinned":      {fingerprint, ""},
		"not pinned":  {"", "its key has the fingerprint " + fingerprint},
		"another key": {"sha256:" + strings.Repeat("0", 64), "its key has the fingerprint " + fingerprint + ", not sha256:000"},
	} {
		opts := patient
		opts.Fingerprint = c.pin
		h, err := greet(t.Context(), url, opts)
		if err == nil {
			h.Close()
		}
		if (err == nil) != (c.want == "") {
			t.Errorf("%s: %v", name, err)
		} else if err != nil && (!errors.Is(err, remote.ErrUntrusted) || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestOnlyTLS13 offers an older version, and HTTP/2.
func TestOnlyTLS13(t *testing.T) {
	url, _ := serveTLS(t)
	addr := strings.TrimPrefix(url, "https://")
	old := &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12}
	if c, err := tls.Dial("tcp", addr, old); err == nil {
		c.Close()
		t.Error("TLS 1.2 is spoken")
	}
	c, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2", "http/1.1"}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got := c.ConnectionState().NegotiatedProtocol; got != "http/1.1" {
		t.Errorf("the protocol is %q", got)
	}
}

func TestTokensStayHere(t *testing.T) {
	for url, ok := range map[string]bool{
		"http://127.0.0.1:1": true, "http://[::1]:1": true, "http://localhost:1": true, "https://hub.example": true,
		"http://hub.example": false, "http://192.0.2.1:8420": false, "http://localhost.example": false,
	} {
		token := api.NewToken()
		_, err := remote.New(url, remote.Options{Token: token})
		if (err == nil) != ok || err != nil && strings.Contains(err.Error(), string(token)) {
			t.Errorf("%s: %v", url, err)
		}
	}
	if _, err := remote.New("http://127.0.0.1:1", remote.Options{Fingerprint: "sha256:00"}); err == nil {
		t.Error("a fingerprint without TLS is taken")
	}
}

// TestNoProxyForThisMachine: whatever the environment says, and however the loopback is spelled. The proxies of
// the environment are read once in a process, so this is one of its own.
func TestNoProxyForThisMachine(t *testing.T) {
	if os.Getenv("HTTP_PROXY") == "" {
		proxy := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			t.Errorf("the proxy gets %s %s, with a token: %v", r.Method, r.URL, r.Header.Get("Authorization") != "")
		}))
		defer proxy.Close()
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestNoProxyForThisMachine$")
		cmd.Env = append(os.Environ(), "HTTP_PROXY="+proxy.URL, "NO_PROXY=")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
		return
	}
	url := strings.Replace(serve(t, server.New(openHub(t), server.Options{})), "127.0.0.1", "LOCALHOST", 1)
	h, err := remote.New(url, remote.Options{Token: api.NewToken(), Patience: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	if _, err := h.Info(t.Context(), ""); err != nil {
		t.Error(err)
	}
}

func TestSelfSigned(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tls.pem")
	first, err := server.SelfSigned(file, "hub.lan", "192.0.2.1")
	if err != nil {
		t.Fatal(err)
	}
	again, err := server.SelfSigned(file)
	if err != nil || api.Fingerprint(again.Leaf) != api.Fingerprint(first.Leaf) {
		t.Errorf("another key at the second start: %v", err)
	}
	for _, host := range []string{"hub.lan", "192.0.2.1", "localhost", "127.0.0.1"} {
		if err := first.Leaf.VerifyHostname(host); err != nil {
			t.Error(err)
		}
	}
}
