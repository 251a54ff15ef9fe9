package xds

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/beevik/etree"

	"collimate/internal/sharedfiles"
	"collimate/soap"
	"collimate/soap/mtom"
	"collimate/xds/metadata"
	"collimate/xds/query"
)

// Messages of other people's making, through the server: the registry and the repository behind it are those of
// reference_test.go. Those that are not listed are to succeed.

var (
	associationPattern = regexp.MustCompile(`associationType="([A-Za-z_]+)"`)
	envelopePattern    = regexp.MustCompile(`(?s)<(\w+):Envelope.*</\w+:Envelope>`)
	symbolPattern      = regexp.MustCompile(`\$\w+\$?`)
	closedPattern      = regexp.MustCompile(`\$\w+\$`) // in queries, whose parameters have a $ before them
)

const affinityDomain = "^^^&amp;1.3.6.1.4.1.21367.2005.13.20.1000&amp;ISO"

// uuidOf returns an id for the object that a symbol of a template stands for.
func uuidOf(symbol string) string {
	n := 0
	for _, c := range symbol {
		n = (n*31 + int(c)) % 1_000_000
	}
	return fmt.Sprintf("urn:uuid:11111111-2222-4333-8444-%012d", n)
}

// foreign returns a message of the shared folder as a toolkit would send it: symbols filled, and ebRIM 2.1 of the
// templates turned into 3.0. Of messages with an envelope it is the child of Body.
func foreign(t testing.TB, folder, file string) *etree.Element {
	t.Helper()
	s := string(sharedfiles.Read(t, "ihe", "vectors", folder, file))
	if file == "epd-ITI-41_request.xml" { // printed with line numbers, and with elisions in the header
		s = regexp.MustCompile(`(?m)^ *\d+ ?`).ReplaceAllString(s, "")
		s = regexp.MustCompile(`(?s)<soap:Header>.*</soap:Header>`).ReplaceAllString(s, "")
	}
	if envelope := envelopePattern.FindString(s); envelope != "" {
		s = envelope // without the head of HTTP and what else is in multipart
	}
	s = strings.NewReplacer(
		"urn:oasis:names:tc:ebxml-regrep:registry:xsd:2.1", metadata.NSLCM, "urn:oasis:names:tc:ebxml-regrep:registry:xsd:3.0", metadata.NSLCM,
		"urn:oasis:names:tc:ebxml-regrep:rim:xsd:2.1", metadata.NSRIM, "LeafRegistryObjectList", "RegistryObjectList",
	).Replace(s)
	s = associationPattern.ReplaceAllStringFunc(s, func(a string) string {
		name := associationPattern.FindStringSubmatch(a)[1]
		if name == "HasMember" {
			return `associationType="` + string(metadata.HasMember) + `"`
		}
		return `associationType="urn:ihe:iti:2007:AssociationType:` + name + `"`
	})
	pattern := symbolPattern
	if strings.Contains(folder, "iti18") {
		pattern = closedPattern
	}
	s = pattern.ReplaceAllStringFunc(s, func(symbol string) string {
		name := strings.ToLower(symbol)
		switch {
		case strings.Contains(name, "altpatient"):
			return "A-2" + affinityDomain
		case strings.Contains(name, "patient"), strings.Contains(name, "pid"):
			return "P-1" + affinityDomain
		case strings.Contains(name, "repuid"):
			return "1.3.6.1.4.1.21367.13.80.110"
		case folder == "iti41" && (strings.Contains(name, "doc1") || strings.Contains(name, "folder1")):
			return "Object" + strings.Trim(name, "$")
		case name == "$lastyear$":
			return "2023"
		case name == "$now$":
			return "20240229120000"
		case name == "$home$":
			return "urn:oid:1.2.3"
		case strings.Contains(name, "uuid"), pattern == symbolPattern:
			return uuidOf(name)
		}
		return "1.2.3.4"
	})
	doc := etree.NewDocument()
	if err := doc.ReadFromString(s); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	if body := doc.FindElement("/Envelope/Body"); body != nil {
		return body.ChildElements()[0]
	}
	return doc.Root()
}

