package fs

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	iofs "io/fs"
	"time"

	"collimate/dicom"
	"collimate/pacs"
)

// errDamaged is a file of the archive that is not as it was written.
var errDamaged = errors.New("the archive is damaged; import the study anew into an empty one")

// indexVersion is the form of index files that this code writes and reads.
const indexVersion = 1

// index is what the archive knows of a study: the file below studies/, as JSON.
type index struct {
	Version int
	Study   pacs.Study
	Digests map[string]digest // of each instance, by SOP Instance UID
}

// decodeIndex reads an index file and holds it against what every index is.
func decodeIndex(b []byte) (*index, error) {
	x := new(index)
	if err := json.Unmarshal(b, x); err != nil {
		return nil, errDamaged // without the JSON error, which quotes the file
	}
	if x.Version != indexVersion {
		return nil, fmt.Errorf("an index of version %d, want %d", x.Version, indexVersion)
	}
	n := 0
	for _, s := range x.Study.Series {
		for _, i := range s.Instances {
			if _, ok := x.Digests[i.SOPInstanceUID]; !ok || i.StudyInstanceUID != x.Study.InstanceUID ||
				i.SeriesInstanceUID != s.InstanceUID || i.Size < 0 {
				return nil, errDamaged
			}
			n++
		}
	}
	if n == 0 || n != len(x.Digests) || dicom.CheckUID(x.Study.InstanceUID) != nil {
		return nil, errDamaged
	}
	return x, nil
}

// index returns the index of a study with what its journal adds, pacs.ErrNotFound if there is neither.
func (a *Archive) index(studyInstanceUID string) (*index, error) {
	x, err := a.readIndex(studyPath(studyInstanceUID))
	if err == nil && x.Study.InstanceUID != studyInstanceUID {
		return nil, fmt.Errorf("the index of a study: %w", errDamaged)
	}
	return x, err
}

// readIndex reads the index and the journal at path. The journal is read first: it is removed when the index holds
// what it says, so that whatever happens between the two reads, what is listed once stays listed.
func (a *Archive) readIndex(path string) (*index, error) {
	journal, err := a.readFile(path + ".journal")
	if err != nil {
		return nil, fmt.Errorf("the journal of a study: %w", err)
	}
	b, err := a.readFile(path + ".json")
	if err != nil {
		return nil, fmt.Errorf("the index of a study: %w", err)
	}
	x := &index{Version: indexVersion}
	if b != nil {
		if x, err = decodeIndex(b); err != nil {
			return nil, fmt.Errorf("the index of a study: %w", err)
		}
	}
	if _, err := x.replay(journal); err != nil {
		return nil, fmt.Errorf("the journal of a study: %w", err)
	}
	if len(x.Digests) == 0 {
		return nil, fmt.Errorf("study: %w", pacs.ErrNotFound)
	}
	if journal != nil {
		x.Study.Sort()
	}
	return x, nil
}

// readFile reads a file of the studies, nil if there is none.
func (a *Archive) readFile(name string) ([]byte, error) {
	f, err := a.root.Open(name)
	if errors.Is(err, iofs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxIndexBytes+1))
	if err == nil && len(b) > maxIndexBytes {
		err = fmt.Errorf("more than %d bytes", maxIndexBytes)
	}
	if b == nil {
		b = []byte{}
	}
	return b, err
}

// entry is one instance and what it says of its study and series: a line of a journal.
type entry struct {
	Study  pacs.Study // with one series of one instance
	Digest digest
}

