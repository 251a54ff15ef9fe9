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

// Archive holds imaging studies.
type Archive interface {
	// Study lists a study by its Study Instance UID, ErrNotFound if there is none. Series and instances
	// come in a fixed order: by number, then by UID.
	Study(ctx context.Context, studyInstanceUID string) (*Study, error)
	// Open opens an instance as listed by Study, positioned at its first byte. Reading it yields exactly
	// Instance.Size bytes, or an error; never a short end.
	Open(ctx context.Context, i Instance) (io.ReadCloser, error)
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
