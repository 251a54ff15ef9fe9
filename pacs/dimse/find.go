package dimse

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"
	"time"

	"collimate/dicom"
	"collimate/pacs"
	"collimate/pacs/remote"
)

// List implements remote.PACS: C-FIND at the level of the study, of its series, and of the images of each. PS3.4 C.4.1
func (c *Client) List(ctx context.Context, studyInstanceUID string) (*pacs.Study, error) {
	if dicom.CheckUID(studyInstanceUID) != nil {
		return nil, pacs.ErrNotFound
	}
	a, err := c.take(ctx, studyFind)
	if err != nil {
		return nil, err
	}
	stop := a.conn.until(ctx)
	s, err := list(a.association, studyInstanceUID)
	good := stop() && (err == nil || errors.Is(err, pacs.ErrNotFound))
	c.put(a, good)
	return s, err
}

// studyFields are what is asked of a study.
var studyFields = []dicom.Tag{
	dicom.PatientName, dicom.PatientID, dicom.IssuerOfPatientID, dicom.PatientBirthDate, dicom.PatientSex,
	dicom.StudyDate, dicom.StudyTime, dicom.StudyID, dicom.AccessionNumber, dicom.StudyDescription,
	dicom.ReferringPhysicianName, dicom.StudyInstances,
}

// study returns what a result says of a study.
func study(h *dicom.Header) pacs.Study {
	return pacs.Study{
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
	}
}

// errEnough is a listing that is wanted no further.
var errEnough = errors.New("enough")

// Studies implements remote.PACS: C-FIND at the level of the study by Study Date. PS3.4 C.4.1. Who stops early drops the
// association: the PACS may have much more to say.
func (c *Client) Studies(ctx context.Context, from time.Time) iter.Seq2[pacs.Summary, error] {
	return func(yield func(pacs.Summary, error) bool) {
		a, err := c.take(ctx, studyFind)
		if err != nil {
			yield(pacs.Summary{}, err)
			return
		}
		defer func() { c.put(a, err == nil) }()
		stop := a.conn.until(ctx)
		keys := map[dicom.Tag]string{dicom.StudyInstanceUID: ""}
		if !from.IsZero() {
			keys[dicom.StudyDate] = from.AddDate(0, 0, -1).Format("20060102") + "-" // a day more for the time zone of the PACS
		}
		err = query(a.association, "STUDY", keys, studyFields, func(h *dicom.Header) error {
			count, _ := strconv.Atoi(h.Text(dicom.StudyInstances)) // 0 if it does not say
			if !yield(pacs.Summary{Study: study(h), Instances: count}, nil) {
				return errEnough
			}
			return nil
		})
		if !stop() && err == nil {
			err = ctx.Err()
		}
		if err != nil && !errors.Is(err, errEnough) {
			yield(pacs.Summary{}, err)
		}
	}
}

