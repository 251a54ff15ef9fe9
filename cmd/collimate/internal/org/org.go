// Package org makes what an organisation needs before its first 'collimate serve': keys, certificates, a
// configuration, and with others the genesis of a network.
//
//	DIR/collimate.yaml                the configuration, commented
//	DIR/member.json                   what the others must know; public
//	DIR/genesis.json, members.json    the network, once there is one; the same files at every member
//	DIR/keys/organisation.key, .crt   by which the ledger knows the organisation
//	DIR/keys/ca.key, ca.crt           the authority for the organisation's own XDS consumers
//	DIR/keys/consumer-tls.key, .crt   what the consumer side of the gateway shows them
//	DIR/keys/xds-consumer.key, .crt   the certificate of a first XDS consumer, to hand over to it
//	DIR/data/                         all that is stored; the node's own keys are in data/ledger
//
// The package is not for concurrent use on one directory.
package org

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"collimate/cmd/collimate/internal/config"
	"collimate/consensus"
	"collimate/keys"
	"collimate/keys/keystore"
)

// The files of an organisation, from its directory.
const (
	ConfigFile      = "collimate.yaml"
	MemberFile      = "member.json"
	KeyFile         = "keys/organisation.key"
	CertificateFile = "keys/organisation.crt"
	CAFile          = "keys/ca.crt"
	ClientKeyFile   = "keys/xds-consumer.key"
	ClientCertFile  = "keys/xds-consumer.crt"

	caKeyFile       = "keys/ca.key"
	consumerKeyFile = "keys/consumer-tls.key"
	consumerCrtFile = "keys/consumer-tls.crt"
)

// certificateYears is how long the certificates are valid. The ledger says which keys count; a certificate that
// runs out unnoticed stops a hospital and protects nobody.
const certificateYears = 10

// Ports counts the ports that an organisation takes, from its base port on.
const Ports = 4

// The ports of an organisation, from its base port on.
const (
	portSource = iota
	portConsumer
	portLedger
	portPeers
)

// Options for Create.
type Options struct {
	Name     string
	Roles    []string // of config.Roles
	Host     string   // name or address under which the others reach this machine
	BasePort int
	Kind     keystore.Kind
	Now      time.Time
	// Settings are further keys of the configuration, by section.key.
	Settings map[string]string
}

// Create makes an organisation in dir, which may exist but may not hold one. It returns the member entry.
func Create(dir string, o Options) (*Member, error) {
	if _, err := os.Stat(filepath.Join(dir, ConfigFile)); !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s holds a %s already: nothing was changed", dir, ConfigFile)
	}
	if err := os.MkdirAll(filepath.Join(dir, "keys"), 0o700); err != nil {
		return nil, err
	}
	key, err := identity(dir, o)
	if err != nil {
		return nil, err
	}
	if err := authority(dir, o); err != nil {
		return nil, err
	}
	id, err := keys.IDOf(key.Public())
	if err != nil {
		return nil, err
	}
	node, err := consensus.InitKeys(filepath.Join(dir, "data", config.LedgerDir))
	if err != nil {
		return nil, fmt.Errorf("making the node's keys: %w", err)
	}
	m := &Member{
		Name:         o.Name,
		KeyID:        id,
		PeerID:       node.PeerID,
		ValidatorKey: node.ValidatorKey,
		Address:      o.address(portPeers),
		Validator:    strings.Contains(strings.Join(o.Roles, ","), config.RoleValidator),
	}
	if err := writeJSON(filepath.Join(dir, MemberFile), m); err != nil {
		return nil, err
	}
	return m, configure(dir, o) // last: a directory with a configuration is complete
}

func (o Options) address(port int) string {
	return net.JoinHostPort(o.Host, strconv.Itoa(o.BasePort+port))
}

// hosts are the names that certificates carry.
func (o Options) hosts() []string {
	hosts := []string{o.Host}
	for _, h := range []string{"localhost", "127.0.0.1"} {
		if h != o.Host {
			hosts = append(hosts, h)
		}
	}
	return hosts
}

func (o Options) validity() (notBefore, notAfter time.Time) {
	return o.Now.Add(-time.Hour), o.Now.AddDate(certificateYears, 0, 0)
}

// identity makes the organisation's key and its self-signed certificate.
func identity(dir string, o Options) (crypto.Signer, error) {
	key, err := newKey(filepath.Join(dir, KeyFile), o.Kind)
	if err != nil {
		return nil, err
	}
	notBefore, notAfter := o.validity()
	cert, err := keystore.SelfSigned(key, o.Name, o.hosts(), notBefore, notAfter)
	if err != nil {
		return nil, err
	}
	return key, keystore.SaveCertificate(filepath.Join(dir, CertificateFile), cert)
}

// authority makes the local authority and the two certificates that it issues to begin with.
func authority(dir string, o Options) error {
	notBefore, notAfter := o.validity()
	caKey, err := newKey(filepath.Join(dir, caKeyFile), keystore.P256)
	if err != nil {
		return err
	}
	ca, err := keystore.NewCA(caKey, o.Name+" authority", notBefore, notAfter)
	if err != nil {
		return err
	}
	issue := func(keyFile, certFile, name string) error {
		k, err := newKey(filepath.Join(dir, keyFile), keystore.P256)
		if err != nil {
			return err
		}
		var c *x509.Certificate
		if c, err = keystore.Issue(ca, caKey, k.Public(), name, o.hosts(), notBefore, notAfter); err != nil {
			return err
		}
		return keystore.SaveCertificate(filepath.Join(dir, certFile), c)
	}
	return errors.Join(
		keystore.SaveCertificate(filepath.Join(dir, CAFile), ca),
		issue(consumerKeyFile, consumerCrtFile, o.Name+" gateway"),
		issue(ClientKeyFile, ClientCertFile, o.Name+" XDS consumer"),
	)
}

func newKey(file string, kind keystore.Kind) (crypto.Signer, error) {
	k, err := keystore.Generate(kind)
	if err != nil {
		return nil, err
	}
	return k, keystore.Save(file, k)
}

// configure writes collimate.yaml.
func configure(dir string, o Options) error {
	set := map[string]string{
		"organisation.name":  o.Name,
		"organisation.roles": strings.Join(o.Roles, ","),
		"network.listen":     o.address(portPeers),
		"ledger.listen":      net.JoinHostPort("127.0.0.1", strconv.Itoa(o.BasePort+portLedger)),
		"source.listen":      o.address(portSource),
		"source.url":         "https://" + o.address(portSource),
		"source.institution": o.Name,
		"consumer.listen":    o.address(portConsumer),
		"consumer.url":       "https://" + o.address(portConsumer),
	}
	for k, v := range o.Settings {
		set[k] = v
	}
	var b bytes.Buffer
	if err := config.Write(&b, set); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, ConfigFile), b.Bytes(), 0o644)
}
