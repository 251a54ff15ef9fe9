package gateway_test

import (
	"bytes"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"slices"
	"strconv"
	"testing"

	"collimate/dicom"
	"collimate/gateway"
	"collimate/keys"
	"collimate/ledger"
	"collimate/pacs"
	"collimate/xds"
	"collimate/xds/metadata"
	"collimate/xds/query"
	"collimate/xua"
)

// registered returns the entries of the published study, by media type and status.
func (w *world) registered(mimeType string, status metadata.Status) (all []metadata.DocumentEntry) {
	w.t.Helper()
	entries, err := w.registry.Entries(w.t.Context(), w.ticket.StudyInstanceUID)
	w.must(err)
	for _, e := range entries {
		if e.MimeType == mimeType && e.Status == status {
			all = append(all, e)
		}
	}
	return all
}

// A published study is listed as a manifest, stable, with the hash and the size of what ITI-43 gives, and as a ZIP on
// demand, which has another name each time that the study has changed.
func TestRegistered(t *testing.T) {
	w := newWorld(t, small)
	r, err := w.client(w.patient).Query(t.Context(), w.at(gateway.PathRegistry), w.all())
	w.must(err)
	if errs := r.Objects.Validate(metadata.Rules{For: metadata.Answer}); len(errs) > 0 || len(r.Objects.Documents) != 2 {
		t.Fatalf("%d documents: %v", len(r.Objects.Documents), errs)
	}
	for _, d := range r.Objects.Documents {
		want := metadata.DocumentEntry{
			Object: d.Object, Type: metadata.Stable, MimeType: "application/dicom",
			ClassCode:                  metadata.Code{Value: "IMAGES", Scheme: "1.3.6.1.4.1.19376.1.2.6.1", Display: "Images"},
			ConfidentialityCodes:       []metadata.Code{{Value: "N", Scheme: "2.16.840.1.113883.5.25", Display: "Normal"}},
			EventCodes:                 []metadata.Code{{Value: "CT", Scheme: "1.2.840.10008.2.16.4", Display: "CT"}},
			FormatCode:                 metadata.Code{Value: dicom.KeyObjectSelectionDocument, Scheme: "1.2.840.10008.2.6.1", Display: "Key Object Selection Document"},
			HealthcareFacilityTypeCode: d.HealthcareFacilityTypeCode, PracticeSettingCode: d.PracticeSettingCode, TypeCode: d.TypeCode,
			PatientID: w.patientID(), UniqueID: w.ticket.Documents[ledger.DocumentManifest], CreationTime: d.CreationTime, Hash: d.Hash, Size: d.Size,
			LanguageCode: "en", RepositoryUniqueID: w.ticket.RepositoryUniqueID, ServiceStartTime: d.ServiceStartTime, SourcePatientID: w.patientID(),
			ReferenceIDs: []string{
				w.ticket.StudyInstanceUID + "^^^^urn:ihe:iti:xds:2016:studyInstanceUID", "ACC-1^^^^urn:ihe:iti:xds:2013:accession",
			},
			SourcePatientInfo: d.SourcePatientInfo,
		}
		if d.Type == metadata.OnDemand {
			want.Type, want.MimeType, want.UniqueID = metadata.OnDemand, "application/zip", w.ticket.Documents[ledger.DocumentStudy]
			want.FormatCode = metadata.Code{Value: dicom.MediaStorageDirectory, Scheme: "1.2.840.10008.2.6.1", Display: "Media Storage Directory"}
		}
		if d.Title.Value != "CT water phantom" || !slices.Contains(d.SourcePatientInfo, "PID-5|Phantom^Cylinder") || !metadata.IsDTM(d.ServiceStartTime) {
			t.Errorf("title %q, %v, %s", d.Title.Value, d.SourcePatientInfo, d.ServiceStartTime)
		}
		if got, expected := string(metadata.AppendAnswer(nil, &metadata.Objects{Documents: []metadata.DocumentEntry{d}})),
			string(metadata.AppendAnswer(nil, &metadata.Objects{Documents: []metadata.DocumentEntry{want}})); got != expected {
			t.Errorf("got\n%s\nwant\n%s", got, expected)
		}
	}
	manifest := w.registered("application/dicom", metadata.Approved)[0]
	response, err := w.client(w.patient).Retrieve(t.Context(), w.url, []xds.DocumentRequest{w.document(ledger.DocumentManifest), w.document(ledger.DocumentStudy)})
	w.must(err)
	defer response.Close()
	var body bytes.Buffer
	_, content, err := response.Content.Next()
	w.must(err)
	_, err = content.WriteTo(&body)
	w.must(err)
	sum := sha1.Sum(body.Bytes())
	if manifest.Hash != hex.EncodeToString(sum[:]) || manifest.Size != strconv.Itoa(body.Len()) {
		t.Error("the manifest has other bytes than its entry says")
	}
	stable, onDemand := response.Documents[0], response.Documents[1]
	if stable.NewDocumentUniqueID != "" || onDemand.NewDocumentUniqueID == "" || onDemand.NewDocumentUniqueID == onDemand.DocumentUniqueID {
		t.Errorf("new ids %q of the manifest, %q of the ZIP", stable.NewDocumentUniqueID, onDemand.NewDocumentUniqueID)
	}
}

