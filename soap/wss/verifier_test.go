package wss

import (
	"context"
	"crypto/x509"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"collimate/soap"
	"collimate/xmlsec"
	"collimate/xua"
)

func TestAuthenticate(t *testing.T) {
	signer := newIdentity(t, "p256", nil)
	noToken := strings.Replace(template, tokenBlock, "", 1)
	noTokenParts := without("x509")
	certificate := "<ds:X509Certificate>CERTIFICATE</ds:X509Certificate>"
	for _, c := range []struct {
		name, message, keyInfo string
		ids                    []string
	}{
		{"all parts", template, directKeyInfo, allParts},
		{"token not signed", template, directKeyInfo, noTokenParts},
		{"reference without ValueType", template, str(`<wsse:Reference URI="#x509"/>`), allParts},
		{"token without EncodingType", strings.Replace(template, ` EncodingType="`+encodingBase64+`"`, "", 1), directKeyInfo, allParts},
		{"line breaks in the token", strings.Replace(template, "CERTIFICATE", "\n  CERTIFICATE\r\n", 1), directKeyInfo, allParts},
		{"X509Data", noToken, x509Data(certificate), noTokenParts},
		// QUIRK: zeep, Signature
		{"X509Data with an empty X509IssuerSerial", noToken, str(x509Data("<ds:X509IssuerSerial/>" + certificate)), noTokenParts},
		{"X509Data with a blank X509IssuerSerial", noToken, x509Data(certificate + "<ds:X509IssuerSerial>\n </ds:X509IssuerSerial>"), noTokenParts},
		{"X509Data in a SecurityTokenReference", noToken, str(x509Data(certificate)), noTokenParts},
		{"KeyIdentifier", noToken, keyIdentifier(valueTypeX509v3), noTokenParts},
		{"other order in Security", strings.Replace(strings.Replace(template, placeOfSig, "", 1), "<wsu:Timestamp", placeOfSig+"<wsu:Timestamp", 1), directKeyInfo, allParts},
		{"Security for the ultimate receiver", strings.Replace(template, "<wsse:Security ", `<wsse:Security soap:role="`+soap.NSEnvelope+`/role/ultimateReceiver" `, 1), directKeyInfo, allParts},
		{"Security for the next node", strings.Replace(template, "<wsse:Security ", `<wsse:Security soap:role="`+soap.NSEnvelope+`/role/next" `, 1), directKeyInfo, allParts},
		{"unsigned header of another kind", strings.Replace(template, endHeader, `<x:H xmlns:x="urn:x"/>`+endHeader, 1), directKeyInfo, allParts},
		{"unsigned header that need not be understood", strings.Replace(template, endHeader, `<x:H xmlns:x="urn:x" soap:mustUnderstand=" 0 "/>`+endHeader, 1), directKeyInfo, allParts},
		{"signed mustUnderstand header", strings.Replace(template, endHeader, `<x:H xmlns:x="urn:x" wsu:Id="x" soap:mustUnderstand="1"/>`+endHeader, 1), directKeyInfo, append(without(), "x")},
		{"blanks around To and Action", strings.NewReplacer(testTo, "\n "+testTo+" ", testAction, " "+testAction+"\n").Replace(template), directKeyInfo, allParts},
		{"white space between the elements", strings.ReplaceAll(template, "><", ">\n <"), directKeyInfo, allParts},
	} {
		t.Run(c.name, func(t *testing.T) {
			caller, err := authenticate(t, newTestVerifier(t, nil), signer.sign(t, c.message, c.keyInfo, c.ids...))
			if err != nil {
				t.Fatal(err)
			}
			if caller.Key.ID != signer.id(t) || caller.Tier != xua.TierA || caller.Name != "CN=South Hospital" {
				t.Errorf("got %+v, want tier A of key %v", caller, signer.id(t))
			}
		})
	}
}

func TestDisplayName(t *testing.T) {
	signer := newIdentity(t, "p256", func(c *x509.Certificate) { c.Subject.CommonName = strings.Repeat("é", maxName) })
	if got := displayName(signer.cert); len(got) > maxName || len(got) < maxName-1 || !utf8.ValidString(got) {
		t.Errorf("got %d bytes, want valid UTF-8 of %d or one less", len(got), maxName)
	}
}