// text serialises an element, with the prefixes that are declared above it.
func text(t testing.TB, e *etree.Element) string {
	t.Helper()
	doc, root := etree.NewDocument(), e.Copy()
	for above := e.Parent(); above != nil; above = above.Parent() {
		for _, a := range above.Attr {
			if name := a.FullKey(); (a.Space == "xmlns" || name == "xmlns") && root.SelectAttr(name) == nil {
				root.CreateAttr(name, a.Value)
			}
		}
	}
	doc.SetRoot(root)
	s, err := doc.WriteToString()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// fill gives a submission the identifiers that a toolkit makes up when it sends a template: uniqueIds, and one patient
// for all unless the message is about several.
func fill(submit *etree.Element, keepPatients bool) {
	schemes := map[string]bool{ // of uniqueId and of patientId
		"2e82c1f6-a085-4c72-9da3-8640a32e42ab": true, "96fdda7c-d067-4183-912e-bf5ee74998a8": true, "75df8f67-9973-4fbe-a900-df66cefecc5a": true,
		"58a6f841-87b3-4a3e-92fd-a8ffeff98427": false, "6b5aea1a-874d-4603-a4bc-96a0a7b38446": false, "f64ffdf0-4b97-4e06-b79f-a52b38ec2f8a": false,
	}
	for i, e := range submit.FindElements(".//ExternalIdentifier") {
		isUnique, known := schemes[strings.TrimPrefix(strings.ToLower(e.SelectAttrValue("identificationScheme", "")), "urn:uuid:")]
		value := strings.TrimSpace(e.SelectAttrValue("value", ""))
		root, _, _ := strings.Cut(value, "^")
		switch {
		case known && isUnique && !metadata.IsOID(root):
			e.CreateAttr("value", fmt.Sprintf("1.2.3.4.%d", i))
		case known && !isUnique && (!keepPatients || !metadata.IsCX(value)):
			e.CreateAttr("value", "P-1"+strings.ReplaceAll(affinityDomain, "&amp;", "&"))
		}
	}
}

// prepare has the registry hold what a submission points at.
func (r *reference) prepare(t testing.TB, submit *etree.Element) {
	t.Helper()
	o, err := metadata.ParseSubmission(parse(t, text(t, submit)))
	if err != nil {
		t.Fatal(err)
	}
	here := map[string]bool{}
	held := map[string]bool{}
	for _, s := range o.SubmissionSets {
		here[s.ID] = true
	}
	for _, d := range o.Documents {
		here[d.ID] = true
	}
	for _, f := range o.Folders {
		here[f.ID] = true
	}
	for _, a := range o.Associations {
		here[a.ID] = true
	}
	patient := ""
	if len(o.SubmissionSets) > 0 {
		patient = o.SubmissionSets[0].PatientID
	}
	add := func(id string, folder, onDemand bool) {
		if here[id] || held[id] || !metadata.IsUUID(id) {
			return
		}
		held[id] = true
		object := metadata.Object{ID: id, Status: metadata.Approved}
		switch {
		case folder:
			r.objects.Folders = append(r.objects.Folders, metadata.Folder{Object: object, PatientID: patient})
		case onDemand:
			r.objects.Documents = append(r.objects.Documents, metadata.DocumentEntry{Object: object, PatientID: patient, Type: metadata.OnDemand})
		default:
			r.objects.Documents = append(r.objects.Documents, metadata.DocumentEntry{Object: object, PatientID: patient, Type: metadata.Stable})
		}
	}
	for _, a := range o.Associations {
		add(a.Source, a.Type == metadata.HasMember, false)
		add(a.Target, false, a.Type == metadata.IsSnapshotOf)
	}
}

// files returns the messages of a folder.
func files(t *testing.T, folder string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(sharedfiles.Path(t, "ihe", "vectors", folder))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".xml") && !strings.Contains(e.Name(), "testplan") {
			names = append(names, e.Name())
		}
	}
	return names
}

// find returns the first element of that name at or below e.
func find(e *etree.Element, tag string) *etree.Element {
	if e.Tag == tag {
		return e
	}
	return e.FindElement(".//" + tag)
}

