package ledger

import (
	"github.com/fxamacker/cbor/v2"
	"github.com/veraison/go-cose"

	"collimate/keys"
)

// Kind is the kind of a transaction, as it stands in the encoding.
type Kind string

// Body is what a transaction says: DefineSource, AllowAccess or another of the kinds in parseBody. Parse returns
// bodies as values, not pointers.
type Body interface {
	// Kind returns the name of the kind.
	Kind() Kind
	// canonical returns the body in the order that its encoding has.
	canonical() Body
	// validate applies the rules that need no state; it returns a *SyntaxError.
	validate() error
	// rule applies the rules that need the state, and returns the writes that are the effect of the
	// transaction; it returns an *Error, or another error if the state cannot be read.
	rule(e *env) ([]write, error)
}

// Transaction is a parsed and verified transaction. Only Parse makes one that Check and Apply accept.
type Transaction struct {
	ID     TxID
	Raw    []byte // as signed; never changed, never encoded again
	Signer keys.ID
	Body   Body

	chainID string // of Parse
}

// The encoding of a transaction. ledger-spec 3.1
type (
	envelope struct {
		_           struct{} `cbor:",toarray"`
		Protected   []byte
		Unprotected cbor.RawMessage
		Payload     []byte
		Signature   []byte
	}
	protectedHeader struct {
		Algorithm cose.Algorithm `cbor:"1,keyasint"`
		SPKI      []byte         `cbor:"-65537,keyasint"`
	}
	payload struct {
		_    struct{} `cbor:",toarray"`
		Kind Kind
		Body cbor.RawMessage
	}
)

// labelSPKI is the COSE header label of the signer's SubjectPublicKeyInfo in DER. Labels below -65536 are for
// private use. RFC 9052 section 11.1 (IANA: COSE Header Parameters)
const labelSPKI int64 = -65537

// tagSign1 is the CBOR tag 18 of a COSE_Sign1_Tagged message. RFC 9052 section 2
const tagSign1 = 0xd2

// emptyMap is the unprotected header of every transaction: what is not signed could be changed by anybody.
var emptyMap = []byte{0xa0}

// context returns the external_aad of the signature, so that a transaction of one chain is nothing on another.
// ledger-spec 3.3
func context(chainID string) []byte { return []byte(tagTx + chainID) }

// checkChainID accepts 1 to MaxChainIDBytes letters, digits, '.', '_' and '-'. ledger-spec 2.1
func checkChainID(id string) error {
	if id == "" || len(id) > MaxChainIDBytes {
		return outOfBounds("the chain id has %d bytes, want 1 to %d", len(id), MaxChainIDBytes)
	}
	for _, c := range []byte(id) {
		if !isAlphanumeric(c) && c != '.' && c != '_' && c != '-' {
			return outOfBounds("the chain id may have letters, digits, '.', '_' and '-'")
		}
	}
	return nil
}
