package conformance

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
)

// imagingScripts are toolkit2's tests of an Imaging Document Source, with the target's own studies in place of the
// images that NIST hands out. ENG-12 to ENG-19
func imagingScripts() []script {
	return append(slices.Concat(manifestScripts(), imageScripts()), imageService.script(),
		strangers(retrieveImages, step{"stranger", "To somebody whom nobody let in, what is there looks like what is not", strangerSeesNoImages}))
}

// The kinds of study, by what toolkit2 calls them.
var studyKinds = []struct {
	letter, title string
	fits          func(*manifest) bool
}{
	{"a", "Single Image Study", anyStudy},
	{"b", "Multi Series Study", severalSeries},
	{"c", "Multi Modality Study", severalKinds},
}

func manifestScripts() []script {
	var all []script
	for _, k := range studyKinds {
		all = append(all, script{"ids_2018-4801" + k.letter, "RAD-68: PnR KOS for " + k.title, []step{
			{"ValidateKOS / ValidateKOS", "The manifest is a KOS of the study, which names images that can be retrieved", func(ctx context.Context, t *Target, s *session) error {
				m, err := t.manifest(ctx, s, "a "+k.title, k.fits)
				if err != nil {
					return err
				}
				return t.judgeManifest(ctx, s, m)
			}},
			{"ValidateMetadata / ValidateMetadata", "It is registered as a manifest", func(ctx context.Context, t *Target, s *session) error {
				m, err := t.manifest(ctx, s, "a "+k.title, k.fits)
				if err != nil {
					return err
				}
				return t.judgeManifestEntry(ctx, s, m)
			}},
		}})
	}
	return append(all, script{"ids_4801", "PnR Single", []step{
		{"SelftestPnR / submit_doc", "A manifest is taken by RAD-68 and returned, byte for byte", submitManifest},
	}})
}

// judgeManifest judges a KOS against itself and an image that it names. ENG-18; RAD TF-3: 4.68.4.1.2.2
func (t *Target) judgeManifest(ctx context.Context, s *session, m *manifest) error {
	const keyObject = "1.2.840.10008.5.1.4.1.1.88.59"
	for _, v := range []struct {
		t    tag
		name string
		want string // empty: any value
	}{
		{tagSOPClass, "SOPClassUID", keyObject}, {tagModality, "Modality", "KO"}, {tagSOPInstance, "SOPInstanceUID", m.id},
		{tagStudy, "StudyInstanceUID", m.images[0].study}, {tagSeries, "SeriesInstanceUID", ""},
	} {
		if got := m.object.text(v.t); got == "" || v.want != "" && got != v.want {
			return expected(fmt.Sprintf("%s %s", v.name, or(v.want, "of its own")), fmt.Sprintf("%q", got))
		}
	}
	for _, study := range m.object.items[tagEvidence] {
		for _, series := range study.items[tagReferencedSerie] {
			if series.text(tagSeries) == m.object.text(tagSeries) {
				return expected("a series of its own for the manifest", "one that it names")
			}
			if series.text(tagRetrieveAETitle) == "" || !oid.MatchString(series.text(tagRetrieveUID)) {
				return expected("RetrieveAETitle and RetrieveLocationUID for each series", "one of them missing")
			}
		}
	}
	for _, i := range m.images {
		if i.study == "" || i.series == "" || i.instance == "" || i.class == "" {
			return expected("study, series, instance and class of each image", "one of them missing")
		}
	}
	r := imageRequest{images: m.images[:1], syntaxes: []string{explicitLittleEndian}}
	x, got, err := t.images(ctx, s, r)
	if err != nil {
		return err
	}
	if err := judgeImages(x, got, r); err != nil {
		return err
	}
	for _, v := range []struct {
		t    tag
		name string
	}{{tagPatientName, "PatientName"}, {tagPatientID, "PatientID"}, {tagBirthDate, "PatientBirthDate"}, {tagSex, "PatientSex"}, {tagAccession, "AccessionNumber"}} {
		if m.object.text(v.t) != got[0].text(v.t) {
			return expected(v.name+" of the manifest to be that of its images", "another") // without showing it
		}
	}
	return nil
}

