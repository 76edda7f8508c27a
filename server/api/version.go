package api

import (
	"fmt"
	"net/http"
	"strconv"
)

// ProtocolVersion is the version of the protocol that this package describes.
const ProtocolVersion = 1

// HeaderProtocol is the header of each request and answer of dfs that tells the version of the
// protocol that its sender speaks. Other programs may leave it out: they mean version 1.
const HeaderProtocol = "Dfs-Protocol"

// HeaderRequest is the header in which a request may have a name of its client's choice, of at most MaxRequestName
// bytes. The answer has it too, so that one that comes twice is not taken for that of the next request.
const HeaderRequest = "Dfs-Request"

// MaxRequestName bounds the name of a request, in bytes; of a longer one the answer has none.
const MaxRequestName = 64

// VersionError is the ErrVersion for a client and a hub that speak different versions of the
// protocol. It says which of them to update.
func VersionError(client, hub int) *Error {
	older := "the client"
	if hub < client {
		older = "the hub"
	}
	return &Error{Code: ErrVersion.Code,
		Message: fmt.Sprintf("the client speaks protocol %d and the hub protocol %d: update dfs on the side of %s", client, hub, older)}
}

// ProtocolOf returns the version that a header tells, ours where it tells none. The error is an
// ErrVersion: what it tells is no version.
func ProtocolOf(h http.Header) (int, error) {
	text := h.Get(HeaderProtocol)
	if text == "" {
		return ProtocolVersion, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return 0, &Error{Code: ErrVersion.Code,
			Message: fmt.Sprintf("header %s: %.64q is no version of the protocol; this side speaks %d", HeaderProtocol, text, ProtocolVersion)}
	}
	return n, nil
}