func TestForeignSubmissions(t *testing.T) {
	const registry, repository = "XDSRegistryMetadataError", "XDSRepositoryMetadataError"
	want := map[string]string{
		"tk2-11983_submit_no_doc-doc_missing.xml":               "XDSMissingDocument",
		"tk2-11983_submit_no_metadata-doc_metadata_missing.xml": "XDSMissingDocumentMetadata",
		"tk2-11986_submit-submit.xml":                           "XDSPatientIdDoesNotMatch",
		"tk2-11996_submit-submit.xml":                           "XDSUnknownPatientId",
		"tk2-11997_submit-submit.xml":                           "XDSPatientIdDoesNotMatch",
		"tk2-11998a_classCode-submit.xml":                       registry,
		"tk2-11998a_confidentialityCode-submit.xml":             registry,
		"tk2-11998a_creationTime-submit.xml":                    registry,
		"tk2-11998a_healthcareFacilityTypeCode-submit.xml":      registry,
		"tk2-11998a_practiceSettingCode-submit.xml":             registry,
		"tk2-11998a_sourcePatientId-submit.xml":                 registry,
		"tk2-12084_submit-submit.xml":                           registry,
		"tk2-12369_hash-submit.xml":                             repository,
		"tk2-msg-pnr-bad-uplink.xml":                            repository,
		"dcm4chee-ResubmitWrongHash.xml":                        "XDSNonIdenticalHash",
		// An ebXML registry's own objects, and an entry that is nothing but classifications: not for XDS.
		"dcm4chee-initialize.xml":              registry,
		"dcm4chee-testCodeClassifications.xml": registry,
		// Of ITI-41, sent to a registry.
		"ipf-SubmitObjectsRequest_ebrs30.xml":               registry,
		"ipf-SubmitObjectsRequest_ebrs3_extra_metadata.xml": registry,
		// The hash is one of SHA-256.
		"wxdsb-register_req.xml": registry,
		// A body to compare with, not one that is sent: Classifications point elsewhere.
		"tk2-ids_2018-4801a-metadata-evaluate.xml": repository,
		// An empty list.
		"xcads-IT_iti-41_request.xml": repository,
	}
	seen := map[string]bool{}
	for folder, id := range map[string]string{
		"iti41": ITI41, "rad68": ITI41, "kos-submission": ITI41, "negative-iti41": ITI41,
		"iti42": ITI42, "submission-set": ITI42, "negative-iti42": ITI42, "iti61": ITI61,
	} {
		for _, file := range files(t, folder) {
			t.Run(folder+"/"+file, func(t *testing.T) {
				root := foreign(t, folder, file)
				submit := find(root, "SubmitObjectsRequest")
				if submit == nil {
					return // an answer
				}
				seen[file] = true
				fill(submit, strings.Contains(file, "11986") || strings.Contains(file, "11997"))
				r := newReference()
				r.patientUnknown = strings.Contains(file, "11996")
				r.prepare(t, submit)
				if file == "dcm4chee-ResubmitWrongHash.xml" {
					first := find(foreign(t, "iti42", "dcm4chee-RegisterOneDocument.xml"), "SubmitObjectsRequest")
					fill(first, false)
					if got := exchange(t, r, ITI42, text(t, first)); got != "" {
						t.Fatal(got)
					}
				}
				payload := submit
				if id == ITI41 {
					payload = provided41(root, submit, file)
				}
				if got := exchange(t, r, id, text(t, payload)); got != want[file] {
					t.Errorf("got %q, want %q", got, want[file])
				}
			})
		}
	}
	if len(seen) < 90 {
		t.Errorf("%d submissions seen, there are more than 90", len(seen))
	}
	for name := range want {
		if !seen[name] {
			t.Errorf("%s is not among the files", name)
		}
	}
}

// provided41 returns an ITI-41 request: the message itself, or what a toolkit wraps around a template, with a document
// for each entry. Sizes and hashes, which are of documents that are not here, are taken out but for that of a test of them.
func provided41(root, submit *etree.Element, file string) *etree.Element {
	request := root
	if root.Tag != "ProvideAndRegisterDocumentSetRequest" {
		request = etree.NewElement("ProvideAndRegisterDocumentSetRequest")
		request.CreateAttr("xmlns", NSXDSb)
		request.AddChild(submit.Copy())
	}
	for _, slot := range request.FindElements(".//ExtrinsicObject/Slot") {
		if name := slot.SelectAttrValue("name", ""); (name == "hash" || name == "size") && !strings.Contains(file, "12369") {
			slot.Parent().RemoveChild(slot)
		}
	}
	for _, d := range request.SelectElements("Document") {
		request.RemoveChild(d)
	}
	for _, e := range request.FindElements(".//ExtrinsicObject") {
		if file != "tk2-11983_submit_no_doc-doc_missing.xml" {
			d := etree.NewElement("Document")
			d.CreateAttr("xmlns", NSXDSb)
			d.CreateAttr("id", e.SelectAttrValue("id", ""))
			d.SetText("QUJD")
			request.AddChild(d)
		}
	}
	if file == "tk2-11983_submit_no_metadata-doc_metadata_missing.xml" {
		d := etree.NewElement("Document")
		d.CreateAttr("xmlns", NSXDSb)
		d.CreateAttr("id", "Document01")
		d.SetText("QUJD")
		request.AddChild(d)
	}
	return request
}

