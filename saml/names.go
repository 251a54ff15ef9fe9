package saml

// Namespace is that of SAML 2.0 assertions.
const Namespace = "urn:oasis:names:tc:SAML:2.0:assertion"

const (
	namespace1   = "urn:oasis:names:tc:SAML:1.0:assertion" // of SAML 1.0 and 1.1
	namespaceHL7 = "urn:hl7-org:v3"
	namespaceXSI = "http://www.w3.org/2001/XMLSchema-instance"
)

// Method is how the one who sends an assertion shows that it is theirs to send.
type Method string

// The confirmation methods. SAML profiles, section 3
const (
	// Bearer: whoever has the assertion may use it, so it must not leak. The caller has to make sure of a
	// channel that is authenticated, such as mutual TLS.
	Bearer Method = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
	// HolderOfKey: whoever shows that they have Assertion.HolderKey, by signing the message with it.
	HolderOfKey Method = "urn:oasis:names:tc:SAML:2.0:cm:holder-of-key"
	// SenderVouches: a sender that is trusted by itself, whose signature covers message and assertion.
	SenderVouches Method = "urn:oasis:names:tc:SAML:2.0:cm:sender-vouches"
)

// String returns "bearer", "holder-of-key", "sender-vouches" or "none".
func (m Method) String() string {
	switch m {
	case Bearer:
		return "bearer"
	case HolderOfKey:
		return "holder-of-key"
	case SenderVouches:
		return "sender-vouches"
	}
	return "none"
}

// contextClasses are the authentication contexts that SAML defines (SAML authn-context, section 3.4), by what
// follows contextPrefix. InternetProtocol is left out: where a packet came from authenticates nobody.
var contextClasses = map[string]bool{
	"InternetProtocolPassword": true, "Kerberos": true, "MobileOneFactorUnregistered": true,
	"MobileTwoFactorUnregistered": true, "MobileOneFactorContract": true, "MobileTwoFactorContract": true,
	"Password": true, "PasswordProtectedTransport": true, "PreviousSession": true, "X509": true, "PGP": true,
	"SPKI": true, "XMLDSig": true, "Smartcard": true, "SmartcardPKI": true, "SoftwarePKI": true,
	"Telephony": true, "NomadTelephony": true, "PersonalTelephony": true, "AuthenticatedTelephony": true,
	"SecureRemotePassword": true, "TLSClient": true, "TimeSyncToken": true, "unspecified": true,
}

const contextPrefix = "urn:oasis:names:tc:SAML:2.0:ac:classes:"

// meaning is what an attribute says, whatever its name.
type meaning uint8

const (
	meansNothing meaning = iota
	meansSubjectID
	meansOrganization
	meansOrganizationID
	meansHomeCommunity
	meansNPI
	meansProvider
	meansRole
	meansPurpose
	meansPatient
	meansConsent
	meansPolicy
)

// attributeMeaning knows the attributes of ITI TF-2: 3.40.4.1.2, and other names under which the same are sent.
func attributeMeaning(name string) meaning {
	switch name {
	case "urn:oasis:names:tc:xspa:1.0:subject:subject-id",
		"urn:oasis:names:tc:xacml:1.0:subject:subject-id": // QUIRK: Norway, SamlToken01
		return meansSubjectID
	case "urn:oasis:names:tc:xspa:1.0:subject:organization":
		return meansOrganization
	case "urn:oasis:names:tc:xspa:1.0:subject:organization-id":
		return meansOrganizationID
	case "urn:ihe:iti:xca:2010:homeCommunityId",
		"urn:nhin:names:saml:homeCommunityId": // QUIRK: CONNECT, before IHE had a name for it
		return meansHomeCommunity
	case "urn:oasis:names:tc:xspa:1.0:subject:npi", "urn:oasis:names:tc:xspa:2.0:subject:npi":
		return meansNPI
	case "urn:ihe:iti:xua:2017:subject:provider-identifier":
		return meansProvider
	case "urn:oasis:names:tc:xacml:2.0:subject:role",
		"urn:oasis:names:tc:xspa:1.0:subject:role": // QUIRK: Norway, SamlToken01
		return meansRole
	case "urn:oasis:names:tc:xspa:1.0:subject:purposeofuse",
		"urn:oasis:names:tc:xspa:1.0:subject:purposeOfUse", // QUIRK: Norway, SamlToken01
		"urn:oasis:names:tc:xacml:2.0:action:purpose":      // QUIRK: the same
		return meansPurpose
	case "urn:oasis:names:tc:xacml:2.0:resource:resource-id",
		"urn:oasis:names:tc:xacml:1.0:resource:resource-id": // QUIRK: Norway, SamlToken01
		return meansPatient
	case "urn:ihe:iti:bppc:2007:docid":
		return meansConsent
	case "urn:ihe:iti:xua:2012:acp":
		return meansPolicy
	}
	return meansNothing
}
