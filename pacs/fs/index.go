package fs

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	iofs "io/fs"
	"slices"
	"strconv"
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

// index returns the index of a study, pacs.ErrNotFound if there is none.
func (a *Archive) index(studyInstanceUID string) (*index, error) {
	x, err := a.readIndex(indexPath(studyInstanceUID))
	if err == nil && x.Study.InstanceUID != studyInstanceUID {
		return nil, fmt.Errorf("the index of a study: %w", errDamaged)
	}
	return x, err
}

// readIndex reads the index file at path.
func (a *Archive) readIndex(path string) (*index, error) {
	f, err := a.root.Open(path)
	if errors.Is(err, iofs.ErrNotExist) {
		return nil, fmt.Errorf("study: %w", pacs.ErrNotFound)
	} else if err != nil {
		return nil, fmt.Errorf("the index of a study: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxIndexBytes+1))
	if err != nil {
		return nil, fmt.Errorf("the index of a study: %w", err)
	}
	if len(b) > maxIndexBytes {
		return nil, fmt.Errorf("the index of a study: more than %d bytes", maxIndexBytes)
	}
	x, err := decodeIndex(b)
	if err != nil {
		return nil, fmt.Errorf("the index of a study: %w", err)
	}
	return x, nil
}

// add takes an instance in. What the study and its series are called is the first non-empty value that an
// instance gives: secondary objects often leave out what the images say.
func (x *index) add(h *dicom.Header, size int64, crc uint32, d digest, now time.Time) {
	s := &x.Study
	s.Stored = now
	for _, f := range []struct {
		field *string
		tag   dicom.Tag
	}{
		{&s.InstanceUID, dicom.StudyInstanceUID},
		{&s.PatientName, dicom.PatientName},
		{&s.PatientID, dicom.PatientID},
		{&s.IssuerOfPID, dicom.IssuerOfPatientID},
		{&s.BirthDate, dicom.PatientBirthDate},
		{&s.Sex, dicom.PatientSex},
		{&s.Date, dicom.StudyDate},
		{&s.Time, dicom.StudyTime},
		{&s.ID, dicom.StudyID},
		{&s.AccessionNumber, dicom.AccessionNumber},
		{&s.Description, dicom.StudyDescription},
		{&s.Referring, dicom.ReferringPhysicianName},
	} {
		fill(f.field, h.Text(f.tag))
	}
	series := x.series(h.Text(dicom.SeriesInstanceUID))
	fill(&series.Modality, h.Text(dicom.Modality))
	fill(&series.Number, h.Text(dicom.SeriesNumber))
	fill(&series.Description, h.Text(dicom.SeriesDescription))
	i := pacs.Instance{
		StudyInstanceUID: s.InstanceUID, SeriesInstanceUID: series.InstanceUID,
		SOPClassUID: h.Text(dicom.SOPClassUID), SOPInstanceUID: h.Text(dicom.SOPInstanceUID),
		TransferSyntaxUID: h.TransferSyntaxUID, Number: h.Text(dicom.InstanceNumber), Size: size, CRC32: crc,
	}
	series.Instances = append(series.Instances, i)
	if x.Digests == nil {
		x.Digests = make(map[string]digest)
	}
	x.Digests[i.SOPInstanceUID] = d
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

// sort puts series and instances in the order that pacs.Archive promises.
func (x *index) sort() {
	slices.SortFunc(x.Study.Series, func(a, b pacs.Series) int {
		return cmp.Or(compareNumbers(a.Number, b.Number), cmp.Compare(a.InstanceUID, b.InstanceUID))
	})
	for _, s := range x.Study.Series {
		slices.SortFunc(s.Instances, func(a, b pacs.Instance) int {
			return cmp.Or(compareNumbers(a.Number, b.Number), cmp.Compare(a.SOPInstanceUID, b.SOPInstanceUID))
		})
	}
}

// compareNumbers compares two IS values; what is not a number comes last.
func compareNumbers(a, b string) int {
	x, errX := strconv.Atoi(a)
	y, errY := strconv.Atoi(b)
	switch {
	case errX == nil && errY == nil:
		return cmp.Compare(x, y)
	case errX == nil:
		return -1
	case errY == nil:
		return 1
	}
	return 0
}
