package ledger

import (
	"bytes"
	"fmt"

	"github.com/fxamacker/cbor/v2"
)

// encMode writes core deterministic encoding (RFC 8949 section 4.2.1): shortest integers, definite lengths, map
// keys in bytewise order; and an empty list for nil, so that null stands for nothing anywhere. It and decMode
// are immutable after they are made.
var encMode = mustMode(encOptions().EncMode())

func encOptions() cbor.EncOptions {
	o := cbor.CoreDetEncOptions()
	o.NilContainers = cbor.NilContainerAsEmpty
	return o
}

// decMode refuses what the encoder never writes, as far as a decoder can see it; decodeExact sees the rest.
var decMode = mustMode(cbor.DecOptions{
	DupMapKey:         cbor.DupMapKeyEnforcedAPF,
	IndefLength:       cbor.IndefLengthForbidden,
	TagsMd:            cbor.TagsForbidden,
	ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
	UTF8:              cbor.UTF8RejectInvalid,
	MaxNestedLevels:   maxNesting,
	MaxArrayElements:  MaxStudiesPerTx,
	MaxMapPairs:       maxMapPairs,
}.DecMode())

// mustMode panics on options that contradict each other, which the first test finds.
func mustMode[M any](mode M, err error) M {
	if err != nil {
		panic(err)
	}
	return mode
}

// decodeExact decodes b into v and accepts it only if v encodes to b again. So there is one encoding of each
// value: non-shortest integers, unsorted keys, missing fields, byte strings of the wrong length and nulls are
// all refused by one rule. ledger-spec 3.2
func decodeExact(b []byte, v any, what string) error {
	if err := decMode.Unmarshal(b, v); err != nil {
		return malformed(CodeMalformed, err, "decoding the %s", what)
	}
	again, err := encMode.Marshal(v)
	if err != nil {
		return malformed(CodeMalformed, err, "encoding the %s again", what)
	}
	if !bytes.Equal(again, b) {
		return malformed(CodeNotCanonical, nil, "the %s is not in deterministic encoding, or a field is missing or of the wrong length", what)
	}
	return nil
}

// encode encodes a value of this package's own. An error is a bug: no such value fails to encode.
func encode(v any) []byte {
	b, err := encMode.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("ledger: encoding a %T: %v", v, err))
	}
	return b
}
