package saml

import (
	"slices"
	"strings"
	"time"

	"collimate/xmlsec"
)

// readSubject reads who it is, and how that is to be confirmed. SAML core, section 2.4
//
// SAML allows several confirmations, any of which will do: then whoever steals a holder-of-key assertion picks
// bearer. We take one.
func (v *Validator) readSubject(a *Assertion, n xmlsec.Node, now time.Time) *Error {
	var name, confirmation xmlsec.Node
	err := children(n, func(c xmlsec.Node) *Error {
		switch c.Local() {
		case "NameID":
			if !name.IsZero() || !confirmation.IsZero() {
				return refuse(Malformed, "NameID is repeated or out of order")
			}
			name = c
		case "SubjectConfirmation":
			if !confirmation.IsZero() {
				return refuse(Confirmation, "several SubjectConfirmation elements: which of them is meant?")
			}
			confirmation = c
		case "EncryptedID":
			return refuse(Unsupported, "name of the subject is encrypted, and there is no key for it here")
		case "BaseID":
			return refuse(Unsupported, "BaseID, want NameID")
		default:
			return refuse(Malformed, "child element of Subject that SAML does not have")
		}
		return nil
	})
	switch {
	case err != nil:
		return err
	case name.IsZero():
		return refuse(Malformed, "NameID is missing")
	case confirmation.IsZero():
		return refuse(Confirmation, "SubjectConfirmation is missing")
	}
	if a.Subject, err = nameID(name); err != nil {
		return err
	}
	return v.readConfirmation(a, confirmation, now)
}

func (v *Validator) readConfirmation(a *Assertion, n xmlsec.Node, now time.Time) *Error {
	var data xmlsec.Node
	err := children(n, func(c xmlsec.Node) (err *Error) {
		switch {
		case c.Local() == "NameID" && a.Confirmer == (NameID{}) && data.IsZero():
			a.Confirmer, err = nameID(c)
		case c.Local() == "SubjectConfirmationData" && data.IsZero():
			data = c
		case c.Local() == "EncryptedID" || c.Local() == "BaseID":
			err = refuse(Unsupported, "name in SubjectConfirmation is not a NameID")
		default:
			err = refuse(Malformed, "content of SubjectConfirmation")
		}
		return err
	})
	if err != nil {
		return err
	}
	method, _ := n.Attr("", "Method")
	switch a.Method = Method(strings.Trim(method, " \t\r\n")); a.Method {
	case Bearer, SenderVouches, HolderOfKey:
	case "":
		return refuse(Malformed, "Method of SubjectConfirmation is missing")
	default:
		return refuse(Unsupported, "confirmation method is not bearer, holder-of-key or sender-vouches")
	}
	if data.IsZero() {
		if a.Method == HolderOfKey {
			return refuse(Confirmation, "holder-of-key without SubjectConfirmationData")
		}
		return nil // QUIRK: the profiles want data for bearer, and no sample from Norway or Switzerland has any
	}
	return v.readConfirmationData(a, data, now)
}

// readConfirmationData checks when, where and by whom the assertion may be presented. SAML core, section 2.4.1.2.
// Content other than a key is for profiles that we do not take part in: Switzerland names an assistant in it.
func (v *Validator) readConfirmationData(a *Assertion, n xmlsec.Node, now time.Time) *Error {
	w, err := windowOf(n)
	if err != nil {
		return err
	}
	if err := w.check(now, v.config.Skew); err != nil {
		return err
	}
	both := window{a.NotBefore, a.NotOnOrAfter}
	both.narrow(w)
	a.NotBefore, a.NotOnOrAfter = both.notBefore, both.notOnOrAfter
	recipient, err := attribute(n, "Recipient")
	if err != nil {
		return err
	}
	if recipient != "" && !v.config.AnyRecipient && !slices.Contains(v.config.Recipients, recipient) {
		return refuse(Audience, "Recipient is not us")
	}
	if a.Address, err = attribute(n, "Address"); err != nil {
		return err
	}
	var keyInfo xmlsec.Node
	for c := range n.Elements() {
		if !c.Is(xmlsec.NamespaceDSig, "KeyInfo") {
			continue
		}
		if !keyInfo.IsZero() {
			return refuse(Confirmation, "several keys: which of them is the holder's?")
		}
		keyInfo = c
	}
	if a.Method == HolderOfKey {
		return readHolder(a, keyInfo)
	}
	if !keyInfo.IsZero() && a.Method == Bearer {
		return refuse(Confirmation, "bearer assertion that names a key")
	}
	return nil
}

// nameID reads a NameID or an Issuer, which must not be empty.
func nameID(n xmlsec.Node) (id NameID, err *Error) {
	if id.Value, err = text(n); err != nil {
		return id, err
	}
	if id.Value == "" {
		return id, refuse(Malformed, "%s is empty", n.Local())
	}
	for _, a := range []struct {
		field *string
		local string
	}{
		{&id.Format, "Format"}, {&id.NameQualifier, "NameQualifier"},
		{&id.SPNameQualifier, "SPNameQualifier"}, {&id.SPProvidedID, "SPProvidedID"},
	} {
		if *a.field, err = attribute(n, a.local); err != nil {
			return id, err
		}
	}
	if id.Format != "" && !strings.Contains(id.Format, ":") {
		return id, refuse(Malformed, "Format of %s is not a URI", n.Local())
	}
	return id, nil
}
