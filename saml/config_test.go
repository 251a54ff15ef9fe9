package saml

import (
	"crypto/x509"
	"errors"
	"strings"
	"testing"
	"time"

	"collimate/xmlsec"
)

func TestConfig(t *testing.T) {
	idp := newIdentity(t, "p256", "idp")
	many := func(n int) []*x509.Certificate {
		list := make([]*x509.Certificate, n)
		for i := range list {
			list[i] = idp.certificate
		}
		return list
	}
	with := func(change func(*x509.Certificate)) func(*Config) {
		return func(c *Config) { c.Issuers[0].Certificates[0] = makeIdentity(t, idp.key, change).certificate }
	}
	for _, c := range []struct {
		name   string
		change func(*Config)
		want   string // "": accepted
	}{
		{"as it is", func(*Config) {}, ""},
		{"no issuer", func(c *Config) { c.Issuers = nil }, "no issuer"},
		{"issuer without a name", func(c *Config) { c.Issuers[0].Name = " \n" }, "is empty"},
		{"issuer with a long name", func(c *Config) { c.Issuers[0].Name = strings.Repeat("a", maxText+1) }, "longer than"},
		{"issuer twice", func(c *Config) { c.Issuers = append(c.Issuers, Issuer{"\t" + testIssuer, many(1), false, false}) }, "listed twice"},
		{"issuer without a certificate", func(c *Config) { c.Issuers[0].Certificates = nil }, "0 certificates"},
		{"8 certificates", func(c *Config) { c.Issuers[0].Certificates = many(MaxCertificates) }, ""},
		{"9 certificates", func(c *Config) { c.Issuers[0].Certificates = many(MaxCertificates + 1) }, "9 certificates"},
		{"certificate nil", func(c *Config) { c.Issuers[0].Certificates = []*x509.Certificate{nil} }, "is nil"},
		{"certificate on P-521", func(c *Config) { c.Issuers[0].Certificates[0] = newIdentity(t, "p521", "idp").certificate }, "key is not"},
		{"certificate for content commitment", with(func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageContentCommitment }), ""},
		{"certificate without key usage", with(func(c *x509.Certificate) { c.KeyUsage = 0 }), ""},
		{"certificate for key agreement", with(func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyAgreement }), "not for signatures"},
		{"no audience", func(c *Config) { c.Audiences = nil }, "no audience"},
		{"audience empty", func(c *Config) { c.Audiences = []string{testAudience, ""} }, "is empty"},
		{"recipient empty", func(c *Config) { c.Recipients = []string{""} }, "is empty"},
		{"recipients and any", func(c *Config) { c.Recipients, c.AnyRecipient = []string{"urn:x"}, true }, "choose one"},
		{"SHA-1 for all", func(c *Config) { c.Algorithms = xmlsec.Algorithms{SHA1: true} }, "for all issuers"},
		{"DER for all", func(c *Config) { c.Algorithms = xmlsec.Algorithms{DER: true} }, "for all issuers"},
		{"no clock", func(c *Config) { c.Now = nil }, "no clock"},
		{"skew as it may be", func(c *Config) { c.Skew = MaxSkew }, ""},
		{"skew below zero", func(c *Config) { c.Skew = -1 }, "clock skew"},
		{"skew too wide", func(c *Config) { c.Skew = MaxSkew + 1 }, "clock skew"},
		{"lifetime as it may be", func(c *Config) { c.MaxLifetime = MaxLifetime }, ""},
		{"lifetime below zero", func(c *Config) { c.MaxLifetime = -1 }, "lifetime"},
		{"lifetime too long", func(c *Config) { c.MaxLifetime = MaxLifetime + 1 }, "lifetime"},
	} {
		t.Run(c.name, func(t *testing.T) {
			config := Config{
				Issuers:   []Issuer{{Name: testIssuer, Certificates: many(1)}},
				Audiences: []string{testAudience}, Now: func() time.Time { return testNow },
			}
			c.change(&config)
			v, err := NewValidator(config)
			switch {
			case c.want == "" && (err != nil || v == nil):
				t.Errorf("refused: %v", err)
			case c.want != "" && (err == nil || v != nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("got %v, want an error about %q", err, c.want)
			}
		})
	}
	_, err := NewValidator(Config{Skew: -1})
	for _, want := range []string{"no issuer", "no audience", "no clock", "clock skew"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not tell all faults at once: %v", err)
		}
	}
}

