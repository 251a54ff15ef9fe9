package saml

import (
	"slices"

	"collimate/xmlsec"
	"collimate/xua"
)

// readAttributes collects what is known of all statements. SAML core, section 2.7.3. Values may be spread over
// several AttributeValue, Attribute and AttributeStatement elements. ITI TF-2: 3.40.4.1.2
func readAttributes(into *Attributes, statements []xmlsec.Node) *Error {
	attributes, values := 0, 0
	for _, statement := range statements {
		err := children(statement, func(c xmlsec.Node) *Error {
			if attributes++; attributes > maxAttributes {
				return refuse(Malformed, "more than %d attributes", maxAttributes)
			}
			switch c.Local() {
			case "Attribute":
				return into.read(c, &values)
			case "EncryptedAttribute":
				return refuse(Unsupported, "attribute is encrypted, and there is no key for it here")
			}
			return refuse(Malformed, "content of AttributeStatement")
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// read adds the values of one Attribute, if it is known.
func (a *Attributes) read(n xmlsec.Node, values *int) *Error {
	name, ok := n.Attr("", "Name")
	if !ok {
		return refuse(Malformed, "Attribute without a Name")
	}
	means := attributeMeaning(name)
	if means == meansNothing {
		return nil
	}
	return children(n, func(c xmlsec.Node) *Error {
		if *values++; c.Local() != "AttributeValue" || *values > maxValues {
			return refuse(Malformed, "Attribute with something else than AttributeValue, or more than %d values", maxValues)
		}
		return a.add(means, c)
	})
}

// add reads one AttributeValue. One that is empty, as xsi:nil makes it, says nothing.
func (a *Attributes) add(means meaning, value xmlsec.Node) *Error {
	switch means {
	case meansRole:
		return addCode(&a.Roles, value, "Role")
	case meansPurpose:
		// QUIRK: CONNECT writes PurposeForUse, after a misprint in the NHIN specification; Norway also Purpose.
		return addCode(&a.PurposesOfUse, value, "PurposeOfUse", "PurposeForUse", "Purpose")
	case meansProvider:
		id, err := instanceID(value)
		if err == nil && id != (InstanceID{}) && !slices.Contains(a.Providers, id) {
			a.Providers = append(a.Providers, id)
		}
		return err
	case meansNPI:
		return a.addNPI(value)
	case meansOrganizationID:
		return a.addOrganizationID(value)
	}
	s, err := text(value)
	if err != nil || s == "" {
		return err
	}
	if means == meansPatient {
		if p := (PatientID{s}); !slices.Contains(a.Patients, p) {
			a.Patients = append(a.Patients, p)
		}
		return nil
	}
	list := a.list(means)
	if !slices.Contains(*list, s) {
		*list = append(*list, s)
	}
	return nil
}

// list is where the values of a textual attribute go.
func (a *Attributes) list(means meaning) *[]string {
	switch means {
	case meansSubjectID:
		return &a.SubjectIDs
	case meansOrganization:
		return &a.Organizations
	case meansHomeCommunity:
		return &a.HomeCommunities
	case meansConsent:
		return &a.Consents
	}
	return &a.Policies
}

// addNPI takes a string, and an HL7 code too. ITI TF-2: 3.40.4.1.2.1
func (a *Attributes) addNPI(value xmlsec.Node) *Error {
	n, s, err := content(value)
	if err != nil {
		return err
	}
	if n.Space() == namespaceHL7 {
		if s, err = attribute(n, "code"); err != nil {
			return err
		}
	}
	if s != "" && !slices.Contains(a.NPIs, s) {
		a.NPIs = append(a.NPIs, s)
	}
	return nil
}

// addOrganizationID takes a URI. QUIRK: Norway, SamlToken01: an HL7 II, which is written as HL7 CX.
func (a *Attributes) addOrganizationID(value xmlsec.Node) *Error {
	n, s, err := content(value)
	if err != nil {
		return err
	}
	if n.Is(namespaceHL7, "id") {
		id, err := instanceID(value)
		if err != nil {
			return err
		}
		s = id.String()
	}
	if s != "" && !slices.Contains(a.OrganizationIDs, s) {
		a.OrganizationIDs = append(a.OrganizationIDs, s)
	}
	return nil
}

// checkPolicy wants at least one role and purpose of use that Config lists, and none that it does not.
func (v *Validator) checkPolicy(a *Attributes) *Error {
	if !listed(v.config.Roles, a.Roles) {
		return refuse(Policy, "role is missing or not accepted")
	}
	if !listed(v.config.PurposesOfUse, a.PurposesOfUse) {
		return refuse(Policy, "purpose of use is missing or not accepted")
	}
	return nil
}

func listed(accepted []xua.Code, stated xua.Codes) bool {
	if len(accepted) == 0 {
		return true
	}
	for code := range stated.All() {
		if !slices.ContainsFunc(accepted, code.Equal) {
			return false
		}
	}
	return !stated[0].IsZero()
}
