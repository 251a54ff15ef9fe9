package conformance

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// TestSoundServerPasses: both sides of a right server pass every check, and none is skipped.
func TestSoundServerPasses(t *testing.T) {
	f := newFixture(t, nil)
	reported := 0
	passed, failed, skipped := Run(context.Background(), f.target, func(r Result) {
		reported++
		if r.Outcome == Failed || r.Outcome == Skipped && r.ID != "ENG-10.XSD" {
			t.Errorf("%s %s: %s", r.ID, r.Outcome, r.Detail)
		}
	})
	if passed+failed+skipped != reported || reported != len(Checks()) {
		t.Errorf("%d passed, %d failed, %d skipped; %d reported of %d", passed, failed, skipped, reported, len(Checks()))
	}
}

// mutation is one way to be wrong. Both servers of the fixture have it.
type mutation struct {
	wrong     string       // a refusal left out, or a tolerance
	edit      func(*reply) // of every answer with documents or errors
	documents func(map[string]*held)
	tls       func(*tls.Config)
}

// swap edits the envelope of every answer in which old occurs.
func swap(old, new string) mutation {
	return mutation{edit: func(a *reply) { a.envelope = strings.Replace(a.envelope, old, new, 1) }}
}

func overlook(refusal string) mutation { return mutation{wrong: refusal} }

const (
	include       = `<xop:Include xmlns:xop="` + nsXOP + `" href="cid:part0%40test"/>`
	errorSeverity = `severity="` + severityError + `"`
)

