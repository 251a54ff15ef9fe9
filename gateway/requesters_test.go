package gateway_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"collimate/gateway"
	"collimate/keys/keystore"
	"collimate/ledger"
	"collimate/saml"
	"collimate/soap"
	"collimate/xds"
	"collimate/xua"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"
)

// identityProvider issues assertions, signed by goxmldsig, which shares no code with what judges them.
type identityProvider struct{ party }

const affinityDomain = "urn:example:affinity-domain"

func newIdentityProvider(t testing.TB) identityProvider {
	t.Helper()
	key, err := keystore.Generate(keystore.RSA2048)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := keystore.SelfSigned(key, "idp", nil, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	return identityProvider{party{key: key, cert: cert}}
}

func (p identityProvider) requesters(min xua.Tier) gateway.Requesters {
	return gateway.Requesters{
		MinTier:   min,
		Issuers:   []saml.Issuer{{Name: "urn:example:idp", Certificates: []*x509.Certificate{p.cert}}},
		Audiences: []string{affinityDomain},
	}
}

// bearer returns a wsse:Security header with a bearer assertion.
func (p identityProvider) bearer(t testing.TB, now time.Time) securityHeader {
	t.Helper()
	at := func(d time.Duration) string { return now.Add(d).UTC().Format("2006-01-02T15:04:05.000Z") }
	d := etree.NewDocument()
	err := d.ReadFromString(fmt.Sprintf(`<saml2:Assertion xmlns:saml2="%s" ID="_a1" IssueInstant="%s" Version="2.0">`+
		`<saml2:Issuer>urn:example:idp</saml2:Issuer><saml2:Subject><saml2:NameID>andrews</saml2:NameID>`+
		`<saml2:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"/></saml2:Subject>`+
		`<saml2:Conditions NotBefore="%s" NotOnOrAfter="%s"><saml2:AudienceRestriction><saml2:Audience>%s</saml2:Audience></saml2:AudienceRestriction></saml2:Conditions>`+
		`<saml2:AuthnStatement AuthnInstant="%s"><saml2:AuthnContext><saml2:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:SmartcardPKI`+
		`</saml2:AuthnContextClassRef></saml2:AuthnContext></saml2:AuthnStatement></saml2:Assertion>`,
		saml.Namespace, at(-time.Minute), at(-time.Minute), at(4*time.Minute), affinityDomain, at(-time.Hour)))
	if err != nil {
		t.Fatal(err)
	}
	c, err := dsig.NewSigningContext(p.key, [][]byte{p.cert.Raw})
	if err != nil {
		t.Fatal(err)
	}
	c.Canonicalizer = dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("")
	signature, err := c.ConstructSignature(d.Root(), true)
	if err != nil {
		t.Fatal(err)
	}
	d.Root().InsertChildAt(1, signature)
	assertion, err := d.WriteToString()
	if err != nil {
		t.Fatal(err)
	}
	return securityHeader(`<wsse:Security xmlns:wsse="` + soap.NSSecurity + `" xmlns:soap="` + soap.NSEnvelope + `" soap:mustUnderstand="true">` + assertion + `</wsse:Security>`)
}

// securityHeader stands in for a signer with a header that is ready.
type securityHeader string

func (h securityHeader) SecurityHeader([]byte, []string) ([]byte, error) { return []byte(h), nil }

// What each tier of evidence is worth at sources that ask for more or less.
func TestTiers(t *testing.T) {
	idp := newIdentityProvider(t)
	unsigned := func(*world, *xds.Client) {}
	evidence := map[string]func(w *world, c *xds.Client){
		"signed message":   nil,
		"bearer assertion": func(w *world, c *xds.Client) { c.SOAP.Signer = idp.bearer(t, w.chain.now()) },
		"assertion of a stranger": func(w *world, c *xds.Client) {
			c.SOAP.Signer = newIdentityProvider(t).bearer(t, w.chain.now())
		},
		"tampered assertion": func(w *world, c *xds.Client) {
			c.SOAP.Signer = securityHeader(strings.Replace(string(idp.bearer(t, w.chain.now())), "andrews", "admin", 1))
		},
		"TLS certificate": unsigned,
	}
	const fault = "a fault"
	physicians := idp.requesters(xua.TierC)
	physicians.Roles = []xua.Code{{Code: "HCP", System: "2.16.756.5.30.1.127.3.10.6"}}
	tests := []struct {
		evidence string
		accept   gateway.Requesters
		want     string
	}{
		{"signed message", gateway.Requesters{}, "Success"},
		{"signed message", idp.requesters(xua.TierC), "Success"},
		{"bearer assertion", gateway.Requesters{}, fault},
		{"bearer assertion", idp.requesters(xua.TierA), "tier"},
		{"bearer assertion", idp.requesters(xua.TierB), "tier"},
		{"bearer assertion", idp.requesters(xua.TierC), "Success"},
		{"bearer assertion", physicians, fault}, // it states no role
		{"assertion of a stranger", idp.requesters(xua.TierC), fault},
		{"tampered assertion", idp.requesters(xua.TierC), fault},
		{"TLS certificate", gateway.Requesters{}, fault},
		{"TLS certificate", gateway.Requesters{MinTier: xua.TierB}, fault},
		{"TLS certificate", gateway.Requesters{MinTier: xua.TierC}, "Success"},
	}
	for _, test := range tests {
		t.Run(test.evidence+" "+test.accept.MinTier.String(), func(t *testing.T) {
			w := newWorldFor(t, small, test.accept)
			south := newParty(t, "south")
			w.allow(south, w.chain.now().Add(time.Hour), false)
			client := w.client(south)
			if change := evidence[test.evidence]; change != nil {
				client.SOAP.Signer = nil
				change(w, client)
			}
			got, err := read(client.Retrieve(context.Background(), w.url, []xds.DocumentRequest{w.document(ledger.DocumentManifest)}))
			var remote *soap.RemoteFault
			switch {
			case test.want == fault:
				if !errors.As(err, &remote) {
					t.Fatalf("got %s, %v, want a fault", got.status, err)
				}
			case err != nil:
				t.Fatal(err)
			case test.want == "Success" && got.status != xds.Success:
				t.Fatalf("status %s (%s), want success", got.status, w.audit.last())
			case test.want != "Success" && (got.status != xds.Failure || got.codes[0] != string(xds.DocumentUniqueIDError) || w.audit.last() != test.want):
				t.Fatalf("status %s, errors %v, reason %q, want a refusal for %q", got.status, got.codes, w.audit.last(), test.want)
			}
			if test.want == "Success" && test.evidence == "bearer assertion" && !w.audit.names("andrews") {
				t.Error("the audit trail does not name the person whom the assertion names")
			}
		})
	}
}
