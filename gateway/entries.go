package gateway

import (
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"collimate/dicom"
	"collimate/gateway/catalog"
	"collimate/ledger"
	"collimate/pacs"
	"collimate/xds/metadata"
)

// EntryConfig says what the DocumentEntries of published studies are like. The zero value has codes that are usual for
// imaging; an affinity domain has its own.
type EntryConfig struct {
	// PatientAuthority is the OID of who assigns the patient ids of the archive; the repository's own when empty.
	PatientAuthority string
	// AccessionAuthority is the OID of who assigns accession numbers; none is said when empty.
	AccessionAuthority string
	// Location is where the archive's dates and times are of; time.Local when nil.
	Location *time.Location
	// Language is the languageCode; "en" when empty.
	Language string
	// The codes, each a value and a scheme. Format is that of the whole study as a ZIP: the manifest's is fixed.
	Class, Type, PracticeSetting, Facility, Confidentiality, ContentType, Format metadata.Code
}

// The defaults. RAD TF-3: 4.68.4.1.2.3
var defaultEntries = EntryConfig{
	Location:        time.Local,
	Language:        "en",
	Class:           metadata.Code{Value: "IMAGES", Scheme: "1.3.6.1.4.1.19376.1.2.6.1", Display: "Images"},
	Type:            metadata.Code{Value: "18748-4", Scheme: "2.16.840.1.113883.6.1", Display: "Diagnostic imaging study"},
	PracticeSetting: metadata.Code{Value: "394914008", Scheme: "2.16.840.1.113883.6.96", Display: "Radiology"},
	Facility:        metadata.Code{Value: "35971002", Scheme: "2.16.840.1.113883.6.96", Display: "Ambulatory care site"},
	Confidentiality: metadata.Code{Value: "N", Scheme: "2.16.840.1.113883.5.25", Display: "Normal"},
	ContentType:     metadata.Code{Value: "18748-4", Scheme: "2.16.840.1.113883.6.1", Display: "Diagnostic imaging study"},
	Format:          metadata.Code{Value: dicom.MediaStorageDirectory, Scheme: schemeDICOMUID, Display: "Media Storage Directory"},
}

const (
	// schemeDICOMUID is the coding scheme of DICOM UIDs, schemeDCM that of the DICOM controlled terminology.
	schemeDICOMUID = "1.2.840.10008.2.6.1"
	schemeDCM      = "1.2.840.10008.2.16.4"
	// The types of references. ITI TF-3: Table 4.2.3.1.7-2
	referenceStudy     = "urn:ihe:iti:xds:2016:studyInstanceUID"
	referenceAccession = "urn:ihe:iti:xds:2013:accession"
	// maxSlotValue is the length of a slot value, maxTitle that of a title, in characters. ITI TF-3: 4.2.3.1.1, 4.2.3.2.25
	maxSlotValue = 256
	maxTitle     = 128
)

// formatManifest is the formatCode of a manifest.
var formatManifest = metadata.Code{Value: dicom.KeyObjectSelectionDocument, Scheme: schemeDICOMUID, Display: "Key Object Selection Document"}

// prepare fills in the defaults and reports what is wrong.
func (c *EntryConfig) prepare(repository string) error {
	d := defaultEntries
	if c.PatientAuthority == "" {
		c.PatientAuthority = repository
	}
	if c.Location == nil {
		c.Location = d.Location
	}
	if c.Language == "" {
		c.Language = d.Language
	}
	var errs []error
	for _, code := range []struct {
		name       string
		own, usual *metadata.Code
	}{
		{"class", &c.Class, &d.Class}, {"type", &c.Type, &d.Type}, {"practice setting", &c.PracticeSetting, &d.PracticeSetting},
		{"facility", &c.Facility, &d.Facility}, {"confidentiality", &c.Confidentiality, &d.Confidentiality},
		{"content type", &c.ContentType, &d.ContentType}, {"format", &c.Format, &d.Format},
	} {
		if *code.own == (metadata.Code{}) {
			*code.own = *code.usual
		}
		if code.own.Value == "" || code.own.Scheme == "" {
			errs = append(errs, fmt.Errorf("the %s code lacks its value or its scheme", code.name))
		}
	}
	for _, authority := range []string{c.PatientAuthority, c.AccessionAuthority} {
		if authority != "" && !metadata.IsOID(authority) {
			errs = append(errs, errors.New("an authority of patient ids or accession numbers is not an OID"))
		}
	}
	return errors.Join(errs...)
}

