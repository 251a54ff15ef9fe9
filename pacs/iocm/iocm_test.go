package iocm

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"collimate/dicom"
	"collimate/dicom/phantom"
	"collimate/pacs"
	"collimate/pacs/fs"
	"collimate/pacs/pacstest"
)

func TestSuite(t *testing.T) {
	pacstest.Run(t, func(t *testing.T, f pacstest.Fixtures) pacs.Archive {
		a := open(t)
		if _, err := a.Import(t.Context(), f.Dir, nil); err != nil {
			t.Fatal(err)
		}
		return New(a)
	})
}

func open(t *testing.T) *fs.Archive {
	t.Helper()
	a, err := fs.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

// counting counts what is opened, and can be made to fail.
type counting struct {
	pacs.Archive
	opened int
	err    error
}

func (c *counting) Open(ctx context.Context, i pacs.Instance) (io.ReadCloser, error) {
	c.opened++
	if c.err != nil {
		return nil, c.err
	}
	return c.Archive.Open(ctx, i)
}

// scene is an archive with one study of three slices.
type scene struct {
	t     *testing.T
	held  *fs.Archive
	raw   *counting
	study *pacs.Study // as the archive has it, without notes
	notes int
}

func newScene(t *testing.T) *scene {
	t.Helper()
	from := t.TempDir()
	made, err := phantom.Generate(from, phantom.Options{Series: 1, Slices: 3, Rows: 16, Columns: 16})
	if err != nil {
		t.Fatal(err)
	}
	s := &scene{t: t, held: open(t)}
	s.raw = &counting{Archive: s.held}
	if _, err := s.held.Import(t.Context(), from, nil); err != nil {
		t.Fatal(err)
	}
	if s.study, err = s.held.Study(t.Context(), made.StudyInstanceUID); err != nil {
		t.Fatal(err)
	}
	return s
}

// note stores a key object that refers to slices of the study, by their numbers from 1, as part of study.
func (s *scene) note(value, scheme, study string, slices ...int) {
	s.t.Helper()
	s.notes++
	item := func(put func(d *dicom.Dataset)) *dicom.Dataset { d := new(dicom.Dataset); put(d); return d }
	var instances []*dicom.Dataset
	for _, n := range slices {
		i := s.study.Series[0].Instances[n-1]
		instances = append(instances, item(func(d *dicom.Dataset) {
			d.Put(dicom.ReferencedSOPClassUID, i.SOPClassUID)
			d.Put(dicom.ReferencedSOPInstanceUID, i.SOPInstanceUID)
		}))
	}
	k := item(func(d *dicom.Dataset) {
		d.Put(dicom.SOPClassUID, dicom.KeyObjectSelectionDocument)
		d.Put(dicom.SOPInstanceUID, dicom.DeriveUID("iocm-test", strings.Repeat("x", s.notes)))
		d.Put(dicom.PatientName, s.study.PatientName)
		d.Put(dicom.PatientID, s.study.PatientID)
		d.Put(dicom.StudyInstanceUID, s.study.InstanceUID)
		d.Put(dicom.SeriesInstanceUID, "1.2.3.4")
		d.Put(dicom.Modality, "KO")
		d.PutItems(dicom.ConceptNameCodeSequence, item(func(d *dicom.Dataset) {
			d.Put(dicom.CodeValue, value)
			d.Put(dicom.CodingSchemeDesignator, scheme)
		}))
		d.PutItems(dicom.CurrentRequestedEvidence, item(func(d *dicom.Dataset) {
			d.PutItems(dicom.ReferencedSeriesSequence, item(func(d *dicom.Dataset) {
				d.PutItems(dicom.ReferencedSOPSequence, instances...)
				d.Put(dicom.SeriesInstanceUID, s.study.Series[0].InstanceUID)
			}))
			d.Put(dicom.StudyInstanceUID, study)
		}))
	})
	file, err := k.AppendFile(nil)
	if err == nil {
		err = s.held.Receive(s.t.Context(), bytes.NewReader(file))
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// left lists the study through a and returns the numbers of its slices, "K" for a key object.
func (s *scene) left(a *Archive) string {
	s.t.Helper()
	study, err := a.Study(s.t.Context(), s.study.InstanceUID)
	if errors.Is(err, ErrRejected) && errors.Is(err, pacs.ErrNotFound) {
		return "rejected"
	}
	if err != nil {
		s.t.Fatal(err)
	}
	left := ""
	for _, series := range study.Series {
		for _, i := range series.Instances {
			if i.SOPClassUID == dicom.KeyObjectSelectionDocument {
				left += "K"
			} else {
				left += i.Number
			}
		}
	}
	return left
}

func TestRejected(t *testing.T) {
	for _, title := range []string{"113001", "113037", "113038", "113039"} {
		s := newScene(t)
		a := New(s.raw)
		if got := s.left(a); got != "123" {
			t.Fatalf("without notes %q", got)
		}
		s.note(title, "DCM", s.study.InstanceUID, 2)
		if got := s.left(a); got != "13" {
			t.Errorf("%s: %q is left, want 13", title, got)
		}
		s.note(title, "DCM", s.study.InstanceUID, 1, 2)
		if got := s.left(a); got != "3" {
			t.Errorf("%s: %q is left, want 3", title, got)
		}
		s.note("113001", "DCM", s.study.InstanceUID, 3)
		if got := s.left(a); got != "rejected" {
			t.Errorf("%s: %q is left, want nothing", title, got)
		}
		if got := s.left(a); got != "rejected" || s.raw.opened != 3 {
			t.Errorf("%s: %q; notes were opened %d times, want each once", title, got, s.raw.opened)
		}
		if got := s.left(New(s.raw)); got != "rejected" {
			t.Errorf("%s: after a restart %q is left", title, got)
		}
	}
}

func TestNotRejected(t *testing.T) {
	s := newScene(t)
	s.note("113000", "DCM", s.study.InstanceUID, 1) // Of Interest
	s.note("113001", "99X", s.study.InstanceUID, 2)
	s.note("113030", "DCM", s.study.InstanceUID, 3)
	if got := s.left(New(s.raw)); got != "123KKK" {
		t.Errorf("%q is left, want all", got)
	}
	s.note("113001", "DCM", "1.2.3", 1) // of another study
	if got := s.left(New(s.raw)); got != "123KKK" {
		t.Errorf("%q is left, want all but the note", got)
	}
}

// TestUnreadable: what an unreadable note would keep back is not given out.
func TestUnreadable(t *testing.T) {
	s := newScene(t)
	s.note("113001", "DCM", s.study.InstanceUID, 2)
	for _, broken := range []error{errors.New("broken"), pacs.ErrNotFound} {
		s.raw.err = broken
		a := New(s.raw)
		if study, err := a.Study(t.Context(), s.study.InstanceUID); err == nil || errors.Is(err, pacs.ErrNotFound) {
			t.Errorf("%v: %+v, %v", broken, study, err)
		}
		s.raw.err = nil
		if got := s.left(a); got != "13" {
			t.Errorf("afterwards %q is left, want 13", got)
		}
	}
}

// mixed is an archive in whose listings some instances name another patient.
type mixed struct {
	pacs.Archive
	other string // their numbers
}

func (m mixed) Study(ctx context.Context, uid string) (*pacs.Study, error) {
	s, err := m.Archive.Study(ctx, uid)
	if err == nil {
		for n := range s.Series {
			for k := range s.Series[n].Instances {
				i := &s.Series[n].Instances[k]
				i.OtherPatient = i.Number != "" && strings.Contains(m.other, i.Number)
			}
		}
	}
	return s, err
}

// TestMixed: of a study of two patients nothing is given out until the one's images are rejected.
func TestMixed(t *testing.T) {
	s := newScene(t)
	a := New(mixed{s.held, "23"})
	refused := func(when string) {
		t.Helper()
		if study, err := a.Study(t.Context(), s.study.InstanceUID); !errors.Is(err, ErrMixed) || errors.Is(err, pacs.ErrNotFound) || study != nil {
			t.Errorf("%s: %+v, %v", when, study, err)
		}
	}
	refused("without notes")
	s.note("113038", "DCM", s.study.InstanceUID, 1)
	refused("the wrong one rejected")
	s.note("113038", "DCM", s.study.InstanceUID, 2)
	refused("one of two rejected")
	s = newScene(t)
	a = New(mixed{s.held, "23"})
	s.note("113038", "DCM", s.study.InstanceUID, 2, 3)
	if got := s.left(a); got != "1" {
		t.Errorf("%q is left, want 1", got)
	}
}
