package light

import (
	"errors"
	"fmt"
)

// Code names why a block or a bundle is refused. The names are part of the specification: programs may compare
// them. ledger-spec 8.6
type Code string

// The codes of an *Error, in the order in which they are looked for.
const (
	CodeTooLarge        Code = "too-large"        // more bytes than MaxBundleBytes or MaxBlockBytes
	CodeMalformed       Code = "malformed"        // not the CBOR of a block or a bundle
	CodeNotCanonical    Code = "not-canonical"    // would not encode to the same bytes
	CodeOutOfBounds     Code = "out-of-bounds"    // a field is beyond its limit, or a validator stands there twice
	CodeOtherChain      Code = "other-chain"      // the header is of another chain
	CodeExpired         Code = "expired"          // what is trusted is older than the trusting period
	CodeNotNewer        Code = "not-newer"        // not after what is trusted, in height or in time
	CodeFuture          Code = "future"           // the header is from beyond the clock drift
	CodeWrongValidators Code = "wrong-validators" // not the validators that the headers name
	CodeNotTrusted      Code = "not-trusted"      // a third or less of the trusted power signed
	CodeNotEnoughPower  Code = "not-enough-power" // two thirds or less of the block's own power signed
	CodeBadSignature    Code = "bad-signature"    // a vote that the validator did not sign for this header
	CodeWrongProof      Code = "wrong-proof"      // an entry that the app hash does not show
)

// Error says why a block or a bundle is refused.
type Error struct {
	Code   Code
	Detail string // for people; holds nothing of the input but numbers
	Err    error  // cause, may be nil
}

// Error returns code and detail.
func (e *Error) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("%s: %s: %v", e.Code, e.Detail, e.Err)
	}
	return fmt.Sprintf("%s: %s", e.Code, e.Detail)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// CodeOf returns the code of an *Error in err's chain, and "" if there is none.
func CodeOf(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

func refuse(code Code, format string, args ...any) error {
	return &Error{Code: code, Detail: fmt.Sprintf(format, args...)}
}