// An amended study has another manifest, under another name, in the place of the first; the name on the ticket gives the
// present one, and says what it is. What comes back to be as it was has its first name again.
func TestAmendedIsReplaced(t *testing.T) {
	w := newWorld(t, small)
	uid, first := w.ticket.StudyInstanceUID, w.ticket.Documents[ledger.DocumentManifest]
	ask := func(id string) (new string, body []byte) {
		t.Helper()
		response, err := w.client(w.patient).Retrieve(t.Context(), w.url, []xds.DocumentRequest{w.asking(id)})
		w.must(err)
		defer response.Close()
		if response.Status() != xds.Success {
			t.Fatal(response.Errors)
		}
		_, content, err := response.Content.Next()
		w.must(err)
		var b bytes.Buffer
		_, err = content.WriteTo(&b)
		w.must(err)
		return response.Documents[0].NewDocumentUniqueID, b.Bytes()
	}
	zip, _ := ask(w.ticket.Documents[ledger.DocumentStudy])
	current := func(want string, deprecated int) metadata.DocumentEntry {
		t.Helper()
		for range 2 { // amending again changes nothing
			approved, old := w.registered("application/dicom", metadata.Approved), w.registered("application/dicom", metadata.Deprecated)
			zips := w.registered("application/zip", metadata.Approved)
			if len(approved) != 1 || len(old) != deprecated || len(zips) != 1 || want != "" && approved[0].UniqueID != want {
				t.Fatalf("%d manifests and %d old ones, %d ZIPs", len(approved), len(old), len(zips))
			}
			w.must(w.source.Amend(t.Context(), uid))
		}
		return w.registered("application/dicom", metadata.Approved)[0]
	}
	current(first, 0)
	w.archive.relist = func(s *pacs.Study) { s.Series = s.Series[:1] }
	if _, body := ask(first); bytes.Contains(body, []byte(first)) {
		t.Error("a manifest of other instances has the name of the first one")
	}
	w.must(w.source.Amend(t.Context(), uid))
	second := current("", 1)
	if second.UniqueID == first {
		t.Fatal("an amended study has the manifest's first name")
	}
	for _, id := range []string{first, second.UniqueID} {
		new, body := ask(id)
		sum := sha1.Sum(body)
		if hex.EncodeToString(sum[:]) != second.Hash || (new == second.UniqueID) != (id == first) {
			t.Errorf("asked for %s: new id %q", id, new)
		}
	}
	if again, _ := ask(w.ticket.Documents[ledger.DocumentStudy]); again == zip {
		t.Error("a ZIP with other bytes has the same name")
	}
	w.archive.relist = nil
	w.must(w.source.Amend(t.Context(), uid))
	current(first, 2)
	if again, _ := ask(w.ticket.Documents[ledger.DocumentStudy]); again != zip {
		t.Error("a ZIP with the same bytes has another name")
	}
	got := w.query(w.patient, &query.Query{Name: query.GetRelatedDocuments, Return: query.LeafClass, UniqueIDs: []string{second.UniqueID},
		AssociationTypes: []metadata.AssociationType{metadata.Replace}, Documents: query.Filter{Types: []metadata.ObjectType{metadata.Stable}}})
	if len(got.documents) != 3 || got.others != 2 {
		t.Errorf("related to the second manifest: %+v", got)
	}

	// Corrected to be of another patient, it is found under that one alone.
	w.archive.relist = func(s *pacs.Study) { s.PatientID = "PHANTOM^2" }
	w.must(w.source.Amend(t.Context(), uid))
	if e := current("", 3); e.PatientID != `PHANTOM\S\2^^^&`+w.ticket.RepositoryUniqueID+"&ISO" {
		t.Errorf("of patient %s", e.PatientID)
	}
	if old := w.registered("application/dicom", metadata.Deprecated); len(old) != 3 {
		t.Errorf("%d old manifests", len(old))
	}
	w.must(w.source.Erase(t.Context(), uid))
	if entries, err := w.registry.Entries(t.Context(), uid); err != nil || len(entries) > 0 {
		t.Errorf("%d entries of an erased study, %v", len(entries), err)
	}
}

