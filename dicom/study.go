package dicom

import (
	"errors"
	"fmt"
	"strings"
)

// Study is what a manifest and a DICOMDIR say of a study. Texts are UTF-8, in the forms of their value
// representation: DA is YYYYMMDD, TM HHMMSS, PN Family^Given.
type Study struct {
	InstanceUID            string
	PatientName            string
	PatientID              string
	IssuerOfPatientID      string
	PatientBirthDate       string
	PatientSex             string
	Date, Time             string
	ID                     string
	AccessionNumber        string
	Description            string
	ReferringPhysicianName string
	Series                 []Series
}

// Series is one series of a Study.
type Series struct {
	InstanceUID string
	Modality    string
	Number      string
	Description string
	Instances   []Instance
}

// Instance is one SOP instance of a Series.
type Instance struct {
	SOPClassUID       string
	SOPInstanceUID    string
	TransferSyntaxUID string   // for a DICOMDIR
	Number            string   // for a DICOMDIR and a description
	FileID            []string // for a DICOMDIR: the path, 1 to 8 components of 1 to 8 characters A-Z 0-9 _
}

// check reports what keeps s from being written. It does not quote.
func (s *Study) check() error {
	if err := CheckUID(s.InstanceUID); err != nil {
		return fmt.Errorf("study: %w", err)
	}
	n := 0
	for _, series := range s.Series {
		if err := CheckUID(series.InstanceUID); err != nil {
			return fmt.Errorf("series: %w", err)
		}
		if len(series.Instances) == 0 {
			return errors.New("a series without instances")
		}
		for _, i := range series.Instances {
			if err := errors.Join(CheckUID(i.SOPClassUID), CheckUID(i.SOPInstanceUID)); err != nil {
				return fmt.Errorf("instance: %w", err)
			}
			n++
		}
	}
	switch {
	case n == 0:
		return errors.New("a study without instances")
	case n > MaxInstances:
		return fmt.Errorf("a study of more than %d instances", MaxInstances)
	}
	return nil
}

// kind is what a SOP class is to those that list instances.
type kind struct {
	record string // Directory Record Type. DICOM PS3.3 Table F.4-1
	value  string // Value Type of the content item that refers to it. DICOM PS3.3 Table C.17.3-7
}

// kindOf returns the kind of a SOP class: by the longest prefix in the table below, IMAGE for the rest, which
// is the case of all classes with pixels and most likely of those to come.
func kindOf(sopClass string) kind {
	const storage = "1.2.840.10008.5.1.4.1.1."
	class, ok := strings.CutPrefix(sopClass, storage)
	if !ok {
		return kind{"IMAGE", "IMAGE"}
	}
	best, found := "", kind{"IMAGE", "IMAGE"}
	for _, row := range []struct {
		prefix string // below storage; a trailing dot takes all classes below
		kind   kind
	}{
		{"9.", kind{"WAVEFORM", "WAVEFORM"}},
		{"11.", kind{"PRESENTATION", "COMPOSITE"}},
		{"66", kind{"RAW DATA", "COMPOSITE"}},
		{"66.1", kind{"REGISTRATION", "COMPOSITE"}},
		{"66.2", kind{"FIDUCIAL", "COMPOSITE"}},
		{"66.3", kind{"REGISTRATION", "COMPOSITE"}},
		{"66.5", kind{"SURFACE", "COMPOSITE"}},
		{"66.6", kind{"TRACT", "COMPOSITE"}},
		{"67", kind{"VALUE MAP", "COMPOSITE"}},
		{"68.1", kind{"SURFACE SCAN", "COMPOSITE"}},
		{"68.2", kind{"SURFACE SCAN", "COMPOSITE"}},
		{"78.", kind{"MEASUREMENT", "COMPOSITE"}},
		{"79.1", kind{"MEASUREMENT", "COMPOSITE"}},
		{"80.1", kind{"MEASUREMENT", "COMPOSITE"}},
		{"88.", kind{"SR DOCUMENT", "COMPOSITE"}},
		{"88.59", kind{"KEY OBJECT DOC", "COMPOSITE"}},
		{"104.", kind{"ENCAP DOC", "COMPOSITE"}},
		{"481.2", kind{"RT DOSE", "COMPOSITE"}}, // its pixels are optional, and DCMTK takes it for no image
		{"481.3", kind{"RT STRUCTURE SET", "COMPOSITE"}},
		{"481.4", kind{"RT TREAT RECORD", "COMPOSITE"}},
		{"481.5", kind{"RT PLAN", "COMPOSITE"}},
		{"481.6", kind{"RT TREAT RECORD", "COMPOSITE"}},
		{"481.7", kind{"RT TREAT RECORD", "COMPOSITE"}},
		{"481.8", kind{"RT PLAN", "COMPOSITE"}},
		{"481.9", kind{"RT TREAT RECORD", "COMPOSITE"}},
	} {
		below := strings.HasSuffix(row.prefix, ".") && strings.HasPrefix(class, row.prefix)
		if (class == row.prefix || below) && len(row.prefix) > len(best) {
			best, found = row.prefix, row.kind
		}
	}
	return found
}
