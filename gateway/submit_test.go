package gateway_test

import (
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"collimate/dicom"
	"collimate/gateway"
	"collimate/ledger"
	"collimate/pacs/pdi"
	"collimate/soap"
	"collimate/xds"
	"collimate/xds/metadata"
	"collimate/xds/query"
)

var code = metadata.Code{Value: "C", Scheme: "1.2.3", Display: "code"}

// report is a submission of one text document of a study, which is none if it is empty.
func (w *world) report(uniqueID, study, text string) (*metadata.Objects, *parts) {
	w.t.Helper()
	w.submissions++
	d := metadata.DocumentEntry{
		Object: metadata.Object{ID: "document"}, Type: metadata.Stable, MimeType: "text/plain", UniqueID: uniqueID,
		ClassCode: code, ConfidentialityCodes: []metadata.Code{code}, FormatCode: code, HealthcareFacilityTypeCode: code,
		PracticeSettingCode: code, TypeCode: code, PatientID: w.patientID(), SourcePatientID: w.patientID(),
		CreationTime: "20260102", LanguageCode: "en",
	}
	if study != "" {
		d.ReferenceIDs = []string{study + "^^^^urn:ihe:iti:xds:2016:studyInstanceUID"}
	}
	return &metadata.Objects{
		SubmissionSets: []metadata.SubmissionSet{{
			Object: metadata.Object{ID: "set"}, ContentTypeCode: code, PatientID: w.patientID(), SourceID: "1.2.3",
			UniqueID: fmt.Sprint("1.2.3.", w.submissions), SubmissionTime: "20260102",
		}},
		Documents: []metadata.DocumentEntry{d},
		Associations: []metadata.Association{{
			Object: metadata.Object{ID: "member"}, Type: metadata.HasMember, Source: "set", Target: "document", SubmissionSetStatus: metadata.Original,
		}},
	}, &parts{part{"document", text}}
}

// parts are the documents of a submission.
type parts []part

type part struct{ id, text string }

func (p *parts) Next() (string, io.Reader, error) {
	if len(*p) == 0 {
		return "", nil, io.EOF
	}
	next := (*p)[0]
	*p = (*p)[1:]
	return next.id, strings.NewReader(next.text), nil
}

// provide submits as the organisation's own system does.
func (w *world) provide(o *metadata.Objects, p *parts) error {
	w.t.Helper()
	_, err := w.plain(w.ehr).Provide(context.Background(), w.url, o, p)
	return err
}

func refusal(err error) string {
	var errs metadata.Errors
	var fault *soap.RemoteFault
	switch {
	case errors.As(err, &errs):
		return string(errs[0].Code)
	case errors.As(err, &fault):
		return "fault"
	case err != nil:
		return err.Error()
	}
	return "accepted"
}

// kept counts the documents that the store has, and what is on its way in.
func (w *world) kept() (documents, others int) {
	w.t.Helper()
	w.must(filepath.WalkDir(w.documentsDir, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil || d.IsDir():
		case strings.Contains(name, "/content/"):
			documents++
		default:
			others++
		}
		return err
	}))
	return documents, others
}

func (w *world) asking(id string) xds.DocumentRequest {
	return xds.DocumentRequest{RepositoryUniqueID: w.ticket.RepositoryUniqueID, DocumentUniqueID: id}
}

