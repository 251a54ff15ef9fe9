package config

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"collimate/keys"
	"collimate/keys/keystore"
	"collimate/xds/metadata"
)

// Archive says where the images are. The documentation of each key is in fields.go, here as below.
type Archive struct {
	Kind                               string // of Kinds
	URL, User, PasswordFile, TokenFile string // dicomweb
	Plain                              bool   // dicomweb
	Address, AETitle, OurAETitle       string // dimse
	Retrieve                           string // dimse: RetrieveGet or RetrieveMove
	TLS                                bool   // dimse
	CA, Certificate, Key               string // paths
	Timeout                            time.Duration
	Transcoder, TranscoderSyntaxes     []string
}

// Receiver is the way in by C-STORE.
type Receiver struct {
	Listen, AETitle            string
	Peers                      []string // as ParsePeer reads them
	Certificate, Key, ClientCA string   // paths
}

// Registry is the XDS side of what is published.
type Registry struct {
	Store, PasswordFile                                                          string
	Submitters                                                                   []string // paths of certificates
	Codes                                                                        string   // path
	PatientAuthority, AccessionAuthority                                         string   // OIDs
	Language, TimeZone                                                           string
	Class, Type, PracticeSetting, Facility, Confidentiality, ContentType, Format string // CODE^DISPLAY^SYSTEM, or empty
	MaxDocumentMB                                                                int64
}

// Publishing is what the watcher does.
type Publishing struct {
	Watch                         bool
	From                          string // a date, or FromAll
	Interval, Full, Stable, Grace time.Duration
	MaxVanished                   int64
}

// The values of source.manifest, archive.kind, archive.retrieve, registry.store and publishing.from.
const (
	ManifestKOS  = "kos"
	ManifestMADO = "mado"

	KindFS       = "fs"
	KindDICOMweb = "dicomweb"
	KindDIMSE    = "dimse"

	RetrieveGet  = "get"
	RetrieveMove = "move"

	StoreSQLite = "sqlite"

	FromAll = "all"
)

// Kinds are the values of archive.kind.
func Kinds() []string { return []string{KindFS, KindDICOMweb, KindDIMSE} }

// sourceSide checks what belongs together in the sections of a source.
func (k *checker) sourceSide() {
	a, r := &k.config.Archive, &k.config.Receiver
	switch a.Kind {
	case KindDICOMweb:
		k.require("archive.url", a.URL, "where the DICOMweb services of the PACS begin, such as https://pacs.example/dicom-web")
		if u, err := url.Parse(a.URL); err == nil && u.Scheme == "http" && !isLoopback(u.Hostname()) && !a.Plain {
			k.fault("archive.url", "is http to another machine, where names and images travel for all to read: use https, or say archive.plain: yes")
		}
		switch {
		case a.User != "" && a.PasswordFile == "":
			k.fault("archive.password_file", "is missing: the password of archive.user, in a file")
		case a.User == "" && a.PasswordFile != "":
			k.fault("archive.user", "is missing: whose password is in archive.password_file")
		case a.User != "" && a.TokenFile != "":
			k.fault("archive.token_file", "comes beside archive.user: name one of them")
		}
	case KindDIMSE:
		k.require("archive.address", a.Address, "host:port of the PACS")
		k.require("archive.ae_title", a.AETitle, "the AE title of the PACS")
		if a.Retrieve == RetrieveMove {
			k.require("receiver.listen", r.Listen, "C-MOVE sends to it")
			if r.AETitle != a.OurAETitle {
				k.fault("receiver.ae_title", "is %s, and C-MOVE sends to archive.our_ae_title, which is %s: give both the same", r.AETitle, a.OurAETitle)
			}
		}
	}
	if a.Kind != KindFS && !(a.Kind == KindDIMSE && a.Retrieve == RetrieveMove) && r.Listen != "" {
		k.fault("receiver.listen", "has nowhere to put images: the archive is a PACS, send them to that; or set archive.kind: fs")
	}
	if r.Listen != "" && len(r.Peers) == 0 {
		k.fault("receiver.peers", "is missing: name who may send, such as CT1=10.1.0.0/16")
	}
	k.together("archive.certificate", a.Certificate, "archive.key", a.Key)
	k.together("receiver.certificate", r.Certificate, "receiver.key", r.Key)
	k.together("receiver.certificate", r.Certificate, "receiver.client_ca", r.ClientCA)
	k.together("archive.transcoder", strings.Join(a.Transcoder, " "), "archive.transcoder_syntaxes", strings.Join(a.TranscoderSyntaxes, " "))
	if k.config.Publishing.Watch {
		k.require("publishing.from", k.config.Publishing.From, "say from which day on studies are published, such as 2026-11-21, or all")
	}
	if k.config.Source.Manifest == ManifestMADO {
		k.require("source.institution", k.config.Source.Institution, "manifests of MADO name it")
		k.require("registry.accession_authority", k.config.Registry.AccessionAuthority, "the OID of who assigns accession numbers, which manifests of MADO name")
	}
	if k.config.Registry.PasswordFile != "" && k.config.Registry.Store == StoreSQLite {
		k.fault("registry.password_file", "is of no use: registry.store is sqlite, which has no password")
	}
}

