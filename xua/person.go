package xua

import (
	"iter"
	"strings"
)

// MaxCodes is how many roles, and how many purposes of use, one assertion may carry. Clinicians act in one or
// two roles for one purpose; whoever claims more is not saying why they ask.
const MaxCodes = 4

// Code is a coded value: an HL7 V3 CE reduced to what policy and audit read.
type Code struct {
	// Code and System say what is meant. System is an OID without "urn:oid:", or another URI; it is empty for
	// a code that was sent as plain text.
	Code, System string
	// SystemName and DisplayName are for people: never decide by them.
	SystemName, DisplayName string
}

// IsZero reports whether c is no code.
func (c Code) IsZero() bool { return c == Code{} }

// Equal reports whether c and other mean the same, whatever their names.
func (c Code) Equal(other Code) bool {
	return c.Code == other.Code && trimOID(c.System) == trimOID(other.System)
}

func trimOID(system string) string { return strings.TrimPrefix(system, "urn:oid:") }

// Codes are up to MaxCodes codes. The unused ones, at the end, are zero. It is an array and not a slice, so
// that a Caller is a value that can be compared.
type Codes [MaxCodes]Code

// All yields the codes that are there.
func (c Codes) All() iter.Seq[Code] {
	return func(yield func(Code) bool) {
		for _, code := range c {
			if code.IsZero() || !yield(code) {
				return
			}
		}
	}
}

// Has reports whether one of c means the same as code.
func (c Codes) Has(code Code) bool {
	for own := range c.All() {
		if own.Equal(code) {
			return true
		}
	}
	return false
}

// Person is the human being, or the system, that an issuer asserts to be behind a request (ITI-40). The zero
// Person is none: the request was authenticated by its key alone.
//
// All of it is what the issuer says, and as good as the issuer. Nothing in it is about a patient, unless a
// patient is the one who asks.
type Person struct {
	// Issuer and AssertionID name the assertion: its saml:Issuer and ID.
	Issuer, AssertionID string
	// NameID identifies the person at the issuer; Alias is the name by which we know them (SPProvidedID), if any.
	NameID, Alias string
	// Name is the display name (subject-id).
	Name string
	// Organization and OrganizationID say for whom the person acts; the id is a URI, as in urn:oid:1.2.3.
	Organization, OrganizationID string
	// HomeCommunityID is the community that the request comes from.
	HomeCommunityID string
	// Roles and PurposesOfUse are why and as what the person asks.
	Roles, PurposesOfUse Codes
}

// IsZero reports whether nobody is asserted.
func (p Person) IsZero() bool { return p == Person{} }

// UserName returns alias<user@issuer>, by which audit messages name the person, and "" for none.
// ITI TF-2: 3.40.4.2
func (p Person) UserName() string {
	if p.IsZero() {
		return ""
	}
	return p.Alias + "<" + p.NameID + "@" + p.Issuer + ">"
}