// A document that was submitted for a published study is for those whom the study's owner lets have reports; one of no
// published study for the organisation's own systems alone.
func TestSubmitted(t *testing.T) {
	w := newWorld(t, small)
	south, images, stranger := newParty(t, "south"), newParty(t, "images alone"), newParty(t, "stranger")
	w.allow(south, w.chain.now().Add(time.Hour), false)
	w.allowScope(images, ledger.ScopeImages|ledger.ScopeFind)
	texts := map[string]string{"1.2.3.100": "no finding", "1.2.3.101": "of a study of somebody else's", "1.2.3.102": "of no study"}
	for id, study := range map[string]string{"1.2.3.100": w.ticket.StudyInstanceUID, "1.2.3.101": "1.2.3.4.5", "1.2.3.102": ""} {
		w.must(w.provide(w.report(id, study, texts[id])))
	}
	if documents, others := w.kept(); documents != 3 || others != 0 {
		t.Errorf("%d documents are kept, and %d files beside them", documents, others)
	}
	check := func(client *xds.Client, id string, want bool) {
		t.Helper()
		got, err := read(client.Retrieve(t.Context(), w.url, []xds.DocumentRequest{w.asking(id)}))
		w.must(err)
		switch {
		case want && (got.status != xds.Success || string(got.bodies[id]) != texts[id]):
			t.Errorf("%s: status %s, %q", id, got.status, got.bodies[id])
		case !want && (got.status != xds.Failure || got.codes[0] != string(xds.DocumentUniqueIDError)):
			t.Errorf("%s: status %s, errors %v, want failure", id, got.status, got.codes)
		}
		found := w.asks(client, &query.Query{Name: query.GetDocuments, Return: query.LeafClass, UniqueIDs: []string{id}})
		if slices.Contains(found.documents, id) != want {
			t.Errorf("%s: found %v, want %t", id, found.documents, want)
		}
	}
	for _, id := range []string{"1.2.3.100", "1.2.3.101", "1.2.3.102"} {
		check(w.client(south), id, id == "1.2.3.100")
		check(w.client(w.patient), id, id == "1.2.3.100")
		check(w.client(images), id, false)
		check(w.client(stranger), id, false)
		if id != "1.2.3.100" {
			check(w.plain(w.ehr), id, true)
		}
	}
	w.must(w.source.Hold(t.Context(), w.ticket.StudyInstanceUID, true))
	check(w.client(south), "1.2.3.100", false)
	w.must(w.source.Hold(t.Context(), w.ticket.StudyInstanceUID, false))
	check(w.client(south), "1.2.3.100", true)

	w.must(w.source.Erase(t.Context(), w.ticket.StudyInstanceUID))
	check(w.plain(w.ehr), "1.2.3.100", false)
	check(w.plain(w.ehr), "1.2.3.101", true)
	if documents, others := w.kept(); documents != 2 || others != 0 {
		t.Errorf("after a study was erased %d documents are kept, and %d files beside them", documents, others)
	}
}

// A submitted document of which the caller knows the name is denied as one is that there has never been.
func TestSubmittedDeniedLooksAbsent(t *testing.T) {
	w := newWorld(t, small)
	w.must(w.provide(w.report("1.2.3.100", w.ticket.StudyInstanceUID, "no finding")))
	w.must(w.provide(w.report("1.2.3.101", "", "of no study")))
	soapClient, raw := w.recording(newParty(t, "stranger"))
	ask := func(id string) string {
		got, err := read((&xds.Client{SOAP: soapClient}).Retrieve(t.Context(), w.url, []xds.DocumentRequest{w.asking(id)}))
		if err != nil || got.status != xds.Failure {
			t.Fatalf("status %s, %v", got.status, err)
		}
		return strings.ReplaceAll(*raw, id, "ID")
	}
	want := ask("1.2.3.102")
	for _, id := range []string{"1.2.3.100", "1.2.3.101"} {
		if got := ask(id); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	}
}

