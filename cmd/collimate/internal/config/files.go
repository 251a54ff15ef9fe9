package config

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"os"

	"collimate/keys"
	"collimate/keys/keystore"
)

// CheckFiles looks at the files that the configuration names, and returns all that is wrong with them.
func (c *Config) CheckFiles() error {
	if c == nil {
		return nil
	}
	k := &checker{config: c}
	k.pair("organisation.key", c.Organisation.Key, "organisation.certificate", c.Organisation.Certificate)
	k.exists("network.genesis", c.Network.Genesis, "get it from the network, or make one with 'collimate genesis create'")
	k.exists("network.members", c.Network.Members, "get it from the network, or make one with 'collimate genesis create'")
	if c.Has(RoleSource) {
		for _, i := range c.Requesters.Issuers {
			k.certificate("requesters.issuers", i.File)
		}
		for _, file := range c.Requesters.Certificates {
			k.certificate("requesters.certificates", file)
		}
		k.inboxes("source.reply_to", c.Source.ReplyTo)
		k.sourceFiles()
	}
	if c.Has(RoleConsumer) {
		if _, err := c.ConsumerCertificate(); err != nil {
			k.fault("consumer.certificate", "%v", err)
		}
		if _, err := c.ClientCAs(); err != nil {
			k.fault("consumer.client_ca", "%v", err)
		}
		k.inboxes("consumer.reply_to", c.Consumer.ReplyTo)
	}
	if info, err := os.Stat(c.Organisation.Data); err == nil && !info.IsDir() {
		k.fault("organisation.data", "%s is not a directory", c.Organisation.Data)
	}
	return k.faults.inFile(c.File)
}

// pair checks that a key and its certificate can be read and belong together.
func (k *checker) pair(keyName, keyFile, certName, certFile string) {
	key, err := keystore.Load(keyFile)
	if err != nil {
		k.fault(keyName, "%v", err)
	}
	cert, certErr := keystore.LoadCertificate(certFile)
	if certErr != nil {
		k.fault(certName, "%v", certErr)
	}
	if err != nil || certErr != nil {
		return
	}
	of, err := keys.IDOf(key.Public())
	if err != nil {
		k.fault(keyName, "%v", err)
		return
	}
	if got, err := keys.IDOfCertificate(cert); err != nil || got != of {
		k.fault(certName, "is not a certificate of the key in %s", keyFile)
	}
}

// certificate checks that a certificate can be read.
func (k *checker) certificate(key, file string) {
	if _, err := keystore.LoadCertificate(file); err != nil {
		k.fault(key, "%v", err)
	}
}

// inboxes checks the certificates that receivers are pinned to.
func (k *checker) inboxes(key string, list []NamedFile) {
	for _, n := range list {
		if n.File != "" {
			k.certificate(key, n.File)
		}
	}
}

func (k *checker) exists(key, file, remedy string) {
	switch _, err := os.Stat(file); {
	case errors.Is(err, fs.ErrNotExist):
		k.fault(key, "there is no %s: %s", file, remedy)
	case err != nil:
		k.fault(key, "%v", err)
	}
}

// ConsumerCertificate loads what the consumer listener shows.
func (c *Config) ConsumerCertificate() (tls.Certificate, error) {
	pairs, err := certificate(c.Consumer.Certificate, c.Consumer.Key)
	if err != nil {
		return tls.Certificate{}, err
	}
	return pairs[0], nil
}

// ClientCAs loads the authorities whose certificates the consumer listener accepts.
func (c *Config) ClientCAs() (*x509.CertPool, error) { return pool(c.Consumer.ClientCA) }

// Join returns the faults of both errors together, or whichever is no Faults, or nil.
func Join(a, b error) error {
	var first, second Faults
	switch {
	case a == nil:
		return b
	case b == nil || !errors.As(a, &first) || !errors.As(b, &second):
		return a
	}
	var all Faults
	all = append(all, first...)
	for _, f := range second {
		if !first.about(f.Key) { // what could not be read needs no second complaint
			f.File = first[0].File
			all = append(all, f)
		}
	}
	return all.sorted()
}
