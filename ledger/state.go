package ledger

import (
	"encoding/binary"
	"fmt"

	"collimate/keys"
)

// Reader reads the flat state. Keys and values are those of ledger-spec 4.
type Reader interface {
	// Get returns the value of a key, nil if there is none. Nobody changes the value afterwards.
	Get(key []byte) ([]byte, error)
	// Iterate calls visit for each key that begins with prefix, in bytewise order, and stops at the first
	// error, which it returns. Key and value are valid during the call only; visit must not write.
	Iterate(prefix []byte, visit func(key, value []byte) error) error
}

// ReaderWriter is state that a block can change.
type ReaderWriter interface {
	Reader
	Set(key, value []byte) error
	Delete(key []byte) error
}

// The first byte of a key says what stands there. ledger-spec 4.1
const (
	prefixMeta      = 0x01 // then an ASCII name
	prefixValidator = 0x02 // then the 32 bytes of an Ed25519 key
	prefixSource    = 0x03 // then the KeyID that names a source
	prefixOID       = 0x04 // then an OID in ASCII
	prefixStudy     = 0x05 // then a StudyID
	prefixGrant     = 0x06 // then a StudyID and a Commitment
	prefixRotated   = 0x07 // then the KeyID of a key that a source has, or had, by rotation
	prefixPayer     = 0x08 // then the KeyID of a payer
	prefixBond      = 0x09 // then the KeyIDs of source and payer
	prefixStake     = 0x0a // then the KeyID of a source
	prefixDue       = 0x0b // then a kind, a time and a reference
	prefixVote      = 0x0c // then the KeyID of a payer
	prefixGuardians = 0x0d // then a StudyID
	prefixRecovery  = 0x0e // then a StudyID
	prefixEmergency = 0x0f // then a StudyID and the KeyID of who broke the glass
	prefixReceipts  = 0x10 // then the KeyID of a source and a time
	prefixMember    = 0x11 // then the StudyID of a group and a KeyID
)

// The names of the records under prefixMeta.
const (
	metaGenesis = "genesis"
	metaHead    = "head"
	metaParams  = "params"
	metaNext    = "next"
)

// What is due at a time. ledger-spec 5.0.3
const (
	dueUnbond  = 1 // then the KeyIDs of source and payer
	dueRecover = 2 // then a StudyID
)

// The keys of the state, for proofs of what stands there. ledger-spec 4.1

// KeyParams is the key of the ParamsRecord.
func KeyParams() []byte { return keyMeta(metaParams) }

// KeyNext is the key of the NextRecord.
func KeyNext() []byte { return keyMeta(metaNext) }

// KeyValidator is the key of a ValidatorRecord.
func KeyValidator(k ValidatorKey) []byte { return key(prefixValidator, k[:]) }

// KeySource is the key of a SourceRecord.
func KeySource(s keys.Source) []byte { return key(prefixSource, s.ID[:]) }

// KeyOID is the key of the name of the source that has an OID.
func KeyOID(oid string) []byte { return key(prefixOID, []byte(oid)) }

// KeyStudy is the key of a StudyRecord.
func KeyStudy(s StudyID) []byte { return key(prefixStudy, s[:]) }

// KeyGrant is the key of a GrantRecord.
func KeyGrant(s StudyID, c Commitment) []byte { return key(prefixGrant, s[:], c[:]) }

// KeyRotated is the key of the name of the source that has, or had, a key by rotation.
func KeyRotated(k keys.ID) []byte { return key(prefixRotated, k[:]) }

// KeyPayer is the key of a PayerRecord.
func KeyPayer(p keys.Payer) []byte { return key(prefixPayer, p.ID[:]) }

// KeyBond is the key of a BondRecord.
func KeyBond(s keys.Source, p keys.Payer) []byte { return key(prefixBond, s.ID[:], p.ID[:]) }

