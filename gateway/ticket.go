package gateway

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"

	"collimate/keys"
	"collimate/ledger"
)

// Ticket is the claim ticket of a study: whoever holds it can make the study theirs. The source hands it to
// the patient when the study is published. It is a secret until the study is claimed, and its salt and Study
// Instance UID stay confidential afterwards.
type Ticket struct {
	ChainID            string                         `json:"chain_id"`
	StudyID            ledger.StudyID                 `json:"study_id"`
	Source             keys.Source                    `json:"source"`
	RepositoryUniqueID string                         `json:"repository_unique_id"`
	StudyInstanceUID   string                         `json:"study_instance_uid"`
	Salt               Secret                         `json:"salt"`
	Documents          map[ledger.DocumentKind]string `json:"documents"`
	// ClaimKey is the private key that signs the claim, PKCS#8 in DER. It is absent once the study has been
	// claimed, when the key no longer opens anything.
	ClaimKey []byte `json:"claim_key,omitempty"`
}

// Secret is 32 bytes that print as hexadecimal in JSON and not at all in a log.
type Secret [32]byte

// MarshalText encodes as hexadecimal.
func (s Secret) MarshalText() ([]byte, error) { return keys.ID(s).MarshalText() }

// UnmarshalText decodes hexadecimal.
func (s *Secret) UnmarshalText(b []byte) error { return (*keys.ID)(s).UnmarshalText(b) }

// String hides the value.
func (s Secret) String() string { return "[secret]" }

// ErrClaimed is returned for a ticket that can no longer claim its study.
var ErrClaimed = errors.New("the study has been claimed: this ticket holds no claim key")

// ParseTicket reads a ticket from JSON and checks that it is consistent: the StudyID must follow from the
// Study Instance UID and the salt.
func ParseTicket(raw []byte) (*Ticket, error) {
	var t Ticket
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&t); err != nil {
		return nil, fmt.Errorf("reading the claim ticket: %w", err)
	}
	if t.StudyID != ledger.NewStudyID(t.Salt, t.StudyInstanceUID) {
		return nil, errors.New("the claim ticket is damaged: its study id does not follow from its salt and study")
	}
	return &t, nil
}

// Claim returns the key that signs the claim, or ErrClaimed.
func (t *Ticket) Claim() (crypto.Signer, error) {
	if len(t.ClaimKey) == 0 {
		return nil, ErrClaimed
	}
	k, err := x509.ParsePKCS8PrivateKey(t.ClaimKey)
	if err != nil {
		return nil, fmt.Errorf("the claim ticket is damaged: %w", err)
	}
	signer, ok := k.(crypto.Signer)
	if !ok {
		return nil, errors.New("the claim ticket is damaged: its key cannot sign")
	}
	return signer, nil
}