func entryOf(h *dicom.Header, size int64, crc uint32, d digest, now time.Time) entry {
	s := pacs.Study{
		InstanceUID:     h.Text(dicom.StudyInstanceUID),
		PatientName:     h.Text(dicom.PatientName),
		PatientID:       h.Text(dicom.PatientID),
		IssuerOfPID:     h.Text(dicom.IssuerOfPatientID),
		BirthDate:       h.Text(dicom.PatientBirthDate),
		Sex:             h.Text(dicom.PatientSex),
		Date:            h.Text(dicom.StudyDate),
		Time:            h.Text(dicom.StudyTime),
		ID:              h.Text(dicom.StudyID),
		AccessionNumber: h.Text(dicom.AccessionNumber),
		Description:     h.Text(dicom.StudyDescription),
		Referring:       h.Text(dicom.ReferringPhysicianName),
		Stored:          now,
	}
	series := pacs.Series{
		InstanceUID: h.Text(dicom.SeriesInstanceUID),
		Modality:    h.Text(dicom.Modality),
		Number:      h.Text(dicom.SeriesNumber),
		Description: h.Text(dicom.SeriesDescription),
	}
	series.Instances = []pacs.Instance{{
		StudyInstanceUID: s.InstanceUID, SeriesInstanceUID: series.InstanceUID,
		SOPClassUID: h.Text(dicom.SOPClassUID), SOPInstanceUID: h.Text(dicom.SOPInstanceUID),
		TransferSyntaxUID: h.TransferSyntaxUID, Number: h.Text(dicom.InstanceNumber), Size: size, CRC32: crc,
	}}
	s.Series = []pacs.Series{series}
	return entry{s, d}
}

// instance is what the entry is about.
func (e *entry) instance() pacs.Instance { return e.Study.Series[0].Instances[0] }

// admit refuses what the study cannot take in.
func (x *index) admit(e entry) error {
	switch {
	case len(x.Digests) >= dicom.MaxInstances:
		return fmt.Errorf("%w: the study has more than %d instances", pacs.ErrUnfit, dicom.MaxInstances)
	case x.Study.Contradicts(e.Study.PatientID, e.Study.IssuerOfPID):
		return pacs.ErrOtherPatient
	}
	return nil
}

// add takes an instance in, to no effect if it is held. What the study and its series are called is the first non-empty
// value that an instance gives: secondary objects often leave out what the images say.
func (x *index) add(e entry) {
	i := e.instance()
	if _, held := x.Digests[i.SOPInstanceUID]; held {
		return
	}
	s := &x.Study
	s.Stored = e.Study.Stored
	for _, f := range []struct {
		field *string
		value string
	}{
		{&s.InstanceUID, e.Study.InstanceUID},
		{&s.PatientName, e.Study.PatientName},
		{&s.PatientID, e.Study.PatientID},
		{&s.IssuerOfPID, e.Study.IssuerOfPID},
		{&s.BirthDate, e.Study.BirthDate},
		{&s.Sex, e.Study.Sex},
		{&s.Date, e.Study.Date},
		{&s.Time, e.Study.Time},
		{&s.ID, e.Study.ID},
		{&s.AccessionNumber, e.Study.AccessionNumber},
		{&s.Description, e.Study.Description},
		{&s.Referring, e.Study.Referring},
	} {
		fill(f.field, f.value)
	}
	series := x.series(i.SeriesInstanceUID)
	fill(&series.Modality, e.Study.Series[0].Modality)
	fill(&series.Number, e.Study.Series[0].Number)
	fill(&series.Description, e.Study.Series[0].Description)
	series.Instances = append(series.Instances, i)
	if x.Digests == nil {
		x.Digests = make(map[string]digest)
	}
	x.Digests[i.SOPInstanceUID] = e.Digest
}

func fill(field *string, value string) {
	if *field == "" {
		*field = value
	}
}

// series returns the series with this UID, a new one if there is none.
func (x *index) series(uid string) *pacs.Series {
	for n := range x.Study.Series {
		if x.Study.Series[n].InstanceUID == uid {
			return &x.Study.Series[n]
		}
	}
	x.Study.Series = append(x.Study.Series, pacs.Series{InstanceUID: uid})
	return &x.Study.Series[len(x.Study.Series)-1]
}
