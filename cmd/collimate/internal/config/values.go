package config

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"collimate/consensus"
	"collimate/keys"
)

// value is where a key's value goes, and what it may be. A scalar comes as one string.
type value interface {
	set(c *Config, values []string) error
}

// one rejoins a scalar that was split at commas.
func one(values []string) string { return strings.Join(values, ",") }

type text struct{ to *string }

func (v text) set(_ *Config, values []string) error {
	s := one(values)
	if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return errors.New("holds control characters")
	}
	*v.to = s
	return nil
}

// checked is a text that a function accepts, or none.
type checked struct {
	to    *string
	check func(string) error
}

func (v checked) set(_ *Config, values []string) error {
	s := one(values)
	if s != "" {
		if err := v.check(s); err != nil {
			return err
		}
	}
	*v.to = s
	return nil
}

// path is a file or directory, resolved against the directory of the configuration.
type path struct{ to *string }

func (v path) set(c *Config, values []string) error {
	p := one(values)
	if p == "" {
		return errors.New("is empty, want a path")
	}
	if !filepath.IsAbs(p) {
		p = filepath.Join(filepath.Dir(c.File), p)
	}
	*v.to = filepath.Clean(p)
	return nil
}

// paths is a list of files, each resolved as path does.
type paths struct{ to *[]string }

func (v paths) set(c *Config, values []string) error {
	var got []string
	for _, p := range values {
		var resolved string
		if err := (path{&resolved}).set(c, []string{p}); err != nil {
			return err
		}
		got = append(got, resolved)
	}
	*v.to = got
	return nil
}

// namedFiles is a list of NAME=FILE; the file begins after the last "=".
type namedFiles struct{ to *[]NamedFile }

func (v namedFiles) set(c *Config, values []string) error {
	var got []NamedFile
	for _, s := range values {
		i := strings.LastIndex(s, "=")
		if i < 1 || i == len(s)-1 {
			return fmt.Errorf("%q is not NAME=FILE, such as urn:example:idp=keys/idp.crt", s)
		}
		n := NamedFile{Name: s[:i]}
		if err := (path{&n.File}).set(c, []string{s[i+1:]}); err != nil {
			return err
		}
		got = append(got, n)
	}
	*v.to = got
	return nil
}

// inboxes is a list of URL=FILE or URL; the file begins after the last "=".
type inboxes struct{ to *[]NamedFile }

func (v inboxes) set(c *Config, values []string) error {
	var got []NamedFile
	for _, s := range values {
		n := NamedFile{Name: s}
		if i := strings.LastIndex(s, "="); i >= 0 {
			n.Name = s[:i]
			if err := (path{&n.File}).set(c, []string{s[i+1:]}); err != nil {
				return fmt.Errorf("%q: the certificate %w", s, err)
			}
		}
		if err := inboxURL(n.Name); err != nil {
			return err
		}
		if slices.ContainsFunc(got, func(other NamedFile) bool { return other.Name == n.Name }) {
			return fmt.Errorf("%q comes twice", n.Name)
		}
		got = append(got, n)
	}
	*v.to = got
	return nil
}

// inboxURL checks where answers may be sent.
func inboxURL(s string) error {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Hostname() == "":
		return fmt.Errorf("%q is not a URL such as https://south.example:8444/answers/", s)
	case u.Scheme != "https":
		return fmt.Errorf("%q does not begin with https://: answers hold images", s)
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || u.User != nil:
		return fmt.Errorf("%q has more than scheme, host, port and path", s)
	case slices.ContainsFunc(strings.Split(u.Path, "/"), func(part string) bool { return part == "." || part == ".." }):
		return fmt.Errorf("%q has dot segments in its path", s)
	}
	return nil
}

// keyID checks the name of a key on the ledger.
func keyID(s string) error {
	_, err := keys.ParseID(s)
	return err
}

// code checks a code with its system, as XDS writes them. ITI TF-2: 3.18.4.1.2.3.4
func code(s string) error {
	if code, system, ok := strings.Cut(s, "^^"); !ok || code == "" || system == "" {
		return fmt.Errorf("%q is not CODE^^SYSTEM, such as HCP^^2.16.756.5.30.1.127.3.10.6", s)
	}
	return nil
}

// uri checks that a value is an absolute URI.
func uri(s string) error {
	if u, err := url.Parse(s); err != nil || !u.IsAbs() {
		return fmt.Errorf("%q is not a URI such as urn:example:domain", s)
	}
	return nil
}

// address is host:port with a port that is known beforehand.
type address struct{ to *string }

func (v address) set(_ *Config, values []string) error {
	s := one(values)
	if err := checkAddress(s, 1); err != nil {
		return err
	}
	*v.to = s
	return nil
}

// loopback is host:port on loopback; port 0 takes any free one.
type loopback struct{ to *string }

func (v loopback) set(_ *Config, values []string) error {
	s := one(values)
	if err := checkAddress(s, 0); err != nil {
		return err
	}
	if host, _, _ := net.SplitHostPort(s); !isLoopback(host) {
		return fmt.Errorf("%q is not on loopback: whoever reaches this listener runs the archive", s)
	}
	*v.to = s
	return nil
}

func checkAddress(s string, lowest int) error {
	host, port, err := net.SplitHostPort(s)
	if err != nil || host == "" {
		return fmt.Errorf("%q is not host:port, such as 127.0.0.1:8443", s)
	}
	if n, err := strconv.Atoi(port); err != nil || n < lowest || n > 65535 {
		return fmt.Errorf("port %q is not a number from %d to 65535", port, lowest)
	}
	return nil
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback()
}

