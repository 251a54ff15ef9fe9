package soap

// The namespaces of an envelope. ITI TF-2: Table V.2.4-1
const (
	// NSEnvelope is SOAP 1.2.
	NSEnvelope = "http://www.w3.org/2003/05/soap-envelope"
	// NSEnvelope11 is SOAP 1.1, known only to be refused with a clear reason.
	NSEnvelope11 = "http://schemas.xmlsoap.org/soap/envelope/"
	// NSAddressing is WS-Addressing 1.0.
	NSAddressing = "http://www.w3.org/2005/08/addressing"
	// NSSecurity is WS-Security 1.0.
	NSSecurity = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
	// NSUtility is the WS-Security utility namespace, of wsu:Id and wsu:Timestamp.
	NSUtility = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
	// NSInclude is that of xop:Include.
	NSInclude = "http://www.w3.org/2004/08/xop/include"
)

// Anonymous is the address that means "the same HTTP exchange". WS-Addressing Core 1.0 section 2.1
const Anonymous = NSAddressing + "/anonymous"

// None is the address of nobody: what would be sent there is discarded. WS-Addressing Core 1.0 section 2.1
const None = NSAddressing + "/none"

// The actions of faults. WS-Addressing SOAP Binding section 6
const (
	actionFault           = NSAddressing + "/soap/fault"
	actionAddressingFault = NSAddressing + "/fault"
)

// The roles whose header blocks are for us. SOAP 1.2 Part 1 section 2.2
const (
	roleNext     = NSEnvelope + "/role/next"
	roleUltimate = NSEnvelope + "/role/ultimateReceiver"
)

// Name is a qualified XML name.
type Name struct{ Space, Local string }

// IsZero reports whether n names nothing.
func (n Name) IsZero() bool { return n == Name{} }
