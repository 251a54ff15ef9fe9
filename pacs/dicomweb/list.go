package dicomweb

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"collimate/dicom"
	"collimate/pacs"
)

// object is one result of a query: a DICOM JSON object by tag, such as "0020000D". DICOM PS3.18 F.2
type object map[string]attribute

type attribute struct {
	Value []json.RawMessage
}

// text returns the first value of an attribute as pacs.Study has it: a name by its alphabetic, ideographic and
// phonetic groups, a number in digits. The JSON is UTF-8 whatever the instances are.
func (o object) text(t dicom.Tag) string {
	a := o[fmt.Sprintf("%08X", uint32(t))]
	if len(a.Value) == 0 {
		return ""
	}
	var s string
	var name struct{ Alphabetic, Ideographic, Phonetic string }
	var number json.Number
	switch raw := a.Value[0]; {
	case json.Unmarshal(raw, &s) == nil:
	case json.Unmarshal(raw, &number) == nil:
		s = number.String()
	case json.Unmarshal(raw, &name) == nil:
		s = strings.TrimRight(strings.Join([]string{name.Alphabetic, name.Ideographic, name.Phonetic}, "="), "=")
	}
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, s)
	return strings.Trim(s, " ")
}

// key names the series or instance of a result.
func (o object) key() string {
	return o.text(dicom.SeriesInstanceUID) + "/" + o.text(dicom.SOPInstanceUID)
}

// query returns one page of results.
func (c *Client) query(ctx context.Context, path string, params url.Values) ([]object, error) {
	resp, err := c.get(ctx, path+"?"+params.Encode(), "application/dicom+json")
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusNoContent {
		return nil, nil
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxPageBytes+1))
	if err != nil {
		return nil, broken(err)
	}
	if len(b) > maxPageBytes {
		return nil, fmt.Errorf("the PACS answers a query with more than %d bytes", maxPageBytes)
	}
	if len(b) == 0 {
		return nil, nil
	}
	var page []object
	if json.Unmarshal(b, &page) != nil {
		return nil, errors.New("the PACS answers a query with something other than DICOM JSON") // which is not quoted
	}
	return page, nil
}

// all returns all pages. A PACS that has a limit of its own gives fewer at a time than were asked for, so only an
// empty page, or as many as it has, is the end.
func (c *Client) all(ctx context.Context, path string, want int, fields ...dicom.Tag) ([]object, error) {
	var results []object
	for {
		params := include(fields)
		params.Set("limit", strconv.Itoa(pageSize))
		params.Set("offset", strconv.Itoa(len(results)))
		page, err := c.query(ctx, path, params)
		if err != nil {
			return nil, err
		}
		if len(page) > 0 && len(results) > 0 && page[0].key() == results[0].key() {
			return results, nil // QUIRK: some PACS know no offset and begin anew each time
		}
		results = append(results, page...)
		if len(page) == 0 || want > 0 && len(results) == want {
			return results, nil
		}
		if len(results) > dicom.MaxInstances {
			return nil, fmt.Errorf("the PACS lists more than %d instances of a study", dicom.MaxInstances)
		}
	}
}

// include asks for attributes that a PACS returns only on demand.
func include(fields []dicom.Tag) url.Values {
	params := url.Values{}
	for _, t := range fields {
		params.Add("includefield", fmt.Sprintf("%08X", uint32(t)))
	}
	return params
}

// studyFields are what a PACS returns of a study only on demand.
var studyFields = []dicom.Tag{
	dicom.IssuerOfPatientID, dicom.StudyDescription, dicom.ReferringPhysicianName, dicom.StudyID, dicom.StudyInstances,
}

// study returns what a result says of a study.
func (o object) study() pacs.Study {
	return pacs.Study{
		InstanceUID:     o.text(dicom.StudyInstanceUID),
		PatientName:     o.text(dicom.PatientName),
		PatientID:       o.text(dicom.PatientID),
		IssuerOfPID:     o.text(dicom.IssuerOfPatientID),
		BirthDate:       o.text(dicom.PatientBirthDate),
		Sex:             o.text(dicom.PatientSex),
		Date:            o.text(dicom.StudyDate),
		Time:            o.text(dicom.StudyTime),
		ID:              o.text(dicom.StudyID),
		AccessionNumber: o.text(dicom.AccessionNumber),
		Description:     o.text(dicom.StudyDescription),
		Referring:       o.text(dicom.ReferringPhysicianName),
	}
}

