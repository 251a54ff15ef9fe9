package gateway_test

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"time"

	"collimate/ledger"
	"collimate/pacs"
	"collimate/pacs/iocm"
	"collimate/xds"
	"collimate/xds/xdsi"
)

// An image of another patient that comes under the UID of a published study, as after a wrong worklist entry, is not taken
// in, and nobody gets it with the study.
func TestOtherPatientReceived(t *testing.T) {
	w := newWorld(t, small)
	i := w.instances()[0]
	b := readAll(t, func() (io.ReadCloser, error) { return w.folder.Open(t.Context(), i) })
	other := i.SOPInstanceUID[:len(i.SOPInstanceUID)-2] + "77"
	b = bytes.ReplaceAll(b, []byte(i.SOPInstanceUID), []byte(other))
	b = bytes.ReplaceAll(b, []byte("PHANTOM-1"), []byte("PHANTOM-2"))
	if err := w.folder.Receive(t.Context(), bytes.NewReader(b)); !errors.Is(err, pacs.ErrOtherPatient) {
		t.Errorf("it is received: %v", err)
	}
	i.SOPInstanceUID = other
	if got, err := w.images(w.patient, stored, w.image(i)); err != nil || got.status != xds.Failure || len(got.bodies) > 0 {
		t.Errorf("it is given out: %s, %v", got.status, err)
	}
}

// Of a study of which the archive says that an image names another patient nothing is given out, at once, and nothing says
// why: it looks as if the archive failed. When the image is gone the study is as before.
func TestOtherPatientListed(t *testing.T) {
	w := newWorld(t, small)
	south := newParty(t, "south")
	w.allow(south, w.chain.now().Add(time.Hour), false)
	var images []xdsi.ImagingRequest
	for _, i := range w.instances() {
		images = append(images, w.image(i))
	}
	documents := []xds.DocumentRequest{w.document(ledger.DocumentStudy), w.document(ledger.DocumentManifest)}
	ask := func() (all []answer) {
		t.Helper()
		for _, p := range []party{w.patient, south} {
			got, err := w.retrieve(p, documents...)
			w.must(err)
			pictures, err := w.images(p, stored, images...)
			w.must(err)
			all = append(all, got, pictures)
		}
		return all
	}
	given := func(when string) {
		t.Helper()
		for n, got := range ask() {
			if got.status != xds.Success {
				t.Errorf("%s: answer %d is %s, %v", when, n, got.status, got.codes)
			}
		}
	}
	given("of one patient")
	w.archive.relist = func(s *pacs.Study) { s.Series[0].Instances[0].OtherPatient = true }
	touched := w.archive.touched
	for n, got := range ask() {
		if got.status != xds.Failure || len(got.bodies) > 0 || got.codes[0] != string(xds.RepositoryError) || w.audit.last() != "archive" {
			t.Errorf("of two patients: answer %d is %s, %v, %s", n, got.status, got.codes, w.audit.last())
		}
	}
	if got := w.archive.touched - touched; got != 4 {
		t.Errorf("the archive was asked %d times, want once for each request", got)
	}
	if _, err := w.source.Publish(t.Context(), w.ticket.StudyInstanceUID); !errors.Is(err, iocm.ErrMixed) {
		t.Errorf("published again: %v", err)
	}
	w.archive.relist = nil
	given("of one patient again")
}
