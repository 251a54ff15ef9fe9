package soap

import (
	"fmt"
	"strings"

	"collimate/xmlsec"
)

// RemoteFault is a fault that a peer answered a Client with. It is not a *Fault, and does not unwrap to one,
// so that a gateway does not hand the words of one peer to another by accident.
type RemoteFault struct {
	Code       FaultCode
	Subcode    Name
	Subsubcode Name
	Reason     string // the peer's words: for the operator, not to be passed on
}

// Error returns the code and the peer's words, quoted.
func (f *RemoteFault) Error() string {
	s := "the peer answered with soap fault " + string(f.Code)
	for _, sub := range []Name{f.Subcode, f.Subsubcode} {
		if !sub.IsZero() {
			s += "/" + sub.Local
		}
	}
	return s + fmt.Sprintf(": %q", f.Reason)
}

// remoteFault reads a fault.
func remoteFault(n xmlsec.Node) error {
	f := &RemoteFault{Code: Receiver, Reason: "no reason given"}
	if code, ok := n.Child(NSEnvelope, "Code"); ok {
		if name := qname(code); name.Space == NSEnvelope {
			f.Code = FaultCode(name.Local)
		}
		if sub, ok := code.Child(NSEnvelope, "Subcode"); ok {
			f.Subcode = qname(sub)
			if sub, ok = sub.Child(NSEnvelope, "Subcode"); ok {
				f.Subsubcode = qname(sub)
			}
		}
	}
	if reason, ok := n.Child(NSEnvelope, "Reason"); ok {
		for text := range reason.Elements() {
			if s, err := text.Text(); err == nil {
				f.Reason = strings.TrimSpace(s)
				break
			}
		}
	}
	if len(f.Reason) > maxAddress {
		f.Reason = strings.ToValidUTF8(f.Reason[:maxAddress], "")
	}
	return f
}

// qname reads the Value child of a Code or Subcode.
func qname(n xmlsec.Node) Name {
	value, _ := n.Child(NSEnvelope, "Value")
	s, err := value.Text()
	if err != nil {
		return Name{}
	}
	prefix, local, ok := strings.Cut(strings.TrimSpace(s), ":")
	if !ok {
		prefix, local = "", prefix
	}
	space, _ := value.Namespace(prefix)
	return Name{space, local}
}