func TestAuthenticateWithoutRequireTo(t *testing.T) {
	signer := newIdentity(t, "p256", nil)
	v := newTestVerifier(t, func(c *Config) { c.RequireTo = nil })
	message := strings.Replace(template, element(template, "<wsa:To", "</wsa:To>"), "", 1)
	if _, err := authenticate(t, v, signer.sign(t, message, directKeyInfo, without("to")...)); err != nil {
		t.Errorf("no To where none is required: %v", err)
	}
	_, err := authenticate(t, v, signer.sign(t, template, directKeyInfo, without("to")...))
	wantFault(t, err, failedCheck, ErrNotSigned)
}

// TestRequestIsTheDocument gives the verifier requests that differ from what was signed.
func TestRequestIsTheDocument(t *testing.T) {
	signer := newIdentity(t, "p256", nil)
	message := []byte(signer.sign(t, template, directKeyInfo, allParts...))
	other, err := naiveRequest(message)
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*soap.Request){
		"other Body":             func(r *soap.Request) { r.Body = other.Body },
		"other Header":           func(r *soap.Request) { r.Header = other.Header },
		"other Payload":          func(r *soap.Request) { r.Payload = other.Payload },
		"Payload further in":     func(r *soap.Request) { r.Payload, _ = r.Payload.Child("urn:ihe:iti:xds-b:2007", "DocumentRequest") },
		"Header instead of Body": func(r *soap.Request) { r.Body = r.Header },
		"no Body":                func(r *soap.Request) { r.Body = xmlsec.Node{} },
		"other document":         func(r *soap.Request) { r.Doc = other.Doc },
		"no document":            func(r *soap.Request) { r.Doc = nil },
		"other Action":           func(r *soap.Request) { r.Action = "urn:other" },
		"other MessageID":        func(r *soap.Request) { r.MessageID = "urn:other" },
		"other To":               func(r *soap.Request) { r.To = "urn:other" },
		"no To":                  func(r *soap.Request) { r.To = "" },
	} {
		t.Run(name, func(t *testing.T) {
			r, err := naiveRequest(message)
			if err != nil {
				t.Fatal(err)
			}
			change(r)
			caller, err := newTestVerifier(t, nil).Authenticate(context.Background(), r)
			var f *soap.Fault
			if !errors.As(err, &f) || caller.Authenticated() {
				t.Errorf("got %+v, %v; want a fault", caller, err)
			}
		})
	}
}

func TestNoSecurity(t *testing.T) {
	for name, message := range map[string]string{
		"no header":        `<s:Envelope xmlns:s="` + soap.NSEnvelope + `"><s:Body><a/></s:Body></s:Envelope>`,
		"empty header":     `<s:Envelope xmlns:s="` + soap.NSEnvelope + `"><s:Header/><s:Body><a/></s:Body></s:Envelope>`,
		"header of others": `<s:Envelope xmlns:s="` + soap.NSEnvelope + `"><s:Header><h/></s:Header><s:Body><a/></s:Body></s:Envelope>`,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := authenticate(t, newTestVerifier(t, nil), message)
			wantFault(t, err, invalidSecurity, ErrNoSecurity)
		})
	}
}

// TestTime moves the clock of the receiver; the message is of 08:00 to 08:05.
func TestTime(t *testing.T) {
	signer := newIdentity(t, "p256", nil)
	message := signer.sign(t, template, directKeyInfo, allParts...)
	for _, c := range []struct {
		name      string
		now       time.Duration
		skew, age time.Duration
		ok        bool
	}{
		{"at once", 0, 0, 0, true},
		{"clock ahead by the skew", -time.Minute, time.Minute, 0, true},
		{"clock ahead by more", -time.Minute - 1, time.Minute, 0, false},
		{"at the end of time and skew", 6*time.Minute - 1, time.Minute, 0, true},
		{"after it", 6 * time.Minute, time.Minute, 0, false},
		{"default skew is a minute", -time.Minute, 0, 0, true},
		{"default skew is not more", -time.Minute - 1, 0, 0, false},
		{"shorter age", 3*time.Minute - 1, time.Minute, 2 * time.Minute, true},
		{"beyond a shorter age", 3 * time.Minute, time.Minute, 2 * time.Minute, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := newTestVerifier(t, func(f *Config) {
				f.Now = func() time.Time { return testNow.Add(c.now) }
				f.MaxSkew, f.MaxAge = c.skew, c.age
			})
			_, err := authenticate(t, v, message)
			if c.ok && err != nil {
				t.Error(err)
			}
			if !c.ok {
				wantFault(t, err, messageExpired, ErrExpired)
			}
		})
	}
}

