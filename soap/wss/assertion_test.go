package wss

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"strings"
	"testing"

	"collimate/saml"
	"collimate/soap"
	"collimate/xmlsec"
	"collimate/xua"
)

// TestAssertions lets in whom tiers A, B and C let in.
func TestAssertions(t *testing.T) {
	c := loadCast(t)
	bearer, held, vouched := c.assertion(t, saml.Bearer, nil), c.assertion(t, saml.HolderOfKey, nil), c.assertion(t, saml.SenderVouches, nil)
	signedWith := func(assertion, keyInfo string, ids ...string) string {
		return c.south.sign(t, strings.Replace(template, placeOfSig, assertion+placeOfSig, 1), keyInfo, ids...)
	}
	noTimestamp := func(s string) string {
		return strings.Replace(s, element(s, "<wsu:Timestamp", "</wsu:Timestamp>"), "", 1)
	}
	all := append(without(), "assertion")
	direct := str(`<wsse:Reference URI="#assertion" ValueType="` + tokenTypeSAML2 + `"/>`)
	for _, test := range []struct {
		name, message, client string
		tier                  xua.Tier
		person                bool
	}{
		{"signed", c.signed(t), "none", xua.TierA, false},
		{"signed, over any connection", c.signed(t), "west", xua.TierA, false},
		{"sender-vouches", signedWith(vouched, directKeyInfo, all...), "none", xua.TierA, true},
		{"bearer, signed with the message", signedWith(bearer, directKeyInfo, all...), "none", xua.TierA, true},
		{"holder of key signs all of it by X.509", signedWith(held, directKeyInfo, all...), "none", xua.TierA, true},
		{"holder of key signs the Timestamp", c.holderMessage(t, held, c.south, "ts"), "south", xua.TierB, true},
		{"holder of key signs some parts", c.holderMessage(t, held, c.south, "ts", "to", "body"), "south", xua.TierB, true},
		{"holder of key signs all but the assertion", c.holderMessage(t, held, c.south, without("x509")...), "south", xua.TierB, true},
		{"holder of key signs all", c.holderMessage(t, held, c.south, append(without("x509"), "assertion")...), "none", xua.TierA, true},
		{"direct reference to the assertion", c.south.sign(t, strings.Replace(template, tokenBlock, held, 1), direct, "ts"), "south", xua.TierB, true},
		{"bearer", bearerMessage(bearer), "south", xua.TierC, true},
		{"bearer, without a Timestamp", noTimestamp(bearerMessage(bearer)), "south", xua.TierC, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := &stack{cast: c}
			v := s.verifier(t, NewMemoryReplay(0, testClock))
			r, err := naiveRequest([]byte(test.message))
			if err != nil {
				t.Fatal(err)
			}
			r.TLS = s.connection(test.client)
			caller, err := v.Authenticate(context.Background(), r)
			if err != nil {
				t.Fatal(err)
			}
			if caller.Key.ID != c.south.id(t) || caller.Tier != test.tier {
				t.Errorf("got key %v of tier %v, want %v of tier %v", caller.Key, caller.Tier, c.south.id(t), test.tier)
			}
			if got := caller.Person; got.IsZero() == test.person || test.person && (got.NameID != "andrews" || got.Issuer != testIssuer) {
				t.Errorf("got person %+v", got)
			}
		})
	}
	_, err := authenticate(t, newTestVerifier(t, nil), bearerMessage(bearer))
	wantFault(t, err, unsupportedToken, nil) // nobody's assertions are believed
}

// TestSTRTransformOfAssertion signs an assertion by way of a reference to it, as CXF does.
func TestSTRTransformOfAssertion(t *testing.T) {
	c := loadCast(t)
	const id = "str-1"
	reference := strings.Replace(samlKeyInfo, "<wsse:SecurityTokenReference ", `<wsse:SecurityTokenReference wsu:Id="`+id+`" `, 1)
	message := strings.Replace(template, placeOfSig, c.assertion(t, saml.SenderVouches, nil)+reference+placeOfSig, 1)
	transform := `<ds:Transform Algorithm="` + xmlsec.ExclusiveC14N + `"></ds:Transform>`
	viaSTR := `<ds:Transform Algorithm="` + xmlsec.STRTransform + `"><wsse:TransformationParameters><ds:CanonicalizationMethod Algorithm="` +
		xmlsec.ExclusiveC14N + `"></ds:CanonicalizationMethod></wsse:TransformationParameters></ds:Transform>`
	signed := c.south.sign(t, message, directKeyInfo, append(without(), "assertion")...)
	i := strings.LastIndex(signed, `URI="#assertion"`)
	if i < 0 {
		t.Fatal("the assertion is not signed")
	}
	signed = signed[:i] + strings.Replace(strings.Replace(signed[i:], "#assertion", "#"+id, 1), transform, viaSTR, 1)
	signed = sealSTR(t, signed, c, id)
	s := &stack{cast: c}
	verify := func(message string) (xua.Caller, error) {
		return authenticate(t, s.verifier(t, NewMemoryReplay(0, testClock)), message)
	}
	caller, err := verify(signed)
	if err != nil {
		t.Fatal(err)
	}
	if caller.Tier != xua.TierA || caller.Person.NameID != "andrews" {
		t.Errorf("got %+v, want tier A with a person", caller)
	}
	_, err = verify(strings.Replace(signed, ">assertion</wsse:KeyIdentifier>", ">other</wsse:KeyIdentifier>", 1))
	wantFault(t, err, tokenUnavailable, nil)
	outside := strings.Replace(signed, reference, "", 1)
	_, err = verify(strings.Replace(outside, endHeader, reference+endHeader, 1))
	wantFault(t, err, invalidSecurity, nil)
}