// What cannot be taken is refused with the code for it, and leaves nothing behind.
func TestProvideRefuses(t *testing.T) {
	w := newWorld(t, small)
	w.must(w.provide(w.report("1.2.3.100", "", "the first")))
	sum := sha1.Sum([]byte("text"))
	tests := []struct {
		name string
		edit func(o *metadata.Objects, d *metadata.DocumentEntry, p *parts)
		want string
	}{
		{"as it should be", func(*metadata.Objects, *metadata.DocumentEntry, *parts) {}, "accepted"},
		{"hash and size are right", func(_ *metadata.Objects, d *metadata.DocumentEntry, _ *parts) {
			d.Hash, d.Size = strings.ToUpper(hex.EncodeToString(sum[:])), "4"
		}, "accepted"},
		{"another hash", func(_ *metadata.Objects, d *metadata.DocumentEntry, _ *parts) {
			d.Hash = strings.Repeat("0", 40)
		}, "XDSRepositoryMetadataError"},
		{"a code is missing", func(_ *metadata.Objects, d *metadata.DocumentEntry, _ *parts) { d.ClassCode = metadata.Code{} }, "XDSRepositoryMetadataError"},
		{"too large", func(_ *metadata.Objects, _ *metadata.DocumentEntry, p *parts) {
			(*p)[0].text = strings.Repeat("x", 1<<20+1)
		}, "XDSRepositoryOutOfResources"},
		{"as large as may be", func(_ *metadata.Objects, _ *metadata.DocumentEntry, p *parts) {
			(*p)[0].text = strings.Repeat("x", 1<<20)
		}, "accepted"},
		{"the same uniqueId with other bytes", func(_ *metadata.Objects, d *metadata.DocumentEntry, _ *parts) { d.UniqueID = "1.2.3.100" }, "XDSNonIdenticalHash"},
		{"the same uniqueId for a study", func(_ *metadata.Objects, d *metadata.DocumentEntry, p *parts) {
			d.UniqueID, (*p)[0].text = "1.2.3.100", "the first"
			d.ReferenceIDs = []string{w.ticket.StudyInstanceUID + "^^^^urn:ihe:iti:xds:2016:studyInstanceUID"}
		}, "XDSRepositoryMetadataError"},
		{"the same uniqueId again", func(_ *metadata.Objects, d *metadata.DocumentEntry, p *parts) {
			d.UniqueID, (*p)[0].text = "1.2.3.100", "the first"
		}, "accepted"},
		{"the name of the whole study", func(_ *metadata.Objects, d *metadata.DocumentEntry, _ *parts) {
			d.UniqueID = w.ticket.Documents[ledger.DocumentStudy]
		}, "XDSRepositoryMetadataError"},
		{"another patient's study", func(o *metadata.Objects, d *metadata.DocumentEntry, _ *parts) {
			d.ReferenceIDs = []string{w.ticket.StudyInstanceUID + "^^^^urn:ihe:iti:xds:2016:studyInstanceUID"}
			other := "OTHER" + w.patientID()
			d.PatientID, d.SourcePatientID, o.SubmissionSets[0].PatientID = other, other, other
		}, "XDSPatientIdDoesNotMatch"},
		{"a manifest that is none", func(_ *metadata.Objects, d *metadata.DocumentEntry, _ *parts) {
			d.MimeType, d.FormatCode = "application/dicom", metadata.Code{Value: dicom.KeyObjectSelectionDocument, Scheme: "1.2.840.10008.2.6.1"}
		}, "InvalidDocumentContent"},
	}
	before, _ := w.kept()
	for i, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			o, p := w.report(fmt.Sprint("1.2.3.4.", i), "", "text")
			if test.want != "accepted" {
				(*p)[0].text = fmt.Sprint("text ", i)
			}
			test.edit(o, &o.Documents[0], p)
			if got := refusal(w.provide(o, p)); got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
			if test.want == "accepted" {
				before, _ = w.kept()
			} else if documents, others := w.kept(); documents != before || others != 0 {
				t.Errorf("%d documents are kept, and %d files beside them, want %d", documents, others, before)
			}
			m := w.audit.messages[len(w.audit.messages)-1]
			if m.Event.Value != "110107" || m.Type.Value != "ITI-41" || (m.Outcome == 0) != (test.want == "accepted") {
				t.Errorf("the audit trail has %+v", m)
			}
		})
	}
}

// What is made of the archive is replaced by the archive alone, and what is submitted by what is of the same study: who
// submits could put a text in the place of the images that a grantee looks for, or another patient's.
func TestReplace(t *testing.T) {
	w := newWorld(t, small)
	uid := w.ticket.StudyInstanceUID
	replace := func(uniqueID, study, target string) string {
		o, p := w.report(uniqueID, study, "instead")
		o.Associations = append(o.Associations, metadata.Association{Object: metadata.Object{ID: "r"}, Type: metadata.Replace, Source: "document", Target: target})
		return refusal(w.provide(o, p))
	}
	made, err := w.registry.Entries(t.Context(), uid)
	w.must(err)
	for i, e := range made {
		for _, study := range []string{"", uid} {
			if got := replace(fmt.Sprintf("1.2.3.90.%d.%d", i+1, len(study)+1), study, e.ID); got != "XDSRepositoryMetadataError" {
				t.Errorf("%s by a document of study %q: %s", e.MimeType, study, got)
			}
		}
	}
	w.must(w.provide(w.report("1.2.3.100", uid, "no finding")))
	report, _, err := w.registry.Entry(t.Context(), "1.2.3.100")
	w.must(err)
	if got := replace("1.2.3.910", "", report.ID); got != "XDSRepositoryMetadataError" {
		t.Errorf("a report by one of no study: %s", got)
	}
	if got := replace("1.2.3.911", uid, report.ID); got != "accepted" {
		t.Errorf("a report by one of the same study: %s", got)
	}
	w.must(w.registry.Deprecate(t.Context(), made[0].ID, made[1].ID))
	o, p := w.report("1.2.3.912", uid, "of somebody else")
	w.ofAnother(o)
	if got := refusal(w.provide(o, p)); got != "XDSPatientIdDoesNotMatch" {
		t.Errorf("another patient's when the entries of the study are deprecated: %s", got)
	}
	w.must(w.registry.Remove(t.Context(), uid))
	if got := refusal(w.provide(w.report("1.2.3.913", uid, "of nobody knows whom"))); got != "XDSPatientIdDoesNotMatch" {
		t.Errorf("for a study that is published and not registered: %s", got)
	}
}

