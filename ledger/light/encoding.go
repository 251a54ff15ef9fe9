package light

import (
	"errors"

	"collimate/detcbor"
)

// format is the encoding of blocks and bundles, in which an absent vote or value is null. ledger-spec 3.2, 8.6
var format = detcbor.New(detcbor.Limits{Depth: maxNesting, Elements: maxElements, Pairs: maxMapPairs, NilIsNull: true})

// decodeExact decodes b into v and accepts it only if v encodes to b again.
func decodeExact(b []byte, v any, what string, limit int) error {
	if len(b) > limit {
		return refuse(CodeTooLarge, "the %s has %d bytes, at most %d are allowed", what, len(b), limit)
	}
	err := format.DecodeExact(b, v)
	switch {
	case errors.Is(err, detcbor.ErrNotExact):
		return &Error{Code: CodeNotCanonical, Detail: "decoding the " + what, Err: err}
	case err != nil:
		return &Error{Code: CodeMalformed, Detail: "decoding the " + what, Err: err}
	}
	return nil
}

// encodeValid encodes what has passed its bounds, within the limit of its decoder.
func encodeValid(v any, what string, limit int) ([]byte, error) {
	b, err := format.Encode(v)
	if err != nil {
		return nil, &Error{Code: CodeMalformed, Detail: "encoding the " + what, Err: err}
	}
	if len(b) > limit {
		return nil, refuse(CodeTooLarge, "the %s has %d bytes, at most %d are allowed", what, len(b), limit)
	}
	return b, nil
}
