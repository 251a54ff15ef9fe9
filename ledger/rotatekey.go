package ledger

import (
	"crypto"
	"crypto/x509"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/veraison/go-cose"

	"collimate/keys"
)

// KindRotateKey is the kind of RotateKey.
const KindRotateKey Kind = "rotate-key"

// RotateKey gives a source another key. The source signs it with the present one. It keeps its name. ledger-spec 5.3
//
// The key before stays good in TLS for a while, unless it is compromised.
type RotateKey struct {
	Version uint64 `cbor:"1,keyasint"` // one more than SourceRecord.Version
	SPKI    []byte `cbor:"2,keyasint"` // the new key, a SubjectPublicKeyInfo in DER
	Proof   []byte `cbor:"3,keyasint"` // the signature of the new key over what RotationMessage returns
	// Compromised says that somebody else may have the present key, or the one before it.
	Compromised bool `cbor:"4,keyasint"`
}

// NewRotateKey returns the body that gives a source a new key, with its proof. rand is that of Sign.
func NewRotateKey(rand io.Reader, chainID string, source keys.Source, version uint64, newKey crypto.Signer) (RotateKey, error) {
	pub := newKey.Public()
	alg, err := algorithmOf(pub)
	if err != nil {
		return RotateKey{}, err
	}
	spki, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return RotateKey{}, fmt.Errorf("encoding the new key: %w", err)
	}
	with, err := cose.NewSigner(alg, newKey)
	if err != nil {
		return RotateKey{}, fmt.Errorf("preparing to sign with the new key: %w", err)
	}
	proof, err := with.Sign(rand, RotationMessage(chainID, source, version))
	if err != nil {
		return RotateKey{}, fmt.Errorf("signing with the new key: %w", err)
	}
	normalise(pub, proof)
	return RotateKey{Version: version, SPKI: spki, Proof: proof}, nil
}

// RotationMessage returns what a new key signs to say that it is to be the key of a source:
// "collimate/rotate-key/v1" 0x00 chainID 0x00 KeyID version. ledger-spec 5.3
func RotationMessage(chainID string, source keys.Source, version uint64) []byte {
	b := append([]byte(tagRotate), chainID...)
	b = append(b, 0)
	b = append(b, source.ID[:]...)
	return binary.BigEndian.AppendUint64(b, version)
}

// Kind returns KindRotateKey.
func (k RotateKey) Kind() Kind { return KindRotateKey }

func (k RotateKey) canonical() Body { return k }

func (k RotateKey) validate() error {
	if n := len(k.SPKI); n == 0 || n > maxSPKIBytes {
		return outOfBounds("the new key has %d bytes, want 1 to %d", n, maxSPKIBytes)
	}
	if n := len(k.Proof); n == 0 || n > maxSignatureBytes {
		return outOfBounds("the proof has %d bytes, want 1 to %d", n, maxSignatureBytes)
	}
	_, err := k.verifier()
	return err
}

// verifier returns what verifies the proof, whose form is that of a signature by the new key.
func (k RotateKey) verifier() (cose.Verifier, error) {
	pub, alg, err := parseSPKI(k.SPKI)
	if err != nil {
		return nil, malformed(CodeUnsupportedKey, err, "reading the new key")
	}
	if err := checkForm(pub, k.Proof); err != nil {
		return nil, malformed(CodeBadSignature, err, "checking the form of the proof")
	}
	with, err := cose.NewVerifier(alg, pub)
	if err != nil {
		return nil, malformed(CodeUnsupportedKey, err, "preparing to verify the proof")
	}
	return with, nil
}

func (k RotateKey) rule(e *env) ([]write, error) {
	source, err := e.source()
	if err != nil {
		return nil, err
	}
	if err := source.nextVersion(e, k.Version); err != nil {
		return nil, err
	}
	id := keys.IDOfSPKI(k.SPKI)
	if err := keyFree(e, id); err != nil {
		return nil, err
	}
	with, err := k.verifier()
	if err != nil {
		return nil, err
	}
	if with.Verify(RotationMessage(e.chainID, source.ID, k.Version), k.Proof) != nil {
		return nil, refuse(CodeBadProof, "the proof is not a signature of the new key for this source and version on this chain")
	}
	if err := e.chargeSource(source, 1); err != nil {
		return nil, err
	}
	source.Key = id
	if k.Compromised {
		source.EarlierKey = keys.ID{}
	}
	return []write{
		set(KeySource(source.ID), source),
		set(KeyRotated(id), source.ID),
	}, nil
}
