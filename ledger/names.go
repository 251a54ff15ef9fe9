package ledger

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"collimate/keys"
)

// The tags that separate the domains of hashes and signatures. Each is followed by a zero byte, which no tag
// contains, and is versioned: what is under it never changes. ledger-spec 2
const (
	tagStudy    = "collimate/study/v1\x00"
	tagGrantee  = "collimate/grantee/v1\x00"
	tagGroup    = "collimate/group/v1\x00"
	tagGuardian = "collimate/guardian/v1\x00"
	tagReason   = "collimate/reason/v1\x00"
	tagDocument = "collimate/document/v1\x00"
	tagTx       = "collimate/tx/v1\x00"
	tagProof    = "collimate/validator-proof/v1\x00"
	tagRotate   = "collimate/rotate-key/v1\x00"
	tagGroupID  = "collimate/group-id/v1\x00"
	tagProposal = "collimate/proposal/v1\x00"
)

// StudyID names a study on the ledger without telling which one it is.
type StudyID [32]byte

// NewStudyID returns HMAC-SHA256(salt, "collimate/study/v1" 0x00 studyInstanceUID). The salt is random, one
// for each study, and never published: Study Instance UIDs are guessable, so a bare hash would be a
// dictionary. ledger-spec 2.3
func NewStudyID(salt [32]byte, studyInstanceUID string) StudyID {
	m := hmac.New(sha256.New, salt[:])
	m.Write([]byte(tagStudy))
	m.Write([]byte(studyInstanceUID))
	return StudyID(m.Sum(nil))
}

// NewGroupID returns the name of a group that a source defines for an owner: the nonce, which is random, and the first 24
// bytes of SHA-256("collimate/group-id/v1" 0x00 nonce source owner). So nobody who reads the name can be before them with
// a group of the same name. ledger-spec 2.3
func NewGroupID(nonce [8]byte, source keys.Source, owner keys.Owner) StudyID {
	b := append([]byte(tagGroupID), nonce[:]...)
	b = append(b, source.ID[:]...)
	hash := sha256.Sum256(append(b, owner.ID[:]...))
	return StudyID(append(nonce[:], hash[:24]...))
}

// Alias returns the OID that stands for the study in IHE messages, the documentUniqueId of the whole study.
func (s StudyID) Alias() string { return keys.OIDAlias(s) }

// String returns 64 lower-case hexadecimal digits.
func (s StudyID) String() string { return hex.EncodeToString(s[:]) }

// MarshalText encodes as String does.
func (s StudyID) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText decodes what String returns and nothing else.
func (s *StudyID) UnmarshalText(b []byte) error { return parseHex(s[:], "study id", string(b)) }

// ParseStudyID decodes 64 lower-case hexadecimal digits.
func ParseStudyID(text string) (StudyID, error) {
	var s StudyID
	err := s.UnmarshalText([]byte(text))
	return s, err
}

// Commitment names a grantee of a study without telling who it is.
type Commitment [32]byte

// NewCommitment returns SHA-256("collimate/grantee/v1" 0x00 blind KeyID StudyID). The blind is random, one
// for each grant; with the grantee's key it is the opening, which the owner hands to grantee and source.
// ledger-spec 2.4
func NewCommitment(blind [32]byte, grantee keys.Grantee, study StudyID) Commitment {
	return commit(tagGrantee, blind, grantee.ID, study)
}

// NewGroupCommitment is NewCommitment for a grant to a group. It has a tag of its own, so that a group and a
// grantee of the same 32 bytes are two. ledger-spec 2.4
func NewGroupCommitment(blind [32]byte, group, study StudyID) Commitment {
	return commit(tagGroup, blind, group, study)
}

// NewGuardian names a guardian of a study without telling who it is. ledger-spec 2.4
func NewGuardian(blind [32]byte, guardian keys.Guardian, study StudyID) Commitment {
	return commit(tagGuardian, blind, guardian.ID, study)
}

func commit(tag string, blind, party [32]byte, study StudyID) Commitment {
	b := make([]byte, 0, len(tagGuardian)+3*32)
	b = append(b, tag...)
	b = append(b, blind[:]...)
	b = append(b, party[:]...)
	b = append(b, study[:]...)
	return sha256.Sum256(b)
}

