package ledger

import (
	"strconv"
	"strings"
)

// Endpoints are the URLs at which a source answers.
type Endpoints struct {
	// ITI43 answers Retrieve Document Set.
	ITI43 string `cbor:"1,keyasint" json:"iti43"`
	// Openings takes the openings of grants; empty if the source takes them in other ways.
	Openings string `cbor:"2,keyasint" json:"openings,omitempty"`
	// RAD69 answers Retrieve Imaging Document Set; empty if the source does not.
	RAD69 string `cbor:"3,keyasint" json:"rad69,omitempty"`
}

func (e Endpoints) validate() error {
	if err := checkURL("ITI-43", e.ITI43); err != nil {
		return err
	}
	if e.Openings != "" {
		if err := checkURL("openings", e.Openings); err != nil {
			return err
		}
	}
	if e.RAD69 != "" {
		return checkURL("RAD-69", e.RAD69)
	}
	return nil
}

// checkURL accepts "https://" host [":" port] ["/" ...] in printable ASCII, without user information and
// fragment. The grammar is spelled out here because it is a rule of the chain: net/url changes what it accepts
// from one release to the next, and two nodes built with different releases would part. ledger-spec 5.1
func checkURL(which, url string) error {
	rest, ok := strings.CutPrefix(url, "https://")
	switch {
	case len(url) > MaxURLBytes:
		return outOfBounds("the %s URL has %d bytes, at most %d are allowed", which, len(url), MaxURLBytes)
	case !ok:
		return outOfBounds("the %s URL does not begin with https://", which)
	}
	authority, path := rest, ""
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		authority, path = rest[:i], rest[i:]
	}
	if !isAuthority(authority) {
		return outOfBounds("the %s URL has no host name, or a port that is none", which)
	}
	if !isPath(path) {
		return outOfBounds("the %s URL has a character that must be written as %%XX", which)
	}
	return nil
}

// isAuthority accepts a host name or address, then an optional port of 1 to 65535.
func isAuthority(s string) bool {
	var host, port string
	var ported bool
	if rest, ok := strings.CutPrefix(s, "["); ok { // IPv6
		host, port, ok = strings.Cut(rest, "]")
		if !ok || host == "" || strings.Trim(host, "0123456789abcdefABCDEF:.") != "" {
			return false
		}
		if port != "" && port[0] != ':' {
			return false
		}
		port, ported = strings.CutPrefix(port, ":")
	} else {
		host, port, ported = strings.Cut(s, ":")
		for _, c := range []byte(host) {
			if !isAlphanumeric(c) && c != '-' && c != '.' {
				return false
			}
		}
	}
	if host == "" || !ported {
		return host != ""
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0 && port[0] != '0'
}

// hasPort reports whether what isAuthority accepts ends in a port.
func hasPort(s string) bool { return strings.LastIndexByte(s, ':') > strings.LastIndexByte(s, ']') }

// isPath accepts the characters of path and query in RFC 3986 section 3.
func isPath(s string) bool {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case isAlphanumeric(c), strings.IndexByte("-._~!$&'()*+,;=:@/?", c) >= 0:
		case c == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]):
			i += 2
		default:
			return false
		}
	}
	return true
}

func isAlphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// checkPeer accepts a libp2p peer, ID@host:port, or nothing. ledger-spec 5.1
func checkPeer(peer string) error {
	if peer == "" {
		return nil
	}
	id, address, _ := strings.Cut(peer, "@")
	switch {
	case len(peer) > maxPeerBytes:
		return outOfBounds("the peer has %d bytes, at most %d are allowed", len(peer), maxPeerBytes)
	case id == "" || len(id) > 64 || strings.Trim(id, base58) != "":
		return outOfBounds("the peer does not begin with the id of a libp2p peer, at most 64 characters in base 58")
	case !isAuthority(address) || !hasPort(address):
		return outOfBounds("the peer has no host and port after an @")
	}
	return nil
}

const base58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