// ofAnother makes a submission one of another patient.
func (w *world) ofAnother(o *metadata.Objects) {
	other := "OTHER" + strings.TrimPrefix(w.patientID(), "PHANTOM-1")
	o.SubmissionSets[0].PatientID, o.Documents[0].PatientID, o.Documents[0].SourcePatientID = other, other, other
}

// What came for a study before it was published is held against its patient when it is.
func TestSubmittedBefore(t *testing.T) {
	w := newWorld(t, small)
	uid := w.ticket.StudyInstanceUID
	w.must(w.source.Erase(t.Context(), uid))
	o, p := w.report("1.2.3.100", uid, "of somebody else")
	w.ofAnother(o)
	w.must(w.provide(o, p))
	w.must(w.provide(w.report("1.2.3.101", uid, "no finding")))
	var err error
	w.ticket, err = w.source.Publish(t.Context(), uid)
	w.must(err)
	for id, want := range map[string]string{"1.2.3.100": "", "1.2.3.101": uid} {
		if _, study, err := w.registry.Entry(t.Context(), id); err != nil || study != want {
			t.Errorf("%s is of study %q, %v", id, study, err)
		}
	}
}

// Only the organisation's own systems submit, by whatever transaction.
func TestSubmittersOnly(t *testing.T) {
	w := newWorld(t, small)
	south := newParty(t, "south")
	w.allow(south, w.chain.now().Add(time.Hour), false)
	entry := func(purpose metadata.Purpose) *metadata.Objects {
		o, _ := w.report("1.2.3.100", w.ticket.StudyInstanceUID, "")
		d := &o.Documents[0]
		if d.RepositoryUniqueID = "1.2.3.9"; purpose == metadata.RegisterOnDemand {
			d.Type, d.CreationTime = metadata.OnDemand, ""
		} else {
			d.Hash, d.Size = strings.Repeat("0", 40), "0"
		}
		return o
	}
	for name, client := range map[string]*xds.Client{"a grantee": w.client(south), "the owner": w.client(w.patient), "unsigned": w.plain(south)} {
		o, p := w.report("1.2.3.100", w.ticket.StudyInstanceUID, "planted")
		o.Documents[0].Hash = strings.Repeat("0", 40)
		if _, err := client.Provide(t.Context(), w.url, o, p); refusal(err) != "fault" {
			t.Errorf("%s provides: %v", name, err)
		}
		for _, purpose := range []metadata.Purpose{metadata.Register, metadata.RegisterOnDemand} {
			if _, err := client.Register(t.Context(), w.at(gateway.PathRegistry), purpose, entry(purpose)); refusal(err) != "fault" {
				t.Errorf("%s registers: %v", name, err)
			}
		}
	}
	if documents, others := w.kept(); documents+others > 0 {
		t.Errorf("%d documents are kept, and %d files beside them", documents, others)
	}
	own := w.plain(w.ehr)
	for _, purpose := range []metadata.Purpose{metadata.Register, metadata.RegisterOnDemand} {
		o := entry(purpose)
		o.Documents[0].UniqueID += fmt.Sprint(purpose)
		if _, err := own.Register(t.Context(), w.at(gateway.PathRegistry), purpose, o); err != nil {
			t.Errorf("the organisation's own system registers: %v", err)
		}
	}
	// An entry of this repository comes with its document, or it could be one of another patient's.
	w.must(w.provide(w.report("1.2.3.101", "", "somebody else's")))
	o := entry(metadata.Register)
	sum := sha1.Sum([]byte("somebody else's"))
	o.Documents[0].RepositoryUniqueID, o.Documents[0].Hash, o.Documents[0].Size = w.ticket.RepositoryUniqueID, hex.EncodeToString(sum[:]), "15"
	if _, err := own.Register(t.Context(), w.at(gateway.PathRegistry), metadata.Register, o); refusal(err) != "XDSRegistryMetadataError" {
		t.Errorf("an entry for a document that is here: %v", err)
	}
	// Nor may it be under the name of one that is: which of them is asked for would be left to chance.
	o = entry(metadata.Register)
	o.Documents[0].ReferenceIDs = nil
	o.Documents[0].UniqueID, o.Documents[0].Hash, o.Documents[0].Size = "1.2.3.101", hex.EncodeToString(sum[:]), "15"
	if _, err := own.Register(t.Context(), w.at(gateway.PathRegistry), metadata.Register, o); refusal(err) != "XDSRegistryMetadataError" {
		t.Errorf("an entry of another repository under the name of a document that is here: %v", err)
	}
}

