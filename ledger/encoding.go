package ledger

import (
	"errors"
	"fmt"

	"collimate/detcbor"
)

// format is the encoding of transactions and records. ledger-spec 3.2, 10
var format = detcbor.New(detcbor.Limits{Depth: maxNesting, Elements: MaxStudiesPerTx, Pairs: maxMapPairs})

// decodeExact decodes b into v and accepts it only if v encodes to b again, so that each value has one encoding.
func decodeExact(b []byte, v any, what string) error {
	err := format.DecodeExact(b, v)
	switch {
	case errors.Is(err, detcbor.ErrNotExact):
		return malformed(CodeNotCanonical, err, "decoding the %s", what)
	case err != nil:
		return malformed(CodeMalformed, err, "decoding the %s", what)
	}
	return nil
}

// encode encodes a value of this package's own. An error is a bug: no such value fails to encode.
func encode(v any) []byte {
	b, err := format.Encode(v)
	if err != nil {
		panic(fmt.Sprintf("ledger: encoding a %T: %v", v, err))
	}
	return b
}
