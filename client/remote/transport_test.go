package remote

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// TestHTTP1Only asks a server that offers HTTP/2.
func TestHTTP1Only(t *testing.T) {
	var proto string
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { proto = r.Proto }))
	srv.EnableHTTP2 = true
	srv.StartTLS()
	defer srv.Close()
	var counts traffic
	transport := newTransport(&counts, time.Minute, time.Minute)
	defer transport.CloseIdleConnections()
	pool := x509.NewCertPool()
	pool.AddCert(srv.Certificate())
	transport.TLSClientConfig = &tls.Config{RootCAs: pool}
	resp, err := (&http.Client{Transport: transport}).Get(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if proto != "HTTP/1.1" || transport.Protocols.HTTP2() || transport.Protocols.UnencryptedHTTP2() {
		t.Errorf("server sees %s, transport speaks %v", proto, transport.Protocols)
	}
	if counts.sent.Load() == 0 || counts.received.Load() == 0 {
		t.Error("bytes under TLS are not counted")
	}
}

func TestBackoff(t *testing.T) {
	for n := range 100 {
		if d := backoff(n); d < firstPause/2 || d > lastPause {
			t.Errorf("pause %d: %v", n, d)
		}
	}
}
