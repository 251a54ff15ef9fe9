package dicom

import (
	"errors"
	"fmt"
	"time"
)

// ManifestInput is all that goes into a manifest.
type ManifestInput struct {
	// SOPInstanceUID is the manifest's own name, which XDS calls its uniqueId; SeriesInstanceUID that of the
	// series it is alone in. Neither may be that of an instance or a series of the study.
	SOPInstanceUID, SeriesInstanceUID string
	// Content is when the manifest was made; it is written in UTC, with a Description in the zone of that.
	Content time.Time
	// RetrieveAETitle (1 to 16 characters) and RetrieveLocationUID say where the instances are to be had;
	// the UID is the repositoryUniqueId of the imaging document source, for RAD-69.
	RetrieveAETitle, RetrieveLocationUID string
	// Institution is where the manifest was made; may be empty.
	Institution string
	Study       Study
	Description *Description // makes it a manifest of MADO; nil for the plain one
}

// Manifest returns the Part 10 file of a Key Object Selection document that lists the instances of a study:
// the manifest of XDS-I.b, titled (113030, DCM, "Manifest"). Patient, accession number and Study Instance UID
// are copied as they are. With a Description it is one of MADO. RAD TF-3: 4.68.4.1.2, DICOM PS3.3 A.35.4, PS3.16 TID 2010
func Manifest(m ManifestInput) ([]byte, error) {
	d, err := m.dataset()
	if err != nil {
		return nil, fmt.Errorf("making a manifest: %w", err)
	}
	b, err := d.AppendFile(nil)
	if err != nil {
		return nil, fmt.Errorf("making a manifest: %w", err)
	}
	return b, nil
}

func (m *ManifestInput) check() error {
	err := m.Study.check()
	if err != nil {
		return err
	}
	for _, uid := range []struct{ what, uid string }{
		{"SOP Instance", m.SOPInstanceUID}, {"Series Instance", m.SeriesInstanceUID}, {"Retrieve Location", m.RetrieveLocationUID},
	} {
		if err := CheckUID(uid.uid); err != nil {
			return fmt.Errorf("%s: %w", uid.what, err)
		}
	}
	if n := len(m.RetrieveAETitle); n < 1 || n > 16 {
		return errors.New("a Retrieve AE Title has 1 to 16 characters")
	}
	if m.Description != nil {
		if err := m.Description.check(); err != nil {
			return err
		}
	}
	for _, s := range m.Study.Series {
		if s.InstanceUID == m.SeriesInstanceUID {
			return errors.New("the Series Instance UID is that of a series of the study")
		}
		for _, i := range s.Instances {
			if i.SOPInstanceUID == m.SOPInstanceUID {
				return errors.New("the SOP Instance UID is that of an instance of the study")
			}
		}
	}
	return nil
}

