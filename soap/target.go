package soap

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
)

// Why an address is not answered to. The peer is not told which, lest it map our network.
var (
	errTarget  = errors.New("the address is not an absolute http or https URL without user, fragment and dot segments")
	errUnknown = errors.New("the address is not listed, and is not a public https one")
)

// targets says which addresses a stranger may have us connect to. What a request names is a URL of the
// requester's choice, so by itself it could make this server speak to machines that only it can reach.
type targets struct {
	listed []*url.URL
	public bool
}

func newTargets(listed []Inbox, public bool) (targets, error) {
	t := targets{public: public}
	for i, r := range listed {
		u, err := parseTarget(r.URL)
		if err != nil {
			return t, fmt.Errorf("listed address %d: %w", i+1, err)
		}
		t.listed = append(t.listed, u)
	}
	if len(t.listed) == 0 && !public {
		return t, errors.New("no address is listed, and public ones are not allowed: nothing could be sent")
	}
	return t, nil
}

// find parses an address and returns where it is listed, -1 if it is a public one; one that is neither is an error.
func (t targets) find(address string) (u *url.URL, listed int, err error) {
	if u, err = parseTarget(address); err != nil {
		return nil, -1, err
	}
	for i, l := range t.listed {
		if u.Scheme == l.Scheme && u.Host == l.Host && u.RawQuery == l.RawQuery &&
			(u.Path == l.Path || strings.HasSuffix(l.Path, "/") && strings.HasPrefix(u.Path, l.Path)) {
			return u, i, nil
		}
	}
	if t.public && u.Scheme == "https" {
		return u, -1, nil // where it leads is looked at when it is dialled
	}
	return nil, -1, errUnknown
}

// parseTarget parses a URL into one form for one place: lower-case host, and always a port.
func parseTarget(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil {
		return nil, errTarget // the error of url.Parse quotes the address
	}
	port := u.Port()
	switch {
	case u.Scheme == "http" && port == "":
		port = "80"
	case u.Scheme == "https" && port == "":
		port = "443"
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, errTarget
	}
	dots := strings.Contains(u.Path+"/", "/../") || strings.Contains(u.Path+"/", "/./") || strings.Contains(u.Path, `\`)
	if u.Hostname() == "" || u.User != nil || u.Fragment != "" || u.Opaque != "" || dots {
		return nil, errTarget
	}
	u.Host = net.JoinHostPort(strings.ToLower(u.Hostname()), port)
	if u.Path == "" {
		u.Path = "/"
	}
	return u, nil
}

// publicOnly is a net.Dialer.Control that refuses addresses which are not of the public internet. It sees what
// a name has been resolved to, at the moment of connecting, so that a name which changes its mind is no way in.
func publicOnly(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil || !public(at.Addr()) {
		return errors.New("the address is not one of the public internet")
	}
	return nil
}

// special are the blocks that netip does not know to be special. IANA special-purpose address registries
var special = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("192.88.99.0/24"), netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("2001::/23"), netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("2002::/16"),
	netip.MustParsePrefix("3fff::/20"),
}

// globalIPv6 is all of IPv6 that is handed out: what translates to IPv4 or is local lies outside.
var globalIPv6 = netip.MustParsePrefix("2000::/3")

func public(a netip.Addr) bool {
	a = a.Unmap()
	if !a.IsGlobalUnicast() || a.IsPrivate() || a.Zone() != "" || a.Is6() && !globalIPv6.Contains(a) {
		return false
	}
	for _, p := range special {
		if p.Contains(a) {
			return false
		}
	}
	return true
}
