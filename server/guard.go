package server

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"dfs/server/api"
)

func invalid(kind *api.Error, format string, args ...any) *api.Error {
	return &api.Error{Code: kind.Code, Message: fmt.Sprintf(format, args...)}
}

// CheckListen refuses an address to listen on that others than this machine
// could reach, unless the hub has accounts and TLS: without accounts it is open to all who
// reach it, and without TLS tokens and files can be read on their way.
func CheckListen(addr string, accounts, tls bool) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("listen address %q: %w", addr, err)
	}
	if loopback(host) || accounts && tls {
		return nil
	}
	lacks := "TLS"
	if !accounts {
		lacks = "accounts"
		if !tls {
			lacks = "accounts and TLS"
		}
	}
	return fmt.Errorf("listen address %q: a hub without %s listens only on the loopback (127.0.0.1, [::1] or localhost)", addr, lacks)
}

func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// guard keeps web pages of other sites away from a hub without accounts: the
// request must address the hub by a name of this machine (a page can make its
// own name resolve to the loopback), and its origin, which browsers tell, must be that name. What a page of
// another site only loads has no origin, but browsers tell of the site.
// With accounts a page lacks the token, and the hub's name is what its owner says, or any.
func (s *server) guard(r *http.Request) error {
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	open := s.opts.Accounts != nil && len(s.opts.Hosts) == 0
	if !open && !loopback(host) && !slices.Contains(s.opts.Hosts, host) {
		return invalid(api.ErrForbidden, "host %q is not this hub", r.Host)
	}
	if origin := r.Header.Get("Origin"); origin != "" {
		u, err := url.Parse(origin)
		if err != nil || u.Host != r.Host {
			return invalid(api.ErrForbidden, "origin %q is not this hub", origin)
		}
	}
	if site := r.Header.Get("Sec-Fetch-Site"); s.opts.Accounts == nil && site != "" && site != "same-origin" && site != "none" {
		return invalid(api.ErrForbidden, "the request is of another site's page (%.64q)", site)
	}
	if err := new(http.CrossOriginProtection).Check(r); err != nil {
		return invalid(api.ErrForbidden, "%v", err)
	}
	return nil
}
