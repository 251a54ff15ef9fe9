package light

import "encoding/binary"

// What the engine hashes and signs is protobuf with fields in ascending order and, as proto3 has it, without
// those that are zero or empty. These four functions are all of it. CometBFT spec/core/encoding.md

// The wire types of protobuf.
const (
	wireVarint  = 0
	wireFixed64 = 1
	wireBytes   = 2
)

// appendVarint appends an integer, or nothing for 0.
func appendVarint(b []byte, field int, v uint64) []byte {
	if v == 0 {
		return b
	}
	return binary.AppendUvarint(appendTag(b, field, wireVarint), v)
}

// appendFixed64 appends an integer of type sfixed64, or nothing for 0.
func appendFixed64(b []byte, field int, v int64) []byte {
	if v == 0 {
		return b
	}
	return binary.LittleEndian.AppendUint64(appendTag(b, field, wireFixed64), uint64(v))
}

// appendBytes appends a string, or nothing if it is empty.
func appendBytes(b []byte, field int, v []byte) []byte {
	if len(v) == 0 {
		return b
	}
	return appendMessage(b, field, v)
}

// appendMessage appends a message that is there even if it is empty.
func appendMessage(b []byte, field int, v []byte) []byte {
	b = binary.AppendUvarint(appendTag(b, field, wireBytes), uint64(len(v)))
	return append(b, v...)
}

func appendTag(b []byte, field, wire int) []byte {
	return binary.AppendUvarint(b, uint64(field<<3|wire))
}

// timestamp encodes Unix nanoseconds as a google.protobuf.Timestamp.
func timestamp(nanos int64) []byte {
	const second = 1e9
	b := appendVarint(nil, 1, uint64(nanos/second))
	return appendVarint(b, 2, uint64(nanos%second))
}

// delimited puts the length of a message before it.
func delimited(m []byte) []byte {
	return append(binary.AppendUvarint(make([]byte, 0, len(m)+2), uint64(len(m))), m...)
}
