package remote

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"dfs/server/api"
)

// ErrUntrusted is found with errors.Is when what answers at the URL did not prove to be the
// hub: nothing was sent to it.
var ErrUntrusted = errors.New("not trusted")

// A KeyError says that a hub has another key than its fingerprint tells.
type KeyError struct {
	Want, Got string // fingerprints
}

func (e *KeyError) Error() string {
	return fmt.Sprintf("its key has the fingerprint %s, not %s: either the hub was set up anew, or something else answers in its place. "+
		"Ask its administrator", e.Got, e.Want)
}

// trust returns how the hub is verified: by its key's fingerprint, or by its certificate.
func trust(fingerprint string) *tls.Config {
	c := &tls.Config{MinVersion: tls.VersionTLS13}
	if fingerprint == "" {
		return c
	}
	// The key is compared instead of who signed it, for which names, and until when.
	c.InsecureSkipVerify = true
	c.VerifyConnection = func(state tls.ConnectionState) error {
		if got := api.Fingerprint(state.PeerCertificates[0]); got != fingerprint {
			return &KeyError{Want: fingerprint, Got: got}
		}
		return nil
	}
	return c
}

// unanswered returns the error of a request that got no answer: it is made again unless it
// is about who answers.
func (h *Hub) unanswered(err error) error {
	key, isKey := errors.AsType[*KeyError](err)
	unverified, isUnverified := errors.AsType[*tls.CertificateVerificationError](err)
	switch {
	case isKey:
		return fmt.Errorf("%w: %s: %w", ErrUntrusted, h.base, key)
	case isUnverified:
		return fmt.Errorf("%w: %s: %w%s", ErrUntrusted, h.base, unverified.Err, presented(unverified.UnverifiedCertificates))
	}
	return &transient{err: err}
}

// presented tells the fingerprint of a certificate that was not verified.
func presented(certs []*x509.Certificate) string {
	if len(certs) == 0 {
		return ""
	}
	return "; its key has the fingerprint " + api.Fingerprint(certs[0])
}

// loopback reports whether the host is this machine.
func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}
