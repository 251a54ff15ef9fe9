package dicom

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// Description makes a manifest one of IHE MADO, Manifest-based Access to DICOM Objects: titled (MADOTEMP001, 99IHE,
// "Manifest with Description"), it says of each series and instance what one chooses by, before anything is fetched. It
// follows the supplement's Trial Implementation of 2026 (RAD TF-3: 6.X.2), whose codes of the scheme 99IHE stand in for
// those of DICOM CP-2595. All else is as in the plain manifest, and who reads that reads this.
//
// A manifest says what a Study holds. What MADO wants beyond it is left out, not made up: the Target Region of study
// and series, Series Date and Time, the Number of Frames, the title and the description of key object documents in the
// study, placer order numbers, and an accession number where the archive has none.
type Description struct {
	// Location is where the dates and times of the study are of: they were written without one.
	Location *time.Location
	// PatientAuthority and AccessionAuthority are the OIDs of who assigned the patient id and the accession number. The
	// latter may be empty.
	PatientAuthority, AccessionAuthority string
}

func (d *Description) check() error {
	if d.Location == nil {
		return errors.New("a description without the location of the study's dates and times")
	}
	if err := CheckUID(d.PatientAuthority); err != nil {
		return fmt.Errorf("authority of patient ids: %w", err)
	}
	if d.AccessionAuthority == "" {
		return nil
	}
	if err := CheckUID(d.AccessionAuthority); err != nil {
		return fmt.Errorf("authority of accession numbers: %w", err)
	}
	return nil
}

// zone is what the dates and times of a manifest are in: UTC, or, as a description has one offset for all of them, the
// offset at its place when the study was made.
func (m *ManifestInput) zone() *time.Location {
	if m.Description == nil {
		return time.UTC
	}
	made := m.Content.In(m.Description.Location)
	clock := (m.Study.Time + "000000")[:6] // minutes and seconds may be missing
	if t, err := time.ParseInLocation("20060102150405", m.Study.Date+clock, m.Description.Location); err == nil {
		made = t
	}
	_, offset := made.Zone()
	return time.FixedZone("", offset/60*60)
}

// describe turns the data set of a plain manifest into one with a description.
func (m *ManifestInput) describe(d *Dataset) {
	d.Put(timezoneOffset, m.Content.In(m.zone()).Format("-0700"))
	if m.Study.PatientID != "" {
		qualifiers := authority(m.Description.PatientAuthority)
		d.PutItems(patientIDQualifiers, qualifiers)
		id := new(Dataset)
		id.Put(PatientID, m.Study.PatientID)
		if m.Study.IssuerOfPatientID != "" {
			id.Put(IssuerOfPatientID, m.Study.IssuerOfPatientID)
		}
		id.Put(typeOfPatientID, "TEXT")
		id.PutItems(patientIDQualifiers, qualifiers)
		d.PutItems(otherPatientIDs, id)
	}
	request := m.request()
	if m.Study.AccessionNumber != "" && m.Description.AccessionAuthority != "" {
		issuer := authority(m.Description.AccessionAuthority)
		d.PutItems(issuerOfAccessionNumber, issuer)
		request.PutItems(issuerOfAccessionNumber, issuer)
	}
	d.PutItems(ReferencedRequestSequence, request)
	d.PutItems(ConceptNameCodeSequence, code("MADOTEMP001", "99IHE", "Manifest with Description"))
	d.PutItems(ContentSequence, append([]*Dataset{m.library()}, m.content()...)...)
}

// library is the description of the study, in which each series is a group and each instance an entry.
// DICOM PS3.16 TID 1600, 1601, 1602
func (m *ManifestInput) library() *Dataset {
	var modalities []string
	groups := make([]*Dataset, 0, len(m.Study.Series))
	for _, s := range m.Study.Series {
		if s.Modality != "" && !slices.Contains(modalities, s.Modality) {
			modalities = append(modalities, s.Modality)
		}
		groups = append(groups, s.group())
	}
	var items []*Dataset
	for _, modality := range modalities {
		items = append(items, modalityItem(modality))
	}
	series := code("{series}", "UCUM", "series")
	items = append(items, countItem(code("MADOTEMP009", "99IHE", "Number of Study Related Series"), len(groups), series))
	return container(code("111028", "DCM", "Image Library"), append(items, groups...))
}

func (s *Series) group() *Dataset {
	var items []*Dataset
	if s.Modality != "" {
		items = append(items, modalityItem(s.Modality))
	}
	if s.Description != "" {
		items = append(items, textItem(code("MADOTEMP002", "99IHE", "Series Description"), s.Description))
	}
	if s.Number != "" {
		items = append(items, textItem(code("113607", "DCM", "Series Number"), s.Number))
	}
	uid := contextItem("UIDREF", code("112002", "DCM", "Series Instance UID"))
	uid.Put(uidValue, s.InstanceUID)
	instances := code("{instances}", "UCUM", "instances")
	items = append(items, uid,
		countItem(code("MADOTEMP007", "99IHE", "Number of Series Related Instances"), len(s.Instances), instances))
	for _, i := range s.Instances {
		entry := selected(i)
		if i.Number != "" {
			entry.PutItems(ContentSequence, textItem(code("113609", "DCM", "Instance Number"), i.Number))
		}
		items = append(items, entry)
	}
	return container(code("126200", "DCM", "Image Library Group"), items)
}

func container(concept *Dataset, items []*Dataset) *Dataset {
	d := new(Dataset)
	d.Put(RelationshipType, "CONTAINS")
	d.Put(ValueType, "CONTAINER")
	d.PutItems(ConceptNameCodeSequence, concept)
	d.Put(ContinuityOfContent, "SEPARATE")
	d.PutItems(ContentSequence, items...)
	return d
}

// contextItem is a content item of acquisition context, without its value.
func contextItem(valueType string, concept *Dataset) *Dataset {
	d := new(Dataset)
	d.Put(RelationshipType, "HAS ACQ CONTEXT")
	d.Put(ValueType, valueType)
	d.PutItems(ConceptNameCodeSequence, concept)
	return d
}

func modalityItem(modality string) *Dataset {
	d := contextItem("CODE", code("121139", "DCM", "Modality"))
	d.PutItems(conceptCode, code(modality, "DCM", modality))
	return d
}

func textItem(concept *Dataset, text string) *Dataset {
	d := contextItem("TEXT", concept)
	d.Put(textValue, text)
	return d
}

func countItem(concept *Dataset, n int, units *Dataset) *Dataset {
	measured := new(Dataset)
	measured.PutItems(measurementUnits, units)
	measured.Put(numericValue, strconv.Itoa(n))
	d := contextItem("NUM", concept)
	d.PutItems(measuredValue, measured)
	return d
}

// authority is the one item that names who assigned an identifier. DICOM PS3.3 Table 10-17
func authority(oid string) *Dataset {
	d := new(Dataset)
	d.Put(universalEntityID, oid)
	d.Put(universalEntityIDType, "ISO")
	return d
}
