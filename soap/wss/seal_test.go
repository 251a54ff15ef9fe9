package wss

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	_ "crypto/md5"
	"crypto/rand"
	_ "crypto/sha1"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"math/big"
	"sort"
	"strings"
	"testing"

	"collimate/soap"
	"collimate/xmlsec"
)

type signerKey = crypto.Signer

// messageSignature is the first signature that is not one of an assertion.
func messageSignature(d *xmlsec.Document) xmlsec.Node {
	for n := range d.Walk() {
		if n.Is(xmlsec.NamespaceDSig, "Signature") && !n.Parent().Is(namespaceSAML2, "Assertion") {
			return n
		}
	}
	return xmlsec.Node{}
}

// naiveHash takes the hash from the end of an algorithm's name.
func naiveHash(n xmlsec.Node) crypto.Hash {
	algorithm, _ := n.Attr("", "Algorithm")
	for end, h := range map[string]crypto.Hash{"sha1": crypto.SHA1, "md5": crypto.MD5, "sha384": crypto.SHA384, "sha512": crypto.SHA512} {
		if strings.HasSuffix(algorithm, end) {
			return h
		}
	}
	return crypto.SHA256
}

// first returns the first element with that name in n, at any depth.
func first(n xmlsec.Node, local string) xmlsec.Node {
	for c := range n.Elements() {
		if c.Local() == local {
			return c
		}
		if found := first(c, local); !found.IsZero() {
			return found
		}
	}
	return xmlsec.Node{}
}

// prefixList is the PrefixList of the first canonicalisation in n.
func prefixList(n xmlsec.Node) (o xmlsec.C14NOptions) {
	list, _ := first(n, "InclusiveNamespaces").Attr("", "PrefixList")
	o.InclusivePrefixes = strings.Fields(list)
	return o
}

// naiveDigest digests what a reference names: the first element with that Id of whatever kind.
func naiveDigest(d *xmlsec.Document, reference xmlsec.Node) []byte {
	uri, _ := reference.Attr("", "URI")
	for n := range d.Walk() {
		for a := range n.Attrs() {
			if strings.EqualFold(a.Local, "id") && "#"+a.Value == uri {
				h := naiveHash(first(reference, "DigestMethod")).New()
				h.Write(xmlsec.AppendC14N(nil, n, prefixList(first(reference, "Transforms"))))
				return h.Sum(nil)
			}
		}
	}
	return nil
}

func sealHash(info xmlsec.Node, canonical []byte) (crypto.Hash, []byte) {
	hash := naiveHash(first(info, "SignatureMethod"))
	h := hash.New()
	h.Write(canonical)
	return hash, h.Sum(nil)
}

// checkSeal verifies as naively as reseal signs.
func checkSeal(d *xmlsec.Document, signature xmlsec.Node, who identity) bool {
	info := first(signature, "SignedInfo")
	if info.IsZero() {
		return false
	}
	references := 0
	for reference := range info.Elements() {
		if reference.Local() != "Reference" {
			continue
		}
		references++
		want, err := xmlsec.DecodeBase64(first(reference, "DigestValue"), 1<<10)
		if err != nil || len(want) == 0 || !bytes.Equal(naiveDigest(d, reference), want) {
			return false
		}
	}
	value, err := xmlsec.DecodeBase64(first(signature, "SignatureValue"), 1<<12)
	if err != nil || references == 0 {
		return false
	}
	_, digest := sealHash(info, xmlsec.AppendC14N(nil, info, prefixList(first(info, "CanonicalizationMethod"))))
	pub := who.key.Public().(*ecdsa.PublicKey)
	if ecdsa.VerifyASN1(pub, digest, value) {
		return true
	}
	if len(value) != 64 {
		return false
	}
	r, s := new(big.Int).SetBytes(value[:32]), new(big.Int).SetBytes(value[32:])
	return ecdsa.Verify(pub, digest, r, s)
}

// reseal computes every digest and the signature value of a message anew, with a key that is accepted. Whatever
// was done to the message, the signature is then right, and only a rule is left to refuse it.
func reseal(t testing.TB, message string, who identity) string {
	t.Helper()
	var edits []edit
	d := mustParse(t, message)
	for reference := range first(messageSignature(d), "SignedInfo").Elements() {
		if reference.Local() != "Reference" {
			continue
		}
		if value := first(reference, "DigestValue"); !value.IsZero() {
			if digest := naiveDigest(d, reference); digest != nil {
				edits = append(edits, replaceContent(value, base64.StdEncoding.EncodeToString(digest)))
			}
		}
	}
	return resealValue(t, applyEdits(message, edits), who)
}

// resealValue computes the signature value anew, over the digests as they are.
func resealValue(t testing.TB, message string, who identity) string {
	t.Helper()
	d := mustParse(t, message)
	signature := messageSignature(d)
	info, value := first(signature, "SignedInfo"), first(signature, "SignatureValue")
	if info.IsZero() || value.IsZero() {
		return message
	}
	hash, digest := sealHash(info, xmlsec.AppendC14N(nil, info, prefixList(first(info, "CanonicalizationMethod"))))
	der, err := who.key.Sign(rand.Reader, digest, hash)
	if err != nil {
		t.Fatal(err)
	}
	var v struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &v); err != nil {
		t.Fatal(err)
	}
	fixed := append(v.R.FillBytes(make([]byte, 32)), v.S.FillBytes(make([]byte, 32))...)
	return applyEdits(message, []edit{replaceContent(value, base64.StdEncoding.EncodeToString(fixed))})
}

func mustParse(t testing.TB, message string) *xmlsec.Document {
	t.Helper()
	d, err := xmlsec.Parse([]byte(message), xmlsec.Limits{})
	if err != nil {
		t.Fatalf("parsing %.300q: %v", message, err)
	}
	return d
}

type edit struct {
	start, end int
	text       string
}

// replaceContent replaces an element by one of that name with this text.
func replaceContent(n xmlsec.Node, text string) edit {
	start, end := n.Range()
	return edit{start, end, "<ds:" + n.Local() + ">" + text + "</ds:" + n.Local() + ">"}
}

func applyEdits(s string, edits []edit) string {
	sort.Slice(edits, func(i, j int) bool { return edits[i].start > edits[j].start })
	for _, e := range edits {
		s = s[:e.start] + e.text + s[e.end:]
	}
	return s
}

// simpleType and mtomType are the Content-Types of the two packagings.
const (
	simpleType = "application/soap+xml; charset=UTF-8"
	mtomType   = `multipart/related; type="application/xop+xml"; start="<root@test>"; start-info="application/soap+xml"; boundary="b0"`
)

// mtomPackage puts a message into a root part, with other parts after it, each "id\ntext".
func mtomPackage(message string, parts ...string) string {
	var b strings.Builder
	b.WriteString("--b0\r\nContent-Type: application/xop+xml; charset=UTF-8; type=\"application/soap+xml\"\r\nContent-Transfer-Encoding: binary\r\nContent-ID: <root@test>\r\n\r\n" + message)
	for _, part := range parts {
		id, content, _ := strings.Cut(part, "\n")
		b.WriteString("\r\n--b0\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: binary\r\nContent-ID: <" + id + ">\r\n\r\n" + content)
	}
	b.WriteString("\r\n--b0--\r\n")
	return b.String()
}

const include = `<xop:Include xmlns:xop="` + soap.NSInclude + `" href="cid:part@test"/>`

func sha256Text(s string) string {
	sum := sha256.Sum256([]byte(s))
	return base64.StdEncoding.EncodeToString(sum[:])
}