func (m *ManifestInput) dataset() (*Dataset, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	s := &m.Study
	made := m.Content.In(m.zone())
	date, clock := made.Format("20060102"), made.Format("150405")
	d := new(Dataset)
	d.Put(SpecificCharacterSet, "ISO_IR 192")
	d.Put(InstanceCreationDate, date) // the creationTime of the DocumentEntry is made from these two
	d.Put(InstanceCreationTime, clock)
	d.Put(SOPClassUID, KeyObjectSelectionDocument)
	d.Put(SOPInstanceUID, m.SOPInstanceUID)
	d.Put(StudyDate, s.Date)
	d.Put(StudyTime, s.Time)
	d.Put(ContentDate, date)
	d.Put(ContentTime, clock)
	d.Put(AccessionNumber, s.AccessionNumber)
	d.Put(Modality, "KO")
	d.Put(Manufacturer, "Collimate")
	if m.Institution != "" {
		d.Put(InstitutionName, m.Institution)
	}
	d.Put(ReferringPhysicianName, s.ReferringPhysicianName)
	if s.Description != "" {
		d.Put(StudyDescription, s.Description)
	}
	d.PutItems(ReferencedPPSSequence)
	d.Put(PatientName, s.PatientName)
	d.Put(PatientID, s.PatientID)
	if s.IssuerOfPatientID != "" {
		d.Put(IssuerOfPatientID, s.IssuerOfPatientID)
	}
	d.Put(PatientBirthDate, s.PatientBirthDate)
	d.Put(PatientSex, s.PatientSex)
	d.Put(StudyInstanceUID, s.InstanceUID)
	d.Put(SeriesInstanceUID, m.SeriesInstanceUID)
	d.Put(StudyID, s.ID)
	d.Put(SeriesNumber, "999") // any; high, so that it sorts behind the images
	d.Put(InstanceNumber, "1")
	d.PutItems(ReferencedRequestSequence, m.request())
	d.PutItems(CurrentRequestedEvidence, m.evidence())
	d.Put(ValueType, "CONTAINER")
	d.PutItems(ConceptNameCodeSequence, code("113030", "DCM", "Manifest"))
	d.Put(ContinuityOfContent, "SEPARATE")
	template := new(Dataset)
	template.Put(MappingResource, "DCMR")
	template.Put(TemplateIdentifier, "2010")
	d.PutItems(ContentTemplateSequence, template)
	d.PutItems(ContentSequence, m.content()...)
	if m.Description != nil {
		m.describe(d)
	}
	return d, nil
}

// request is the one item of Referenced Request Sequence: the order as far as images tell.
func (m *ManifestInput) request() *Dataset {
	d := new(Dataset)
	d.Put(AccessionNumber, m.Study.AccessionNumber)
	d.PutItems(ReferencedStudySequence)
	d.Put(StudyInstanceUID, m.Study.InstanceUID)
	d.Put(RequestedProcedure, "")
	d.PutItems(RequestedProcedureCode)
	d.Put(RequestedProcedureID, "")
	d.Put(PlacerOrderNumber, "")
	d.Put(FillerOrderNumber, "")
	return d
}

// evidence is the one item of Current Requested Procedure Evidence Sequence: the tree of all instances, with
// where each series is to be had. RAD TF-3: 4.68.4.1.2.1
func (m *ManifestInput) evidence() *Dataset {
	series := make([]*Dataset, 0, len(m.Study.Series))
	for _, s := range m.Study.Series {
		instances := make([]*Dataset, 0, len(s.Instances))
		for _, i := range s.Instances {
			instances = append(instances, reference(i))
		}
		d := new(Dataset)
		d.Put(RetrieveAETitle, m.RetrieveAETitle)
		d.PutItems(ReferencedSOPSequence, instances...)
		d.Put(SeriesInstanceUID, s.InstanceUID)
		d.Put(RetrieveLocationUID, m.RetrieveLocationUID)
		series = append(series, d)
	}
	d := new(Dataset)
	d.PutItems(ReferencedSeriesSequence, series...)
	d.Put(StudyInstanceUID, m.Study.InstanceUID)
	return d
}

// content is the content tree: one item for each instance. DICOM PS3.16 TID 2010
func (m *ManifestInput) content() []*Dataset {
	var items []*Dataset
	for _, s := range m.Study.Series {
		for _, i := range s.Instances {
			items = append(items, selected(i))
		}
	}
	return items
}

// selected is the content item that refers to an instance.
func selected(i Instance) *Dataset {
	d := new(Dataset)
	d.PutItems(ReferencedSOPSequence, reference(i))
	d.Put(RelationshipType, "CONTAINS")
	d.Put(ValueType, kindOf(i.SOPClassUID).value)
	return d
}

func reference(i Instance) *Dataset {
	d := new(Dataset)
	d.Put(ReferencedSOPClassUID, i.SOPClassUID)
	d.Put(ReferencedSOPInstanceUID, i.SOPInstanceUID)
	return d
}

func code(value, scheme, meaning string) *Dataset {
	d := new(Dataset)
	d.Put(CodeValue, value)
	d.Put(CodingSchemeDesignator, scheme)
	d.Put(CodeMeaning, meaning)
	return d
}
