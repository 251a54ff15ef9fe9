// Package detcbor reads and writes CBOR in core deterministic encoding (RFC 8949 section 4.2.1): shortest integers and
// lengths, definite lengths, map keys in bytewise order, no duplicates. Each value has one encoding, so what is signed or
// hashed can be encoded again and come out the same. ledger-spec 3.2
//
//	value --Encode--> bytes --DecodeExact--> value, or an error if Encode would give other bytes
//
// A Format has limits for what it reads, so that memory stays a small multiple of the input. It is immutable: all functions
// may be called concurrently. Which values there are is the business of those who have the types.
package detcbor

import (
	"bytes"
	"errors"

	"github.com/fxamacker/cbor/v2"
)

// ErrNotExact is returned for what decodes, and would encode to other bytes.
var ErrNotExact = errors.New("it is not in deterministic encoding, or a field is missing or of the wrong length")

// Limits bound what a Format reads, and say how it writes nil.
type Limits struct {
	Depth    int // of maps and lists in each other, 4 to 65535
	Elements int // of a list, at least 16
	Pairs    int // of a map, at least 16
	// NilIsNull writes a nil list or byte string as null. Otherwise it is an empty one, so that null stands for nothing
	// anywhere.
	NilIsNull bool
}

// Format encodes and decodes. New makes one.
type Format struct {
	enc cbor.EncMode
	dec cbor.DecMode
}

// New returns the Format with some limits. It panics on limits that cannot be, which the first test finds.
func New(l Limits) Format {
	o := cbor.CoreDetEncOptions()
	if !l.NilIsNull {
		o.NilContainers = cbor.NilContainerAsEmpty
	}
	return Format{
		enc: must(o.EncMode()),
		dec: must(cbor.DecOptions{
			DupMapKey:         cbor.DupMapKeyEnforcedAPF,
			IndefLength:       cbor.IndefLengthForbidden,
			TagsMd:            cbor.TagsForbidden,
			ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
			UTF8:              cbor.UTF8RejectInvalid,
			MaxNestedLevels:   l.Depth,
			MaxArrayElements:  l.Elements,
			MaxMapPairs:       l.Pairs,
		}.DecMode()),
	}
}

func must[M any](mode M, err error) M {
	if err != nil {
		panic(err)
	}
	return mode
}

// Encode returns the encoding of v.
func (f Format) Encode(v any) ([]byte, error) { return f.enc.Marshal(v) }

// Decode decodes b into v. It refuses what Encode never writes as far as a decoder can see it, and DecodeExact the rest.
func (f Format) Decode(b []byte, v any) error { return f.dec.Unmarshal(b, v) }

// DecodeExact decodes b into v and accepts it only if v encodes to b again. So non-shortest integers, unsorted keys, missing
// fields, byte strings of the wrong length and nulls are all refused by one rule, with ErrNotExact.
func (f Format) DecodeExact(b []byte, v any) error {
	if err := f.Decode(b, v); err != nil {
		return err
	}
	again, err := f.Encode(v)
	if err == nil && !bytes.Equal(again, b) {
		err = ErrNotExact
	}
	return err
}
