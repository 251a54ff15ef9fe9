package gateway_test

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"collimate/conformance"
	"collimate/dicom"
	"collimate/gateway/catalog"
	"collimate/keys"
	"collimate/ledger"
	"collimate/soap"
	"collimate/xds"
)

// A granted requester gets the study and the manifest, byte for byte.
func TestRetrieve(t *testing.T) {
	w := newWorld(t, small)
	south := newParty(t, "south")
	w.allow(south, w.chain.now().Add(time.Hour), false)

	got, err := w.retrieve(south, w.document(ledger.DocumentStudy), w.document(ledger.DocumentManifest))
	if err != nil {
		t.Fatal(err)
	}
	if got.status != xds.Success || len(got.codes) > 0 {
		t.Fatalf("status %s, errors %v, want success", got.status, got.codes)
	}
	w.compare(got.bodies[w.ticket.Documents[ledger.DocumentStudy]])
	manifest, err := dicom.ReadHeader(bytes.NewReader(got.bodies[w.ticket.Documents[ledger.DocumentManifest]]))
	if err != nil {
		t.Fatal(err)
	}
	if uid := manifest.Text(dicom.SOPInstanceUID); uid != w.ticket.Documents[ledger.DocumentManifest] {
		t.Errorf("the manifest's SOP Instance UID is %s, want its documentUniqueId", uid)
	}

	again, err := w.retrieve(south, w.document(ledger.DocumentStudy), w.document(ledger.DocumentManifest))
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range got.bodies {
		if !bytes.Equal(again.bodies[id], want) {
			t.Errorf("document %s has other bytes the second time", id)
		}
	}
}

// The owner's own key opens the study without a grant.
func TestOwnerRetrieves(t *testing.T) {
	w := newWorld(t, small)
	got, err := w.retrieve(w.patient, w.document(ledger.DocumentManifest))
	if err != nil || got.status != xds.Success {
		t.Fatalf("status %q, %v, want success", got.status, err)
	}
}

// compare holds a ZIP against the archive, instance by instance.
func (w *world) compare(zipped []byte) {
	w.t.Helper()
	z, err := zip.NewReader(bytes.NewReader(zipped), int64(len(zipped)))
	if err != nil {
		w.t.Fatal(err)
	}
	got := map[string][]byte{}
	for _, f := range z.File {
		if !strings.HasPrefix(f.Name, "DICOM/") || f.FileInfo().IsDir() {
			continue
		}
		raw := readAll(w.t, f.Open)
		header, err := dicom.ReadHeader(bytes.NewReader(raw))
		if err != nil {
			w.t.Fatalf("%s: %v", f.Name, err)
		}
		got[header.Text(dicom.SOPInstanceUID)] = raw
	}
	study, err := w.archive.Study(context.Background(), w.ticket.StudyInstanceUID)
	if err != nil {
		w.t.Fatal(err)
	}
	n := 0
	for _, series := range study.Series {
		for _, i := range series.Instances {
			n++
			want := readAll(w.t, func() (io.ReadCloser, error) { return w.archive.Archive.Open(context.Background(), i) })
			if !bytes.Equal(got[i.SOPInstanceUID], want) {
				w.t.Errorf("instance %d differs from the archive", n)
			}
		}
	}
	if n == 0 || len(got) != n {
		w.t.Errorf("%d instances arrived, the archive holds %d", len(got), n)
	}
}

