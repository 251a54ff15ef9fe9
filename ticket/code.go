package ticket

import (
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base32"
	"errors"
	"fmt"
	"strings"

	"collimate/detcbor"
	"collimate/dicom"
	"collimate/gateway"
	"collimate/keys"
	"collimate/ledger"
)

// Prefix begins the text of every code of the version that this package writes.
const Prefix = "COLLIMATE:1:"

// sumSize is the length of the checksum.
const sumSize = 4

// code is what the QR code holds.
type code struct {
	_        struct{} `cbor:",toarray"`
	ChainID  string
	Source   [32]byte
	Salt     [32]byte
	Study    string
	ClaimKey [ed25519.SeedSize]byte
}

var encoding = base32.StdEncoding.WithPadding(base32.NoPadding)

var format = detcbor.New(detcbor.Limits{Depth: 4, Elements: 16, Pairs: 16})

// Encode returns the text of the QR code of a ticket. It returns gateway.ErrClaimed for one that opens nothing any more.
func Encode(t *gateway.Ticket) (string, error) {
	key, err := t.Claim()
	if err != nil {
		return "", err
	}
	claim, ok := key.(ed25519.PrivateKey)
	if !ok {
		return "", errors.New("the claim key is not Ed25519: this ticket has no short form, hand over its file")
	}
	c := code{ChainID: t.ChainID, Source: t.Source.ID, Salt: t.Salt, Study: t.StudyInstanceUID}
	copy(c.ClaimKey[:], claim.Seed())
	if err := c.check(); err != nil {
		return "", err
	}
	return c.text()
}

// Decode reads the text of a QR code. White space in it, and small letters, do no harm: people copy it.
func Decode(text string) (*gateway.Ticket, error) {
	if len(text) > maxCode {
		return nil, damaged("it has more than %d characters", maxCode)
	}
	text = strings.ToUpper(strings.Join(strings.Fields(text), ""))
	body, ok := strings.CutPrefix(text, Prefix)
	if !ok {
		return nil, damaged("it does not begin with %s", Prefix)
	}
	raw, err := encoding.DecodeString(body)
	var c code
	if err == nil {
		err = format.Decode(raw[:max(0, len(raw)-sumSize)], &c)
	}
	// What does not come out as it went in has another sum, a longer form, a shorter key, or bits after its end.
	if again, other := c.text(); err != nil || other != nil || again != text {
		return nil, damaged("a character is missing or wrong")
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	return c.ticket()
}

func damaged(format string, args ...any) error {
	return fmt.Errorf("the code of the claim ticket is damaged: "+format, args...)
}

// check reports what no ticket has.
func (c *code) check() error {
	if c.ChainID == "" || len(c.ChainID) > ledger.MaxChainIDBytes {
		return damaged("its network has no name, or one of more than %d bytes", ledger.MaxChainIDBytes)
	}
	if err := dicom.CheckUID(c.Study); err != nil {
		return damaged("its study: %w", err)
	}
	return nil
}

func (c *code) text() (string, error) {
	raw, err := format.Encode(c)
	if err != nil {
		return "", fmt.Errorf("encoding the claim ticket: %w", err)
	}
	sum := sha256.Sum256(raw)
	return Prefix + encoding.EncodeToString(append(raw, sum[:sumSize]...)), nil
}

// ticket returns the whole ticket, as Source.Publish makes it.
func (c *code) ticket() (*gateway.Ticket, error) {
	key, err := x509.MarshalPKCS8PrivateKey(ed25519.NewKeyFromSeed(c.ClaimKey[:]))
	if err != nil {
		return nil, fmt.Errorf("encoding the claim key: %w", err)
	}
	source := keys.Source{ID: c.Source}
	study := ledger.NewStudyID(c.Salt, c.Study)
	documents := map[ledger.DocumentKind]string{}
	for _, kind := range []ledger.DocumentKind{ledger.DocumentStudy, ledger.DocumentManifest} {
		documents[kind] = ledger.DocumentUniqueID(study, kind)
	}
	return &gateway.Ticket{
		ChainID: c.ChainID, StudyID: study, Source: source, RepositoryUniqueID: source.Alias(),
		StudyInstanceUID: c.Study, Salt: c.Salt, Documents: documents, ClaimKey: key,
	}, nil
}

// Number is the ticket number of a study: the first 8 bytes of its StudyID, by which staff find the study when a patient
// calls. It opens nothing.
func Number(study ledger.StudyID) string {
	return strings.ToUpper(fmt.Sprintf("%x %x %x %x", study[0:2], study[2:4], study[4:6], study[6:8]))
}

// ParseNumber returns a ticket number, typed with or without its spaces, as Number writes it.
func ParseNumber(s string) (string, error) {
	s = strings.ToUpper(strings.Join(strings.Fields(s), ""))
	if len(s) != 16 || strings.Trim(s, "0123456789ABCDEF") != "" {
		return "", errors.New("a ticket number is 16 digits and letters from A to F, as it stands on the page")
	}
	return s[0:4] + " " + s[4:8] + " " + s[8:12] + " " + s[12:16], nil
}
