package wss_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net/http/httptest"
	"strings"
	"time"

	"collimate/keys"
	"collimate/soap"
	"collimate/soap/wss"
)

var exampleKey = ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))

func exampleClock() time.Time { return time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC) }

// exampleCertificate is for the key, which has signed it itself.
func exampleCertificate() (*x509.Certificate, error) {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "South Hospital"},
		NotBefore: exampleClock(), NotAfter: exampleClock().AddDate(1, 0, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, exampleKey.Public(), exampleKey)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

func exampleSigner() (*wss.Signer, error) {
	certificate, err := exampleCertificate()
	if err != nil {
		return nil, err
	}
	return wss.NewSigner(exampleKey, certificate, exampleClock, rand.Reader)
}

// A Signer is given to a soap.Client or, as here, to Envelope.Marshal.
func ExampleSigner() {
	signer, err := exampleSigner()
	if err != nil {
		fmt.Println(err)
		return
	}
	envelope := soap.Envelope{Action: "urn:example:ask", To: "https://north.example/", Payload: []byte("<question/>")}
	message, err := envelope.Marshal(signer)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(strings.Count(string(message), "<ds:Reference "), "parts are signed")
	fmt.Println(strings.Contains(string(message), "<wsu:Expires>2026-11-21T08:05:00.000Z</wsu:Expires>"))
	// Output:
	// 5 parts are signed
	// true
}

// A Verifier is asked first in the operation of a soap.Server. Here the same message is sent twice.
func ExampleVerifier_Authenticate() {
	verifier, err := wss.NewVerifier(wss.Config{
		Now:       exampleClock,
		Replay:    wss.NewMemoryReplay(1000, exampleClock),
		RequireTo: []string{"https://north.example/"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	answer := func(ctx context.Context, r *soap.Request) (*soap.Response, error) {
		caller, err := verifier.Authenticate(ctx, r)
		if err != nil {
			fmt.Println(err)
			return nil, err
		}
		fmt.Println("tier", caller.Tier, caller.Name)
		return &soap.Response{Payload: []byte("<answer/>")}, nil
	}
	server := &soap.Server{Operations: []soap.Operation{{ID: "example", Action: "urn:example:ask", Handle: answer}}}

	signer, err := exampleSigner()
	if err != nil {
		fmt.Println(err)
		return
	}
	envelope := soap.Envelope{Action: "urn:example:ask", To: "https://north.example/", MessageID: "urn:uuid:1", Payload: []byte("<question/>")}
	message, err := envelope.Marshal(signer)
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 2 {
		request := httptest.NewRequest("POST", "/", bytes.NewReader(message))
		request.Header.Set("Content-Type", "application/soap+xml; charset=UTF-8")
		server.ServeHTTP(httptest.NewRecorder(), request)
	}
	// Output:
	// tier A CN=South Hospital
	// soap fault Sender/FailedAuthentication: The security token could not be authenticated or authorized.: message has been seen before
}

// Certificates that peers refer to without sending them are registered, and a peer that can do no better than DER or
// SHA-1 is allowed to, alone.
func ExampleNewVerifier() {
	signer, err := exampleCertificate()
	if err != nil {
		fmt.Println(err)
		return
	}
	id, err := keys.IDOfCertificate(signer)
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = wss.NewVerifier(wss.Config{
		Replay:       wss.NewMemoryReplay(0, nil),
		Certificates: wss.NewCertificates(signer),
		Peers:        map[keys.ID]wss.Peer{id: {DER: true}},
	})
	fmt.Println(err)
	_, err = wss.NewVerifier(wss.Config{MaxSkew: time.Hour})
	fmt.Println(err)
	// Output:
	// <nil>
	// configuring WS-Security: replay store is missing: use NewMemoryReplay, or one that survives restarts
	// clock skew of 1h0m0s is not between 0 and 5m0s
}

// A reference by issuer and serial number, as a message writes it, finds the certificate.
func ExampleCertificates_Find() {
	certificate, err := exampleCertificate()
	if err != nil {
		fmt.Println(err)
		return
	}
	registered := wss.NewCertificates(certificate)
	for _, issuer := range []string{"CN=South Hospital", `cn="south  hospital"`, "CN=West Hospital"} {
		found := registered.Find(wss.CertificateReference{Issuer: issuer, Serial: big.NewInt(1)})
		fmt.Println(issuer, len(found))
	}
	// Output:
	// CN=South Hospital 1
	// cn="south  hospital" 1
	// CN=West Hospital 0
}
