package xmlsec

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// SyntaxError says that a document is not well-formed XML, or uses a DTD, and where.
//
// Its text never quotes the document, so that it may be shown to the sender and written to a log.
type SyntaxError struct {
	// Line and Column start at 1. Columns count characters, a byte order mark not among them.
	Line, Column int
	// Offset is the same place in bytes from the start of the document.
	Offset int
	// Msg says what is wrong.
	Msg string
}

// Error says where and what, without quoting the document.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("xml line %d, column %d: %s", e.Line, e.Column, e.Msg)
}

// LimitError says that a document may be well-formed but is more than Limits allow.
type LimitError struct {
	// Limit is the name of the field of Limits, such as "MaxDepth"; Max is its value.
	Limit string
	Max   int
	// Line, Column and Offset are as in SyntaxError. They are zero for MaxBytes.
	Line, Column, Offset int
}

// Error says where and which limit, without quoting the document.
func (e *LimitError) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("xml document exceeds %s of %d", e.Limit, e.Max)
	}
	return fmt.Sprintf("xml line %d, column %d: document exceeds %s of %d", e.Line, e.Column, e.Limit, e.Max)
}

// Why a signature is refused. ParseSignature and Verify return errors that wrap one of these.
var (
	// ErrMalformed: the ds:Signature has not the form that this package accepts.
	ErrMalformed = errors.New("malformed signature")
	// ErrAlgorithm: an algorithm is not known, or not allowed, or does not suit the key.
	ErrAlgorithm = errors.New("signature algorithm not accepted")
	// ErrReference: a reference does not name one element of the same document, by a unique Id.
	ErrReference = errors.New("signature reference not acceptable")
	// ErrDigest: a referenced element is not as it was when it was signed.
	ErrDigest = errors.New("digest does not match the referenced element")
	// ErrSignature: the signature value was not made by this key over this SignedInfo.
	ErrSignature = errors.New("signature value does not verify")
)

// position turns a byte offset into a line and a column, both from 1. A line ends with CR LF, LF or CR.
func position(s string, offset int) (line, column int) {
	s = strings.TrimPrefix(s[:min(offset, len(s))], bom)
	line = 1
	for {
		i := strings.IndexAny(s, "\r\n")
		if i < 0 {
			return line, utf8.RuneCountInString(s) + 1
		}
		if strings.HasPrefix(s[i:], "\r\n") {
			i++
		}
		s = s[i+1:]
		line++
	}
}
