package query

import (
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/fxamacker/cbor/v2"
	"github.com/veraison/go-cose"

	"collimate/detcbor"
	"collimate/keys"
)

// Errors of Verify.
var (
	// ErrMalformed: the bytes are no query.
	ErrMalformed = errors.New("not a query: want a COSE_Sign1 message of the payload [\"history\", study id, Unix seconds] with the signer's key")
	// ErrSignature: the signature is not the signer's, or was made for another chain.
	ErrSignature = errors.New("the signature is not the signer's, or was made for another chain")
	// ErrStale: the query is from another time.
	ErrStale = fmt.Errorf("the query is more than %v from this node's clock: set the clock and sign it again", MaxAge)
)

// History asks for the history of a study.
type History struct {
	Study [32]byte  // StudyID
	At    time.Time // of signing; whole seconds count
}

const (
	tag         = "collimate/query/v1\x00"
	kindHistory = "history"
	// labelSPKI is the protected header with the signer's key, as in a transaction. ledger-spec 3.1
	labelSPKI = int64(-65537)
	// taggedSign1 begins each message: CBOR tag 18.
	taggedSign1 = 0xd2
)

type payload struct {
	_     struct{} `cbor:",toarray"`
	Kind  string
	Study [32]byte
	At    int64
}

type envelope struct {
	_           struct{} `cbor:",toarray"`
	Protected   []byte
	Unprotected map[int64]cbor.RawMessage
	Payload     []byte
	Signature   []byte
}

type header struct {
	Algorithm cose.Algorithm `cbor:"1,keyasint"`
	SPKI      []byte         `cbor:"-65537,keyasint"`
}

// format is the encoding of transactions. ledger-spec 3.2
var format = detcbor.New(detcbor.Limits{Depth: 4, Elements: 16, Pairs: 16})

// Sign encodes and signs a query for one chain. rand is what the key's own Sign asks for; only ECDSA and Ed25519 do
// without.
func Sign(rand io.Reader, chainID string, q History, key crypto.Signer) ([]byte, error) {
	alg, err := algorithmOf(key.Public())
	if err != nil {
		return nil, err
	}
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return nil, fmt.Errorf("encoding the signer's key: %w", err)
	}
	with, err := cose.NewSigner(alg, key)
	if err != nil {
		return nil, fmt.Errorf("preparing to sign: %w", err)
	}
	m := cose.NewSign1Message()
	m.Headers.Protected.SetAlgorithm(alg)
	m.Headers.Protected[labelSPKI] = spki
	if m.Payload, err = format.Encode(payload{Kind: kindHistory, Study: q.Study, At: q.At.Unix()}); err != nil {
		return nil, fmt.Errorf("encoding the query: %w", err)
	}
	if err := m.Sign(rand, context(chainID), with); err != nil {
		return nil, fmt.Errorf("signing: %w", err)
	}
	return m.MarshalCBOR()
}

// Verify returns a query and who signed it. Errors wrap one of this package's. The cheap checks come first, and a
// query of another time costs no verification.
func Verify(chainID string, raw []byte, now time.Time) (History, keys.ID, error) {
	var e envelope
	var h header
	var p payload
	if len(raw) == 0 || len(raw) > MaxBytes || raw[0] != taggedSign1 {
		return History{}, keys.ID{}, ErrMalformed
	}
	if err := errors.Join(format.DecodeExact(raw[1:], &e), format.DecodeExact(e.Protected, &h), format.DecodeExact(e.Payload, &p)); err != nil {
		return History{}, keys.ID{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if len(e.Unprotected) > 0 || p.Kind != kindHistory {
		return History{}, keys.ID{}, ErrMalformed
	}
	q := History{Study: p.Study, At: time.Unix(p.At, 0).UTC()}
	if age := now.Sub(q.At); age > MaxAge || age < -MaxAge {
		return History{}, keys.ID{}, ErrStale
	}
	pub, err := keys.ParseSPKI(h.SPKI)
	if err != nil {
		return History{}, keys.ID{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	alg, err := algorithmOf(pub)
	if err == nil && alg != h.Algorithm {
		err = errors.New("the algorithm is not that of the signer's key")
	}
	if err != nil {
		return History{}, keys.ID{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if err := verify(chainID, alg, pub, e); err != nil {
		return History{}, keys.ID{}, err
	}
	return q, keys.IDOfSPKI(h.SPKI), nil
}

func verify(chainID string, alg cose.Algorithm, pub crypto.PublicKey, e envelope) error {
	with, err := cose.NewVerifier(alg, pub)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	protected, err := format.Encode(e.Protected)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	m := cose.Sign1Message{
		Headers:   cose.Headers{RawProtected: protected, Protected: cose.ProtectedHeader{cose.HeaderLabelAlgorithm: alg}},
		Payload:   e.Payload,
		Signature: e.Signature,
	}
	if err := m.Verify(context(chainID), with); err != nil {
		return fmt.Errorf("%w: %w", ErrSignature, err)
	}
	return nil
}

func context(chainID string) []byte { return append([]byte(tag), chainID...) }

// algorithmOf returns the one algorithm that a key signs with. ledger-spec 3.4
func algorithmOf(pub crypto.PublicKey) (cose.Algorithm, error) {
	alg, err := keys.Algorithm(pub)
	return cose.Algorithm(alg), err
}
