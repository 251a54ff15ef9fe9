package soap

import (
	"fmt"
	"net/http"
)

// FaultCode says whose fault it is. SOAP 1.2 Part 1 section 5.4.6
type FaultCode string

// The fault codes.
const (
	Sender          FaultCode = "Sender"
	Receiver        FaultCode = "Receiver"
	VersionMismatch FaultCode = "VersionMismatch"
	MustUnderstand  FaultCode = "MustUnderstand"
)

// Fault is a refusal at the level of SOAP. The peer sees Code, Subcode and Reason; Err is for the log and the
// audit trail of this side only.
type Fault struct {
	Code    FaultCode
	Subcode Name   // optional, such as {NSSecurity, "FailedCheck"}
	Reason  string // a sentence for a person
	Err     error
}

// Error returns the code, the reason and the cause.
func (f *Fault) Error() string {
	s := "soap fault " + string(f.Code)
	if !f.Subcode.IsZero() {
		s += "/" + f.Subcode.Local
	}
	s += ": " + f.Reason
	if f.Err != nil {
		s += fmt.Sprintf(": %v", f.Err)
	}
	return s
}

// Unwrap returns Err.
func (f *Fault) Unwrap() error { return f.Err }

// status is the HTTP status that goes with a fault. SOAP 1.2 Part 2 Table 20
func (f *Fault) status() int {
	if f.Code == Sender {
		return http.StatusBadRequest
	}
	return http.StatusInternalServerError
}

// action is the wsa:Action that goes with a fault.
func (f *Fault) action() string {
	if f.Subcode.Space == NSAddressing {
		return actionAddressingFault
	}
	return actionFault
}

// senderFault refuses a request that is not as it must be.
func senderFault(reason string, err error) *Fault {
	return &Fault{Code: Sender, Reason: reason, Err: err}
}

// addressingFault refuses the addressing headers of a request. WS-Addressing SOAP Binding section 6.4
func addressingFault(subcode, reason string) *Fault {
	return &Fault{Code: Sender, Subcode: Name{NSAddressing, subcode}, Reason: reason}
}

// RemoteFault is a fault that a peer answered a Client with. It is not a *Fault, and does not unwrap to one,
// so that a gateway does not hand the words of one peer to another by accident.
type RemoteFault struct {
	Code    FaultCode
	Subcode Name
	Reason  string // the peer's words: for the operator, not to be passed on
}

// Error returns the code and the peer's words, quoted.
func (f *RemoteFault) Error() string {
	s := "the peer answered with soap fault " + string(f.Code)
	if !f.Subcode.IsZero() {
		s += "/" + f.Subcode.Local
	}
	return s + fmt.Sprintf(": %q", f.Reason)
}