// A source that is told to make manifests of MADO makes them of studies that it publishes from then on; those of another
// configuration stay as they are, under their names.
func TestMADO(t *testing.T) {
	w := newWorld(t, small)
	uid, plain := w.ticket.StudyInstanceUID, w.registered("application/dicom", metadata.Approved)[0]
	mado, err := gateway.NewSource(w.config(func(c *gateway.SourceConfig) { c.MADO, c.Entries.AccessionAuthority = true, "1.2.3.77" }))
	w.must(err)
	w.must(mado.Amend(t.Context(), uid))
	if now := w.registered("application/dicom", metadata.Approved); len(now) != 1 || now[0].UniqueID != plain.UniqueID || now[0].Hash != plain.Hash {
		t.Error("a manifest has become another one with the configuration")
	}
	w.must(mado.Erase(t.Context(), uid))
	w.ticket, err = mado.Publish(t.Context(), uid)
	w.must(err)
	claim, err := w.ticket.Claim()
	w.must(err)
	w.chain.sign(claim, ledger.TransferStudy{Study: w.ticket.StudyID, NewOwner: keys.Owner{ID: w.patient.id}})
	asked := w.document(ledger.DocumentManifest)
	caller := xua.Caller{Key: keys.Grantee{ID: w.patient.id}, Tier: xua.TierA}
	got, err := read(mado.Retrieve(t.Context(), caller, []xds.DocumentRequest{asked}))
	w.must(err)
	body := got.bodies[asked.DocumentUniqueID]
	k, err := dicom.ReadKeyObject(bytes.NewReader(body))
	w.must(err)
	if k.Title != (dicom.Code{Value: "MADOTEMP001", Scheme: "99IHE"}) || len(k.References) != small.Series*small.Slices || k.Text(dicom.SOPInstanceUID) != asked.DocumentUniqueID {
		t.Errorf("title %v, %d references", k.Title, len(k.References))
	}
	for _, want := range []string{"Image Library Group", "1.2.3.77"} { // a series, and who assigned the accession number
		if !bytes.Contains(body, []byte(want)) {
			t.Errorf("no %s in it", want)
		}
	}
	sum := sha1.Sum(body)
	if e := w.registered("application/dicom", metadata.Approved); len(e) != 1 || e[0].Hash != hex.EncodeToString(sum[:]) || e[0].FormatCode != plain.FormatCode {
		t.Errorf("registered: %+v", e)
	}
}

// What the configuration cannot mean is said when the source is made.
func TestEntryConfig(t *testing.T) {
	w := newWorld(t, small)
	for name, c := range map[string]gateway.EntryConfig{
		"authority":           {PatientAuthority: "Hospital"},
		"accession authority": {AccessionAuthority: "1..2"},
		"code without scheme": {Class: metadata.Code{Value: "IMAGES"}},
	} {
		if _, err := gateway.NewSource(w.config(func(s *gateway.SourceConfig) { s.Entries = c })); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := gateway.NewSource(w.config(func(s *gateway.SourceConfig) { s.Registry = nil })); err == nil {
		t.Error("documents without a registry: accepted")
	}
	_, err := gateway.NewSource(w.config(func(*gateway.SourceConfig) {}))
	if err != nil {
		t.Error(errors.Unwrap(err))
	}
}