// A sender who got no answer submits again, and many at once do: there is one document and one entry.
func TestProvideAgain(t *testing.T) {
	w := newWorld(t, small)
	o, p := w.report("1.2.3.100", w.ticket.StudyInstanceUID, "no finding")
	var all sync.WaitGroup
	for range 6 {
		objects, documents := *o, slices.Clone(*p)
		objects.Documents = slices.Clone(o.Documents)
		all.Go(func() {
			if _, err := w.plain(w.ehr).Provide(t.Context(), w.url, &objects, &documents); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	entries, err := w.registry.Entries(t.Context(), w.ticket.StudyInstanceUID)
	w.must(err)
	if documents, others := w.kept(); len(entries) != 3 || documents != 1 || others != 0 {
		t.Errorf("%d entries, %d documents, %d files beside them", len(entries), documents, others)
	}
}

// What a sender breaks off leaves nothing behind.
func TestProvideBreaksOff(t *testing.T) {
	w := newWorld(t, small)
	o, _ := w.report("1.2.3.100", "", "")
	o.Documents[0].Size = "200000"
	if _, err := w.plain(w.ehr).Provide(t.Context(), w.url, o, &parts{part{"document", strings.Repeat("x", 100_000)}}); err == nil {
		t.Error("half a document is accepted")
	}
	for try := 0; ; try++ { // the server may still be at it
		documents, others := w.kept()
		if documents+others == 0 {
			break
		}
		if try == 200 {
			t.Fatalf("%d documents are kept, and %d files beside them", documents, others)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// A manifest that a PACS has made itself, by RAD-68, is of the study that it lists.
func TestProvideManifest(t *testing.T) {
	w := newWorld(t, small)
	south := newParty(t, "south")
	w.allow(south, w.chain.now().Add(time.Hour), false)
	listing, err := w.archive.Archive.Study(t.Context(), w.ticket.StudyInstanceUID)
	w.must(err)
	kos, err := pdi.Manifest(listing, pdi.ManifestOptions{
		SOPInstanceUID: "1.2.3.200", SeriesInstanceUID: "1.2.3.201", Content: w.chain.now(), RetrieveLocationUID: w.ticket.RepositoryUniqueID,
	})
	w.must(err)
	manifest := func(uniqueID, study string) (*metadata.Objects, *parts) {
		o, p := w.report(uniqueID, study, string(kos))
		o.Documents[0].MimeType = "application/dicom"
		o.Documents[0].FormatCode = metadata.Code{Value: dicom.KeyObjectSelectionDocument, Scheme: "1.2.840.10008.2.6.1"}
		return o, p
	}
	if got := refusal(w.provide(manifest("1.2.3.202", ""))); got != "XDSRepositoryMetadataError" {
		t.Errorf("under another name: %s", got)
	}
	if got := refusal(w.provide(manifest("1.2.3.200", "1.2.3.4"))); got != "XDSRepositoryMetadataError" {
		t.Errorf("for another study: %s", got)
	}
	w.must(w.provide(manifest("1.2.3.200", "")))
	got, err := w.retrieve(south, w.asking("1.2.3.200"))
	if err != nil || got.status != xds.Success || !bytes.Equal(got.bodies["1.2.3.200"], kos) {
		t.Errorf("status %s, %v", got.status, err)
	}
	if got, err := w.retrieve(newParty(t, "stranger"), w.asking("1.2.3.200")); err != nil || got.status != xds.Failure {
		t.Errorf("a stranger: status %s, %v", got.status, err)
	}
}
