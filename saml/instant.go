package saml

import (
	"strings"
	"time"

	"collimate/xmlsec"
)

// instant reads an attribute that is a time in UTC (SAML core, section 1.3.3), and reports whether it is there.
func instant(n xmlsec.Node, local string) (t time.Time, ok bool, err *Error) {
	s, ok := n.Attr("", local)
	if !ok {
		return t, false, nil
	}
	if t, ok = parseInstant(strings.Trim(s, " \t\r\n")); !ok {
		return t, false, refuse(Malformed, "%s of %s is not a time in UTC", local, n.Local())
	}
	return t, true, nil
}

// parseInstant accepts 2026-11-21T08:00:00Z, with any fraction of a second. time.Parse alone would also take a
// comma for the point, and an hour of one digit.
func parseInstant(s string) (t time.Time, ok bool) {
	const seconds = len("2006-01-02T15:04:05")
	if len(s) > maxInstant || len(s) <= seconds || s[len(s)-1] != 'Z' {
		return t, false
	}
	fraction := s[seconds : len(s)-1]
	if fraction != "" && (fraction[0] != '.' || strings.Trim(fraction[1:], "0123456789") != "") {
		return t, false
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	return t, err == nil
}

// window is the time that something is valid: from notBefore until just before notOnOrAfter. A zero time leaves
// it open at that end.
type window struct{ notBefore, notOnOrAfter time.Time }

// windowOf reads NotBefore and NotOnOrAfter of n, neither of which must be there.
func windowOf(n xmlsec.Node) (w window, err *Error) {
	if w.notBefore, _, err = instant(n, "NotBefore"); err != nil {
		return w, err
	}
	if w.notOnOrAfter, _, err = instant(n, "NotOnOrAfter"); err != nil {
		return w, err
	}
	if !w.notBefore.IsZero() && !w.notOnOrAfter.IsZero() && !w.notBefore.Before(w.notOnOrAfter) {
		return w, refuse(Malformed, "%s ends before it begins", n.Local())
	}
	return w, nil
}

// check compares with a clock that is not ours.
func (w window) check(now time.Time, skew time.Duration) *Error {
	if !w.notBefore.IsZero() && now.Add(skew).Before(w.notBefore) {
		return refuse(NotYetValid, "NotBefore is in the future")
	}
	if !w.notOnOrAfter.IsZero() && !now.Add(-skew).Before(w.notOnOrAfter) {
		return refuse(Expired, "NotOnOrAfter has passed")
	}
	return nil
}

// narrow makes w the time that is in other as well.
func (w *window) narrow(other window) {
	if other.notBefore.After(w.notBefore) {
		w.notBefore = other.notBefore
	}
	if !other.notOnOrAfter.IsZero() && other.notOnOrAfter.Before(w.notOnOrAfter) {
		w.notOnOrAfter = other.notOnOrAfter
	}
}
