package ledger

import (
	"crypto/ed25519"
	"slices"

	"collimate/keys"
)

// KindDefineSource is the kind of DefineSource.
const KindDefineSource Kind = "define-source"

// DefineSource puts a source on the ledger, or changes its endpoints. The source signs it. ledger-spec 5.1
type DefineSource struct {
	// Version is 1 at first, and one more than that on the ledger for each redefinition.
	Version   uint64    `cbor:"1,keyasint"`
	Endpoints Endpoints `cbor:"2,keyasint"`
	// OIDs are repository OIDs that the source owns already; it is found by them as by its alias.
	OIDs []string `cbor:"3,keyasint"`
	// ValidatorKey is that of the source's own node, one of the chain's validators.
	ValidatorKey ValidatorKey `cbor:"4,keyasint"`
	// ValidatorProof is the signature of ValidatorKey over ValidatorProofMessage.
	ValidatorProof [64]byte `cbor:"5,keyasint"`
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
	return d
}

func (d DefineSource) validate() error {
	if d.Version == 0 {
		return outOfBounds("the version is 0: the first is 1")
	}
	if err := d.Endpoints.validate(); err != nil {
		return err
	}
	return checkOIDs(d.OIDs)
}

func (d DefineSource) rule(r Reader, by signer, at Context) ([]write, error) {
	id := keys.Source{ID: by.id}
	before, err := readSource(r, id)
	if err != nil {
		return nil, err
	}
	var validator validatorRecord
	known, err := get(r, keyValidator(d.ValidatorKey), &validator)
	switch {
	case err != nil:
		return nil, err
	case !known:
		return nil, refuse(CodeUnknownValidator, "the validator key is not one of this chain's validators")
	case !validator.Source.IsZero() && validator.Source != id:
		return nil, refuse(CodeValidatorTaken, "the validator key belongs to another source")
	case !ed25519.Verify(d.ValidatorKey[:], ValidatorProofMessage(by.chainID, id), d.ValidatorProof[:]):
		return nil, refuse(CodeBadProof, "the proof is not a signature of the validator key for this source on this chain")
	}
	record := SourceRecord{
		ID: id, Version: d.Version, Endpoints: d.Endpoints, OIDs: d.OIDs, ValidatorKey: d.ValidatorKey,
		DefinedAt: at.Height, UpdatedAt: at.Height,
	}
	if before != nil {
		return d.redefine(*before, record)
	}
	return d.define(r, record)
}

// define puts a new source on the ledger, with each OID that leads to it.
func (d DefineSource) define(r Reader, record SourceRecord) ([]write, error) {
	if d.Version != 1 {
		return nil, refuse(CodeWrongVersion, "the source is not defined yet: its first version is 1, not %d", d.Version)
	}
	writes := []write{
		set(keySource(record.ID.ID), record),
		set(keyValidator(d.ValidatorKey), validatorRecord{record.ID}),
	}
	for _, oid := range append([]string{record.ID.Alias()}, d.OIDs...) {
		if taken, err := get(r, keyOID(oid), &keys.Source{}); err != nil {
			return nil, err
		} else if taken {
			return nil, refuse(CodeOIDTaken, "another source has one of these OIDs, or the alias of this key")
		}
		writes = append(writes, set(keyOID(oid), record.ID))
	}
	return writes, nil
}

// redefine changes the endpoints and nothing else: OIDs and validator key are in use by others.
func (d DefineSource) redefine(before, record SourceRecord) ([]write, error) {
	if d.Version-1 != before.Version {
		return nil, refuse(CodeWrongVersion, "the version on the ledger is %d: the next is one more, not %d", before.Version, d.Version)
	}
	if d.ValidatorKey != before.ValidatorKey || !slices.Equal(d.OIDs, before.OIDs) {
		return nil, refuse(CodeFixedField, "a redefinition may change the endpoints, not OIDs or validator key")
	}
	record.DefinedAt = before.DefinedAt
	return []write{set(keySource(record.ID.ID), record)}, nil
}