// sealSTR computes the digest of the assertion for the reference by id, with xmlns="" at its apex, and signs again.
func sealSTR(t *testing.T, message string, c cast, id string) string {
	t.Helper()
	d := mustParse(t, message)
	var assertion, reference xmlsec.Node
	for n := range d.Walk() {
		if uri, _ := n.Attr("", "URI"); n.Local() == "Reference" && uri == "#"+id {
			reference = n
		}
		if n.Local() == "Assertion" {
			assertion = n
		}
	}
	canonical := string(xmlsec.AppendC14N(nil, assertion, xmlsec.C14NOptions{}))
	canonical = strings.Replace(canonical, "<saml:Assertion ", `<saml:Assertion xmlns="" `, 1)
	message = applyEdits(message, []edit{replaceContent(first(reference, "DigestValue"), sha256Text(canonical))})
	return resealValue(t, message, c.south)
}

// TestClientCertificates: the certificate of the connection has to be good as well.
func TestClientCertificates(t *testing.T) {
	c := loadCast(t)
	s := &stack{cast: c}
	message := bearerMessage(c.assertion(t, saml.Bearer, nil))
	for name, change := range map[string]func(*x509.Certificate){
		"expired":            func(c *x509.Certificate) { c.NotAfter = testNow.Add(-1e9) },
		"not for signatures": func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCRLSign },
	} {
		t.Run(name, func(t *testing.T) {
			r, err := naiveRequest([]byte(message))
			if err != nil {
				t.Fatal(err)
			}
			r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{newIdentity(t, "p256", change).cert}}
			_, err = s.verifier(t, NewMemoryReplay(0, testClock)).Authenticate(context.Background(), r)
			wantFault(t, err, invalidToken, nil)
		})
	}
}

// TestAssertionFaults: each kind of refusal has the fault that package saml documents.
func TestAssertionFaults(t *testing.T) {
	for code, want := range map[saml.Code]string{
		saml.Malformed: invalidToken, saml.Unsupported: unsupportedToken, saml.Algorithm: unsupportedAlgorithm,
		saml.Unsigned: invalidToken, saml.BadSignature: failedCheck, saml.UntrustedIssuer: invalidToken,
		saml.NotYetValid: invalidToken, saml.Expired: invalidToken, saml.Audience: failedAuthentication,
		saml.Confirmation: invalidToken, saml.Replayed: failedAuthentication, saml.Policy: failedAuthentication, saml.Unavailable: "",
	} {
		f := assertionFault(&saml.Error{Code: code, Err: errors.New("x")})
		if f.Subcode.Local != want || (f.Code == soap.Receiver) != (want == "") {
			t.Errorf("%s: got %v, want %s", code, f, want)
		}
	}
}

// TestRelatesTo: an answer, or a request that follows one, says what it is about, and that is signed too.
func TestRelatesTo(t *testing.T) {
	signer := newIdentity(t, "p256", nil)
	message := strings.Replace(template, "<wsa:ReplyTo", `<wsa:RelatesTo wsu:Id="id-relatesto">urn:uuid:9</wsa:RelatesTo><wsa:ReplyTo`, 1)
	if _, err := authenticate(t, newTestVerifier(t, nil), signer.sign(t, message, directKeyInfo, append(without(), "id-relatesto")...)); err != nil {
		t.Error(err)
	}
	_, err := authenticate(t, newTestVerifier(t, nil), signer.sign(t, message, directKeyInfo, allParts...))
	wantFault(t, err, failedCheck, ErrNotSigned)
	envelope := soap.Envelope{Action: testAction, To: testTo, MessageID: "urn:uuid:1", RelatesTo: "urn:uuid:9", Payload: []byte("<a/>")}
	b, err := envelope.Marshal(newTestSigner(t, signer))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := authenticate(t, newTestVerifier(t, nil), string(b)); err != nil {
		t.Errorf("from soap.Envelope: %v", err)
	}
}

// TestReplayAcrossComment: a comment in a MessageID changes neither the signature nor what it says.
func TestReplayAcrossComment(t *testing.T) {
	c := loadCast(t)
	v := newTestVerifier(t, nil)
	message := c.signed(t)
	if _, err := authenticate(t, v, message); err != nil {
		t.Fatal(err)
	}
	_, err := authenticate(t, v, strings.Replace(message, "urn:uuid:1", "urn:uuid:<!-- -->1", 1))
	wantFault(t, err, failedAuthentication, ErrReplay)
}