// mutations are by the check that must notice.
var mutations = map[string]mutation{
	"12029":     {documents: func(d map[string]*held) { d[manifestID].readers = nil }},
	"12028":     {documents: func(d map[string]*held) { d[studyID].readers = nil }},
	"12021":     {documents: func(d map[string]*held) { d[studyID].readers = nil }},
	"12360":     {documents: func(d map[string]*held) { d[studyID].mimeType = "application/octet-stream" }},
	"3.43-SAME": {edit: func(a *reply) { a.lastByte(byte(a.n)) }},
	"3.43-HOME": swap("<x:HomeCommunityId>urn:oid:1.3", "<x:HomeCommunityId>urn:oid:1.4"),

	"HTTP-200":    {edit: func(a *reply) { a.status = http.StatusAccepted }},
	"HTTP-LENGTH": {edit: func(a *reply) { a.header = map[string]string{"Content-Length": "9999999"} }},
	"ENG-01": {edit: func(a *reply) {
		a.simple, a.contentType = true, mediaSOAP
		a.envelope = strings.ReplaceAll(a.envelope, include, "AA==")
	}},
	"VAL-SOAP-01": {edit: func(a *reply) { a.contentType = strings.Replace(a.contentType, mediaSOAP, "text/xml", 1) }},
	"V.9.3-ROOT":  {edit: func(a *reply) { a.rootHeader = strings.Replace(a.rootHeader, mediaXOP, "text/xml", 1) }},
	"V.9.3-START": {edit: func(a *reply) { a.contentType = strings.Replace(a.contentType, "<root@test>", "root@test", 1) }},
	"V.9.3-CLOSE": {edit: func(a *reply) { a.closing += "and one thing more" }},
	"VAL-MTOM-01": {edit: func(a *reply) {
		a.parts = append(a.parts, replyPart{"Content-ID: <orphan@test>\r\nContent-Transfer-Encoding: binary\r\n", nil})
	}},
	"V.8.3-XOP":     swap(include, "\n"+include+"\n"),
	"VAL-SOAP-02":   swap("</s:Envelope>", "<s:Header/></s:Envelope>"),
	"IHE-WSP215":    swap("</s:Body>", "<s:a/></s:Body>"),
	"ENG-10.BODY":   swap("<rs:RegistryResponse", "<x:Note/><rs:RegistryResponse"),
	"XML-PLAIN":     swap(`<s:Body>`, `<s:Body xmlns:s2="`+nsSOAP+`" s:a="1" s2:a="2">`),
	"ENG-02":        swap(actionRetrieveResponse, actionRetrieve),
	"IHE-WSA101":    swap(` s:mustUnderstand="1"`, ""),
	"V.9.2-RELATES": swap("<a:RelatesTo>urn:uuid:", "<a:RelatesTo>URN:UUID:"),
	"VAL-SOAP-03":   swap("</s:Header>", "<a:To>urn:uuid:1</a:To></s:Header>"),

	"ENG-04":          swap(StatusPartialSuccess, "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:PartialSuccess"),
	"VAL-RR-01":       swap(StatusFailure, StatusSuccess),
	"4.2.4.2-DOCS":    swap(StatusPartialSuccess, StatusFailure),
	"4.2.4.1-CODE":    swap(`errorCode="`+codeDocumentUniqueID, `errorCode="XDSRegistryError`),
	"IHEXDS-153":      swap(`codeContext="`+codeDocumentUniqueID+`: not available"`, `codeContext=""`),
	"IHEXDS-154":      swap(errorSeverity, `severity="Error"`),
	"3.43.5-LOCATION": swap(`location="`, `location="urn:oid:`),
	"4.2.4.1-HIGHEST": swap(`highestSeverity="`+severityError, `highestSeverity="`+severityWarning),
	"3.43.5-UNUSED":   swap("<rs:RegistryResponse ", `<rs:RegistryResponse requestId="1" `),

	"ENG-10.COUNT": swap(`<rs:RegistryError errorCode`, `<rs:RegistryError errorCode="XDSRepositoryError" codeContext="again" location="" `+errorSeverity+`/><rs:RegistryError errorCode`),
	"3.43-ECHO":    swap("<x:RepositoryUniqueId>", "<x:HomeCommunityId>urn:oid:1.2</x:HomeCommunityId><x:RepositoryUniqueId>"),
	"XSD-ORDER":    swap("<x:mimeType>application/dicom</x:mimeType><x:Document>"+include+"</x:Document>", "<x:Document>"+include+"</x:Document><x:mimeType>application/dicom</x:mimeType>"),
	"IPF-19":       swap("<x:mimeType>application/dicom</x:mimeType>", ""),
	"3.43-NEWID":   swap("<x:mimeType>", "<x:NewDocumentUniqueId>"+manifestID+"</x:NewDocumentUniqueId><x:mimeType>"),
	"ENG-10.BYTES": {documents: func(d map[string]*held) { d[manifestID].body = nil }},
	"ENG-10.XSD":   swap(` status="`, ` state="`),

	"15816.BAD":         swap(codeDocumentUniqueID, "XDSRepositoryError"),
	"15816.PARTIAL":     swap(StatusPartialSuccess, StatusFailure),
	"43-REPOSITORY":     swap(codeUnknownRepositoryID, codeDocumentUniqueID),
	"43-MIXED":          swap(codeUnknownRepositoryID, codeDocumentUniqueID),
	"COL-DENIED":        {edit: betray(secretID)},
	"COL-STRANGER":      {edit: betray(studyID)},
	"IPF-17.DOCUMENT":   overlook("empty-document"),
	"IPF-17.REPOSITORY": overlook("empty-repository"),

	"WSS-WHOLE":  overlook("strict-signature"),
	"WSS-replay": overlook("replay"),

	"V.9.2-UNKNOWN":       overlook("unknown-action"),
	"VAL-SOAP-03.MISSING": overlook("missing-action"),
	"VAL-SOAP-03.TWICE":   overlook("two-actions"),
	"V.2.1-SOAP11":        overlook("soap11"),
	"SOAP-MUST":           overlook("must-understand"),
	"SOAP-OPTIONAL":       overlook("strict-optional"),
	"VAL-SOAP-02.TWO":     overlook("two-bodies"),
	"VAL-SOAP-02.NONE":    overlook("empty-body"),
	"V.9.2-BLANKS":        overlook("strict-blanks"),
	"V.9.2-MESSAGEID":     overlook("strict-message-id"),
	"IHE-WSA102.ABSENT":   overlook("strict-reply-to"),
	"IHE-WSA102.MUST":     overlook("strict-reply-to-must"),
	"IHE-WSP211":          overlook("strict-action"),

	"ENG-01.SIMPLE":   {edit: func(a *reply) { a.alwaysMultipart() }},
	"V.9.3-BARE":      overlook("strict-bare"),
	"V.9.3-NOSTART":   overlook("strict-start"),
	"V.9.3-SEMICOLON": overlook("strict-semicolon"),
	"V.9.3-NOID":      overlook("strict-root-id"),
	"V.9.3-ROOTTYPE":  overlook("strict-root-type"),
	"HTTP-CHUNKED":    overlook("strict-chunked"),
	"HTTP-EXPECT":     overlook("strict-expect"),
	"V.8.3-HEADER":    overlook("strict-include"),
	"V.8.3-CID":       overlook("strict-cid"),

	"HOSTILE-MALFORMED": overlook("malformed"),
	"HOSTILE-DTD":       overlook("dtd"),
	"HOSTILE-DEEP":      overlook("deep"),
	"HOSTILE-PREFIX":    overlook("prefix"),
	"HOSTILE-TRUNCATED": overlook("truncated"),
	"HOSTILE-LARGE":     overlook("large"),
	"HOSTILE-EMPTY":     overlook("no-body"),

	"V.3-WSDL":       overlook("wsdl"),
	"ITI-19.CLIENT":  {tls: func(c *tls.Config) { c.ClientAuth = tls.RequestClientCert }},
	"ITI-19.VERSION": {tls: func(c *tls.Config) { c.MinVersion = tls.VersionTLS10 }},
}

