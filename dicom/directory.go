package dicom

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// Directory returns a DICOMDIR for one study: records for the patient, the study, each series and each
// instance, in that nesting. DICOM PS3.10 8, PS3.3 F.3
//
// The SOP Instance UID is derived from the UIDs of the study and its instances. Keys that the study does not
// have stay empty, also where the standard wants a value: a directory must not say more than its files do.
// For the same reason records of reports, waveforms and presentation states lack the keys that only their
// files hold, such as Completion Flag.
func Directory(s Study) ([]byte, error) {
	b, err := appendDirectory(&s)
	if err != nil {
		return nil, fmt.Errorf("making a DICOMDIR: %w", err)
	}
	return b, nil
}

// record is one directory record. Records refer to each other by their index, 0 being none, as the patient
// record stands first and nothing refers to it but the head of the file.
type record struct {
	keys  []byte // the elements after the three of its head
	next  int    // the next record of the same level
	lower int    // the first record of the level below
}

// recordHead is the length of what stands in a record before its keys: the head of the item, two UL elements
// and a US element.
const recordHead = 8 + 12 + 10 + 12

func appendDirectory(s *Study) ([]byte, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	records, err := directoryRecords(s)
	if err != nil {
		return nil, err
	}
	// The offsets in the file depend on its head, whose length does not depend on the offsets: write it twice.
	head, err := appendDirectoryHead(s, 0, 0)
	if err != nil {
		return nil, err
	}
	offsets := make([]uint32, len(records))
	end := uint64(len(head))
	for i, r := range records {
		offsets[i] = uint32(end)
		end += uint64(recordHead + len(r.keys))
	}
	if end > maxLongLength {
		return nil, errors.New("it has more than 4 GiB")
	}
	b, err := appendDirectoryHead(s, offsets[0], uint32(end)-uint32(len(head)))
	if err != nil {
		return nil, err
	}
	for _, r := range records {
		if b, err = r.append(b, offsets); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// append appends the record as an item of the Directory Record Sequence.
func (r record) append(b []byte, offsets []uint32) ([]byte, error) {
	at := func(index int) uint32 {
		if index == 0 {
			return 0
		}
		return offsets[index]
	}
	b = appendTag(b, item)
	b = binary.LittleEndian.AppendUint32(b, uint32(recordHead-8+len(r.keys)))
	var d Dataset
	d.PutUint32(nextRecordOffset, at(r.next))
	d.PutUint16(recordInUseFlag, 0xffff)
	d.PutUint32(lowerLevelOffset, at(r.lower))
	b, err := d.appendTo(b, layoutOf(ExplicitVRLittleEndian))
	return append(b, r.keys...), err
}

// appendDirectoryHead returns the file up to the first item of the Directory Record Sequence, which is the
// last element.
func appendDirectoryHead(s *Study, root, length uint32) ([]byte, error) {
	parts := []string{s.InstanceUID}
	for _, series := range s.Series {
		for _, i := range series.Instances {
			parts = append(parts, i.SOPInstanceUID)
		}
	}
	var d Dataset
	d.Put(fileSetID, "")
	d.PutUint32(firstRootRecordOffset, root)
	d.PutUint32(lastRootRecordOffset, root)
	d.PutUint16(fileSetConsistencyFlag, 0)
	d.PutItems(directoryRecordSequence)
	b, err := d.appendFile(nil, MediaStorageDirectory, DeriveUID("collimate/dicomdir/v1", parts...))
	if err == nil {
		binary.LittleEndian.PutUint32(b[len(b)-4:], length)
	}
	return b, err
}

// directoryRecords returns the records in the order of the file: each before those below it.
func directoryRecords(s *Study) ([]record, error) {
	var records []record
	add := func(kind string, put func(*Dataset)) (int, error) {
		d := new(Dataset)
		d.Put(directoryRecordType, kind)
		d.Put(SpecificCharacterSet, "ISO_IR 192")
		put(d)
		keys, err := d.appendTo(nil, layoutOf(ExplicitVRLittleEndian))
		records = append(records, record{keys: keys})
		return len(records) - 1, err
	}
	patient, err := add("PATIENT", func(d *Dataset) {
		d.Put(PatientName, s.PatientName)
		d.Put(PatientID, s.PatientID)
		if s.IssuerOfPatientID != "" {
			d.Put(IssuerOfPatientID, s.IssuerOfPatientID)
		}
		d.Put(PatientBirthDate, s.PatientBirthDate)
		d.Put(PatientSex, s.PatientSex)
	})
	if err != nil {
		return nil, err
	}
	study, err := add("STUDY", func(d *Dataset) {
		d.Put(StudyDate, s.Date)
		d.Put(StudyTime, s.Time)
		d.Put(AccessionNumber, s.AccessionNumber)
		d.Put(StudyDescription, s.Description)
		d.Put(StudyInstanceUID, s.InstanceUID)
		d.Put(StudyID, s.ID)
	})
	if err != nil {
		return nil, err
	}
	records[patient].lower = study
	last := 0
	for _, series := range s.Series {
		index, err := add("SERIES", func(d *Dataset) {
			d.Put(Modality, series.Modality)
			if series.Description != "" {
				d.Put(SeriesDescription, series.Description)
			}
			d.Put(SeriesInstanceUID, series.InstanceUID)
			d.Put(SeriesNumber, series.Number)
		})
		if err != nil {
			return nil, err
		}
		if last == 0 {
			records[study].lower = index
		} else {
			records[last].next = index
		}
		last = index
		for n, i := range series.Instances {
			if err := checkFileID(i.FileID); err != nil {
				return nil, err
			}
			index, err := add(kindOf(i.SOPClassUID).record, func(d *Dataset) {
				d.Put(referencedFileID, i.FileID...)
				d.Put(referencedSOPClassInFile, i.SOPClassUID)
				d.Put(referencedSOPInFile, i.SOPInstanceUID)
				d.Put(referencedTransferSyntax, i.TransferSyntaxUID)
				d.Put(InstanceNumber, i.Number)
			})
			if err != nil {
				return nil, err
			}
			if n == 0 {
				records[last].lower = index
			} else {
				records[index-1].next = index
			}
		}
	}
	return records, nil
}

// checkFileID holds a path against DICOM PS3.10 8.2 and 8.5.
func checkFileID(path []string) error {
	bad := len(path) < 1 || len(path) > 8
	for _, component := range path {
		if len(component) < 1 || len(component) > 8 || strings.Trim(component, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != "" {
			bad = true
		}
	}
	if bad {
		return errors.New("a File ID is not 1 to 8 components of 1 to 8 characters A-Z, 0-9 and _")
	}
	return nil
}
