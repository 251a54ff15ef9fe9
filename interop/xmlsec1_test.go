package interop

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"collimate/soap"
)

// xmlsec1 is the command line of libxmlsec1. It does not know WS-Security: the Ids are declared on its command line,
// and the place of the signature is in the message.
type xmlsec1 struct{}

// xmlsec1Ids are the elements that may have a wsu:Id in what it signs and verifies.
var xmlsec1Ids = []string{
	soap.NSAddressing + ":To", soap.NSAddressing + ":Action", soap.NSAddressing + ":MessageID", soap.NSAddressing + ":ReplyTo",
	soap.NSUtility + ":Timestamp", soap.NSSecurity + ":BinarySecurityToken", soap.NSEnvelope + ":Body",
}

func (xmlsec1) run(t *testing.T, id identities, jobs []job) []result {
	t.Helper()
	program, err := exec.LookPath("xmlsec1")
	if err != nil {
		t.Fatalf("%v: run interop/install", err)
	}
	var results []result
	for _, j := range jobs {
		certificate := filepath.Join(id.dir, j["key"]+".pem")
		var arguments []string
		if j["op"] == "sign" {
			arguments = []string{"--sign", "--output", j["out"], "--privkey-pem", filepath.Join(id.dir, j["key"]+".key") + "," + certificate}
		} else {
			arguments = []string{"--verify", "--pubkey-cert-pem", certificate}
		}
		for _, name := range xmlsec1Ids {
			arguments = append(arguments, "--id-attr:Id", name)
		}
		output, err := exec.CommandContext(t.Context(), program, append(arguments, j["in"])...).CombinedOutput()
		detail := strings.Join(strings.Fields(string(output)), " ")
		if j["op"] == "sign" {
			detail = simpleType
		}
		results = append(results, result{err == nil, detail})
	}
	return results
}

// unsigned writes the message that a peer is given to sign, in the form that the row asks for.
func unsigned(s style, peer, form, algorithm, to, messageID string, i identity) string {
	switch {
	case peer == "xml-crypto": // adds the signature
		return request(s, to, messageID, token(s, i))
	case peer == "xmlsec1" && form == "x509-data":
		info := `<ds:X509Data><ds:X509Certificate/></ds:X509Data>`
		return request(s, to, messageID, signatureTemplate(algorithm, info, "id-To", "id-Action", "id-MessageID", "id-ReplyTo", "id-Timestamp", "id-Body"))
	case peer == "xmlsec1":
		info := `<` + s.wsse + `SecurityTokenReference><` + s.wsse + `Reference URI="#x509" ValueType="` + typeX509v3 + `"/></` + s.wsse + `SecurityTokenReference>`
		return request(s, to, messageID, token(s, i)+signatureTemplate(algorithm, info, "id-To", "id-Action", "id-MessageID", "id-ReplyTo", "id-Timestamp", "x509", "id-Body"))
	}
	return request(s, to, messageID, "") // makes the whole Security header
}