// TestLongExpires: node-soap says ten minutes and gets five.
func TestLongExpires(t *testing.T) {
	signer := newIdentity(t, "p256", nil)
	message := signer.sign(t, strings.Replace(template, "T08:05:00.000Z", "T08:10:00+00:00", 1), directKeyInfo, allParts...)
	at := func(d time.Duration) func(*Config) {
		return func(c *Config) { c.Now = func() time.Time { return testNow.Add(d) } }
	}
	if _, err := authenticate(t, newTestVerifier(t, at(6*time.Minute-1)), message); err != nil {
		t.Error(err)
	}
	_, err := authenticate(t, newTestVerifier(t, at(6*time.Minute)), message)
	wantFault(t, err, messageExpired, ErrExpired)
}

func TestReplay(t *testing.T) {
	signer, other := newIdentity(t, "p256", nil), newIdentity(t, "p256", nil)
	v := newTestVerifier(t, nil)
	message := signer.sign(t, template, directKeyInfo, allParts...)

	// What is not authentic leaves no trace: nobody can use up the MessageIDs of others.
	if _, err := authenticate(t, v, strings.Replace(message, "2.25.2", "2.25.3", 1)); err == nil {
		t.Fatal("a changed message is accepted")
	}
	if _, err := authenticate(t, v, other.sign(t, template, directKeyInfo, allParts...)); err != nil {
		t.Fatalf("the same MessageID by another signer: %v", err)
	}
	if _, err := authenticate(t, v, message); err != nil {
		t.Fatal(err)
	}
	_, err := authenticate(t, v, message)
	wantFault(t, err, failedAuthentication, ErrReplay)

	// The same MessageID in another message, and with blanks around it, is the same MessageID.
	again := signer.sign(t, strings.NewReplacer("2.25.2", "2.25.3", "urn:uuid:1", " urn:uuid:1").Replace(template+" "), directKeyInfo, allParts...)
	_, err = authenticate(t, v, strings.TrimSpace(again))
	if err == nil || !strings.Contains(err.Error(), "seen before") {
		t.Errorf("the same MessageID in another message: got %v", err)
	}
	fresh := strings.Replace(template, "urn:uuid:1", "urn:uuid:2", 1)
	if _, err := authenticate(t, v, signer.sign(t, fresh, directKeyInfo, allParts...)); err != nil {
		t.Errorf("another MessageID: %v", err)
	}
}

// recorder is a ReplayStore that fails, or notes until when it is to remember.
type recorder struct {
	expires time.Time
	err     error
}

func (r *recorder) Remember(_ [32]byte, expires time.Time) (bool, error) {
	r.expires = expires
	return true, r.err
}

func TestReplayStore(t *testing.T) {
	signer := newIdentity(t, "p256", nil)
	message := signer.sign(t, template, directKeyInfo, allParts...)
	store := &recorder{}
	v := newTestVerifier(t, func(c *Config) { c.Replay = store; c.MaxSkew = time.Minute })
	if _, err := authenticate(t, v, message); err != nil {
		t.Fatal(err)
	}
	// The last moment at which the message would be accepted is 08:06.
	if want := testNow.Add(7 * time.Minute); !store.expires.Equal(want) {
		t.Errorf("remembered until %v, want %v", store.expires, want)
	}

	store.err = errors.New("disk is full")
	caller, err := authenticate(t, v, message)
	var f *soap.Fault
	if !errors.As(err, &f) || f.Code != soap.Receiver || !errors.Is(err, store.err) || strings.Contains(f.Reason, "disk") {
		t.Errorf("failing store: got %v, want a Receiver fault that does not say why", err)
	}
	if caller.Authenticated() {
		t.Error("failing store: somebody is authenticated")
	}
}

func TestConfig(t *testing.T) {
	store := NewMemoryReplay(1, nil)
	for _, c := range []struct {
		config Config
		want   []string
	}{
		{Config{Replay: store}, nil},
		{Config{Replay: store, MaxSkew: MaxSkew, MaxAge: MaxAge}, nil},
		{Config{}, []string{"replay"}},
		{Config{MaxSkew: MaxSkew + 1, MaxAge: MaxAge + 1}, []string{"replay", "skew", "age"}},
		{Config{Replay: store, MaxSkew: -1, MaxAge: -1}, []string{"skew", "age"}},
	} {
		_, err := NewVerifier(c.config)
		if (err != nil) != (c.want != nil) {
			t.Errorf("%+v: got %v", c.config, err)
		}
		for _, word := range c.want {
			if !strings.Contains(err.Error(), word) {
				t.Errorf("%+v: %v does not mention %s", c.config, err, word)
			}
		}
	}
}
