package saml

import (
	"slices"
	"strings"

	"collimate/xmlsec"
	"collimate/xua"
)

// content returns what an AttributeValue holds: one element, or text, or nothing.
//
// Coded values are HL7 V3 elements, and are sent in two forms:
//
//	<AttributeValue><Role xmlns="urn:hl7-org:v3" xsi:type="CE" code="HCP" codeSystem="..."/></AttributeValue>
//	<AttributeValue>&lt;Role xmlns="urn:hl7-org:v3" xsi:type="CE" code="HCP" codeSystem="..."/></AttributeValue>
//
// xsi:type may be a QName with or without a prefix and is not needed: the element's name says what it is.
func content(value xmlsec.Node) (element xmlsec.Node, s string, err *Error) {
	for c := range value.Elements() {
		if !element.IsZero() {
			return element, "", refuse(Malformed, "AttributeValue with several elements")
		}
		element = c
	}
	if !element.IsZero() {
		return element, "", nil
	}
	if s, err = text(value); err != nil {
		return element, "", err
	}
	if strings.HasPrefix(s, "<") {
		element, err = unescape(s)
		return element, "", err
	}
	return element, s, nil
}

// embeddedLimits are for one empty element.
var embeddedLimits = xmlsec.Limits{MaxBytes: 2 * maxText, MaxNodes: 16, MaxDepth: 4, MaxAttributes: 16, MaxNamespaces: 16, NoProcessingInstructions: true}

// unescape parses the second form. QUIRK: Norway, SamlToken01: the text uses the prefix xsi and does not declare
// it, so it is parsed inside of an element that does.
func unescape(s string) (xmlsec.Node, *Error) {
	d, err := xmlsec.Parse([]byte(`<v xmlns:xsi="`+namespaceXSI+`">`+s+`</v>`), embeddedLimits)
	if err != nil {
		return xmlsec.Node{}, refuse(Malformed, "escaped AttributeValue: %w", err)
	}
	elements := slices.Collect(d.Root().Elements())
	if len(elements) != 1 {
		return xmlsec.Node{}, refuse(Malformed, "escaped AttributeValue with %d elements, want 1", len(elements))
	}
	return elements[0], nil
}

// addCode adds the coded value, unless it is there already. An element by another name says something else, and
// is passed over like an attribute by another name.
func addCode(codes *xua.Codes, value xmlsec.Node, locals ...string) *Error {
	n, s, err := content(value)
	if err != nil || n.IsZero() && s == "" {
		return err
	}
	code := xua.Code{Code: s} // plain text; n is zero
	if !n.IsZero() {
		if n.Space() != namespaceHL7 || !slices.Contains(locals, n.Local()) {
			return nil
		}
		if code, err = coded(n); err != nil {
			return err
		}
	}
	if codes.Has(code) {
		return nil
	}
	free := slices.IndexFunc(codes[:], xua.Code.IsZero)
	if free < 0 {
		return refuse(Malformed, "more than %d roles or purposes of use", xua.MaxCodes)
	}
	codes[free] = code
	return nil
}

// coded reads an HL7 V3 CE, in which code and codeSystem are required: a code without a system could be read as
// one of any. ITI TF-2: 3.40.4.1.2.3
func coded(n xmlsec.Node) (code xua.Code, err *Error) {
	for _, a := range []struct {
		field *string
		local string
	}{
		{&code.Code, "code"}, {&code.System, "codeSystem"},
		{&code.SystemName, "codeSystemName"}, {&code.DisplayName, "displayName"},
	} {
		if *a.field, err = attribute(n, a.local); err != nil {
			return code, err
		}
	}
	if code.Code == "" || code.System == "" {
		return code, refuse(Malformed, "%s without code and codeSystem", n.Local())
	}
	code.System = strings.TrimPrefix(code.System, "urn:oid:")
	return code, nil
}

// instanceID reads an HL7 V3 II, zero if there is none.
func instanceID(value xmlsec.Node) (id InstanceID, err *Error) {
	n, s, err := content(value)
	switch {
	case err != nil || n.IsZero() && s == "":
		return id, err
	case n.IsZero():
		return InstanceID{Extension: s}, nil
	case !n.Is(namespaceHL7, "id"):
		return id, nil
	}
	if id.Root, err = attribute(n, "root"); err != nil {
		return id, err
	}
	id.Root = strings.TrimPrefix(id.Root, "urn:oid:")
	id.Extension, err = attribute(n, "extension")
	return id, err
}