func readAll(t testing.TB, open func() (io.ReadCloser, error)) []byte {
	t.Helper()
	r, err := open()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Each of the four checks refuses by itself: everything else about the request is right.
func TestChecks(t *testing.T) {
	south := newParty(t, "south")
	tests := []struct {
		name   string
		break_ func(w *world, r *xds.DocumentRequest) (asks party)
		code   xds.ErrorCode
		reason string // in the audit trail
	}{
		{"another key signs", func(*world, *xds.DocumentRequest) party { return newParty(t, "stranger") }, xds.DocumentUniqueIDError, "no-grant"},
		{"foreign repository", func(w *world, r *xds.DocumentRequest) party {
			r.RepositoryUniqueID = keys.ID{9}.Alias()
			return south
		}, xds.UnknownRepositoryID, "unknown-repository"},
		{"repository of another source", func(w *world, r *xds.DocumentRequest) party {
			r.RepositoryUniqueID = w.otherSource().Alias()
			return south
		}, xds.UnknownRepositoryID, "unknown-repository"},
		{"unknown document", func(w *world, r *xds.DocumentRequest) party {
			r.DocumentUniqueID = keys.ID{9}.Alias()
			return south
		}, xds.DocumentUniqueIDError, "unknown-document"},
		{"study of another source", func(w *world, r *xds.DocumentRequest) party {
			r.DocumentUniqueID = w.foreignStudy(south)
			return south
		}, xds.DocumentUniqueIDError, "other-source"},
		{"study that is not on the ledger", func(w *world, r *xds.DocumentRequest) party {
			s := catalog.Study{StudyInstanceUID: "1.2.3", Salt: [32]byte{1}, StudyID: ledger.StudyID{5}}
			w.must(w.catalog.PutStudy(s, map[string]ledger.DocumentKind{"1.2.3.4": ledger.DocumentStudy}))
			r.DocumentUniqueID = "1.2.3.4"
			return south
		}, xds.DocumentUniqueIDError, "unknown-study"},
		{"no grant", func(w *world, r *xds.DocumentRequest) party { return newParty(w.t, "other") }, xds.DocumentUniqueIDError, "no-grant"},
		{"grant to another key", func(w *world, r *xds.DocumentRequest) party {
			w.allow(newParty(t, "third"), w.chain.now().Add(time.Hour), false)
			return newParty(t, "fourth")
		}, xds.DocumentUniqueIDError, "no-grant"},
		{"grant whose opening the source has not got", func(w *world, r *xds.DocumentRequest) party {
			quiet := newParty(t, "quiet")
			w.allow(quiet, w.chain.now().Add(time.Hour), true)
			return quiet
		}, xds.DocumentUniqueIDError, "no-grant"},
		{"expired grant", func(w *world, r *xds.DocumentRequest) party {
			late := newParty(t, "late")
			w.allow(late, w.chain.now().Add(time.Minute), false)
			w.chain.pass(61 * time.Second)
			return late
		}, xds.DocumentUniqueIDError, "expired"},
		{"revoked grant", func(w *world, r *xds.DocumentRequest) party {
			former := newParty(t, "former")
			c := w.allow(former, w.chain.now().Add(time.Hour), false)
			w.chain.sign(w.patient.key, ledger.RevokeAccess{Study: w.ticket.StudyID, Epoch: w.epoch(), Commitment: c})
			return former
		}, xds.DocumentUniqueIDError, "revoked"},
		{"revocation seen and not final", func(w *world, r *xds.DocumentRequest) party {
			former := newParty(t, "former")
			w.chain.see(w.allow(former, w.chain.now().Add(time.Hour), false))
			return former
		}, xds.DocumentUniqueIDError, "revoked-seen"},
		{"grant of an earlier owner", func(w *world, r *xds.DocumentRequest) party {
			heir := newParty(t, "heir")
			w.chain.sign(w.patient.key, ledger.TransferStudy{Study: w.ticket.StudyID, Epoch: w.epoch(), NewOwner: keys.Owner{ID: heir.id}})
			return south
		}, xds.DocumentUniqueIDError, "earlier-owner"},
		{"the chain stands still", func(w *world, r *xds.DocumentRequest) party {
			w.chain.stop()
			return south
		}, xds.RepositoryBusy, "stale"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, small)
			w.allow(south, w.chain.now().Add(time.Hour), false)
			request := w.document(ledger.DocumentStudy)
			if got, err := w.retrieve(south, request); err != nil || got.status != xds.Success {
				t.Fatalf("before anything is broken: status %q, %v", got.status, err)
			}
			asks := test.break_(w, &request)
			w.archive.opened = 0
			got, err := w.retrieve(asks, request)
			if err != nil {
				t.Fatal(err)
			}
			if got.status != xds.Failure || len(got.codes) != 1 || got.codes[0] != string(test.code) {
				t.Errorf("status %s, errors %v, want failure with %s", got.status, got.codes, test.code)
			}
			if w.archive.opened > 0 {
				t.Error("the archive was opened for a refused request")
			}
			if reason := w.audit.last(); reason != test.reason {
				t.Errorf("the audit trail says %q, want %q", reason, test.reason)
			}
		})
	}
}