// exchange sends a payload and returns the outcome.
func exchange(t testing.TB, r *reference, id, payload string) string {
	t.Helper()
	row := TransactionOf(id)
	h := NewRegistryHandler(r, nil, Options{})
	if row.Actor == "DocumentRepository" {
		h = NewRepositoryHandler(r, r, nil, Options{})
	}
	if row.MTOM {
		status, answer := sendTo(h, mtom.FormatContentType("b", row.Action), mtomMessage(t, row.Action, payload))
		return outcome(t, status, answer)
	}
	b, err := (&soap.Envelope{Action: row.Action, Payload: []byte(payload)}).Marshal(nil)
	if err != nil {
		t.Fatal(err)
	}
	status, answer := sendTo(h, "application/soap+xml", string(b))
	return outcome(t, status, answer)
}

func TestForeignQueries(t *testing.T) {
	want := map[string]string{
		"spec-iti18-request-sync-wrong-status-urn.xml": "XDSStoredQueryMissingParam",
		"tk2-11897_old_scheme-old_scheme.xml":          "XDSRegistryError",
		"tk2-12368_doc_leafclass-leafclass.xml":        "XDSResultNotSinglePatient",
		"tk2-12368_fol_leafclass-leafclass.xml":        "XDSResultNotSinglePatient",
		"tk2-msg-sq-req-bad-pid-format.xml":            "XDSRegistryError",
		"tk2-msg-sq-req-bad-stat-format2.xml":          "XDSRegistryError",
	}
	seen := map[string]bool{}
	for _, folder := range []string{"iti18", "iti18-initiating-gateway", "negative-iti18"} {
		for _, file := range files(t, folder) {
			root := foreign(t, folder, file)
			request := find(root, "AdhocQueryRequest")
			if request == nil {
				continue // an answer
			}
			seen[file] = true
			r := newReference()
			// What it asks for by id is there, of a patient each.
			q, _, _ := query.ParseRequest(parse(t, text(t, request)))
			for i := 0; q != nil && i < len(q.IDs); i++ {
				object, patient := metadata.Object{ID: q.IDs[i], Status: metadata.Approved}, fmt.Sprintf("P-%d", i)
				r.objects.Documents = append(r.objects.Documents, metadata.DocumentEntry{Object: object, PatientID: patient, Type: metadata.Stable})
				object.ID = uuidOf(object.ID)
				if q.Name == query.GetFolders {
					object.ID = q.IDs[i]
				}
				r.objects.Folders = append(r.objects.Folders, metadata.Folder{Object: object, PatientID: patient})
			}
			got := exchange(t, r, ITI18, text(t, request))
			if got == "XDSResultNotSinglePatient" && len(q.IDs) > 1 && !strings.Contains(file, "12368") {
				got = "" // they would be of one patient
			}
			if got != want[file] {
				t.Errorf("%s: got %q, want %q", file, got, want[file])
			}
		}
	}
	if len(seen) < 50 {
		t.Errorf("%d queries seen, there are more than 50", len(seen))
	}
	for name := range want {
		if !seen[name] {
			t.Errorf("%s is not among the files", name)
		}
	}
}

// Whole messages as they are on the wire, attachments among them.
func TestForeignMultipart(t *testing.T) {
	boundary := regexp.MustCompile(`--([^\r\n]+)`)
	for _, test := range []struct {
		folder, file string
		documents    int
		want         string
	}{
		{"iti41-xop-noxop", "tk2-PnrXop-Xop_body.txt", 1, ""},
		{"iti41-xop-noxop", "tk2-PnrXop-NoXop_body.txt", 1, ""},
		{"iti41-xop-noxop", "tk2-PnrXop-encodedURL_body.txt", 1, ""},
		{"iti41-xop-noxop", "tk2-PnrXop-dicom_body.txt", 1, ""},
		{"mtom-http", "tk2-pnr-multipart.body.txt", 1, ""},
		{"iti41", "tk2-msg-http-mtom-pnr.txt", 1, ""},
	} {
		body := string(sharedfiles.Read(t, "ihe", "vectors", test.folder, test.file))
		if i := strings.Index(body, "\n--"); i >= 0 && strings.HasPrefix(body, "POST") {
			body = body[i+1:]
		}
		contentType := `multipart/related; type="application/xop+xml"; boundary="` + strings.TrimSpace(boundary.FindStringSubmatch(body)[1]) + `"`
		r := newReference()
		r.prepare(t, find(foreign(t, test.folder, test.file), "SubmitObjectsRequest"))
		status, answer := sendTo(NewRepositoryHandler(r, r, nil, Options{}), contentType, body)
		if got := outcome(t, status, answer); got != test.want || len(r.contents) != test.documents {
			t.Errorf("%s: got %q, %d documents, want %q\n%s", test.file, got, len(r.contents), test.want, answer)
		}
		for _, content := range r.contents {
			if !slices.Contains([]string{"This", "DICM"}, string(content[:4])) && len(content) < 132 {
				t.Errorf("%s: the document begins with %q", test.file, content[:4])
			}
		}
	}
}