// together reports one of two keys without the other.
func (k *checker) together(a, valueA, b, valueB string) {
	switch {
	case valueA != "" && valueB == "":
		k.fault(b, "is missing: %s needs it", a)
	case valueA == "" && valueB != "":
		k.fault(a, "is missing: %s needs it", b)
	}
}

// sourceFiles checks the files of those sections.
func (k *checker) sourceFiles() {
	c := k.config
	for _, secret := range []struct{ key, file string }{
		{"archive.password_file", c.Archive.PasswordFile}, {"archive.token_file", c.Archive.TokenFile}, {"registry.password_file", c.Registry.PasswordFile},
	} {
		if secret.file != "" {
			if _, err := Secret(secret.file); err != nil {
				k.fault(secret.key, "%v", err)
			}
		}
	}
	if _, err := c.ArchiveTLS(); err != nil {
		k.fault("archive.certificate", "%v", err)
	}
	if _, err := c.ReceiverTLS(); err != nil {
		k.fault("receiver.certificate", "%v", err)
	}
	if _, err := c.Submitters(); err != nil {
		k.fault("registry.submitters", "%v", err)
	}
	if _, err := c.CodeSets(); err != nil {
		k.fault("registry.codes", "%v", err)
	}
}

// Secret reads a password or token: one line, in a file that its owner alone can read.
func Secret(file string) (string, error) {
	raw, info, err := readSmall(file, maxSecretBytes)
	if err != nil {
		return "", err
	}
	if perm := info.Mode().Perm(); perm&0o077 != 0 {
		return "", fmt.Errorf("%s has mode %#o: a secret must be readable by its owner alone; run chmod 600 on it", file, perm)
	}
	secret := strings.TrimRight(string(raw), "\r\n")
	if secret == "" || strings.ContainsFunc(secret, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return "", fmt.Errorf("%s does not hold one line with the secret", file)
	}
	return secret, nil
}

// readSmall reads a file of at most limit bytes.
func readSmall(file string, limit int64) ([]byte, fs.FileInfo, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	raw, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(raw)) > limit {
		err = fmt.Errorf("%s has more than %d bytes", file, limit)
	}
	return raw, info, err
}

// ArchiveTLS returns how TLS is spoken with the PACS.
func (c *Config) ArchiveTLS() (*tls.Config, error) {
	t := &tls.Config{MinVersion: tls.VersionTLS12}
	var err error
	if c.Archive.CA != "" {
		if t.RootCAs, err = pool(c.Archive.CA); err != nil {
			return nil, err
		}
	}
	if c.Archive.Certificate != "" && c.Archive.Key != "" {
		if t.Certificates, err = certificate(c.Archive.Certificate, c.Archive.Key); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// ReceiverTLS returns how TLS is spoken with who sends; nil for not at all.
func (c *Config) ReceiverTLS() (*tls.Config, error) {
	r := &c.Receiver
	if r.Certificate == "" || r.Key == "" || r.ClientCA == "" {
		return nil, nil
	}
	t := &tls.Config{MinVersion: tls.VersionTLS12, ClientAuth: tls.RequireAndVerifyClientCert}
	var err error
	if t.ClientCAs, err = pool(r.ClientCA); err != nil {
		return nil, err
	}
	t.Certificates, err = certificate(r.Certificate, r.Key)
	return t, err
}

// certificate loads a certificate with its key.
func certificate(certFile, keyFile string) ([]tls.Certificate, error) {
	if _, err := keystore.Load(keyFile); err != nil { // it minds the file's mode, which tls does not
		return nil, err
	}
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	return []tls.Certificate{pair}, err
}

// Submitters returns the keys of the organisation's own systems.
func (c *Config) Submitters() (ids []keys.ID, err error) {
	for _, file := range c.Registry.Submitters {
		cert, err := keystore.LoadCertificate(file)
		if err != nil {
			return nil, err
		}
		id, err := keys.IDOfCertificate(cert)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// CodeSets reads the codes of the affinity domain; nil if none are named.
func (c *Config) CodeSets() (*metadata.Codes, error) {
	if c.Registry.Codes == "" {
		return nil, nil
	}
	raw, _, err := readSmall(c.Registry.Codes, maxCodesBytes)
	if err != nil {
		return nil, err
	}
	codes, err := metadata.ParseCodes(bytes.TrimPrefix(raw, []byte("\ufeff")))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Registry.Codes, err)
	}
	return codes, nil
}

// DataSource returns the registry's store as registry.Open takes it. It may hold a password: it is not for logs.
func (c *Config) DataSource() (string, error) {
	if c.Registry.Store == StoreSQLite {
		return "sqlite:" + c.Path(RegistryFile), nil
	}
	u, err := url.Parse(c.Registry.Store)
	if err != nil {
		return "", errors.New("is not a URL") // the error of url would repeat it
	}
	if q := u.Query(); !q.Has("connect_timeout") {
		q.Set("connect_timeout", strconv.Itoa(connectSeconds))
		u.RawQuery = q.Encode()
	}
	if c.Registry.PasswordFile != "" {
		password, err := Secret(c.Registry.PasswordFile)
		if err != nil {
			return "", err
		}
		u.User = url.UserPassword(u.User.Username(), password)
	}
	return u.String(), nil
}

// FromDay returns since when studies are published; zero for all.
func (c *Config) FromDay() (time.Time, error) {
	if c.Publishing.From == FromAll || c.Publishing.From == "" {
		return time.Time{}, nil
	}
	return time.ParseInLocation(time.DateOnly, c.Publishing.From, time.Local)
}

// Code splits CODE^DISPLAY^SYSTEM, zero for none.
func Code(s string) metadata.Code {
	parts := strings.SplitN(s, "^", 3)
	if len(parts) != 3 {
		return metadata.Code{}
	}
	return metadata.Code{Value: parts[0], Display: parts[1], Scheme: parts[2]}
}

// ParsePeer reads AE=NETWORK.
func ParsePeer(s string) (ae string, network netip.Prefix, err error) {
	ae, where, ok := strings.Cut(s, "=")
	if !ok {
		return "", network, fmt.Errorf("%q is not AE=NETWORK, such as CT1=10.1.0.0/16", s)
	}
	if err := aeTitle(ae); err != nil {
		return "", network, err
	}
	network, err = ParsePrefix(where)
	return ae, network, err
}

func peer(s string) error {
	_, _, err := ParsePeer(s)
	return err
}

// aeTitle checks an AE title. DICOM PS3.5 6.2
func aeTitle(s string) error {
	if len(s) > maxAETitle || strings.Trim(s, " ") != s || s == "" ||
		strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' || r == '\\' }) {
		return fmt.Errorf("%q is not an AE title: want 1 to %d ASCII characters without backslash", s, maxAETitle)
	}
	return nil
}

// hostPort checks where to connect.
func hostPort(s string) error { return checkAddress(s, 1) }

// rootURL checks the root of DICOMweb services.
func rootURL(s string) error {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http":
		return errors.New("is not a URL such as https://pacs.example/dicom-web")
	case u.User != nil:
		return errors.New("holds a user or password: give archive.user and archive.password_file")
	case u.RawQuery != "" || u.Fragment != "":
		return errors.New("has more than scheme, host, port and path")
	}
	return nil
}

