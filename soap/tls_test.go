package soap

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// handshake connects two configurations.
func handshake(t *testing.T, server, client *tls.Config) (state tls.ConnectionState, serverErr, clientErr error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	result := make(chan error, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			result <- err
			return
		}
		defer c.Close()
		s := tls.Server(c, server)
		err = s.Handshake()
		if err == nil {
			_, err = s.Write([]byte("x"))
		}
		result <- err
	}()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	conn := tls.Client(c, client)
	clientErr = conn.Handshake()
	if clientErr == nil { // in TLS 1.3 the server may refuse afterwards
		_, clientErr = conn.Read(make([]byte, 1))
	}
	state = conn.ConnectionState()
	c.Close()
	return state, <-result, clientErr
}

func rsaCertificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func TestTLSVersions(t *testing.T) {
	certificate := selfSigned(t)
	// A configuration that allows everything is hardened all the same.
	server := HardenTLS(&tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11, NextProtos: []string{"h2", "http/1.1"}})
	for version, ok := range map[uint16]bool{tls.VersionTLS10: false, tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		state, _, err := handshake(t, server, &tls.Config{InsecureSkipVerify: true, MinVersion: version, MaxVersion: version, NextProtos: []string{"h2", "http/1.1"}})
		if (err == nil) != ok {
			t.Errorf("%s: error %v", tls.VersionName(version), err)
		}
		if ok && (state.NegotiatedProtocol != "http/1.1" || state.Version != version) {
			t.Errorf("%s: protocol %q", tls.VersionName(version), state.NegotiatedProtocol)
		}
	}
	if _, _, err := handshake(t, server, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}}); err == nil {
		t.Error("HTTP/2 only is accepted")
	}
}

// Of all suites that Go knows, those of BCP 195 are taken in TLS 1.2 and no other.
func TestTLSSuites(t *testing.T) {
	want := []string{
		"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
		"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
	}
	server := HardenTLS(&tls.Config{Certificates: []tls.Certificate{selfSigned(t), rsaCertificate(t)}, CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA}})
	tried := 0
	for _, suite := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		if slices.Contains(suite.SupportedVersions, tls.VersionTLS13) {
			continue
		}
		tried++
		_, _, err := handshake(t, server, &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{suite.ID}})
		if ok := slices.Contains(want, suite.Name); ok != (err == nil) {
			t.Errorf("%s: error %v", suite.Name, err)
		}
	}
	if tried < 20 {
		t.Errorf("only %d suites were tried", tried)
	}
}

// Each group is accepted alone; a weak one is not. What a client of ours offers is looked at in its hello.
func TestTLSGroups(t *testing.T) {
	server := HardenTLS(&tls.Config{Certificates: []tls.Certificate{selfSigned(t)}})
	for group, ok := range map[tls.CurveID]bool{tls.X25519MLKEM768: true, tls.X25519: true, tls.CurveP256: true, tls.CurveP384: true, tls.CurveP521: false} {
		_, _, err := handshake(t, server, &tls.Config{InsecureSkipVerify: true, CurvePreferences: []tls.CurveID{group}})
		if (err == nil) != ok {
			t.Errorf("%v: error %v", group, err)
		}
	}
	var hello tls.ClientHelloInfo
	look := &tls.Config{Certificates: []tls.Certificate{selfSigned(t)}, GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) { hello = *h; return nil, nil }}
	if _, _, err := handshake(t, look, HardenTLS(&tls.Config{InsecureSkipVerify: true})); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(hello.SupportedCurves, groups()) {
		t.Errorf("groups offered: %v", hello.SupportedCurves)
	}
	if !slices.Equal(hello.SupportedVersions, []uint16{tls.VersionTLS13, tls.VersionTLS12}) || !slices.Equal(hello.SupportedProtos, []string{"http/1.1"}) {
		t.Errorf("versions %x, protocols %v", hello.SupportedVersions, hello.SupportedProtos)
	}
	for _, id := range hello.CipherSuites {
		if id>>8 != 0x13 && !slices.Contains(cipherSuites(), id) {
			t.Errorf("offers %s", tls.CipherSuiteName(id))
		}
	}
	for _, s := range hello.SignatureSchemes {
		if s == tls.PKCS1WithSHA1 || s == tls.ECDSAWithSHA1 {
			t.Errorf("offers %v", s)
		}
	}
}

func TestHardenTLSChosen(t *testing.T) {
	certificate := selfSigned(t)
	server := HardenTLS(&tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		return &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS10}, nil
	}})
	if _, _, err := handshake(t, server, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}); err == nil {
		t.Error("a configuration that is chosen for a client is not hardened")
	}
	if _, _, err := handshake(t, server, &tls.Config{InsecureSkipVerify: true}); err != nil {
		t.Error(err)
	}
}

