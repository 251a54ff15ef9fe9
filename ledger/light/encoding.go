package light

import (
	"bytes"

	"github.com/fxamacker/cbor/v2"
)

// encMode writes core deterministic encoding (RFC 8949 section 4.2.1). It and decMode are immutable after they are
// made.
var encMode = mustMode(cbor.CoreDetEncOptions().EncMode())

// decMode refuses what the encoder never writes, as far as a decoder can see it; decodeExact sees the rest.
var decMode = mustMode(cbor.DecOptions{
	DupMapKey:         cbor.DupMapKeyEnforcedAPF,
	IndefLength:       cbor.IndefLengthForbidden,
	TagsMd:            cbor.TagsForbidden,
	ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
	UTF8:              cbor.UTF8RejectInvalid,
	MaxNestedLevels:   maxNesting,
	MaxArrayElements:  maxElements,
	MaxMapPairs:       maxMapPairs,
}.DecMode())

// mustMode panics on options that contradict each other, which the first test finds.
func mustMode[M any](mode M, err error) M {
	if err != nil {
		panic(err)
	}
	return mode
}

// decodeExact decodes b into v and accepts it only if v encodes to b again, so that there is one encoding of each
// value. ledger-spec 3.2
func decodeExact(b []byte, v any, what string, limit int) error {
	if len(b) > limit {
		return refuse(CodeTooLarge, "the %s has %d bytes, at most %d are allowed", what, len(b), limit)
	}
	if err := decMode.Unmarshal(b, v); err != nil {
		return &Error{Code: CodeMalformed, Detail: "decoding the " + what, Err: err}
	}
	again, err := encMode.Marshal(v)
	if err != nil {
		return &Error{Code: CodeMalformed, Detail: "encoding the " + what + " again", Err: err}
	}
	if !bytes.Equal(again, b) {
		return refuse(CodeNotCanonical, "the %s is not in deterministic encoding, or a field is missing or of the wrong length", what)
	}
	return nil
}

// encodeValid encodes what has passed its bounds, within the limit of its decoder.
func encodeValid(v any, what string, limit int) ([]byte, error) {
	b, err := encMode.Marshal(v)
	if err != nil {
		return nil, &Error{Code: CodeMalformed, Detail: "encoding the " + what, Err: err}
	}
	if len(b) > limit {
		return nil, refuse(CodeTooLarge, "the %s has %d bytes, at most %d are allowed", what, len(b), limit)
	}
	return b, nil
}
