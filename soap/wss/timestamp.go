package wss

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"collimate/soap"
	"collimate/xmlsec"
)

// checkTimestamp holds wsu:Timestamp (WSS SOAP Message Security 1.1, section 10) against the clock and returns
// until when the message must be remembered.
//
// A message is in time from Created to Expires, or to Created plus Config.MaxAge if that is sooner; node-soap
// writes an Expires ten minutes ahead and is welcome, for five.
func (v *Verifier) checkTimestamp(n xmlsec.Node, now time.Time) (remember time.Time, f *soap.Fault) {
	created, expires, err := readTimestamp(n)
	if err != nil {
		return remember, fault(invalidSecurity, err)
	}
	if latest := created.Add(v.config.MaxAge); expires.After(latest) {
		expires = latest
	}
	skew := v.config.MaxSkew
	switch {
	case created.After(now.Add(skew)):
		return remember, faultf(messageExpired, "created in the future: %w", ErrExpired)
	case !now.Before(expires.Add(skew)):
		return remember, fault(messageExpired, ErrExpired)
	}
	// Twice the skew, as our own clock may be set back by that much meanwhile.
	return expires.Add(2 * skew), nil
}

// readTimestamp wants exactly one Created and one Expires, in this sense and order of time.
func readTimestamp(n xmlsec.Node) (created, expires time.Time, err error) {
	for c := range n.Elements() {
		if !c.Is(soap.NSUtility, "Created") && !c.Is(soap.NSUtility, "Expires") {
			return created, expires, errors.New("unknown element in timestamp")
		}
	}
	if created, err = readInstant(n, "Created"); err != nil {
		return created, expires, err
	}
	if expires, err = readInstant(n, "Expires"); err != nil {
		return created, expires, err
	}
	if !created.Before(expires) {
		return created, expires, errors.New("timestamp expires before it is created")
	}
	return created, expires, nil
}

// readInstant reads an xs:dateTime with a time zone.
func readInstant(n xmlsec.Node, local string) (time.Time, error) {
	c, err := n.Only(soap.NSUtility, local)
	if err != nil {
		return time.Time{}, fmt.Errorf("timestamp: %w", err)
	}
	text, err := c.Text()
	if err != nil {
		return time.Time{}, fmt.Errorf("%s: %w", local, err)
	}
	if len(text) > maxInstant {
		return time.Time{}, fmt.Errorf("%s is longer than %d bytes", local, maxInstant)
	}
	t, err := time.Parse(time.RFC3339, strings.TrimSpace(text))
	if err != nil {
		return time.Time{}, fmt.Errorf("%s is not a date and time with a time zone", local)
	}
	return t, nil
}
