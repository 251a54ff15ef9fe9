package saml

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"

	"collimate/xmlsec"
	"collimate/xua"
)

// Issuer is an identity provider whose assertions are believed (an X-Assertion Provider).
type Issuer struct {
	// Name is the text of saml:Issuer.
	Name string
	// Certificates are those that the issuer signs with. They are pinned: who issued them does not matter, only
	// their dates and key usage do.
	Certificates []*x509.Certificate
	// SHA1 and DER are for an issuer that cannot do better: see xmlsec.Algorithms. Where SHA-1 was needed,
	// Assertion.SHA1 says so, for the log.
	SHA1, DER bool
}

// Config says which assertions are accepted.
type Config struct {
	// Issuers are trusted, and nobody else is. At least one is required.
	Issuers []Issuer
	// Audiences are the URIs that name us or our affinity domain. At least one is required, and each
	// AudienceRestriction of an assertion must hold one of them, compared byte for byte.
	Audiences []string
	// Recipients are the values of SubjectConfirmationData/@Recipient that name us. An assertion need not have
	// one; if it has, it must be among these.
	Recipients []string
	// AnyRecipient accepts any Recipient. QUIRK: in Switzerland it names the portal that the person logged in
	// to, whose users' assertions are then sent to us.
	AnyRecipient bool
	// Now is the clock. It is required.
	Now func() time.Time
	// Skew is how far an issuer's clock may be from ours; 0 means DefaultSkew, and MaxSkew is the most.
	Skew time.Duration
	// MaxLifetime is how long an assertion may be valid; 0 means the constant MaxLifetime, which is the most.
	MaxLifetime time.Duration
	// OneTime remembers the assertions that may be used once, until they expire; Remember reports whether key is
	// new. Without it an assertion with the OneTimeUse condition is refused.
	OneTime interface {
		Remember(key [32]byte, expires time.Time) (fresh bool, err error)
	}
	// Algorithms narrows what issuers may sign with; the zero value allows all that xmlsec knows. Its switches
	// are not for all issuers: set them with the one that needs them.
	Algorithms xmlsec.Algorithms

	// AuthnContexts are the AuthnContextClassRef, or AuthnContextDeclRef, that count as being logged in. Empty
	// means the classes that SAML defines except InternetProtocol.
	AuthnContexts []string
	// Roles and PurposesOfUse, if not empty, are what a person may ask as and for: an assertion must state at
	// least one, and none that is not listed.
	Roles, PurposesOfUse []xua.Code
}

// Validate reports all faults of c at once.
func (c Config) Validate() error {
	var errs []error
	fault := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if len(c.Issuers) == 0 {
		fault("no issuer: nobody's assertions would be believed")
	}
	seen := map[string]bool{}
	for _, i := range c.Issuers {
		name := collapse(i.Name)
		switch {
		case name == "" || len(name) > maxText:
			fault("issuer name %q is empty or longer than %d bytes", name, maxText)
		case seen[name]:
			fault("issuer %q is listed twice: give it several certificates instead", name)
		case len(i.Certificates) == 0 || len(i.Certificates) > MaxCertificates:
			fault("issuer %q has %d certificates, want 1 to %d", name, len(i.Certificates), MaxCertificates)
		}
		seen[name] = true
		for n, certificate := range i.Certificates {
			if certificate == nil {
				fault("certificate %d of issuer %q is nil", n, name)
			} else if err := checkKey(certificate.PublicKey); err != nil {
				fault("certificate %d of issuer %q: %w", n, name, err)
			} else if !signs(certificate) {
				fault("certificate %d of issuer %q is not for signatures", n, name)
			}
		}
	}
	if len(c.Audiences) == 0 {
		fault("no audience: say which URIs name this gateway or its affinity domain")
	}
	if slices.Contains(c.Audiences, "") || slices.Contains(c.Recipients, "") {
		fault("an audience or a recipient is empty")
	}
	if c.AnyRecipient && len(c.Recipients) > 0 {
		fault("recipients are listed, and any is accepted: choose one")
	}
	if c.Algorithms.SHA1 || c.Algorithms.DER {
		fault("SHA-1 or DER for all issuers: switch it on for the issuer that needs it")
	}
	if c.Now == nil {
		fault("no clock")
	}
	if c.Skew < 0 || c.Skew > MaxSkew {
		fault("clock skew of %v is not between 0 and %v", c.Skew, MaxSkew)
	}
	if c.MaxLifetime < 0 || c.MaxLifetime > MaxLifetime {
		fault("lifetime of %v is not between 0 and %v", c.MaxLifetime, MaxLifetime)
	}
	return errors.Join(errs...)
}

// Validator decides about assertions.
type Validator struct {
	config  Config
	issuers map[string]trusted
}

// trusted is an Issuer, ready for use.
type trusted struct {
	certificates []*x509.Certificate
	algorithms   xmlsec.Algorithms
}

// NewValidator returns a Validator, or what Config.Validate finds.
func NewValidator(c Config) (*Validator, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("configuring SAML: %w", err)
	}
	if c.Skew == 0 {
		c.Skew = DefaultSkew
	}
	if c.MaxLifetime == 0 {
		c.MaxLifetime = MaxLifetime
	}
	v := &Validator{config: c, issuers: make(map[string]trusted, len(c.Issuers))}
	for _, i := range c.Issuers {
		algorithms := xmlsec.Algorithms{
			Signatures: slices.Clone(c.Algorithms.Signatures), Digests: slices.Clone(c.Algorithms.Digests),
			SHA1: i.SHA1, DER: i.DER,
		}
		v.issuers[collapse(i.Name)] = trusted{slices.Clone(i.Certificates), algorithms}
	}
	for _, list := range []*[]string{&v.config.Audiences, &v.config.Recipients, &v.config.AuthnContexts} {
		*list = slices.Clone(*list)
	}
	v.config.Roles, v.config.PurposesOfUse = slices.Clone(c.Roles), slices.Clone(c.PurposesOfUse)
	return v, nil
}

// signs reports whether the certificate's key may sign assertions, if it says what the key may do.
func signs(c *x509.Certificate) bool {
	return c.KeyUsage == 0 || c.KeyUsage&(x509.KeyUsageDigitalSignature|x509.KeyUsageContentCommitment) != 0
}

var errKey = errors.New("key is not RSA of 2048 to 8192 bits, ECDSA P-256 or P-384, or Ed25519")

// checkKey accepts the keys that callers may have (package keys), which xmlsec can verify with.
func checkKey(pub crypto.PublicKey) error {
	ok := false
	switch k := pub.(type) {
	case *rsa.PublicKey:
		ok = k.N != nil && k.N.BitLen() >= minRSABits && k.N.BitLen() <= maxRSABits && k.N.Bit(0) == 1 && k.E >= 3 && k.E&1 == 1
	case *ecdsa.PublicKey:
		if ok = k.Curve == elliptic.P256() || k.Curve == elliptic.P384(); ok {
			_, err := k.ECDH() // fails for a point that is not on the curve
			ok = err == nil
		}
	case ed25519.PublicKey:
		ok = len(k) == ed25519.PublicKeySize
	}
	if !ok {
		return errKey
	}
	return nil
}