func list(a *association, uid string) (*pacs.Study, error) {
	found, err := find(a, "STUDY", map[dicom.Tag]string{dicom.StudyInstanceUID: uid}, studyFields...)
	switch {
	case err != nil:
		return nil, err
	case len(found) == 0:
		return nil, pacs.ErrNotFound
	case len(found) > 1:
		return nil, fmt.Errorf("the PACS lists %d studies of one UID", len(found))
	}
	h := found[0]
	one := study(h)
	s := &one
	series, err := find(a, "SERIES", map[dicom.Tag]string{dicom.StudyInstanceUID: uid},
		dicom.SeriesInstanceUID, dicom.Modality, dicom.SeriesNumber, dicom.SeriesDescription, dicom.SeriesInstances)
	if err != nil {
		return nil, err
	}
	total := 0
	for _, h := range series {
		one := pacs.Series{
			InstanceUID: h.Text(dicom.SeriesInstanceUID),
			Modality:    h.Text(dicom.Modality),
			Number:      h.Text(dicom.SeriesNumber),
			Description: h.Text(dicom.SeriesDescription),
		}
		if one.InstanceUID == "" {
			return nil, errors.New("the PACS lists a series without its UID")
		}
		images, err := find(a, "IMAGE", map[dicom.Tag]string{dicom.StudyInstanceUID: uid, dicom.SeriesInstanceUID: one.InstanceUID},
			dicom.SOPInstanceUID, dicom.SOPClassUID, dicom.InstanceNumber)
		if err != nil {
			return nil, err
		}
		if err := complete(h.Text(dicom.SeriesInstances), len(images)); err != nil {
			return nil, err
		}
		for _, h := range images {
			one.Instances = append(one.Instances, pacs.Instance{
				StudyInstanceUID: uid, SeriesInstanceUID: one.InstanceUID, SOPClassUID: h.Text(dicom.SOPClassUID),
				SOPInstanceUID: h.Text(dicom.SOPInstanceUID), Number: h.Text(dicom.InstanceNumber),
			})
		}
		if total += len(images); total > dicom.MaxInstances {
			return nil, fmt.Errorf("the PACS lists more than %d instances of a study", dicom.MaxInstances)
		}
		s.Series = append(s.Series, one)
	}
	return s, complete(h.Text(dicom.StudyInstances), total)
}

// complete holds what was listed against what the PACS says there is, if it says.
func complete(want string, got int) error {
	if n, err := strconv.Atoi(want); err == nil && n != got {
		return fmt.Errorf("the PACS lists %d instances where it says it has %d", got, n)
	}
	return nil
}

// find asks one question. want are the attributes to be returned beside the keys.
func find(a *association, level string, keys map[dicom.Tag]string, want ...dicom.Tag) ([]*dicom.Header, error) {
	var found []*dicom.Header
	err := query(a, level, keys, want, func(h *dicom.Header) error {
		if len(found) == maxResults {
			return fmt.Errorf("the PACS answers a query with more than %d results", maxResults)
		}
		found = append(found, h)
		return nil
	})
	return found, err
}

// query asks one question and calls each with every result, until it returns an error.
func query(a *association, level string, keys map[dicom.Tag]string, want []dicom.Tag, each func(*dicom.Header) error) error {
	p, err := a.find(studyFind)
	if err != nil {
		return fmt.Errorf("%w: C-FIND: %w", remote.ErrRefused, err)
	}
	var d dicom.Dataset
	d.Put(dicom.SpecificCharacterSet, "ISO_IR 192") // what we would like; each result says what it is in
	d.Put(dicom.QueryRetrieveLevel, level)
	for _, t := range want {
		d.Put(t, "")
	}
	for t, v := range keys {
		d.Put(t, v)
	}
	identifier, err := d.AppendDataSet(nil, p.syntaxes[0])
	if err != nil {
		return err
	}
	err = a.send(p, command{
		affectedClass: uid(studyFind), commandField: number(cFindRQ), messageID: number(a.nextID()), priority: number(0),
	}, identifier)
	if err != nil {
		return err
	}
	for {
		cmd, p, hasData, err := a.receive()
		if err != nil {
			return err
		}
		if f := cmd.number(commandField); f != cFindRQ|responseBit {
			return fmt.Errorf("%w: a message of type %04X within C-FIND", errProtocol, f)
		}
		switch s := cmd.number(status); {
		case s == statusSuccess && !hasData:
			return nil
		case s != statusPending && s != statusPendingNote:
			return statusError(s)
		case !hasData:
			return fmt.Errorf("%w: a result of C-FIND without a data set", errProtocol)
		}
		data := a.data(p)
		limited := &io.LimitedReader{R: data, N: maxIdentifier}
		h, err := dicom.ReadDataSet(limited, p.syntaxes[0])
		if err != nil {
			return fmt.Errorf("a result of C-FIND: %w", err)
		}
		if _, err := io.ReadFull(data, make([]byte, 1)); err != io.EOF {
			return fmt.Errorf("%w: a result of C-FIND of more than %d bytes", errProtocol, maxIdentifier)
		}
		if err := each(h); err != nil {
			return err
		}
	}
}
