// Package pdi lays an imaging study out as one document: a ZIP archive with the files as IHE Portable Data for
// Imaging has them on a disc.
//
//	DICOMDIR                 the directory of the file set, first so that a stream can be used as it comes
//	DICOM/S0000001/I0000001  the first instance of the first series, byte for byte as stored
//	DICOM/S0000001/I0000002
//	DICOM/S0000002/I0000001
//
// RAD TF-2: 4.47, DICOM PS3.12 Annex V. Names are fixed by position and so never hostile; the README.TXT and
// the pages for people that PDI wants on a disc are left out, as no person opens this one.
//
// Nothing is compressed: images are already, or the wire does it. So the archive's length, and each byte of it
// that is not an instance's, follow from the listing of the study alone, with no data descriptors: a server
// can announce Content-Length before it opens the first file, and a reader can work from front to back. The
// same study gives the same bytes.
//
// Manifest makes the other document of a study, the XDS-I.b manifest. Neither does I/O of its own: instances
// come from a function, usually over pacs.Archive's Open.
package pdi

import (
	"fmt"
	"time"

	"collimate/dicom"
	"collimate/pacs"
)

// study converts a listing to the terms of package dicom, with the place of each instance in the file set.
func study(s *pacs.Study) dicom.Study {
	out := dicom.Study{
		InstanceUID: s.InstanceUID, PatientName: s.PatientName, PatientID: s.PatientID, IssuerOfPatientID: s.IssuerOfPID,
		PatientBirthDate: s.BirthDate, PatientSex: s.Sex, Date: s.Date, Time: s.Time, ID: s.ID,
		AccessionNumber: s.AccessionNumber, Description: s.Description, ReferringPhysicianName: s.Referring,
		Series: make([]dicom.Series, 0, len(s.Series)),
	}
	for n, series := range s.Series {
		to := dicom.Series{
			InstanceUID: series.InstanceUID, Modality: series.Modality, Number: series.Number,
			Description: series.Description, Instances: make([]dicom.Instance, 0, len(series.Instances)),
		}
		for k, i := range series.Instances {
			to.Instances = append(to.Instances, dicom.Instance{
				SOPClassUID: i.SOPClassUID, SOPInstanceUID: i.SOPInstanceUID, TransferSyntaxUID: i.TransferSyntaxUID,
				Number: i.Number, FileID: []string{"DICOM", fmt.Sprintf("S%07d", n+1), fmt.Sprintf("I%07d", k+1)},
			})
		}
		out.Series = append(out.Series, to)
	}
	return out
}

// ManifestOptions is what a manifest says beyond the study.
type ManifestOptions struct {
	SOPInstanceUID      string             // the manifest's uniqueId
	SeriesInstanceUID   string             // of the manifest; derived from SOPInstanceUID when empty
	RetrieveAETitle     string             // "COLLIMATE" when empty
	RetrieveLocationUID string             // repositoryUniqueId of the imaging document source
	Institution         string             // may be empty
	Content             time.Time          // when it was made; the study's Stored when zero, so that it does not change
	Description         *dicom.Description // makes it a manifest of MADO; nil for the plain one
}

// Manifest returns the XDS-I.b manifest of a study, with a description as MADO has it if one is wanted, a DICOM Part 10
// file. RAD TF-3: 4.68.4.1.2, 6.X.2
func Manifest(s *pacs.Study, o ManifestOptions) ([]byte, error) {
	if o.SeriesInstanceUID == "" {
		o.SeriesInstanceUID = dicom.DeriveUID("collimate/manifest/series/v1", o.SOPInstanceUID)
	}
	if o.RetrieveAETitle == "" {
		o.RetrieveAETitle = "COLLIMATE"
	}
	if o.Content.IsZero() {
		o.Content = s.Stored
	}
	return dicom.Manifest(dicom.ManifestInput{
		SOPInstanceUID: o.SOPInstanceUID, SeriesInstanceUID: o.SeriesInstanceUID, Content: o.Content,
		RetrieveAETitle: o.RetrieveAETitle, RetrieveLocationUID: o.RetrieveLocationUID, Institution: o.Institution,
		Study: study(s), Description: o.Description,
	})
}