// httpsURL is scheme, host and port, and no path: the paths are the gateway's.
type httpsURL struct{ to *string }

func (v httpsURL) set(_ *Config, values []string) error {
	s := one(values)
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Host == "":
		return fmt.Errorf("%q is not a URL such as https://images.example:8443", s)
	case u.Scheme != "https":
		return fmt.Errorf("%q does not begin with https://", s)
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil:
		return fmt.Errorf("%q has more than scheme, host and port", s)
	}
	*v.to = "https://" + u.Host
	return nil
}

// duration is as Go writes it: 10s, 2m, 1h30m.
type duration struct {
	to              *time.Duration
	lowest, highest time.Duration
}

func (v duration) set(_ *Config, values []string) error {
	d, err := time.ParseDuration(one(values))
	if err != nil {
		return fmt.Errorf("%q is not a duration such as 10s or 2m", one(values))
	}
	if d < v.lowest || d > v.highest {
		return fmt.Errorf("%s is not within %s and %s", d, v.lowest, v.highest)
	}
	*v.to = d
	return nil
}

// number is a whole number.
type number struct {
	to              *int64
	lowest, highest int64
}

func (v number) set(_ *Config, values []string) error {
	n, err := strconv.ParseInt(one(values), 10, 64)
	if err != nil {
		return fmt.Errorf("%q is not a whole number", one(values))
	}
	if n < v.lowest || n > v.highest {
		return fmt.Errorf("%d is not within %d and %d", n, v.lowest, v.highest)
	}
	*v.to = n
	return nil
}

// trusted checks HEIGHT:HASH.
func trusted(s string) error {
	_, err := ParseTrust(s)
	return err
}

// ParseTrust reads the HEIGHT:HASH of a block.
func ParseTrust(s string) (*consensus.TrustedHeader, error) {
	height, hash, _ := strings.Cut(s, ":")
	n, err := strconv.ParseInt(height, 10, 64)
	raw, hexErr := hex.DecodeString(hash)
	if err != nil || hexErr != nil || n < 1 || len(raw) != sha256.Size {
		return nil, fmt.Errorf("%q is not HEIGHT:HASH, the hash being 64 hexadecimal digits", s)
	}
	return &consensus.TrustedHeader{Height: n, Hash: [sha256.Size]byte(raw)}, nil
}

// origin checks what a browser says of where a page comes from. RFC 6454 section 7
func origin(s string) error {
	if s == "*" {
		return nil
	}
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") || s != u.Scheme+"://"+u.Host {
		return fmt.Errorf("%q is not an origin such as https://wallet.example", s)
	}
	return nil
}

// prefix checks an address or a network.
func prefix(s string) error {
	_, err := ParsePrefix(s)
	return err
}

// ParsePrefix reads a network, such as 10.0.0.0/8, or one address.
func ParsePrefix(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil {
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return p, fmt.Errorf("%q is neither an address nor a network such as 10.0.0.0/8", s)
	}
	return p, nil
}

// flag is yes or no.
type flag struct{ to *bool }

func (v flag) set(_ *Config, values []string) error {
	switch s := one(values); s {
	case "yes", "true":
		*v.to = true
	case "no", "false":
		*v.to = false
	default:
		return fmt.Errorf("%q is neither yes nor no", s)
	}
	return nil
}

// words is a sequence that is taken as it is.
type words struct{ to *[]string }

func (v words) set(_ *Config, values []string) error {
	for _, s := range values {
		if s == "" || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return errors.New("holds an empty word or control characters")
		}
	}
	*v.to = slices.Clone(values)
	return nil
}

type choice struct {
	to *string
	of []string
}

func (v choice) set(_ *Config, values []string) error {
	s := one(values)
	if err := oneOf(v.of)(s); err != nil {
		return err
	}
	*v.to = s
	return nil
}

// list is a sequence whose elements each pass a check; none may come twice.
type list struct {
	to    *[]string
	check func(string) error
}

func (v list) set(_ *Config, values []string) error {
	got := make([]string, 0, len(values))
	for _, s := range values {
		s = strings.TrimSpace(s)
		if err := v.check(s); err != nil {
			return err
		}
		if slices.Contains(got, s) {
			return fmt.Errorf("%q comes twice", s)
		}
		got = append(got, s)
	}
	*v.to = got
	return nil
}

// oneOf returns a check that a value is one of those allowed.
func oneOf(allowed []string) func(string) error {
	return func(s string) error {
		if slices.Contains(allowed, s) {
			return nil
		}
		return fmt.Errorf("%q is not one of %s%s", s, strings.Join(allowed, ", "), suggest(s, allowed))
	}
}

// oid checks an ISO object identifier in dotted decimal.
func oid(s string) error {
	if len(s) > maxOIDLength {
		return fmt.Errorf("the OID %q has more than %d characters", s, maxOIDLength)
	}
	arcs := strings.Split(s, ".")
	for i, a := range arcs {
		digits := a != "" && strings.Trim(a, "0123456789") == ""
		if !digits || len(a) > 1 && a[0] == '0' || i == 0 && a > "2" {
			return fmt.Errorf("%q is not an OID such as 1.3.6.1.4.1.21367.2009.1", s)
		}
	}
	if len(arcs) < 2 {
		return fmt.Errorf("%q is not an OID: it has one arc only", s)
	}
	return nil
}
