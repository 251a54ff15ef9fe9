package ledger

import (
	"crypto/ed25519"
	"slices"

	"collimate/keys"
)

// KindDefineSource is the kind of DefineSource.
const KindDefineSource Kind = "define-source"

// DefineSource puts a source on the ledger. The source to be signs it, for which a payer has bonded. ledger-spec 5.1
type DefineSource struct {
	Endpoints Endpoints `cbor:"1,keyasint"`
	// OIDs are repository OIDs that the source owns already; it is found by them as by its alias.
	OIDs []string `cbor:"2,keyasint"`
	// ValidatorKey is that of the source's own node.
	ValidatorKey ValidatorKey `cbor:"3,keyasint"`
	// ValidatorProof is the signature of ValidatorKey over ValidatorProofMessage.
	ValidatorProof [64]byte `cbor:"4,keyasint"`
	// Peer is the libp2p peer of the node, ID@host:port; may be empty.
	Peer string `cbor:"5,keyasint"`
	// EmergencyGroups are those whose members may take a study without a grant, in the open.
	EmergencyGroups []StudyID `cbor:"6,keyasint"`
}

// ValidatorProofMessage returns what a validator key signs to say that it works for a source:
// "collimate/validator-proof/v1" 0x00 chainID 0x00 KeyID. ledger-spec 5.1
func ValidatorProofMessage(chainID string, source keys.Source) []byte {
	b := append([]byte(tagProof), chainID...)
	b = append(b, 0)
	return append(b, source.ID[:]...)
}

// Kind returns KindDefineSource.
func (d DefineSource) Kind() Kind { return KindDefineSource }

func (d DefineSource) canonical() Body {
	d.OIDs = slices.Sorted(slices.Values(d.OIDs))
	d.EmergencyGroups = sortedGroups(d.EmergencyGroups)
	return d
}

func (d DefineSource) validate() error {
	if err := d.Endpoints.validate(); err != nil {
		return err
	}
	if err := checkOIDs(d.OIDs); err != nil {
		return err
	}
	if err := checkPeer(d.Peer); err != nil {
		return err
	}
	if err := checkGroups(d.EmergencyGroups); err != nil {
		return err
	}
	if err := d.ValidatorKey.check(); err != nil {
		return malformed(CodeUnsupportedKey, err, "reading the validator key")
	}
	return nil
}

func (d DefineSource) rule(e *env) ([]write, error) {
	id := keys.Source{ID: e.by}
	e.account = Account{Kind: AccountSource, ID: id.ID}
	if err := keyFree(e, e.by); err != nil {
		return nil, err
	}
	stake, err := readStake(e, id)
	switch {
	case err != nil:
		return nil, err
	case stake.Units == 0:
		return nil, refuse(CodeNoBond, "no payer has bonded units for the source: ask one to, or bond yourself if you are one")
	}
	validator, err := readValidator(e, d.ValidatorKey)
	switch {
	case err != nil:
		return nil, err
	case validator == nil:
		validator = &ValidatorRecord{Key: d.ValidatorKey}
	case !validator.Source.IsZero():
		return nil, refuse(CodeValidatorTaken, "the validator key belongs to another source")
	}
	if !ed25519.Verify(d.ValidatorKey[:], ValidatorProofMessage(e.chainID, id), d.ValidatorProof[:]) {
		return nil, refuse(CodeBadProof, "the proof is not a signature of the validator key for this source on this chain")
	}
	validator.Source = id
	writes := []write{
		set(KeySource(id), SourceRecord{
			Version: 1, Endpoints: d.Endpoints, OIDs: d.OIDs, ValidatorKey: d.ValidatorKey, Peer: d.Peer,
			EmergencyGroups: d.EmergencyGroups, Key: e.by, DefinedAt: e.height, ChangedAt: e.height,
		}),
		set(KeyValidator(d.ValidatorKey), validator),
	}
	for _, oid := range append([]string{id.Alias()}, d.OIDs...) {
		taken, err := e.Get(KeyOID(oid))
		switch {
		case err != nil:
			return nil, err
		case taken != nil:
			return nil, refuse(CodeOIDTaken, "another source has one of these OIDs, or the alias of this key")
		}
		writes = append(writes, set(KeyOID(oid), id))
	}
	return writes, nil
}

// keyFree refuses a key that is, or was, a source's.
func keyFree(r Reader, k keys.ID) error {
	for _, at := range [][]byte{KeySource(keys.Source{ID: k}), KeyRotated(k)} {
		taken, err := r.Get(at)
		switch {
		case err != nil:
			return err
		case taken != nil:
			return refuse(CodeKeyTaken, "the key is a source's on this ledger, or was one")
		}
	}
	return nil
}
