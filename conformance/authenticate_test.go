package conformance

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"math/big"
	"strings"
	"time"

	"github.com/beevik/etree"
)

// authenticate finds every defect of a signature that the checks make, and refuses for the first that the test
// has not told it to overlook.
func (s *server) authenticate(root *etree.Element, q *retrieval) error {
	defects := s.defects(root, q)
	s.mu.Lock()
	if s.seen == nil {
		s.seen = map[string]bool{}
	}
	if s.seen[q.id] {
		defects = append(defects, "replay")
	}
	s.seen[q.id] = len(defects) == 0 || s.seen[q.id]
	s.mu.Unlock()
	var left []string
	for _, d := range defects {
		if d != s.wrong {
			left = append(left, d)
		}
	}
	if s.wrong == "strict-signature" {
		left = append(left, "strict")
	}
	if len(left) > 0 {
		return refusal{"signature", "Sender", "signature refused"}
	}
	return nil
}

func fingerprint(der []byte) string {
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}

func (s *server) defects(root *etree.Element, q *retrieval) (defects []string) {
	found := func(b Breakage) { defects = append(defects, string(b)) }
	header, body := child(root, nsSOAP, "Header"), child(root, nsSOAP, "Body")
	security := child(header, nsWSSE, "Security")
	if security == nil {
		found(NoSignature)
		q.from = s.anyReader()
		return defects
	}
	der, err := base64.StdEncoding.DecodeString(childText(security, nsWSSE, "BinarySecurityToken"))
	if err != nil {
		return []string{"token"}
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return []string{"certificate"}
	}
	q.from = fingerprint(certificate.RawSubjectPublicKeyInfo)
	if time.Now().After(certificate.NotAfter) {
		found(ExpiredCertificate)
	}

	timestamp := child(security, nsWSU, "Timestamp")
	if timestamp == nil {
		found(NoTimestamp)
	} else {
		created, err1 := time.Parse(time.RFC3339, childText(timestamp, nsWSU, "Created"))
		expires, err2 := time.Parse(time.RFC3339, childText(timestamp, nsWSU, "Expires"))
		switch {
		case err1 != nil || err2 != nil:
			return []string{"time"}
		case created.After(time.Now().Add(time.Minute)):
			found(FutureTimestamp)
		case expires.Before(time.Now()):
			found(ExpiredTimestamp)
		case time.Since(created) > 5*time.Minute:
			found(StaleTimestamp)
		}
	}
	if strings.Contains(childText(header, nsWSA, "To"), "elsewhere.example") {
		found(WrongTo)
	}

	byID := map[string][]*etree.Element{}
	_ = eachElement(root, func(e *etree.Element) error {
		if id, ok := attribute(e, nsWSU, "Id"); ok {
			byID[id] = append(byID[id], e)
		}
		return nil
	})
	signature := child(security, nsDS, "Signature")
	info := child(signature, nsDS, "SignedInfo")
	covered := map[*etree.Element]bool{}
	wrapped := false
	hash := crypto.SHA256
	for _, r := range children(info, nsDS, "Reference") {
		target := byID[strings.TrimPrefix(r.SelectAttrValue("URI", ""), "#")]
		if len(target) > 1 {
			found(DuplicateID)
		}
		e := target[len(target)-1]
		if e.Tag == "Body" && e != body {
			wrapped = true
		}
		if child(r, nsDS, "DigestMethod").SelectAttrValue("Algorithm", "") == algSHA1 {
			hash = crypto.SHA1
		}
		covered[e] = true
		canonical, err := canonicalise(e)
		if err != nil {
			return []string{"canonicalisation"}
		}
		h := hash.New()
		h.Write(canonical)
		if childText(r, nsDS, "DigestValue") != base64.StdEncoding.EncodeToString(h.Sum(nil)) {
			found(TamperedBody)
		}
	}
	for _, want := range []struct {
		e *etree.Element
		b Breakage
	}{{timestamp, UnsignedTimestamp}, {child(header, nsWSA, "To"), UnsignedTo}, {child(header, nsWSA, "Action"), UnsignedAction},
		{child(header, nsWSA, "MessageID"), UnsignedMessageID}, {child(header, nsWSA, "ReplyTo"), UnsignedReplyTo}, {body, UnsignedBody}} {
		switch {
		case want.e == nil || covered[want.e]:
		case want.e == body && wrapped:
			found(WrappedBody)
		default:
			found(want.b)
		}
	}
	if err := s.checkValue(signature, info, certificate, hash); err != "" {
		defects = append(defects, err)
	}
	return defects
}

// checkValue checks the SignatureValue and returns the defect, if any.
func (s *server) checkValue(signature, info *etree.Element, certificate *x509.Certificate, hash crypto.Hash) string {
	method := child(info, nsDS, "SignatureMethod").SelectAttrValue("Algorithm", "")
	canonical, err := canonicalise(info)
	if err != nil {
		return "canonicalisation"
	}
	value, err := base64.StdEncoding.DecodeString(childText(signature, nsDS, "SignatureValue"))
	if err != nil {
		return "base64"
	}
	if method == algHMACSHA256 {
		if bytes.Equal(value, hmacSHA256(certificate.Raw, canonical)) {
			return string(SharedSecret)
		}
		return "hmac"
	}
	h := hash.New()
	h.Write(canonical)
	good := false
	switch pub := certificate.PublicKey.(type) {
	case *ecdsa.PublicKey:
		half := len(value) / 2
		good = ecdsa.Verify(pub, h.Sum(nil), new(big.Int).SetBytes(value[:half]), new(big.Int).SetBytes(value[half:]))
	case *rsa.PublicKey:
		good = rsa.VerifyPKCS1v15(pub, hash, h.Sum(nil), value) == nil
	}
	if !good {
		return string(OtherKey)
	}
	if hash == crypto.SHA1 {
		return string(SHA1)
	}
	return ""
}

// anyReader names somebody who may read, for the server that lets anyone in.
func (s *server) anyReader() string { return s.documents[manifestID].readers[0] }