// betray makes the refusal of one document look different.
func betray(id string) func(*reply) {
	return func(a *reply) {
		if strings.Contains(a.envelope, `location="`+id) {
			a.envelope = strings.Replace(a.envelope, "not available", "not available to you", 1)
		}
	}
}

func (a *reply) lastByte(b byte) {
	for i := range a.parts {
		a.parts[i].body = append([]byte{}, append(a.parts[i].body, b)...)
	}
}

// alwaysMultipart answers simple SOAP with MTOM.
func (a *reply) alwaysMultipart() {
	if a.simple {
		a.simple = false
		envelope := a.envelope
		a.wrap("", "")
		a.envelope = envelope
	}
}

// TestEachCheckCanFail breaks the servers in one way for each check and sees the check go red, with a detail that
// says what was expected, what came, and who demands it.
func TestEachCheckCanFail(t *testing.T) {
	all := map[string]mutation{}
	for id, m := range mutations {
		all[id] = m
	}
	for b := range breakages {
		all["WSS-"+string(b)] = overlook(string(b))
	}
	for _, c := range Checks() {
		m, ok := all[c.ID]
		delete(all, c.ID)
		t.Run(c.ID, func(t *testing.T) {
			if !ok {
				t.Fatal("no mutation proves that this check can fail")
			}
			t.Parallel()
			f := newFixture(t, func(s *server, config *tls.Config) {
				s.wrong, s.edit = m.wrong, m.edit
				if m.documents != nil {
					m.documents(s.documents)
				}
				if m.tls != nil {
					m.tls(config)
				}
			})
			if c.ID == "ENG-10.XSD" && f.target.SchemaDir == "" {
				t.Skip("the official schemas are not beside the module")
			}
			r := c.result(context.Background(), &f.target)
			if r.Outcome != Failed {
				t.Fatalf("got %s %s, want failed", r.Outcome, r.Detail)
			}
			for _, want := range []string{"expected ", "got ", "(" + c.Citation + ")"} {
				if !strings.Contains(r.Detail, want) {
					t.Errorf("the detail has no %q: %s", want, r.Detail)
				}
			}
		})
	}
	for id := range all {
		t.Errorf("mutation %s belongs to no check", id)
	}
}

// TestChecksAreComplete: each check has all that a report needs, and an id of its own.
func TestChecksAreComplete(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range Checks() {
		if c.ID == "" || c.Title == "" || c.Citation == "" || c.Run == nil || seen[c.ID] {
			t.Errorf("check %+v is incomplete or its id is taken", c)
		}
		seen[c.ID] = true
	}
}

// TestEmptyTargetSkips: what a target does not tell makes checks skip, not fail.
func TestEmptyTargetSkips(t *testing.T) {
	passed, failed, skipped := Run(context.Background(), Target{}, func(r Result) {
		if r.Outcome != Skipped || r.Detail == "" {
			t.Errorf("%s: got %s %q", r.ID, r.Outcome, r.Detail)
		}
	})
	if fmt.Sprint(passed, failed, skipped) != fmt.Sprint(0, 0, len(Checks())) {
		t.Errorf("got %d passed, %d failed, %d skipped", passed, failed, skipped)
	}
}

// TestStoppedRun: a cancelled run reports every check as skipped.
func TestStoppedRun(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	f := newFixture(t, nil)
	if _, _, skipped := Run(ctx, f.target, nil); skipped != len(Checks()) {
		t.Errorf("got %d skipped, want %d", skipped, len(Checks()))
	}
}