// judgeManifestEntry judges how a manifest is registered. ENG-19; RAD TF-3: 4.68.4.1.2.3
func (t *Target) judgeManifestEntry(ctx context.Context, s *session, m *manifest) error {
	x, err := t.query(ctx, s, get("GetDocuments").with(entryUniqueID, list(m.id)))
	if err != nil {
		return err
	}
	if err := success.judge(x); err != nil {
		return err
	}
	found := readContents(x).objects
	if len(found) == 0 {
		return expected("a DocumentEntry whose uniqueId is the SOPInstanceUID of the manifest", "none")
	}
	e := found[0]
	if got := e.SelectAttrValue("mimeType", ""); got != "application/dicom" {
		return expected("mimeType application/dicom", got)
	}
	if got := attributesOf(e)["classification "+schemeOf["formatCode"]]; got != "1.2.840.10008.5.1.4.1.1.88.59 codingScheme=1.2.840.10008.2.6.1; " {
		return expected("formatCode 1.2.840.10008.5.1.4.1.1.88.59 of 1.2.840.10008.2.6.1", fmt.Sprintf("%q", got))
	}
	sets, err := t.query(ctx, s, get("GetSubmissionSets").with("$uuid", list(e.SelectAttrValue("id", ""))))
	if err != nil {
		return err
	}
	for _, set := range readContents(sets).objects {
		if identifierOf(set, schemeSetPatient) != identifierOf(e, schemeEntryPatient) {
			return expected("the patientId of the DocumentEntry on its SubmissionSet", "another")
		}
	}
	if len(readContents(sets).objects) == 0 {
		return expected("a SubmissionSet of the manifest", "none")
	}
	return nil
}

// submitManifest provides a copy of a manifest under a new SOP Instance UID of the same length.
func submitManifest(ctx context.Context, t *Target, s *session) error {
	m, err := t.manifest(ctx, s, "any study", anyStudy)
	if err != nil {
		return err
	}
	id := []byte(m.id)
	for i := len(id) - 1; i >= 0 && len(id)-i <= 3 && id[i] != '.'; i-- {
		id[i] = '1' + (id[i]-'0'+4)%9
	}
	patient, err := t.patientOf(ctx, s, m)
	if err != nil {
		return err
	}
	r := recipe{name: "ids_4801", documents: []document{{}}, edit: func(s *session, sub *submission) {
		d := &sub.documents[0]
		setPatient(sub.set.element, patient)
		setPatient(d.element, patient)
		setSlot(d.element, "sourcePatientId", patient)
		d.uniqueID, d.content = string(id), bytes.ReplaceAll(m.bytes, []byte(m.id), id)
		d.element.CreateAttr("mimeType", "application/dicom")
		setUniqueID(d, d.uniqueID)
		for _, c := range d.element.SelectElements("rim:Classification") {
			if c.SelectAttrValue("classificationScheme", "") == schemeOf["formatCode"] {
				c.CreateAttr("nodeRepresentation", "1.2.840.10008.5.1.4.1.1.88.59")
				c.FindElement("rim:Slot/rim:ValueList/rim:Value").SetText("1.2.840.10008.2.6.1")
			}
		}
		setSlot(d.element, "urn:ihe:iti:xds:2013:referenceIdList", m.images[0].study+"^^^^urn:ihe:iti:xds:2016:studyInstanceUID")
	}}
	if err := submits(provideAndRegister, r, success, nil)(ctx, t, s); err != nil {
		return err
	}
	if err := knownRepository("", "", "ids_4801.D0").run(ctx, t, s); err != nil {
		return err
	}
	return fetchBack("", "", "ids_4801.D0").run(ctx, t, s)
}

// patientOf returns the patient of a registered manifest: another one of the same study has to be of the same.
func (t *Target) patientOf(ctx context.Context, s *session, m *manifest) (string, error) {
	x, err := t.query(ctx, s, get("GetDocuments").with(entryUniqueID, list(m.id)))
	if err != nil {
		return "", err
	}
	if found := readContents(x).objects; len(found) > 0 {
		return identifierOf(found[0], schemeEntryPatient), nil
	}
	return "", expected("the DocumentEntry of the manifest", "none")
}

