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
// could reach: a hub without accounts is open to all who reach it.
func CheckListen(addr string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("listen address %q: %w", addr, err)
	}
	if !loopback(host) {
		return fmt.Errorf("listen address %q: this hub has no accounts, so it listens only on the loopback (127.0.0.1, [::1] or localhost)", addr)
	}
	return nil
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
// own name resolve to the loopback), and its origin, which browsers tell, must be that name.
func (s *server) guard(r *http.Request) error {
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if !loopback(host) && !slices.Contains(s.opts.Hosts, host) {
		return invalid(api.ErrForbidden, "host %q is not this hub", r.Host)
	}
	if origin := r.Header.Get("Origin"); origin != "" {
		u, err := url.Parse(origin)
		if err != nil || u.Host != r.Host {
			return invalid(api.ErrForbidden, "origin %q is not this hub", origin)
		}
	}
	if err := new(http.CrossOriginProtection).Check(r); err != nil {
		return invalid(api.ErrForbidden, "%v", err)
	}
	return nil
}
