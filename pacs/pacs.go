// Package pacs is what a gateway asks of the archive that holds the images.
//
// An Archive lists the instances of a study and opens each as it is stored, a DICOM Part 10 file. It never
// changes, decodes or transcodes pixels. Implementations stand in the directories below (pacs/fs is the
// embedded default); each passes the suite in pacs/pacstest. An Archive may be called concurrently.
package pacs

import (
	"cmp"
	"context"
	"errors"
	"io"
	"iter"
	"slices"
	"strconv"
	"time"
)

// ErrNotFound is returned for a study or an instance that the archive does not hold.
var ErrNotFound = errors.New("not in the archive")

// ErrConflict refuses an instance whose SOP Instance UID the archive already holds with other bytes.
var ErrConflict = errors.New("the archive holds this SOP instance with other bytes and keeps those")

// ErrUnfit refuses a file that cannot be kept as an instance.
var ErrUnfit = errors.New("not an instance that can be kept")

// ErrOtherPatient refuses an instance that names another patient than its study.
var ErrOtherPatient = errors.New("the instance names another patient than its study, of which the archive holds images")

// Archive holds imaging studies.
type Archive interface {
	// Study lists a study by its Study Instance UID, ErrNotFound if there is none. Series and instances
	// come in a fixed order: by number, then by UID. An instance that names another patient is marked, or not listed.
	Study(ctx context.Context, studyInstanceUID string) (*Study, error)
	// Open opens an instance as listed by Study, positioned at its first byte. Reading it yields exactly
	// Instance.Size bytes, or an error; never a short end.
	Open(ctx context.Context, i Instance) (io.ReadCloser, error)
}

// Lister is an Archive that can say which studies it holds.
type Lister interface {
	// Studies yields the studies of the archive in any order. It may leave out those that came before from or, if the
	// archive cannot tell, are dated before its day; if from is zero it leaves none out. An error may stand for one
	// study or end the listing, which in either case is not complete. A study that changes meanwhile may come twice, and
	// one that comes meanwhile not at all. The consumer must not take minutes over one study.
	Studies(ctx context.Context, from time.Time) iter.Seq2[Summary, error]
}

// Summary is what a listing says of one study.
type Summary struct {
	Study     Study // without Series; Stored is zero if the archive does not know
	Instances int   // how many; 0 if the archive does not say
}

// Summary returns what a listing says of the study.
func (s *Study) Summary() Summary {
	n, _ := s.Count()
	short := *s
	short.Series = nil
	return Summary{short, n}
}

// Study is what the archive knows of one imaging study. The texts are as stored, decoded to UTF-8.
type Study struct {
	InstanceUID     string // (0020,000D)
	PatientName     string // (0010,0010), DICOM PN
	PatientID       string // (0010,0020)
	IssuerOfPID     string // (0010,0021)
	BirthDate       string // (0010,0030), DICOM DA
	Sex             string // (0010,0040)
	Date, Time      string // (0008,0020), (0008,0030)
	ID              string // (0020,0010)
	AccessionNumber string // (0008,0050)
	Description     string // (0008,1030)
	Referring       string // (0008,0090)
	Series          []Series
	Stored          time.Time // when the last instance came in
}

// Series is one series of a study.
type Series struct {
	InstanceUID string // (0020,000E)
	Modality    string // (0008,0060)
	Number      string // (0020,0011)
	Description string // (0008,103E)
	Instances   []Instance
}

// Instance is one stored SOP instance.
type Instance struct {
	StudyInstanceUID  string
	SeriesInstanceUID string
	SOPClassUID       string // (0008,0016)
	SOPInstanceUID    string // (0008,0018)
	TransferSyntaxUID string // (0002,0010)
	Number            string // (0020,0013)
	Size              int64  // bytes of the Part 10 file
	CRC32             uint32 // IEEE, of the Part 10 file
	OtherPatient      bool   `json:",omitzero"` // its file names another patient than the study; see Study.Contradicts
}

// Count returns the number of instances and their bytes in all.
func (s *Study) Count() (instances int, bytes int64) {
	for _, series := range s.Series {
		instances += len(series.Instances)
		for _, i := range series.Instances {
			bytes += i.Size
		}
	}
	return instances, bytes
}

// Contradicts reports whether a patient id (0010,0020) and its issuer (0010,0021), as an instance has them, are another
// patient's than the study's. What either of the two leaves out is no contradiction.
func (s *Study) Contradicts(patientID, issuer string) bool {
	differ := func(a, b string) bool { return a != b && a != "" && b != "" }
	return differ(patientID, s.PatientID) || differ(issuer, s.IssuerOfPID)
}

// Mixed reports whether an instance of the study names another patient.
func (s *Study) Mixed() bool {
	return slices.ContainsFunc(s.Series, func(series Series) bool {
		return slices.ContainsFunc(series.Instances, func(i Instance) bool { return i.OtherPatient })
	})
}

// Sort puts series and instances in the order that Archive promises.
func (s *Study) Sort() {
	slices.SortFunc(s.Series, func(a, b Series) int {
		return cmp.Or(compareNumbers(a.Number, b.Number), cmp.Compare(a.InstanceUID, b.InstanceUID))
	})
	for _, series := range s.Series {
		slices.SortFunc(series.Instances, func(a, b Instance) int {
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
