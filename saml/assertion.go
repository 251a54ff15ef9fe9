package saml

import (
	"crypto"
	"crypto/x509"
	"fmt"
	"io"
	"time"

	"collimate/xua"
)

// Assertion is what an accepted assertion says. Text is as xs:token: white space at the ends is dropped and
// elsewhere made one space, since peers break lines where they like.
type Assertion struct {
	// ID and Issuer name the assertion.
	ID, Issuer string
	// IssueInstant is when the issuer made it.
	IssueInstant time.Time
	// Subject is the person.
	Subject NameID
	// Method is how the subject is confirmed, which remains to be done: see Method.
	Method Method
	// Confirmer is whom the confirmation names as acting for the subject, such as an assistant; zero if nobody.
	Confirmer NameID
	// Address is the network address from which the issuer expects the assertion to be sent, if it says so. It
	// is not checked: behind a proxy nobody knows it.
	Address string
	// HolderKey is the key that must be shown to be held, for HolderOfKey, and nil for other methods.
	HolderKey crypto.PublicKey
	// HolderCertificate is the certificate that HolderKey came in, if any. Only its key counts.
	HolderCertificate *x509.Certificate
	// NotBefore and NotOnOrAfter are the time that the assertion is for, the shorter of what Conditions and
	// SubjectConfirmationData say.
	NotBefore, NotOnOrAfter time.Time
	// SHA1 says that the signature rests on SHA-1, which is allowed for this issuer.
	SHA1 bool
	// OneTimeUse says that it is to be used once: see Validator.Consume.
	OneTimeUse bool
	// AuthnInstant and AuthnContext are when the person logged in, and how (a URI).
	AuthnInstant time.Time
	AuthnContext string
	// Attributes are what else is said of the person.
	Attributes Attributes
}

// NameID identifies somebody. SAML core, section 2.2.3
type NameID struct {
	Value, Format, NameQualifier, SPNameQualifier string
	// SPProvidedID is the name by which the recipient knows the same person.
	SPProvidedID string
}

// Attributes are those of ITI TF-2: 3.40.4.1.2, each in the order in which the values stand, over all Attribute
// and AttributeStatement elements. Attributes by other names are not kept.
type Attributes struct {
	SubjectIDs      []string // display names
	Organizations   []string
	OrganizationIDs []string
	HomeCommunities []string
	NPIs            []string
	Providers       []InstanceID // provider-identifier
	Roles           xua.Codes
	PurposesOfUse   xua.Codes
	Patients        []PatientID // resource-id
	Consents        []string    // bppc:2007:docid
	Policies        []string    // xua:2012:acp
}

// InstanceID is an HL7 V3 II. Root is an OID.
type InstanceID struct{ Root, Extension string }

// String returns extension^^^&root&ISO, or the root alone as urn:oid if there is no extension.
func (id InstanceID) String() string {
	switch {
	case id == InstanceID{}:
		return ""
	case id.Extension == "":
		return "urn:oid:" + id.Root
	}
	return id.Extension + "^^^&" + id.Root + "&ISO"
}

// PatientID is a patient identifier in the form of HL7 CX, id^^^&oid&ISO. It shows itself only to those who ask
// for Value, so that it does not get into a log with something else.
type PatientID struct{ value string }

// Value returns the identifier.
func (p PatientID) Value() string { return p.value }

// Format hides the identifier, whatever the verb.
func (p PatientID) Format(f fmt.State, _ rune) { io.WriteString(f, "(patient id)") }

// HeldBy reports whether key is the HolderKey of a holder-of-key assertion.
func (a *Assertion) HeldBy(key crypto.PublicKey) bool {
	k, ok := a.HolderKey.(interface{ Equal(crypto.PublicKey) bool })
	return ok && a.Method == HolderOfKey && k.Equal(key)
}

// Person returns what policy and audit read. Where an attribute has several values, it is the first.
func (a *Assertion) Person() xua.Person {
	return xua.Person{
		Issuer: a.Issuer, AssertionID: a.ID,
		NameID: a.Subject.Value, Alias: a.Subject.SPProvidedID,
		Name:            first(a.Attributes.SubjectIDs),
		Organization:    first(a.Attributes.Organizations),
		OrganizationID:  first(a.Attributes.OrganizationIDs),
		HomeCommunityID: first(a.Attributes.HomeCommunities),
		Roles:           a.Attributes.Roles,
		PurposesOfUse:   a.Attributes.PurposesOfUse,
	}
}

func first(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}