// Studies implements remote.PACS: pages of studies by Study Date. DICOM PS3.18 10.6
func (c *Client) Studies(ctx context.Context, from time.Time) iter.Seq2[pacs.Summary, error] {
	return func(yield func(pacs.Summary, error) bool) {
		params := include(studyFields)
		params.Set("limit", strconv.Itoa(pageSize))
		if !from.IsZero() {
			params.Set("StudyDate", from.AddDate(0, 0, -1).Format("20060102")+"-") // a day more for the time zone of the PACS
		}
		first := ""
		for n := 0; n < maxStudies; {
			params.Set("offset", strconv.Itoa(n))
			page, err := c.query(ctx, "/studies", params)
			if errors.Is(err, pacs.ErrNotFound) {
				err = errors.New("the PACS has no list of studies at its URL: check that this is the root of its DICOMweb services")
			}
			if err != nil {
				yield(pacs.Summary{}, err)
				return
			}
			if len(page) == 0 || n > 0 && page[0].text(dicom.StudyInstanceUID) == first {
				return // QUIRK: as in all
			}
			for _, o := range page {
				count, _ := strconv.Atoi(o.text(dicom.StudyInstances)) // 0 if it does not say
				if !yield(pacs.Summary{Study: o.study(), Instances: count}, nil) {
					return
				}
			}
			if n == 0 {
				first = page[0].text(dicom.StudyInstanceUID)
			}
			n += len(page)
		}
		yield(pacs.Summary{}, fmt.Errorf("the PACS lists more than %d studies", maxStudies))
	}
}

// List implements remote.PACS.
func (c *Client) List(ctx context.Context, studyInstanceUID string) (*pacs.Study, error) {
	params := include(studyFields)
	params.Set("StudyInstanceUID", studyInstanceUID)
	found, err := c.query(ctx, "/studies", params)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, pacs.ErrNotFound
	}
	if len(found) > 1 {
		return nil, fmt.Errorf("the PACS lists %d studies of one UID", len(found))
	}
	o := found[0]
	study := o.study()
	s := &study
	if s.InstanceUID != studyInstanceUID {
		return nil, errors.New("the PACS lists another study than was asked for")
	}
	want, _ := strconv.Atoi(o.text(dicom.StudyInstances)) // 0 if it does not say
	series, err := c.all(ctx, "/studies/"+studyInstanceUID+"/series", 0,
		dicom.SeriesDescription, dicom.SeriesNumber, dicom.Modality)
	if err != nil {
		return nil, notGone(err)
	}
	at := make(map[string]int)
	for _, o := range series {
		uid := o.text(dicom.SeriesInstanceUID)
		if _, twice := at[uid]; twice {
			return nil, errors.New("the PACS lists a series twice")
		}
		at[uid] = len(s.Series)
		s.Series = append(s.Series, pacs.Series{
			InstanceUID: uid,
			Modality:    o.text(dicom.Modality),
			Number:      o.text(dicom.SeriesNumber),
			Description: o.text(dicom.SeriesDescription),
		})
	}
	instances, err := c.all(ctx, "/studies/"+studyInstanceUID+"/instances", want, dicom.InstanceNumber)
	if err != nil {
		return nil, notGone(err)
	}
	if want > 0 && len(instances) != want {
		return nil, fmt.Errorf("the PACS lists %d instances of a study of which it says it has %d", len(instances), want)
	}
	for _, o := range instances {
		n, ok := at[o.text(dicom.SeriesInstanceUID)]
		if !ok {
			return nil, errors.New("the PACS lists an instance of a series that it does not list")
		}
		s.Series[n].Instances = append(s.Series[n].Instances, pacs.Instance{
			StudyInstanceUID:  studyInstanceUID,
			SeriesInstanceUID: s.Series[n].InstanceUID,
			SOPClassUID:       o.text(dicom.SOPClassUID),
			SOPInstanceUID:    o.text(dicom.SOPInstanceUID),
			Number:            o.text(dicom.InstanceNumber),
		})
	}
	return s, nil
}

// notGone keeps a 404 for a part of a study that is listed from being read as "no such study".
func notGone(err error) error {
	if errors.Is(err, pacs.ErrNotFound) {
		return errors.New("the PACS lists a study and not what is in it")
	}
	return err
}
