package soap

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"collimate/xmlsec"
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

// Fault is a refusal at the level of SOAP. The peer sees all but Err, which is for the log and the audit trail
// of this side only.
type Fault struct {
	Code       FaultCode
	Subcode    Name   // optional, such as {NSSecurity, "FailedCheck"}
	Subsubcode Name   // optional, the Subcode within Subcode, as WS-Addressing has them
	Reason     string // a sentence for a person
	// Detail is what stands in the Detail element, serialised, with all its namespaces declared in itself.
	Detail []byte
	// RetryAfter, if it is not zero, makes the answer an HTTP 503 that asks the peer to come back then.
	RetryAfter time.Duration
	Err        error

	blocks []byte // header blocks that go with the fault
	old    bool   // the peer speaks SOAP 1.1, and reads the fault in that only
}

// Error returns the code, the reason and the cause.
func (f *Fault) Error() string {
	s := "soap fault " + string(f.Code)
	for _, sub := range []Name{f.Subcode, f.Subsubcode} {
		if !sub.IsZero() {
			s += "/" + sub.Local
		}
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
	switch {
	case f.RetryAfter > 0:
		return http.StatusServiceUnavailable
	case f.Code == Sender:
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

// busyFault asks the peer to come back later. WS-Addressing SOAP Binding section 6.4.5, RFC 9110 section 15.6.4
func busyFault(after time.Duration) *Fault {
	detail := `<wsa:RetryAfter xmlns:wsa="` + NSAddressing + `">` + strconv.FormatInt(after.Milliseconds(), 10) + `</wsa:RetryAfter>`
	return &Fault{
		Code: Receiver, Subcode: Name{NSAddressing, "EndpointUnavailable"}, RetryAfter: after, Detail: []byte(detail),
		Reason: fmt.Sprintf("this endpoint has too much to do at the moment: try again in %d seconds", seconds(after)),
	}
}

// seconds rounds up.
func seconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }

// The subcodes of WS-Addressing, and those within InvalidAddressingHeader. WS-Addressing SOAP Binding section 6.4
const (
	headerRequired      = "MessageAddressingHeaderRequired"
	headerInvalid       = "InvalidAddressingHeader"
	actionNotSupported  = "ActionNotSupported"
	invalidAddress      = "InvalidAddress"
	invalidCardinality  = "InvalidCardinality"
	missingAddressInEPR = "MissingAddressInEPR"
	onlyAnonymous       = "OnlyAnonymousAddressSupported"
)

// addressingFault refuses an addressing header of a request, which the detail names. subsubcode may be empty.
func addressingFault(subcode, subsubcode, header, reason string) *Fault {
	f := &Fault{Code: Sender, Subcode: Name{NSAddressing, subcode}, Reason: reason}
	if subsubcode != "" {
		f.Subsubcode = Name{NSAddressing, subsubcode}
	}
	f.Detail = []byte(`<wsa:ProblemHeaderQName xmlns:wsa="` + NSAddressing + `">wsa:` + header + `</wsa:ProblemHeaderQName>`)
	return f
}

// unknownAction refuses an action that no operation has. WS-Addressing SOAP Binding section 6.4.4
func unknownAction(action string) *Fault {
	f := &Fault{
		Code: Sender, Subcode: Name{NSAddressing, actionNotSupported},
		Reason: "this endpoint has no operation for the wsa:Action of the request",
	}
	f.Detail = append(f.Detail, `<wsa:ProblemAction xmlns:wsa="`+NSAddressing+`"><wsa:Action>`...)
	f.Detail = xmlsec.EscapeText(f.Detail, action)
	f.Detail = append(f.Detail, `</wsa:Action></wsa:ProblemAction>`...)
	return f
}

// notUnderstood refuses header blocks that have to be understood and are not, each named by a NotUnderstood
// block. SOAP 1.2 Part 1 section 5.4.8
func notUnderstood(blocks []xmlsec.Node) *Fault {
	f := &Fault{Code: MustUnderstand, Reason: "a header block that has to be understood is not: only those of WS-Addressing 1.0 and wsse:Security are"}
	for _, n := range blocks {
		if n.Space() == "" {
			f.blocks = append(f.blocks, `<soap:NotUnderstood qname="`...)
		} else {
			f.blocks = append(f.blocks, `<soap:NotUnderstood xmlns:not="`...)
			f.blocks = xmlsec.EscapeAttr(f.blocks, n.Space())
			f.blocks = append(f.blocks, `" qname="not:`...)
		}
		f.blocks = xmlsec.EscapeAttr(f.blocks, n.Local())
		f.blocks = append(f.blocks, `"/>`...)
	}
	return f
}

// upgrade tells which version is spoken here. SOAP 1.2 Part 1 section 5.4.7
const upgrade = `<soap:Upgrade xmlns:soap="` + NSEnvelope + `"><soap:SupportedEnvelope xmlns:v12="` + NSEnvelope + `" qname="v12:Envelope"/></soap:Upgrade>`

// versionMismatch refuses an envelope of another version, in a form that its sender can read.
// SOAP 1.2 Part 1 Appendix A
func versionMismatch(space string) *Fault {
	f := &Fault{
		Code: VersionMismatch, blocks: []byte(upgrade),
		Reason: "the Envelope is not of SOAP 1.2, namespace " + NSEnvelope,
	}
	if space == NSEnvelope11 {
		f.old = true
		f.Reason = "the Envelope is of SOAP 1.1, but the transaction is defined for SOAP 1.2: use namespace " + NSEnvelope +
			" and application/soap+xml, in multipart/related where the transaction is MTOM"
	}
	return f
}

// appendFault serialises a fault. SOAP 1.2 Part 1 section 5.4
func appendFault(b []byte, f *Fault) []byte {
	b = append(b, `<soap:Fault xmlns:soap="`+NSEnvelope+`"><soap:Code><soap:Value>soap:`...)
	b = append(b, f.Code...)
	b = append(b, `</soap:Value>`...)
	end := ""
	for _, sub := range []Name{f.Subcode, f.Subsubcode} {
		if sub.IsZero() {
			break
		}
		b = append(b, `<soap:Subcode><soap:Value xmlns:sub="`...)
		b = xmlsec.EscapeAttr(b, sub.Space)
		b = append(b, `">sub:`...)
		b = xmlsec.EscapeText(b, sub.Local)
		b = append(b, `</soap:Value>`...)
		end += `</soap:Subcode>`
	}
	b = append(b, end+`</soap:Code><soap:Reason><soap:Text xml:lang="en">`...)
	b = xmlsec.EscapeText(b, f.Reason)
	b = append(b, `</soap:Text></soap:Reason>`...)
	if len(f.Detail) > 0 {
		b = append(b, `<soap:Detail>`...)
		b = append(b, f.Detail...)
		b = append(b, `</soap:Detail>`...)
	}
	return append(b, `</soap:Fault>`...)
}

// oldFault serialises a whole envelope of SOAP 1.1 with a fault, the one message of that version that is ever
// sent. SOAP 1.1 section 4.4
func oldFault(f *Fault) []byte {
	b := []byte(`<old:Envelope xmlns:old="` + NSEnvelope11 + `"><old:Header>`)
	b = append(b, f.blocks...)
	b = append(b, `</old:Header><old:Body><old:Fault><faultcode>old:`...)
	b = append(b, f.Code...)
	b = append(b, `</faultcode><faultstring>`...)
	b = xmlsec.EscapeText(b, f.Reason)
	return append(b, `</faultstring></old:Fault></old:Body></old:Envelope>`...)
}