// The first check: whatever is wrong about a signature ends in a fault, and leaves a trace.
func TestSignatures(t *testing.T) {
	w := newWorld(t, small)
	south := newParty(t, "south")
	w.allow(south, w.chain.now().Add(time.Hour), false)
	request := conformance.DocumentRef{RepositoryUniqueID: w.ticket.RepositoryUniqueID, DocumentUniqueID: w.ticket.Documents[ledger.DocumentManifest]}
	for _, breakage := range []conformance.Breakage{
		conformance.Whole,
		conformance.TamperedBody, conformance.OtherKey, conformance.UnsignedBody, conformance.UnsignedTimestamp, conformance.UnsignedTo,
		conformance.UnsignedAction, conformance.UnsignedMessageID, conformance.UnsignedReplyTo, conformance.NoTimestamp,
		conformance.ExpiredTimestamp, conformance.FutureTimestamp, conformance.StaleTimestamp, conformance.WrongTo, conformance.DuplicateID,
		conformance.WrappedBody, conformance.NoSignature, conformance.SHA1, conformance.SharedSecret, conformance.ExpiredCertificate,
	} {
		t.Run("breakage "+string(breakage), func(t *testing.T) {
			consumer := w.signing(south, breakage)
			answer, err := consumer.Retrieve(context.Background(), w.url, request)
			if breakage == conformance.Whole {
				if err != nil || answer.Status != conformance.StatusSuccess {
					t.Fatalf("the unbroken request: %v", err)
				}
				return
			}
			var fault *conformance.Fault
			if !errors.As(err, &fault) {
				t.Fatalf("got %v, want a SOAP fault", err)
			}
			if leak := contains(fault.Error(), w.ticket.StudyInstanceUID, w.ticket.StudyID.String(), "Phantom"); leak != "" {
				t.Errorf("the fault tells %q", leak)
			}
			if w.audit.last() == "" {
				t.Error("the audit trail does not say why")
			}
		})
	}
}

// Without a client certificate, or in a connection without TLS, nobody is let as far as the signature.
func TestClientCertificateRequired(t *testing.T) {
	w := newWorld(t, small)
	south := newParty(t, "south")
	w.allow(south, w.chain.now().Add(time.Hour), false)
	client := w.client(south)
	client.SOAP.HTTP = pinnedWithout(w.north.id)
	_, err := client.Retrieve(context.Background(), w.url, []xds.DocumentRequest{w.document(ledger.DocumentStudy)})
	var fault *soap.RemoteFault
	if !errors.As(err, &fault) {
		t.Fatalf("got %v, want a fault", err)
	}
}

// Some documents may be had and some not: PartialSuccess, each refused one with its own error.
func TestPartialSuccess(t *testing.T) {
	w := newWorld(t, small)
	south := newParty(t, "south")
	w.allow(south, w.chain.now().Add(time.Hour), false)
	unknown := xds.DocumentRequest{RepositoryUniqueID: w.ticket.RepositoryUniqueID, DocumentUniqueID: "1.2.3"}
	foreign := xds.DocumentRequest{RepositoryUniqueID: "1.2.3", DocumentUniqueID: w.ticket.Documents[ledger.DocumentStudy]}
	got, err := w.retrieve(south, unknown, w.document(ledger.DocumentManifest), foreign)
	if err != nil {
		t.Fatal(err)
	}
	if got.status != xds.PartialSuccess || len(got.bodies) != 1 || strings.Join(got.codes, " ") != "XDSDocumentUniqueIdError XDSUnknownRepositoryId" {
		t.Errorf("status %s, %d documents, errors %v", got.status, len(got.bodies), got.codes)
	}
}

// What cannot be audited is not released.
func TestAuditFailsClosed(t *testing.T) {
	w := newWorld(t, small)
	south := newParty(t, "south")
	w.allow(south, w.chain.now().Add(time.Hour), false)
	w.audit.broken = errors.New("disk full")
	got, err := w.retrieve(south, w.document(ledger.DocumentStudy))
	if err != nil {
		t.Fatal(err)
	}
	if got.status != xds.Failure || len(got.bodies) > 0 || got.codes[0] != string(xds.RepositoryError) {
		t.Errorf("status %s, %d documents, errors %v, want failure", got.status, len(got.bodies), got.codes)
	}
}

// An archive that breaks off in the middle is a visible cut for the requester, never a short document.
func TestAbort(t *testing.T) {
	w := newWorld(t, small)
	south := newParty(t, "south")
	w.allow(south, w.chain.now().Add(time.Hour), false)
	w.archive.breakAt = 3
	if got, err := w.retrieve(south, w.document(ledger.DocumentStudy)); err == nil {
		t.Fatalf("a cut study arrived with status %s and without an error", got.status)
	}
}

// A revocation in the middle of a long answer holds back the documents whose turn has not come.
func TestRevokedWhileStreaming(t *testing.T) {
	w := newWorld(t, small)
	south := newParty(t, "south")
	c := w.allow(south, w.chain.now().Add(time.Hour), false)
	w.archive.onOpened = func(n int) {
		if n == 1 {
			w.chain.see(c)
		}
	}
	got, err := w.retrieve(south, w.document(ledger.DocumentStudy), w.document(ledger.DocumentManifest))
	if err == nil {
		t.Fatalf("both documents arrived: %s", got.status)
	}
	if _, ok := got.bodies[w.ticket.Documents[ledger.DocumentManifest]]; ok {
		t.Error("the second document arrived after the revocation")
	}
}
