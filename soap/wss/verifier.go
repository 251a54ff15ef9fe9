package wss

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"collimate/keys"
	"collimate/soap"
	"collimate/xmlsec"
	"collimate/xua"
)

// Config says what a Verifier accepts.
type Config struct {
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// MaxSkew is how far the sender's clock may be from ours; 0 means DefaultSkew, and MaxSkew is the most.
	MaxSkew time.Duration
	// MaxAge is how old a message may be; 0 means the constant MaxAge, which is also the most.
	MaxAge time.Duration
	// Replay remembers messages. It is required.
	Replay ReplayStore
	// RequireTo lists the wsa:To values that name this endpoint, compared byte for byte. If it is not empty, a
	// signed wsa:To must be there and be one of them: otherwise whoever gets a signed request could pass it on
	// to another endpoint as the signer. Empty accepts any.
	RequireTo []string
	// Algorithms narrows what signatures may use; the zero value allows all that xmlsec knows.
	Algorithms xmlsec.Algorithms
}

// Validate reports all faults of c at once.
func (c Config) Validate() error {
	var errs []error
	if c.Replay == nil {
		errs = append(errs, errors.New("replay store is missing: use NewMemoryReplay, or one that survives restarts"))
	}
	if c.MaxSkew < 0 || c.MaxSkew > MaxSkew {
		errs = append(errs, fmt.Errorf("clock skew of %v is not between 0 and %v", c.MaxSkew, MaxSkew))
	}
	if c.MaxAge < 0 || c.MaxAge > MaxAge {
		errs = append(errs, fmt.Errorf("message age of %v is not between 0 and %v", c.MaxAge, MaxAge))
	}
	return errors.Join(errs...)
}

// Verifier authenticates requests.
type Verifier struct{ config Config }

// NewVerifier returns a Verifier, or what Config.Validate finds.
func NewVerifier(c Config) (*Verifier, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("configuring WS-Security: %w", err)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.MaxSkew == 0 {
		c.MaxSkew = DefaultSkew
	}
	if c.MaxAge == 0 {
		c.MaxAge = MaxAge
	}
	c.RequireTo = slices.Clone(c.RequireTo)
	return &Verifier{c}, nil
}

// Authenticate returns the signer of a request, of tier A.
//
// When it returns without error, the Body, Action, MessageID and To of the request are what was signed: they
// are read again from the nodes that the signature covers and compared. A request is accepted once; the order
// of the checks is such that only an authentic one is remembered.
//
// Every error is a *soap.Fault whose Err says more than the peer may know.
func (v *Verifier) Authenticate(_ context.Context, r *soap.Request) (xua.Caller, error) {
	caller, f := v.authenticate(r)
	if f != nil {
		return xua.Caller{}, f // not caller, f: a nil *soap.Fault in an error is not nil
	}
	return caller, nil
}

func (v *Verifier) authenticate(r *soap.Request) (xua.Caller, *soap.Fault) {
	m, f := locate(r)
	if f != nil {
		return xua.Caller{}, f
	}
	signature, err := xmlsec.ParseSignature(m.signature, v.config.Algorithms)
	if err != nil {
		return xua.Caller{}, signatureFault(err)
	}
	// What costs nothing comes first: where the signed parts stand, the token, the time.
	if f := m.checkPositions(signature.Targets()); f != nil {
		return xua.Caller{}, f
	}
	certificate, f := m.certificate(signature)
	if f != nil {
		return xua.Caller{}, f
	}
	now := v.config.Now()
	if f := checkCertificate(certificate, now); f != nil {
		return xua.Caller{}, f
	}
	expires, f := v.checkTimestamp(m.timestamp, now)
	if f != nil {
		return xua.Caller{}, f
	}
	verified, err := signature.Verify(certificate.PublicKey)
	if err != nil {
		return xua.Caller{}, signatureFault(err)
	}
	if f := m.checkCoverage(verified); f != nil {
		return xua.Caller{}, f
	}
	if f := v.checkAddressing(m, r); f != nil {
		return xua.Caller{}, f
	}
	id, err := keys.IDOf(verified.Key())
	if err != nil {
		return xua.Caller{}, fault(invalidToken, err)
	}
	if f := v.remember(id, r.MessageID, expires); f != nil {
		return xua.Caller{}, f
	}
	return xua.Caller{Key: keys.Grantee{ID: id}, Tier: xua.TierA, Name: displayName(certificate)}, nil
}

// checkAddressing holds the request against the signed headers. They can differ only if the request was not
// made from this document, or a header stands there twice.
func (v *Verifier) checkAddressing(m *message, r *soap.Request) *soap.Fault {
	read := func(local string) (string, bool, *soap.Fault) {
		n, err := m.header.Only(soap.NSAddressing, local)
		if errors.Is(err, xmlsec.ErrMissing) {
			return "", false, nil
		}
		if err != nil {
			return "", false, fault(invalidSecurity, err)
		}
		text, err := n.Text()
		if err != nil {
			return "", false, fault(invalidSecurity, err)
		}
		return text, true, nil
	}
	action, _, f := read("Action")
	if f != nil {
		return f
	}
	messageID, _, f := read("MessageID")
	if f != nil {
		return f
	}
	to, hasTo, f := read("To")
	if f != nil {
		return f
	}
	to = strings.TrimSpace(to)
	switch {
	case strings.TrimSpace(action) == "":
		return faultf(failedCheck, "wsa:Action: %w", ErrNotSigned)
	case strings.TrimSpace(messageID) == "":
		return faultf(failedCheck, "wsa:MessageID: %w", ErrNotSigned)
	case len(messageID) > maxMessageID:
		return faultf(invalidSecurity, "wsa:MessageID is longer than %d bytes", maxMessageID)
	case strings.TrimSpace(action) != strings.TrimSpace(r.Action), messageID != r.MessageID, to != strings.TrimSpace(r.To):
		return faultf(failedCheck, "request differs from its signed headers: %w", ErrNotSigned)
	case len(v.config.RequireTo) == 0:
		return nil
	case !hasTo:
		return faultf(failedCheck, "wsa:To: %w", ErrNotSigned)
	case !slices.Contains(v.config.RequireTo, to):
		return fault(failedAuthentication, ErrDestination)
	}
	return nil
}

// remember refuses a message that came before. The key names the signer too, so that nobody can use up the
// MessageIDs of others; white space around a MessageID does not make another one.
func (v *Verifier) remember(id keys.ID, messageID string, expires time.Time) *soap.Fault {
	h := sha256.New()
	h.Write([]byte("collimate/replay/v1\x00"))
	h.Write(id[:])
	h.Write([]byte(strings.TrimSpace(messageID)))
	fresh, err := v.config.Replay.Remember([32]byte(h.Sum(nil)), expires)
	if err != nil {
		return &soap.Fault{
			Code:   soap.Receiver,
			Reason: "The message cannot be accepted now; send it again later.",
			Err:    fmt.Errorf("remembering the message: %w", err),
		}
	}
	if !fresh {
		return fault(failedAuthentication, ErrReplay)
	}
	return nil
}