// KeyStake is the key of a StakeRecord.
func KeyStake(s keys.Source) []byte { return key(prefixStake, s.ID[:]) }

// KeyVote is the key of a VoteRecord.
func KeyVote(p keys.Payer) []byte { return key(prefixVote, p.ID[:]) }

// KeyGuardians is the key of a GuardiansRecord.
func KeyGuardians(s StudyID) []byte { return key(prefixGuardians, s[:]) }

// KeyRecovery is the key of a RecoveryRecord.
func KeyRecovery(s StudyID) []byte { return key(prefixRecovery, s[:]) }

// KeyEmergency is the key of an EmergencyRecord.
func KeyEmergency(s StudyID, requester keys.Grantee) []byte {
	return key(prefixEmergency, s[:], requester.ID[:])
}

// KeyReceipts is the key of a ReceiptsRecord.
func KeyReceipts(s keys.Source, to Seconds) []byte {
	return key(prefixReceipts, s.ID[:], bigEndian(to))
}

// KeyMember is the key of a MemberRecord.
func KeyMember(group StudyID, member keys.Grantee) []byte {
	return key(prefixMember, group[:], member.ID[:])
}

func keyMeta(name string) []byte { return key(prefixMeta, []byte(name)) }

// keyUnbond is the key of the end of an unbonding.
func keyUnbond(at Seconds, s keys.Source, p keys.Payer) []byte {
	return key(prefixDue, []byte{dueUnbond}, bigEndian(at), s.ID[:], p.ID[:])
}

// keyRecover is the key of the end of a recovery.
func keyRecover(at Seconds, s StudyID) []byte {
	return key(prefixDue, []byte{dueRecover}, bigEndian(at), s[:])
}

func key(prefix byte, parts ...[]byte) []byte {
	k := make([]byte, 1, 1+1+8+2*32)
	k[0] = prefix
	for _, p := range parts {
		k = append(k, p...)
	}
	return k
}

func bigEndian(s Seconds) []byte { return binary.BigEndian.AppendUint64(nil, uint64(s)) }

// write is one change of the state: a new value, or a deletion when value is nil.
type write struct {
	key, value []byte
}

// nothing is the value of a key that says all: the empty map.
type nothing struct{}

func set(key []byte, record any) write { return write{key, encode(record)} }

// put writes in order.
func put(w ReaderWriter, writes []write) error {
	for _, e := range writes {
		var err error
		if e.value == nil {
			err = w.Delete(e.key)
		} else {
			err = w.Set(e.key, e.value)
		}
		if err != nil {
			return fmt.Errorf("writing the state: %w", err)
		}
	}
	return nil
}

// get reads the record at key into record, and reports whether there is one.
func get(r Reader, key []byte, record any) (bool, error) {
	b, err := r.Get(key)
	if err != nil {
		return false, fmt.Errorf("reading the state: %w", err)
	}
	if b == nil {
		return false, nil
	}
	return true, decodeRecord(b, record)
}

// read returns the record at key over a start value, which holds what the key says; nil if there is none.
func read[R any](r Reader, key []byte, record R) (*R, error) {
	if ok, err := get(r, key, &record); !ok || err != nil {
		return nil, err
	}
	return &record, nil
}

// decodeRecord decodes what set encoded. A failure is not the transaction's fault, so it is no *SyntaxError.
func decodeRecord(b []byte, record any) error {
	if err := format.Decode(b, record); err != nil {
		return fmt.Errorf("the state is damaged: decoding a %T: %w", record, err)
	}
	return nil
}

// visitRecords calls visit with each record under a prefix and the rest of its key, in bytewise order.
func visitRecords[R any](r Reader, prefix []byte, visit func(rest []byte, record R) error) error {
	return r.Iterate(prefix, func(key, value []byte) error {
		var record R
		if err := decodeRecord(value, &record); err != nil {
			return err
		}
		return visit(key[len(prefix):], record)
	})
}