// NewReason commits to why somebody broke the glass: SHA-256("collimate/reason/v1" 0x00 blind text). Who has to account
// for it keeps blind and text. ledger-spec 2.4
func NewReason(blind [32]byte, text string) Commitment {
	b := append([]byte(tagReason), blind[:]...)
	return sha256.Sum256(append(b, text...))
}

// String returns 64 lower-case hexadecimal digits.
func (c Commitment) String() string { return hex.EncodeToString(c[:]) }

// MarshalText encodes as String does.
func (c Commitment) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText decodes what String returns and nothing else.
func (c *Commitment) UnmarshalText(b []byte) error { return parseHex(c[:], "commitment", string(b)) }

// ParseCommitment decodes 64 lower-case hexadecimal digits.
func ParseCommitment(text string) (Commitment, error) {
	var c Commitment
	err := c.UnmarshalText([]byte(text))
	return c, err
}

// MerkleRoot is the root of a tree of receipts. RFC 9162 section 2.1
type MerkleRoot [32]byte

// String returns 64 lower-case hexadecimal digits.
func (m MerkleRoot) String() string { return hex.EncodeToString(m[:]) }

// MarshalText encodes as String does.
func (m MerkleRoot) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalText decodes what String returns and nothing else.
func (m *MerkleRoot) UnmarshalText(b []byte) error { return parseHex(m[:], "Merkle root", string(b)) }

// TxID names a transaction: the SHA-256 of its bytes. Nobody but the signer can make other bytes that stand for
// the same transaction. ledger-spec 3.5
type TxID [32]byte

// String returns 64 lower-case hexadecimal digits.
func (id TxID) String() string { return hex.EncodeToString(id[:]) }

// MarshalText encodes as String does.
func (id TxID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText decodes what String returns and nothing else.
func (id *TxID) UnmarshalText(b []byte) error { return parseHex(id[:], "transaction id", string(b)) }

// ValidatorKey is the Ed25519 public key with which a source's node votes on blocks.
type ValidatorKey [32]byte

// String returns 64 lower-case hexadecimal digits.
func (k ValidatorKey) String() string { return hex.EncodeToString(k[:]) }

// MarshalText encodes as String does.
func (k ValidatorKey) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText decodes what String returns and nothing else.
func (k *ValidatorKey) UnmarshalText(b []byte) error {
	return parseHex(k[:], "validator key", string(b))
}

// check refuses keys for which libraries disagree what a signature is. ledger-spec 2.2
func (k ValidatorKey) check() error { return keys.Supported(ed25519.PublicKey(k[:])) }

// DocumentKind is what a document of a study is.
type DocumentKind string

// The kinds of documents under which a source offers a study.
const (
	// DocumentStudy is the whole study as one application/zip.
	DocumentStudy DocumentKind = "study"
	// DocumentManifest is the XDS-I.b manifest, a Key Object Selection. RAD TF-3: 4.68.4.1.2.1
	DocumentManifest DocumentKind = "manifest"
)

// DocumentUniqueID returns the documentUniqueId of one of a study's documents: for DocumentStudy the alias of
// the study, for any other kind that of SHA-256("collimate/document/v1" 0x00 StudyID kind). ledger-spec 2.5
func DocumentUniqueID(study StudyID, kind DocumentKind) string {
	if kind == DocumentStudy {
		return study.Alias()
	}
	b := append([]byte(tagDocument), study[:]...)
	return keys.OIDAlias(sha256.Sum256(append(b, kind...)))
}

// parseHex fills dst from lower-case hexadecimal. Upper case is refused: one name, one spelling.
func parseHex(dst []byte, what, s string) error {
	if len(s) != 2*len(dst) {
		return fmt.Errorf("%s has %d characters, want %d hexadecimal digits", what, len(s), 2*len(dst))
	}
	b, err := hex.DecodeString(s)
	if err != nil || hex.EncodeToString(b) != s {
		return errors.New(what + " is not lower-case hexadecimal")
	}
	copy(dst, b)
	return nil
}
