package ledger

import (
	"errors"
	"fmt"
)

// ErrNotFound is returned for a record that is not on the ledger.
var ErrNotFound = errors.New("not on the ledger")

// ErrorCode names why a transaction is not accepted. The names are part of the specification: programs may
// compare them. ledger-spec 9
type ErrorCode string

// The codes of a *SyntaxError: the bytes alone tell, on every node and for ever.
const (
	CodeTooLarge       ErrorCode = "too-large"       // more than MaxTxBytes
	CodeMalformed      ErrorCode = "malformed"       // not the CBOR of any transaction
	CodeNotCanonical   ErrorCode = "not-canonical"   // would not encode to the same bytes
	CodeUnknownKind    ErrorCode = "unknown-kind"    // no such kind of transaction
	CodeOutOfBounds    ErrorCode = "out-of-bounds"   // a field is beyond what its rule allows
	CodeUnsupportedKey ErrorCode = "unsupported-key" // the signer's key, or an algorithm that is not the key's
	CodeBadSignature   ErrorCode = "bad-signature"   // or one made for another chain
)

// The codes of an *Error: the state tells, and may tell otherwise at another height.
const (
	CodeOtherChain      ErrorCode = "other-chain"      // parsed for another chain than the state's
	CodeNoGenesis       ErrorCode = "no-genesis"       // the state has not begun
	CodeBadGenesis      ErrorCode = "bad-genesis"      // no chain can begin like this
	CodeGenesisDiffers  ErrorCode = "genesis-differs"  // the state began otherwise
	CodeUnknownSource   ErrorCode = "unknown-source"   // the signer is no source's present key
	CodeNotPayer        ErrorCode = "not-payer"        // the signer is no payer
	CodeWrongSequence   ErrorCode = "wrong-sequence"   // not one more than the payer's last
	CodeUnknownStudy    ErrorCode = "unknown-study"    // no such study
	CodeNotOwner        ErrorCode = "not-owner"        // the signer does not own the study
	CodeWrongEpoch      ErrorCode = "wrong-epoch"      // signed for another epoch of the study
	CodeWithdrawn       ErrorCode = "withdrawn"        // the source has withdrawn the study
	CodeOtherSource     ErrorCode = "other-source"     // another source published the study
	CodeWrongRevision   ErrorCode = "wrong-revision"   // signed for another revision of the study
	CodeNoAllowance     ErrorCode = "no-allowance"     // the allowance is used up, and refills with time
	CodeKeyTaken        ErrorCode = "key-taken"        // the key is, or was, a source's
	CodeNoBond          ErrorCode = "no-bond"          // no payer has bonded units for the source
	CodeExpelled        ErrorCode = "expelled"         // the source is expelled for good
	CodeValidatorTaken  ErrorCode = "validator-taken"  // another source has this validator key
	CodeBadProof        ErrorCode = "bad-proof"        // the key that is to be the source's did not sign for it
	CodeOIDTaken        ErrorCode = "oid-taken"        // another source has this OID or alias
	CodeWrongVersion    ErrorCode = "wrong-version"    // not one more than the version on the ledger
	CodeOverLimit       ErrorCode = "over-limit"       // more units than there are
	CodeChangePending   ErrorCode = "change-pending"   // other params are decided and do not count yet
	CodeBadHeight       ErrorCode = "bad-height"       // too soon or too far away
	CodeTooManyPayers   ErrorCode = "too-many-payers"  // MaxPayers
	CodeNotJailed       ErrorCode = "not-jailed"       // not in jail, or for another time
	CodeStillJailed     ErrorCode = "still-jailed"     // the time in jail is not over
	CodeBadPeriod       ErrorCode = "bad-period"       // anchored already, or not over yet
	CodeJailed          ErrorCode = "jailed"           // a source in jail publishes nothing
	CodeBadGroup        ErrorCode = "bad-group"        // the name of a group is that of another source or owner
	CodeStudyExists     ErrorCode = "study-exists"     // a study is defined once
	CodeNoChange        ErrorCode = "no-change"        // it is so already
	CodeSameOwner       ErrorCode = "same-owner"       // the new owner is the present one
	CodeBadExpiry       ErrorCode = "bad-expiry"       // in the past, or too far away
	CodeCommitmentUsed  ErrorCode = "commitment-used"  // a commitment is used once
	CodeTooManyGrants   ErrorCode = "too-many-grants"  // MaxGrantsPerStudy
	CodeAlreadyRevoked  ErrorCode = "already-revoked"  // nothing left to revoke
	CodeWrongRound      ErrorCode = "wrong-round"      // signed for another round of the guardians
	CodeBadDelay        ErrorCode = "bad-delay"        // a shorter delay than the params allow
	CodeNotGuardian     ErrorCode = "not-guardian"     // the signer is no guardian of the study
	CodeRecoveryPending ErrorCode = "recovery-pending" // enough guardians have agreed already
	CodeWrongAttempt    ErrorCode = "wrong-attempt"    // not one more than the guardian's last
	CodeNoRecovery      ErrorCode = "no-recovery"      // nothing to cancel
	CodeHeld            ErrorCode = "held"             // the source holds the study
	CodeNotAdmitted     ErrorCode = "not-admitted"     // no member of a group that the source admits
	CodeEmergencyActive ErrorCode = "emergency-active" // the requester has access by an emergency already
	codeNone            ErrorCode = ""
)

// SyntaxError says that bytes are no transaction of this chain, whatever the state.
type SyntaxError struct {
	Code   ErrorCode
	Detail string // for people; holds nothing of the input but numbers
	Err    error  // cause, may be nil
}

// Error returns code and detail.
func (e *SyntaxError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("%s: %s: %v", e.Code, e.Detail, e.Err)
	}
	return fmt.Sprintf("%s: %s", e.Code, e.Detail)
}

// Unwrap returns the cause.
func (e *SyntaxError) Unwrap() error { return e.Err }

// Error says that a transaction is well formed and signed, and that the state refuses it.
type Error struct {
	Code   ErrorCode
	Detail string // for people
}

// Error returns code and detail.
func (e *Error) Error() string { return fmt.Sprintf("%s: %s", e.Code, e.Detail) }

// Is reports whether target is an *Error of the same code, so that errors.Is(err, &Error{Code: c}) works.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

// CodeOf returns the code of a *SyntaxError or an *Error in err's chain, and "" if there is none: then err is
// a failure to read or write state and says nothing about the transaction.
func CodeOf(err error) ErrorCode {
	var refused *Error
	if errors.As(err, &refused) {
		return refused.Code
	}
	var syntax *SyntaxError
	if errors.As(err, &syntax) {
		return syntax.Code
	}
	return codeNone
}

func refuse(code ErrorCode, format string, args ...any) error {
	return &Error{Code: code, Detail: fmt.Sprintf(format, args...)}
}

func malformed(code ErrorCode, err error, format string, args ...any) error {
	return &SyntaxError{Code: code, Detail: fmt.Sprintf(format, args...), Err: err}
}

func outOfBounds(format string, args ...any) error {
	return malformed(CodeOutOfBounds, nil, format, args...)
}
