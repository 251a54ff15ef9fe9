package ledger

import (
	"fmt"
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
	prefixSource    = 0x03 // then a KeyID
	prefixOID       = 0x04 // then an OID in ASCII
	prefixStudy     = 0x05 // then a StudyID
	prefixGrant     = 0x06 // then a StudyID and a Commitment
)

func keyMeta(name string) []byte              { return append([]byte{prefixMeta}, name...) }
func keyValidator(k ValidatorKey) []byte      { return append([]byte{prefixValidator}, k[:]...) }
func keySource(id [32]byte) []byte            { return append([]byte{prefixSource}, id[:]...) }
func keyOID(oid string) []byte                { return append([]byte{prefixOID}, oid...) }
func keyStudy(s StudyID) []byte               { return append([]byte{prefixStudy}, s[:]...) }
func keyGrants(s StudyID) []byte              { return append([]byte{prefixGrant}, s[:]...) }
func keyGrant(s StudyID, c Commitment) []byte { return append(keyGrants(s), c[:]...) }

// write is one change of the state: a new value, or a deletion when value is nil.
type write struct {
	key, value []byte
}

func set(key []byte, record any) write { return write{key, encode(record)} }

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

// decodeRecord decodes what set encoded. A failure is not the transaction's fault, so it is no *SyntaxError.
func decodeRecord(b []byte, record any) error {
	if err := decMode.Unmarshal(b, record); err != nil {
		return fmt.Errorf("the state is damaged: decoding a %T: %w", record, err)
	}
	return nil
}
