package wss

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"collimate/keys"
	"collimate/saml"
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
	// Algorithms narrows what signatures may use; the zero value allows all that xmlsec knows, and neither SHA-1
	// nor ECDSA in DER.
	Algorithms xmlsec.Algorithms
	// Peers widens what single peers may use, by their keys.
	Peers map[keys.ID]Peer
	// Certificates finds the certificates that messages refer to and do not hold. Nil: such messages are refused.
	Certificates Registered
	// SAML decides about assertions. Nil: messages with one are refused.
	SAML *saml.Validator
	// Logger gets a record for each message that was accepted with SHA-1; nil discards them.
	Logger *slog.Logger
}

// Peer says what one peer may do that others may not, because it cannot do better.
type Peer struct {
	// DER accepts ECDSA signature values in DER. gSOAP writes them.
	DER bool
	// SHA1 accepts SHA-1 in digests and signatures. Each message that uses it is logged.
	SHA1 bool
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
type Verifier struct {
	config Config
	cache  partyCache
}

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
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	c.RequireTo, c.Peers = slices.Clone(c.RequireTo), maps.Clone(c.Peers)
	return &Verifier{config: c}, nil
}

// Authenticate returns who sent a request: the signer of the message, of tier A; the holder of the key of an
// assertion, of tier B; or the bearer of one, of tier C. See the package comment for what each takes.
//
// When it returns without error for tier A, the Body, Action, MessageID and To of the request are what was
// signed: they are read again from the nodes that the signature covers and compared. In tiers B and C they are
// what came over a TLS connection whose client has the key of the caller. A request is accepted once; the order
// of the checks is such that only an authentic one is remembered.
//
// Every error is a *soap.Fault whose Err says more than the peer may know.
func (v *Verifier) Authenticate(ctx context.Context, r *soap.Request) (xua.Caller, error) {
	caller, f := v.authenticate(ctx, r)
	if f != nil {
		return xua.Caller{}, f // not caller, f: a nil *soap.Fault in an error is not nil
	}
	return caller, nil
}

func (v *Verifier) authenticate(ctx context.Context, r *soap.Request) (xua.Caller, *soap.Fault) {
	m, f := locate(r)
	if f != nil {
		return xua.Caller{}, f
	}
	if !m.assertion.IsZero() && v.config.SAML == nil {
		return xua.Caller{}, faultf(unsupportedToken, "Assertion in wsse:Security")
	}
	now := v.config.Now()
	var e *evidence
	if m.signature.IsZero() {
		e, f = v.bearer(m, r, now)
	} else {
		e, f = v.signed(ctx, m, r, now)
	}
	if f != nil {
		return xua.Caller{}, f
	}
	if f := v.checkAddressing(m, r); f != nil {
		return xua.Caller{}, f
	}
	if f := v.remember(e.id, r.MessageID, e.remember); f != nil {
		return xua.Caller{}, f
	}
	caller := xua.Caller{Key: keys.Grantee{ID: e.id}, Tier: e.tier, Name: e.name}
	if e.assertion != nil {
		if err := v.config.SAML.Consume(e.assertion); err != nil {
			return xua.Caller{}, assertionFault(err)
		}
		caller.Person = e.assertion.Person()
	}
	return caller, nil
}

// evidence is what authentication has found.
type evidence struct {
	*party
	tier      xua.Tier
	assertion *saml.Assertion // nil if there is none
	remember  time.Time       // until when the message is to be remembered
}

// signed authenticates a message that has a signature.
func (v *Verifier) signed(ctx context.Context, m *message, r *soap.Request, now time.Time) (*evidence, *soap.Fault) {
	if m.timestamp.IsZero() {
		return nil, faultf(invalidSecurity, "no wsu:Timestamp in wsse:Security")
	}
	// What costs nothing comes first: the time, the token, where the signed parts stand.
	remember, f := v.checkTimestamp(m.timestamp, now)
	if f != nil {
		return nil, f
	}
	t, f := v.keyInfo(m, m.keyInfo, now)
	if f != nil {
		return nil, f
	}
	e := &evidence{party: t.party, remember: remember}
	if !m.assertion.IsZero() {
		if e.assertion, f = v.examine(m.assertion); f != nil {
			return nil, f
		}
	}
	if t.party == nil { // KeyInfo names the assertion: the key is its holder's
		if e.party, f = holder(e.assertion); f != nil {
			return nil, f
		}
	}
	if f := e.check(now); f != nil {
		return nil, f
	}
	verified, f := v.verify(ctx, m, e.party, now)
	if f != nil {
		return nil, f
	}
	return e, v.grade(e, m, r, verified)
}

// verify checks the signature of a message against the key of its sender.
func (v *Verifier) verify(ctx context.Context, m *message, p *party, now time.Time) (xmlsec.Verified, *soap.Fault) {
	allowed := v.config.Algorithms
	peer := v.config.Peers[p.id]
	allowed.DER = allowed.DER || peer.DER
	allowed.SHA1 = allowed.SHA1 || peer.SHA1
	signature, err := xmlsec.ParseMessageSignature(m.signature, allowed, v.dereference(m, now))
	if err != nil {
		return xmlsec.Verified{}, signatureFault(err)
	}
	if f := m.checkPositions(signature.Targets()); f != nil {
		return xmlsec.Verified{}, f
	}
	if f := m.checkReferences(); f != nil {
		return xmlsec.Verified{}, f
	}
	verified, err := signature.Verify(p.key)
	if err != nil {
		return xmlsec.Verified{}, signatureFault(err)
	}
	if verified.SHA1() {
		v.config.Logger.LogAttrs(ctx, slog.LevelWarn, "message signed with SHA-1, which this peer is allowed",
			slog.Any("key", p.id), slog.String("algorithm", verified.Algorithm()))
	}
	return verified, nil
}

// grade says of which tier a signed message is, or what it lacks.
func (v *Verifier) grade(e *evidence, m *message, r *soap.Request, verified xmlsec.Verified) *soap.Fault {
	lacks := m.checkCoverage(verified)
	held := e.assertion != nil && e.assertion.Method == saml.HolderOfKey
	switch {
	case held && !e.assertion.HeldBy(verified.Key()):
		return fault(failedAuthentication, ErrHolder)
	case lacks == nil:
		e.tier = xua.TierA
		return nil
	case !held || !verified.Covers(m.timestamp):
		return lacks
	}
	// The rest is bound to the holder by the connection that it came over.
	client, f := clientParty(r, v.config.Now())
	if f != nil {
		return f
	}
	if client.id != e.id {
		return fault(failedAuthentication, ErrHolder)
	}
	e.tier = xua.TierB
	return nil
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
		return unavailable(fmt.Errorf("remembering the message: %w", err))
	}
	if !fresh {
		return fault(failedAuthentication, ErrReplay)
	}
	return nil
}