// retrieveStep sends a RAD-69 request for images of a study.
func retrieveStep(name, title, kind string, fits func(*manifest) bool, request func(*session, *manifest) imageRequest) step {
	return step{name, title, func(ctx context.Context, t *Target, s *session) error {
		m, err := t.manifest(ctx, s, kind, fits)
		if err != nil {
			return err
		}
		r := request(s, m)
		x, got, err := t.images(ctx, s, r)
		if err != nil {
			return err
		}
		return judgeImages(x, got, r)
	}}
}

// refuseStep sends a RAD-69 request for one image that must fail. ENG-14
func refuseStep(name, title string, edit func(*imageRequest, *manifest)) step {
	return step{name, title, func(ctx context.Context, t *Target, s *session) error {
		m, err := t.manifest(ctx, s, "any study", anyStudy)
		if err != nil {
			return err
		}
		r := imageRequest{images: slices.Clone(m.images[:1]), syntaxes: []string{explicitLittleEndian}}
		edit(&r, m)
		x, got, err := t.images(ctx, s, r)
		if err != nil {
			return err
		}
		if err := failure.judge(x); err != nil {
			return err
		}
		if failures(x) == 0 || len(got) > 0 {
			return expected("a RegistryError and no image", listErrors(x.answer.Errors))
		}
		return nil
	}}
}