// entries returns the DocumentEntries of a study: its manifest, stable, and all of it as a ZIP, which is on demand because
// it changes while the study grows. ITI TF-3: 4.2.3.2, RAD TF-3: 4.68.4.1.2.3
func (s *Source) entries(study catalog.Study, listing *pacs.Study, m manifest) (stable, onDemand metadata.DocumentEntry) {
	c := &s.config.Entries
	e := metadata.DocumentEntry{
		ClassCode:                  c.Class,
		ConfidentialityCodes:       []metadata.Code{c.Confidentiality},
		EventCodes:                 modalities(listing),
		HealthcareFacilityTypeCode: c.Facility,
		PracticeSettingCode:        c.PracticeSetting,
		TypeCode:                   c.Type,
		PatientID:                  cx(listing.PatientID, c.PatientAuthority),
		LanguageCode:               c.Language,
		ReferenceIDs:               references(listing, c.AccessionAuthority),
		RepositoryUniqueID:         s.id.Alias(),
		ServiceStartTime:           dtm(listing.Date, listing.Time, c.Location),
		SourcePatientID:            cx(listing.PatientID, c.assigner(listing)),
		SourcePatientInfo:          patientInfo(listing, c.PatientAuthority),
	}
	e.Title.Value = clip(listing.Description, maxTitle)
	if s.config.Institution != "" {
		e.Authors = []metadata.Author{{Institutions: []string{clip(escape(s.config.Institution), maxSlotValue)}}}
	}

	stable, onDemand = e, e
	sum := sha1.Sum(m.bytes)
	stable.ID, stable.Type, stable.MimeType, stable.FormatCode = "manifest", metadata.Stable, mimeManifest, formatManifest
	stable.UniqueID, stable.Hash, stable.Size = m.id, hex.EncodeToString(sum[:]), strconv.Itoa(len(m.bytes))
	stable.CreationTime = time.Unix(study.Published, 0).UTC().Format(dtmLayout)
	onDemand.ID, onDemand.Type, onDemand.MimeType, onDemand.FormatCode = "study", metadata.OnDemand, mimeStudy, c.Format
	onDemand.UniqueID = ledger.DocumentUniqueID(study.StudyID, ledger.DocumentStudy)
	return stable, onDemand
}

// assigner returns the OID of who assigned the patient id of a study: the one that the archive says, if it says an OID.
func (c *EntryConfig) assigner(listing *pacs.Study) string {
	if metadata.IsOID(listing.IssuerOfPID) {
		return listing.IssuerOfPID
	}
	return c.PatientAuthority
}

// description returns what a manifest of MADO has that the archive does not know.
func (c *EntryConfig) description(listing *pacs.Study) *dicom.Description {
	return &dicom.Description{Location: c.Location, PatientAuthority: c.assigner(listing), AccessionAuthority: c.AccessionAuthority}
}

const dtmLayout = "20060102150405"

// dtm returns a date (DA) and time (TM) as a DTM in UTC, as far as they can be read; "" if they cannot.
func dtm(date, clock string, location *time.Location) string {
	if len(clock) > 6 {
		clock = clock[:6] // a fraction
	}
	if t, err := time.ParseInLocation(dtmLayout, date+clock, location); err == nil {
		return t.UTC().Format(dtmLayout)
	}
	if metadata.IsDTM(date) {
		return date
	}
	return ""
}

// modalities returns the codes of the modalities of a study, each once. DICOM PS3.16 CID 29
func modalities(listing *pacs.Study) []metadata.Code {
	var codes []metadata.Code
	seen := map[string]bool{"": true}
	for _, series := range listing.Series {
		if !seen[series.Modality] {
			codes = append(codes, metadata.Code{Value: series.Modality, Scheme: schemeDCM, Display: series.Modality})
		}
		seen[series.Modality] = true
	}
	return codes
}

// references returns the referenceIdList of a study.
func references(listing *pacs.Study, authority string) []string {
	all := []string{listing.InstanceUID + "^^^^" + referenceStudy}
	if listing.AccessionNumber == "" {
		return all
	}
	assigner := ""
	if authority != "" {
		assigner = "&" + authority + "&ISO"
	}
	return append(all, escape(listing.AccessionNumber)+"^^^"+assigner+"^"+referenceAccession)
}

// patientInfo returns what the archive says of the patient. ITI TF-3: 4.2.3.2.23
func patientInfo(listing *pacs.Study, authority string) []string {
	var info []string
	add := func(field, value string) {
		if value != "" && utf8.RuneCountInString(field+value) <= maxSlotValue {
			info = append(info, field+value)
		}
	}
	add("PID-3|", cx(listing.PatientID, authority))
	add("PID-5|", personName(listing.PatientName))
	if metadata.IsDTM(listing.BirthDate) {
		add("PID-7|", listing.BirthDate)
	}
	switch listing.Sex {
	case "M", "F", "O":
		add("PID-8|", listing.Sex)
	}
	return info
}

// personName turns the first group of a DICOM name, Family^Given^Middle^Prefix^Suffix, into one of HL7, in which the
// suffix comes before the prefix.
func personName(pn string) string {
	first, _, _ := strings.Cut(pn, "=")
	parts := strings.Split(first, "^")
	for i := range parts {
		parts[i] = escape(strings.TrimSpace(parts[i]))
	}
	if len(parts) > 3 {
		parts = append(parts, "")[:5]
		parts[3], parts[4] = parts[4], parts[3]
	}
	return strings.TrimRight(strings.Join(parts, "^"), "^")
}

// cx returns a patient id with who assigned it, "" if there is none.
func cx(id, authority string) string {
	if id == "" {
		return ""
	}
	return escape(id) + "^^^&" + authority + "&ISO"
}

var hl7 = strings.NewReplacer(`\`, `\E\`, "|", `\F\`, "^", `\S\`, "~", `\R\`, "&", `\T\`)

// escape writes a text so that it stands in one component. HL7 V2 2.7.1
func escape(s string) string { return hl7.Replace(s) }

// clip cuts a text at so many characters.
func clip(s string, max int) string {
	if r := []rune(s); len(r) > max {
		return string(r[:max])
	}
	return s
}

// lowerHash returns the SHA-1 of an entry as the document store has it.
func lowerHash(d *metadata.DocumentEntry) string { return strings.ToLower(d.Hash) }