// TestConfigIsCopied: a Validator goes on as it was made.
func TestConfigIsCopied(t *testing.T) {
	idp, stranger := newIdentity(t, "p256", "idp"), newIdentity(t, "p256", "stranger")
	c := Config{
		Issuers:   []Issuer{{Name: testIssuer, Certificates: []*x509.Certificate{idp.certificate}}},
		Audiences: []string{testAudience}, Now: func() time.Time { return testNow },
	}
	v, err := NewValidator(c)
	if err != nil {
		t.Fatal(err)
	}
	c.Issuers[0].Certificates[0], c.Audiences[0] = stranger.certificate, "urn:x"
	if _, err := validate(t, v, idp.issue(t)); err != nil {
		t.Error(err)
	}
	_, err = validate(t, v, stranger.issue(t))
	wantCode(t, err, BadSignature)
}

func TestAlgorithms(t *testing.T) {
	idp := newIdentity(t, "p256", "idp")
	for _, c := range []struct {
		name    string
		allowed xmlsec.Algorithms
		want    Code
	}{
		{"listed", xmlsec.Algorithms{Signatures: []string{xmlsec.ECDSASHA256}, Digests: []string{xmlsec.SHA256}}, ""},
		{"signature not listed", xmlsec.Algorithms{Signatures: []string{xmlsec.RSASHA256}}, Algorithm},
		{"digest not listed", xmlsec.Algorithms{Digests: []string{xmlsec.SHA512}}, Algorithm},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := validate(t, newTestValidator(t, idp, func(cfg *Config) { cfg.Algorithms = c.allowed }), idp.issue(t))
			if c.want != "" {
				wantCode(t, err, c.want)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

func TestOneTimeUse(t *testing.T) {
	idp := newIdentity(t, "p256", "idp")
	once := swap(endConditions, `<saml2:OneTimeUse/>`+endConditions)
	store := &memory{}
	v := newTestValidator(t, idp, func(c *Config) { c.OneTime = store })
	message := idp.issue(t, once)
	a, err := validate(t, v, message)
	if err != nil || !a.OneTimeUse {
		t.Fatalf("got %+v, %v", a, err)
	}
	if want := testNow.Add(270*time.Second + DefaultSkew); !store.expires.Equal(want) {
		t.Errorf("remembered until %v, want %v: the last moment at which it would be accepted", store.expires, want)
	}
	_, err = validate(t, v, message)
	wantCode(t, err, Replayed)
	_, err = validate(t, v, swap("</saml2:Subject>", "<!-- another spelling --></saml2:Subject>")(message))
	wantCode(t, err, Replayed)

	// The same ID of another assertion is the same: it should not have been given twice.
	_, err = validate(t, v, idp.issue(t, once, swap(`7601002469191`, `other`)))
	wantCode(t, err, Replayed)
	if _, err := validate(t, v, idp.sign(t, swap(`ID="_a1"`, `ID="_a2"`)(once(template)), "_a2")); err != nil {
		t.Errorf("another assertion is taken for the first: %v", err)
	}
	// Without the condition an assertion may be used until it expires, and is not remembered.
	before := len(store.known)
	for range 2 {
		if _, err := validate(t, v, idp.issue(t)); err != nil {
			t.Error(err)
		}
	}
	if len(store.known) != before {
		t.Error("an assertion that may be used again is remembered")
	}
	// Nothing that is refused is used up.
	_, err = validate(t, v, idp.issue(t, once, swap(`>urn:example:affinity-domain<`, `>urn:x<`)))
	wantCode(t, err, Audience)
	if len(store.known) != before {
		t.Error("an assertion that is refused is used up")
	}
	store.err = errors.New("disk full")
	_, err = validate(t, v, message)
	wantCode(t, err, Unavailable)
	if !errors.Is(err, store.err) {
		t.Errorf("got %v, want one that wraps the cause", err)
	}
}

// TestExamineUsesNothingUp: between the two steps the message can be checked.
func TestExamineUsesNothingUp(t *testing.T) {
	idp := newIdentity(t, "p256", "idp")
	v := newTestValidator(t, idp, func(c *Config) { c.OneTime = &memory{} })
	n := parse(t, idp.issue(t, swap(endConditions, `<saml2:OneTimeUse/>`+endConditions)))
	var a *Assertion
	for range 2 {
		var err error
		if a, err = v.Examine(n); err != nil {
			t.Fatal(err)
		}
	}
	if err := v.Consume(a); err != nil {
		t.Fatal(err)
	}
	wantCode(t, v.Consume(a), Replayed)
}

// TestOneTimeKey: two pairs of issuer and ID never run into each other.
func TestOneTimeKey(t *testing.T) {
	a, b := oneTimeKey(&Assertion{Issuer: "ab", ID: "c"}), oneTimeKey(&Assertion{Issuer: "a", ID: "bc"})
	if a == b {
		t.Error("issuer and ID are not kept apart")
	}
	if a != oneTimeKey(&Assertion{Issuer: "ab", ID: "c", OneTimeUse: true}) {
		t.Error("the same assertion has two keys")
	}
}

func TestParseInstant(t *testing.T) {
	for _, c := range []struct {
		in   string
		want time.Time // zero: refused
	}{
		{"2026-11-21T08:00:00Z", testNow},
		{"2026-11-21T08:00:00.5Z", testNow.Add(500 * time.Millisecond)},
		{"2026-11-21T08:00:00.123456789Z", testNow.Add(123456789)},
		{"2026-11-21T08:00:00.1234567890123456789Z", testNow.Add(123456789)},
		{"2026-11-21T08:00:00.12345678901234567890Z", time.Time{}},
		{"2024-02-29T00:00:00Z", time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC)},
		{"2026-02-29T00:00:00Z", time.Time{}},
		{"2026-11-21T24:00:00Z", time.Time{}},
		{"2026-11-21T23:59:60Z", time.Time{}},
		{"2026-11-21T8:00:00Z", time.Time{}},
		{"2026-11-21T8:00:00.0Z", time.Time{}},
		{"2026-11-21T08:00:00,5Z", time.Time{}},
		{"2026-11-21T08:00:00.Z", time.Time{}},
		{"2026-11-21T8:00:00..5Z", time.Time{}},
		{"2026-11-21T8:00:00,.5Z", time.Time{}},
		{"2026-11-21T08:00:00.5+01:00", time.Time{}},
		{"2026-11-21T08:00:00.55", time.Time{}},
		{"2026-11-21T08:00:00", time.Time{}},
		{"2026-11-21T08:00:00+00:00", time.Time{}},
		{"2026-11-21T08:00:00z", time.Time{}},
		{"2026-11-21t08:00:00Z", time.Time{}},
		{"2026-11-21 08:00:00Z", time.Time{}},
		{"2026-11-21", time.Time{}},
		{"-2026-11-21T08:00:00Z", time.Time{}},
		{"Z", time.Time{}},
		{"", time.Time{}},
	} {
		got, ok := parseInstant(c.in)
		if ok == c.want.IsZero() || ok && !got.Equal(c.want) {
			t.Errorf("%q: got %v, %v, want %v", c.in, got, ok, c.want)
		}
	}
}
