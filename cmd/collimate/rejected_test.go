//go:build unix

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"collimate/cmd/collimate/internal/admin"
	"collimate/dicom"
	"collimate/dicom/phantom"
)

// A rejection note (IOCM) for all of a published study has it held, and the operator is told so.
func TestRejected(t *testing.T) {
	c := newCentre(t, func(int) []string {
		return []string{"publishing.watch=yes", "publishing.from=all", "publishing.stable=1s", "publishing.interval=1s", "publishing.full=1s"}
	})
	c.serve()
	c.run("source", "define")
	status := func() (w admin.Watcher) {
		if err := json.Unmarshal([]byte(c.run("study", "status", "--json")), &w); err != nil {
			t.Fatal(err)
		}
		return w
	}
	images := filepath.Join(c.dir, "images")
	if _, err := phantom.Generate(images, phantom.Options{Series: 1, Slices: 2, Seed: 6}); err != nil {
		t.Fatal(err)
	}
	c.run("study", "publish", "images")
	wait(t, "the watcher to know the study", func() error {
		if w := status(); w.Published != 1 || w.Rejected != 0 {
			return fmt.Errorf("it says %+v", w)
		}
		return nil
	})
	rejectAll(t, images, filepath.Join(c.dir, "note", "note.dcm"))
	c.refused("all instances of the study are rejected", "study", "publish", "note")
	wait(t, "the watcher to see it", func() error {
		if w := status(); w.Rejected != 1 || w.Held != 1 {
			return fmt.Errorf("it says %+v", w)
		}
		return nil
	})
}

// rejectAll writes a note that rejects each instance in a folder, which are of one study. RAD TF-3: 4.66.4.1.2.1
func rejectAll(t *testing.T, folder, note string) {
	t.Helper()
	item := func(put func(d *dicom.Dataset)) *dicom.Dataset { d := new(dicom.Dataset); put(d); return d }
	var refused []*dicom.Dataset
	var last *dicom.Header
	err := filepath.WalkDir(folder, func(name string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(name) != ".dcm" {
			return err
		}
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		h, err := dicom.Inspect(f)
		if err == nil {
			last = h
			refused = append(refused, item(func(d *dicom.Dataset) {
				d.Put(dicom.ReferencedSOPClassUID, h.Text(dicom.SOPClassUID))
				d.Put(dicom.ReferencedSOPInstanceUID, h.Text(dicom.SOPInstanceUID))
			}))
		}
		return errors.Join(err, f.Close())
	})
	if err != nil || last == nil {
		t.Fatalf("%d files: %v", len(refused), err)
	}
	raw, err := item(func(d *dicom.Dataset) {
		d.Put(dicom.SOPClassUID, dicom.KeyObjectSelectionDocument)
		d.Put(dicom.SOPInstanceUID, last.Text(dicom.StudyInstanceUID)+".99.1")
		d.Put(dicom.StudyInstanceUID, last.Text(dicom.StudyInstanceUID))
		d.Put(dicom.SeriesInstanceUID, last.Text(dicom.StudyInstanceUID)+".99")
		d.Put(dicom.Modality, "KO")
		d.Put(dicom.PatientID, last.Text(dicom.PatientID))
		d.PutItems(dicom.ConceptNameCodeSequence, item(func(d *dicom.Dataset) {
			d.Put(dicom.CodeValue, "113037")
			d.Put(dicom.CodingSchemeDesignator, "DCM")
		}))
		d.PutItems(dicom.CurrentRequestedEvidence, item(func(d *dicom.Dataset) {
			d.PutItems(dicom.ReferencedSeriesSequence, item(func(d *dicom.Dataset) {
				d.PutItems(dicom.ReferencedSOPSequence, refused...)
				d.Put(dicom.SeriesInstanceUID, last.Text(dicom.SeriesInstanceUID))
			}))
			d.Put(dicom.StudyInstanceUID, last.Text(dicom.StudyInstanceUID))
		}))
	}).AppendFile(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := writeFile(note, raw, 0o600); err != nil {
		t.Fatal(err)
	}
}
