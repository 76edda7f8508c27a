package api

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"strings"
)

// fingerprintPrefix begins a fingerprint and names the hash.
const fingerprintPrefix = "sha256:"

// Fingerprint returns what a client pins of a hub: "sha256:" and the hash of the certificate's
// public key, in lower-case hexadecimal digits. It stays when the key gets another certificate.
func Fingerprint(cert *x509.Certificate) string {
	sum := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
	return fingerprintPrefix + hex.EncodeToString(sum[:])
}

// ParseFingerprint returns a fingerprint that a person typed in the form of Fingerprint: with
// or without the prefix, in letters of any case.
func ParseFingerprint(s string) (string, error) {
	digits := strings.TrimPrefix(strings.ToLower(strings.TrimSpace(s)), fingerprintPrefix)
	if b, err := hex.DecodeString(digits); err != nil || len(b) != sha256.Size {
		return "", fmt.Errorf("fingerprint %.80q is not sha256: and 64 hexadecimal digits", s)
	}
	return fingerprintPrefix + digits, nil
}
