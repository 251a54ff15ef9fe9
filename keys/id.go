// Package keys names the parties of Collimate by their public keys.
//
// Every party (imaging source, owner of a study, grantee, guardian, payer) is a public key. Its name on the
// ledger is the KeyID, the SHA-256 of the key's SubjectPublicKeyInfo in DER:
//
//	KeyID = SHA-256(SubjectPublicKeyInfo DER)        32 bytes
//	alias = "2.25." decimal(UUIDv8(KeyID[:16]))      an OID of at most 44 characters
//
// The alias is what IHE messages carry, as repositoryUniqueId must be an OID of at most 64 characters
// and 32 bytes in decimal have 78 digits.
//
// One Go type stands for each role of a key, so that an owner cannot be passed where a source is meant.
// The package is pure: it reads no file, no clock and no randomness. Files of keys are the business of
// keys/keystore. All functions may be called concurrently.
package keys

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
)

// ID is a KeyID: the SHA-256 of a SubjectPublicKeyInfo in DER.
type ID [32]byte

// The roles of a key. Each is the same 32 bytes, and none converts to another by accident.
type (
	// Source is an imaging centre that publishes studies and answers for their bytes.
	Source struct{ ID }
	// Owner is whoever decides about a study: the patient, or the claim key of a ticket before that.
	Owner struct{ ID }
	// Grantee is whoever an owner lets in.
	Grantee struct{ ID }
	// Guardian is whoever can help to give a study a new owner when the owner's key is lost.
	Guardian struct{ ID }
	// Payer is whoever puts up the bonds of sources.
	Payer struct{ ID }
)

// ErrUnsupportedKey is returned for a key of a kind or size that Collimate does not accept.
var ErrUnsupportedKey = errors.New("unsupported public key: want ECDSA P-256 or P-384, RSA of 2048 to 8192 bits, or Ed25519")

// IDOf returns the KeyID of a public key. It returns ErrUnsupportedKey for any key that Supported refuses.
func IDOf(pub crypto.PublicKey) (ID, error) {
	if err := Supported(pub); err != nil {
		return ID{}, err
	}
	der, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return ID{}, fmt.Errorf("encoding the public key: %w", err)
	}
	return IDOfSPKI(der), nil
}

// IDOfSPKI returns the KeyID of a SubjectPublicKeyInfo that is already in DER, as a certificate holds it.
func IDOfSPKI(der []byte) ID { return sha256.Sum256(der) }

// IDOfCertificate returns the KeyID of the key in a certificate.
func IDOfCertificate(c *x509.Certificate) (ID, error) {
	if err := Supported(c.PublicKey); err != nil {
		return ID{}, err
	}
	return IDOfSPKI(c.RawSubjectPublicKeyInfo), nil
}

// String returns 64 lower-case hexadecimal digits.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// IsZero reports whether id is the zero value, which names nobody.
func (id ID) IsZero() bool { return id == ID{} }

// Alias returns the OID by which IHE messages name the key (repositoryUniqueId).
func (id ID) Alias() string { return OIDAlias(id) }

// MarshalText encodes as String does.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText decodes what String returns and nothing else.
func (id *ID) UnmarshalText(b []byte) error {
	got, err := ParseID(string(b))
	if err != nil {
		return err
	}
	*id = got
	return nil
}

// MarshalBinary returns the 32 bytes, so that encoders write a key of any role as one byte string.
func (id ID) MarshalBinary() ([]byte, error) { return id[:], nil }

// UnmarshalBinary takes exactly 32 bytes.
func (id *ID) UnmarshalBinary(b []byte) error {
	if len(b) != len(id) {
		return fmt.Errorf("key id has %d bytes, want %d", len(b), len(id))
	}
	copy(id[:], b)
	return nil
}

// ParseID decodes 64 lower-case hexadecimal digits. Upper case is refused: one key, one spelling.
func ParseID(s string) (ID, error) {
	var id ID
	if len(s) != 2*len(id) {
		return ID{}, fmt.Errorf("key id has %d characters, want %d hexadecimal digits", len(s), 2*len(id))
	}
	if _, err := hex.Decode(id[:], []byte(s)); err != nil || id.String() != s {
		return ID{}, errors.New("key id is not lower-case hexadecimal")
	}
	return id, nil
}
