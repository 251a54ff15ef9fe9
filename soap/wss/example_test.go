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

	"collimate/soap"
	"collimate/soap/wss"
)

var exampleKey = ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))

func exampleClock() time.Time { return time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC) }

// exampleSigner signs with a fixed key and a certificate that the key has signed itself.
func exampleSigner() (*wss.Signer, error) {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "South Hospital"},
		NotBefore: exampleClock(), NotAfter: exampleClock().AddDate(1, 0, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, exampleKey.Public(), exampleKey)
	if err != nil {
		return nil, err
	}
	certificate, err := x509.ParseCertificate(der)
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