// The alert that an old client gets says what is wrong: protocol_version. RFC 5246 section 7.2.2
func TestTLSAlert(t *testing.T) {
	url := startServer(t, http.NotFoundHandler(), &tls.Config{Certificates: []tls.Certificate{selfSigned(t)}, MinVersion: tls.VersionTLS10})
	c, err := net.Dial("tcp", strings.TrimSuffix(strings.TrimPrefix(url, "https://"), "/"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	// A ClientHello of TLS 1.0 with TLS_RSA_WITH_RC4_128_MD5.
	hello := append([]byte{3, 1}, make([]byte, 32)...)
	hello = append(hello, 0, 0, 2, 0, 4, 1, 0)
	record := []byte{22, 3, 1, 0, 0, 1, 0, 0, byte(len(hello))}
	binary.BigEndian.PutUint16(record[3:], uint16(len(hello)+4))
	if _, err := c.Write(append(record, hello...)); err != nil {
		t.Fatal(err)
	}
	alert := make([]byte, 7)
	if _, err := io.ReadFull(c, alert); err != nil || alert[0] != 21 || alert[5] != 2 || alert[6] != 70 {
		t.Errorf("got % x, error %v, want a fatal alert 70", alert, err)
	}
}

// authority is a CA with a node certificate.
func authority(t *testing.T, notAfter time.Time) (*x509.CertPool, tls.Certificate) {
	t.Helper()
	ca, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	root := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "CA"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, root, root, ca.Public(), ca)
	if err != nil {
		t.Fatal(err)
	}
	if root, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(root)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	// No name, no key usage, no extended key usage: none may be asked for.
	node := &x509.Certificate{SerialNumber: big.NewInt(2), NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: notAfter}
	if der, err = x509.CreateCertificate(rand.Reader, node, root, key.Public(), ca); err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return pool, tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// ITI-19: by an authority, by the key, or by either; in both directions; without any name.
func TestNodeAuthentication(t *testing.T) {
	valid, expired := time.Now().Add(time.Hour), time.Now().Add(-time.Hour)
	ours, us := authority(t, valid)
	theirs, them := authority(t, valid)
	sameCA, old := authority(t, expired)
	pin := func(c tls.Certificate) []*x509.Certificate { return []*x509.Certificate{c.Leaf} }
	// A server trusts clients as it says, and a client the server.
	tests := []struct {
		name   string
		trust  NodeAuthentication // without Certificate
		client *tls.Certificate
		ok     bool
	}{
		{"authority", NodeAuthentication{Authorities: theirs}, &them, true},
		{"pinned", NodeAuthentication{Pinned: pin(them)}, &them, true},
		{"pinned beside an authority", NodeAuthentication{Pinned: pin(them), Authorities: ours}, &them, true},
		{"another authority", NodeAuthentication{Authorities: ours}, &them, false},
		{"another pin", NodeAuthentication{Pinned: pin(us)}, &them, false},
		{"expired", NodeAuthentication{Authorities: sameCA}, &old, false},
		{"expired, pinned", NodeAuthentication{Pinned: pin(old)}, &old, true},
		{"no certificate", NodeAuthentication{Authorities: theirs}, nil, false},
	}
	for _, test := range tests {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			test.trust.Certificate = us
			server, err := test.trust.Server()
			if err != nil {
				t.Fatal(err)
			}
			client := &tls.Config{InsecureSkipVerify: true, MaxVersion: version}
			if test.client != nil {
				client.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return test.client, nil }
			}
			if _, serverErr, clientErr := handshake(t, server, client); (serverErr == nil && clientErr == nil) != test.ok {
				t.Errorf("%s, %s: server %v, client %v", test.name, tls.VersionName(version), serverErr, clientErr)
			}
			if test.client == nil {
				continue
			}
			trusting, err := test.trust.Client()
			if err != nil {
				t.Fatal(err)
			}
			_, _, clientErr := handshake(t, &tls.Config{Certificates: []tls.Certificate{*test.client}, MaxVersion: version}, trusting)
			if (clientErr == nil) != test.ok || !test.ok && !errors.Is(clientErr, ErrNode) {
				t.Errorf("%s, %s: as a client: %v", test.name, tls.VersionName(version), clientErr)
			}
		}
	}
	// A name, if one is asked for, has to be in the certificate that an authority vouches for.
	self := selfSigned(t)
	pool := x509.NewCertPool()
	pool.AddCert(self.Leaf)
	for name, ok := range map[string]bool{"": true, "127.0.0.1": true, "other.example": false} {
		client, err := NodeAuthentication{Certificate: us, Authorities: pool, ServerName: name}.Client()
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := handshake(t, &tls.Config{Certificates: []tls.Certificate{self}}, client); (err == nil) != ok {
			t.Errorf("name %q: %v", name, err)
		}
	}
	for _, bad := range []NodeAuthentication{{Authorities: ours}, {Certificate: us}} {
		if _, err := bad.Server(); err == nil {
			t.Error("a server without a certificate, or that trusts nobody")
		}
		if _, err := bad.Client(); err == nil {
			t.Error("a client without a certificate, or that trusts nobody")
		}
	}
}