// storeName checks registry.store. It repeats nothing of a URL, which may hold a password.
func storeName(s string) error {
	if s == StoreSQLite {
		return nil
	}
	u, err := url.Parse(s)
	if err != nil || !slices.Contains([]string{"postgres", "postgresql"}, u.Scheme) {
		return errors.New("is neither sqlite nor a URL such as postgres://user@host:5432/database")
	}
	if _, has := u.User.Password(); has || u.Query().Has("password") || u.Query().Has("sslpassword") {
		return errors.New("holds a password: put that into a file and name it in registry.password_file")
	}
	return verified(u)
}

// verified checks that a database on another machine is reached by TLS and has to show who it is: what passes are names
// and numbers of patients.
func verified(u *url.URL) error {
	hosts := u.Query()["host"] // overrides the one of the URL
	if len(hosts) == 0 {
		hosts = []string{u.Hostname()}
	}
	for _, host := range strings.Split(strings.Join(hosts, ","), ",") {
		here := host == "" || strings.HasPrefix(host, "/") || isLoopback(host)
		if mode := u.Query().Get("sslmode"); !here && mode != "verify-full" && mode != "verify-ca" {
			return errors.New("is on another machine: add sslmode=verify-full, and sslrootcert=FILE if its authority is your own")
		}
	}
	return nil
}

func timeZone(s string) error {
	if _, err := time.LoadLocation(s); err != nil {
		return fmt.Errorf("%q is not a time zone such as Europe/Berlin", s)
	}
	return nil
}

// displayedCode checks CODE^DISPLAY^SYSTEM.
func displayedCode(s string) error {
	parts := strings.Split(s, "^")
	if len(parts) != 3 || slices.Contains(parts, "") {
		return fmt.Errorf("%q is not CODE^DISPLAY^SYSTEM, such as 18748-4^Diagnostic imaging study^2.16.840.1.113883.6.1", s)
	}
	return nil
}

// day checks publishing.from.
func day(s string) error {
	if s == FromAll {
		return nil
	}
	if _, err := time.Parse(time.DateOnly, s); err != nil {
		return fmt.Errorf("%q is neither a date such as 2026-11-21 nor all", s)
	}
	return nil
}

// pool loads authorities.
func pool(file string) (*x509.CertPool, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	p := x509.NewCertPool()
	if !p.AppendCertsFromPEM(raw) {
		return nil, fmt.Errorf("%s holds no certificate in PEM", file)
	}
	return p, nil
}
