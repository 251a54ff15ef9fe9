package remote

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"collimate/pacs"
)

// version is the form of the records that this code writes and reads.
const version = 2

// record is what is known of a study.
type record struct {
	Version   int
	Study     string // Study Instance UID
	Stored    time.Time
	Instances map[string]measured // by SOP Instance UID
}

// measured is what was measured of an instance while the PACS listed it so.
type measured struct {
	Print             digest
	Size              int64
	CRC32             uint32
	SOPClassUID       string
	TransferSyntaxUID string
	OtherPatient      bool `json:",omitzero"`
}

func (m measured) fill(i *pacs.Instance) {
	i.Size, i.CRC32, i.SOPClassUID, i.TransferSyntaxUID = m.Size, m.CRC32, m.SOPClassUID, m.TransferSyntaxUID
	i.OtherPatient = m.OtherPatient
}

// digest is half a SHA-256, as hex in JSON.
type digest [16]byte

// MarshalText returns hex.
func (d digest) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, d[:]), nil }

// UnmarshalText reads hex.
func (d *digest) UnmarshalText(b []byte) error {
	if hex.DecodedLen(len(b)) != len(d) {
		return hex.ErrLength
	}
	_, err := hex.Decode(d[:], b)
	return err
}

// printOf digests all that the PACS says of an instance, its series and its study: PACS that merge corrected names
// into what they give change the bytes of all instances with them.
func printOf(s *pacs.Study, series *pacs.Series, i *pacs.Instance) digest {
	h := sha256.New()
	for _, part := range []string{
		s.InstanceUID, s.PatientName, s.PatientID, s.IssuerOfPID, s.BirthDate, s.Sex, s.Date, s.Time, s.ID,
		s.AccessionNumber, s.Description, s.Referring,
		series.InstanceUID, series.Modality, series.Number, series.Description,
		i.SOPClassUID, i.SOPInstanceUID, i.Number,
	} {
		fmt.Fprintf(h, "%d:%s", len(part), part)
	}
	return digest(h.Sum(nil)[:16])
}

// index keeps records in a folder.
type index struct {
	root *os.Root
	max  int

	mu    sync.Mutex // of writing
	count int
}

// nameOf is where the record of a study is kept.
func nameOf(study string) string {
	sum := sha256.Sum256([]byte(study))
	return hex.EncodeToString(sum[:]) + ".json"
}

// names lists the folder.
func (x *index) names() ([]string, error) {
	f, err := x.root.Open(".")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Readdirnames(-1)
}

// prepare counts the records and removes what was being written when a process was killed.
func (x *index) prepare() error {
	names, err := x.names()
	if err != nil {
		return err
	}
	for _, name := range names {
		switch {
		case strings.HasSuffix(name, ".json"):
			x.count++
		case strings.HasSuffix(name, ".new"):
			if err := x.root.Remove(name); err != nil {
				return err
			}
		}
	}
	return nil
}

// load returns the record of a study, an empty one if there is none that can be read.
func (x *index) load(study string) *record {
	empty := &record{Instances: map[string]measured{}}
	f, err := x.root.Open(nameOf(study))
	if err != nil {
		return empty
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxIndexBytes+1))
	if err != nil || len(b) > maxIndexBytes {
		return empty
	}
	if r, ok := decode(b); ok && r.Study == study {
		return r
	}
	return empty
}

// decode reads a record.
func decode(b []byte) (*record, bool) {
	sum, text, ok := bytes.Cut(b, []byte("\n"))
	if want := sha256.Sum256(text); !ok || string(sum) != hex.EncodeToString(want[:]) {
		return nil, false
	}
	r := new(record)
	if json.Unmarshal(text, r) != nil || r.Version != version || r.Instances == nil {
		return nil, false
	}
	return r, true
}

func encode(r *record) ([]byte, error) {
	text, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(text)
	return append(hex.AppendEncode(nil, sum[:]), append([]byte("\n"), text...)...), nil
}

// save writes the record of a study.
func (x *index) save(study string, r *record) error {
	r.Version, r.Study = version, study
	b, err := encode(r)
	if err != nil {
		return err
	}
	if len(b) > maxIndexBytes {
		return fmt.Errorf("the record of a study would have more than %d bytes", maxIndexBytes)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	aside := rand.Text() + ".new"
	f, err := x.root.OpenFile(aside, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	name := nameOf(study)
	_, absent := x.root.Stat(name)
	if err == nil {
		err = x.root.Rename(aside, name)
	}
	if err != nil {
		x.root.Remove(aside)
		return err
	}
	if absent != nil {
		x.count++
	}
	if x.count > x.max {
		return x.evict(name)
	}
	return nil
}

// touch notes that a study was asked for.
func (x *index) touch(study string) {
	now := time.Now()
	x.root.Chtimes(nameOf(study), now, now) // of no consequence if it fails
}

// remove drops the record of a study.
func (x *index) remove(study string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.root.Remove(nameOf(study)) == nil {
		x.count--
	}
}

// evict removes a tenth of the records, those that were asked for longest ago, so that it is seldom called. The newest
// stays: the clock of a file system may not tell it from the one before.
func (x *index) evict(newest string) error {
	names, err := x.names()
	if err != nil {
		return err
	}
	type aged struct {
		name string
		used time.Time
	}
	var all []aged
	for _, name := range names {
		if info, err := x.root.Stat(name); err == nil && name != newest && strings.HasSuffix(name, ".json") {
			all = append(all, aged{name, info.ModTime()})
		}
	}
	slices.SortFunc(all, func(a, b aged) int { return a.used.Compare(b.used) })
	x.count = len(all) + 1
	for _, a := range all[:max(0, x.count-x.max*9/10)] {
		if err := x.root.Remove(a.name); err != nil {
			return err
		}
		x.count--
	}
	return nil
}