func imageScripts() []script {
	first := func(_ *session, m *manifest) imageRequest {
		return imageRequest{images: m.images[:1], syntaxes: []string{explicitLittleEndian}}
	}
	whole := func(_ *session, m *manifest) imageRequest {
		return imageRequest{images: m.images, syntaxes: []string{explicitLittleEndian}}
	}
	const home = "urn:oid:1.3.6.1.4.1.21367.13.70.200"
	atHome := func(s *session, m *manifest) imageRequest {
		r := first(s, m)
		r.home = home
		return r
	}
	backwards := func(s *session, m *manifest) imageRequest {
		r := whole(s, m)
		r.images = slices.Clone(r.images)
		slices.Reverse(r.images)
		return r
	}
	oneOfSeveral := func(s *session, m *manifest) imageRequest {
		r := first(s, m)
		r.syntaxes = []string{"1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.50", explicitLittleEndian, implicitLittleEndian}
		return r
	}
	var all []script
	for _, k := range studyKinds {
		request := whole
		if k.letter == "a" {
			request = first
		}
		title := map[string]string{"a": "RAD-69: SOAP Retrieve for Single Image Study", "b": "RAD-69: SOAP Retrieve for Multi Image Study", "c": "RAD-69: SOAP Retrieve for Multi Modality Study"}[k.letter]
		validate := map[string]string{"a": "ValidateRad69Response", "b": "validate-rad69-response", "c": "validate-rad69-response"}[k.letter]
		images := map[string]string{"a": "ValidateReturnedImages", "b": "validate-images", "c": "validate-images"}[k.letter]
		all = append(all, script{"ids_2018-4803" + k.letter, title, []step{
			retrieveStep("Rad69RetrieveRequest / Rad69RetrieveRequest", "The images are returned", "a "+k.title, k.fits, request),
			retrieveStep("ValidateRad69Response / "+validate, "With the ids of the request, in its order", "a "+k.title, k.fits, request),
			retrieveStep("ValidateReturnedImages / "+images, "As DICOM files of the transfer syntax asked, of the study, series and class that the manifest names", "a "+k.title, k.fits, request),
		}})
	}
	absent := func(r *imageRequest, _ *manifest) { r.images[0].instance = newOID() }
	exceptions := []struct {
		number, word, request, errors, title string
		edit                                 func(*imageRequest, *manifest)
	}{
		{"01", "Invalid_RepositoryUID", "retrieve-1", "errors-1", "An unknown repository is refused", func(r *imageRequest, _ *manifest) { r.images[0].repository = foreign("").RepositoryUniqueID }},
		{"02", "Unknown_SOP_Instance_UID", "retrieve-2", "errors-2", "An unknown instance is refused", absent},
		{"03", "SOP_Instance_UID_not_in_requested_series", "retrieve-3", "errors-3", "An instance of another series is refused", func(r *imageRequest, m *manifest) {
			r.images[0].series = newOID()
			for _, i := range m.images {
				if i.series != m.images[0].series {
					r.images[0].series = i.series
				}
			}
		}},
		{"04", "SOP_Instance_UID_not_in_requested_study", "retrieve-4", "errors-4", "An instance of another study is refused", func(r *imageRequest, _ *manifest) { r.images[0].study = newOID() }},
		{"05", "Empty_Study_Instance_UID", "retrieve-5", "errors-5", "An empty Study Instance UID is refused", func(r *imageRequest, _ *manifest) { r.images[0].study = "" }},
		{"06", "Empty_Series_Instance_UID", "retrieve-6", "errors-6", "An empty Series Instance UID is refused", func(r *imageRequest, _ *manifest) { r.images[0].series = "" }},
		{"07", "Empty_Study_and_Series_Instance_UIDs", "retrieve-7", "errors-7", "Both empty are refused", func(r *imageRequest, _ *manifest) { r.images[0].study, r.images[0].series = "", "" }},
		{"08", "Empty_Transfer_Syntax_UID", "retrieve-8", "errors-8", "An empty transfer syntax is refused", func(r *imageRequest, _ *manifest) { r.syntaxes = []string{""} }},
		{"09", "Invalid_Transfer_Syntax_UID", "retrieve-9", "errors-9", "An unknown transfer syntax is refused", func(r *imageRequest, _ *manifest) { r.syntaxes = []string{explicitLittleEndian + ".999"} }},
	}
	cases := script{"ids_2018-4811", "RAD-69: SOAP Exception Cases", []step{
		retrieveStep("case-00_Comparison_Transaction / request-0", "The image is returned where nothing is wrong", "any study", anyStudy, first),
	}}
	for _, e := range exceptions {
		section := fmt.Sprintf("case-%s_%s", e.number, e.word)
		cases.steps = append(cases.steps, refuseStep(section+" / "+e.request, e.title, e.edit), refuseStep(section+" / "+e.errors, "With a RegistryError", e.edit))
	}
	return append(all, cases, script{"ids_2018-4820", "RAD-69: Retrieve Image Document Set, Detail Cases", []step{
		retrieveStep("case-01_With_HomeCommunityID / retrieve-1", "A HomeCommunityId does no harm", "any study", anyStudy, atHome),
		retrieveStep("case-01_With_HomeCommunityID / valiate-1", "It is echoed", "any study", anyStudy, atHome),
		retrieveStep("case-02_Without_HomeCommunityID / retrieve-2", "Nor does its absence", "any study", anyStudy, first),
		retrieveStep("case-02_Without_HomeCommunityID / valiate-2", "None is returned then", "any study", anyStudy, first),
	}}, script{"RAD-69", "RAD TF-3: 4.69.4; Gazelle RAD69", []step{
		retrieveStep("order", "Images come in the order in which they are asked", "several series", severalSeries, backwards),
		retrieveStep("syntaxes", "An image comes in one of several transfer syntaxes", "any study", anyStudy, oneOfSeveral),
		{"partial", "An image and an unknown one give PartialSuccess", partialImages},
	}})
}

// partialImages asks for an image and one that does not exist.
func partialImages(ctx context.Context, t *Target, s *session) error {
	m, err := t.manifest(ctx, s, "any study", anyStudy)
	if err != nil {
		return err
	}
	absent := m.images[0]
	absent.instance = newOID()
	x, got, err := t.images(ctx, s, imageRequest{images: []image{absent, m.images[0]}, syntaxes: []string{explicitLittleEndian}})
	if err != nil {
		return err
	}
	if err := (verdict{status: StatusPartialSuccess}).judge(x); err != nil {
		return err
	}
	if len(got) != 1 || got[0].text(tagSOPInstance) != m.images[0].instance {
		return expected("the image that exists", plural(len(got), "image"))
	}
	if e := x.answer.Errors; len(e) != 1 || !strings.Contains(e[0].Location, absent.instance) {
		return expected("one error whose location is the unknown instance", listErrors(e))
	}
	return nil
}
