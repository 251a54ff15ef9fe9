package gateway_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"collimate/dicom"
	"collimate/gateway"
	"collimate/gateway/catalog"
	"collimate/keys"
	"collimate/ledger"
	"collimate/pacs"
	"collimate/soap"
	"collimate/soap/wss"
	"collimate/xds"
	"collimate/xds/xdsi"
)

// instances lists what the archive has of the published study.
func (w *world) instances() []pacs.Instance {
	w.t.Helper()
	study, err := w.archive.Archive.Study(context.Background(), w.ticket.StudyInstanceUID)
	w.must(err)
	var all []pacs.Instance
	for _, s := range study.Series {
		all = append(all, s.Instances...)
	}
	return all
}

// image asks for an instance as the manifest names it.
func (w *world) image(i pacs.Instance) xdsi.ImagingRequest {
	return xdsi.ImagingRequest{
		StudyInstanceUID: i.StudyInstanceUID, SeriesInstanceUID: i.SeriesInstanceUID,
		DocumentRequest: xds.DocumentRequest{RepositoryUniqueID: w.ticket.RepositoryUniqueID, DocumentUniqueID: i.SOPInstanceUID},
	}
}

// images asks for instances, signed by p.
func (w *world) images(p party, syntaxes []string, requests ...xdsi.ImagingRequest) (answer, error) {
	w.t.Helper()
	client := xdsi.Client{SOAP: w.client(p).SOAP}
	return read(client.RetrieveImages(context.Background(), w.at(gateway.PathImaging), requests, syntaxes))
}

// at is where the source answers.
func (w *world) at(path string) string {
	return strings.TrimSuffix(w.url, gateway.PathRepository) + path
}

var stored = []string{dicom.ExplicitVRLittleEndian}

// A granted requester gets instances as they are stored, in the order asked, as often as asked.
func TestImages(t *testing.T) {
	w := newWorld(t, small)
	south := newParty(t, "south")
	w.allow(south, w.chain.now().Add(time.Hour), false)
	all := w.instances()
	slices.Reverse(all)
	all = append(all, all[0])
	var requests []xdsi.ImagingRequest
	for _, i := range all {
		requests = append(requests, w.image(i))
	}
	client := xdsi.Client{SOAP: w.client(south).SOAP}
	r, err := client.RetrieveImages(t.Context(), w.at(gateway.PathImaging), requests, []string{dicom.RLELossless, dicom.ExplicitVRLittleEndian})
	w.must(err)
	defer r.Close()
	if r.Status() != xds.Success || len(r.Documents) != len(all) {
		t.Fatalf("status %s with %d documents, want %d", r.Status(), len(r.Documents), len(all))
	}
	for n := range all {
		index, content, err := r.Content.Next()
		w.must(err)
		var got bytes.Buffer
		_, err = content.WriteTo(&got)
		w.must(err)
		if d := r.Documents[index]; index != n || d.DocumentUniqueID != all[n].SOPInstanceUID || d.MimeType != "application/dicom" || d.NewDocumentUniqueID != "" {
			t.Errorf("document %d is %d: %s, %s", n, index, d.MimeType, d.NewDocumentUniqueID)
		}
		want := readAll(t, func() (io.ReadCloser, error) { return w.archive.Archive.Open(context.Background(), all[n]) })
		if !bytes.Equal(got.Bytes(), want) {
			t.Errorf("instance %d differs from the archive", n)
		}
	}
	if _, _, err := r.Content.Next(); err != io.EOF {
		t.Errorf("after the last: %v", err)
	}
	m := w.audit.messages[len(w.audit.messages)-1]
	if m.Event.Value != "110104" || m.Type.Value != "RAD-69" || m.Outcome != 0 || len(m.Objects) != 2 || m.Objects[0].ID != w.ticket.StudyInstanceUID {
		t.Errorf("the audit trail has %+v", m)
	}
}

// Of instances that can be given and some that cannot, the first come, in a transfer syntax that was asked for.
func TestImagesInPart(t *testing.T) {
	w := newWorld(t, small)
	south := newParty(t, "south")
	w.allow(south, w.chain.now().Add(time.Hour), false)
	all := w.instances()
	other := all[len(all)-1]
	if other.SeriesInstanceUID == all[0].SeriesInstanceUID {
		t.Fatal("the study has one series: this test sees nothing")
	}
	wrongSeries := w.image(all[0])
	wrongSeries.SeriesInstanceUID = other.SeriesInstanceUID
	wrongStudy := w.image(all[1])
	wrongStudy.StudyInstanceUID = "1.2.3"
	unknown := w.image(all[2])
	unknown.DocumentUniqueID = "1.2.3"
	foreign := w.image(all[3])
	foreign.RepositoryUniqueID = "1.2.3"

	got, err := w.images(south, []string{dicom.DeflatedExplicitVRLittleEndian}, wrongSeries, wrongStudy, unknown, foreign, w.image(other))
	w.must(err)
	want := []string{"XDSDocumentUniqueIdError", "XDSDocumentUniqueIdError", "XDSDocumentUniqueIdError", "XDSUnknownRepositoryId"}
	if got.status != xds.PartialSuccess || len(got.bodies) != 1 || !slices.Equal(got.codes, want) {
		t.Errorf("status %s, %d documents, errors %v", got.status, len(got.bodies), got.codes)
	}
	header, err := dicom.ReadHeader(bytes.NewReader(got.bodies[other.SOPInstanceUID]))
	if err != nil || header.TransferSyntaxUID != dicom.DeflatedExplicitVRLittleEndian || header.Text(dicom.SOPInstanceUID) != other.SOPInstanceUID {
		t.Errorf("got %+v, %v, want the instance, deflated", header, err)
	}

	got, err = w.images(south, []string{"1.2.840.10008.1.2.4.90"}, w.image(other))
	if err != nil || got.status != xds.Failure || !slices.Equal(got.codes, []string{string(xdsi.TransferSyntaxError)}) {
		t.Errorf("JPEG 2000: status %s, errors %v, %v", got.status, got.codes, err)
	}
}

// Each of the four checks refuses by itself, for images as for documents, and the archive is not even asked.
func TestImageChecks(t *testing.T) {
	south := newParty(t, "south")
	tests := []struct {
		name   string
		break_ func(w *world, r *xdsi.ImagingRequest) (asks party)
		code   xds.ErrorCode
		reason string
	}{
		{"another key signs", func(w *world, _ *xdsi.ImagingRequest) party { return newParty(w.t, "stranger") }, xds.DocumentUniqueIDError, "no-grant"},
		{"foreign repository", func(_ *world, r *xdsi.ImagingRequest) party {
			r.RepositoryUniqueID = keys.ID{9}.Alias()
			return south
		}, xds.UnknownRepositoryID, "unknown-repository"},
		{"repository of another source", func(w *world, r *xdsi.ImagingRequest) party {
			r.RepositoryUniqueID = w.otherSource().Alias()
			return south
		}, xds.UnknownRepositoryID, "unknown-repository"},
		{"study that is not published", func(w *world, r *xdsi.ImagingRequest) party {
			w.must(w.catalog.Erase(context.Background(), w.ticket.StudyInstanceUID))
			return south
		}, xds.DocumentUniqueIDError, "unknown-document"},
		{"study of another source", func(w *world, r *xdsi.ImagingRequest) party {
			w.foreignStudy(south)
			return south
		}, xds.DocumentUniqueIDError, "other-source"},
		{"study that is not on the ledger", func(w *world, r *xdsi.ImagingRequest) party {
			w.must(w.catalog.PutStudy(catalog.Study{StudyInstanceUID: w.ticket.StudyInstanceUID, StudyID: ledger.StudyID{5}}, nil))
			return south
		}, xds.DocumentUniqueIDError, "unknown-study"},
		{"grant for reports", func(w *world, r *xdsi.ImagingRequest) party {
			clerk := newParty(w.t, "clerk")
			w.allowScope(clerk, ledger.ScopeReports|ledger.ScopeFind)
			return clerk
		}, xds.DocumentUniqueIDError, "out-of-scope"},
		{"expired grant", func(w *world, r *xdsi.ImagingRequest) party {
			late := newParty(w.t, "late")
			w.allow(late, w.chain.now().Add(time.Minute), false)
			w.chain.pass(61 * time.Second)
			return late
		}, xds.DocumentUniqueIDError, "expired"},
		{"revocation seen and not final", func(w *world, r *xdsi.ImagingRequest) party {
			former := newParty(w.t, "former")
			w.chain.see(w.allow(former, w.chain.now().Add(time.Hour), false))
			return former
		}, xds.DocumentUniqueIDError, "revoked-seen"},
		{"held study", func(w *world, r *xdsi.ImagingRequest) party {
			w.must(w.source.Hold(context.Background(), w.ticket.StudyInstanceUID, true))
			return south
		}, xds.DocumentUniqueIDError, "held"},
		{"withdrawn study", func(w *world, r *xdsi.ImagingRequest) party {
			w.must(w.source.Withdraw(context.Background(), w.ticket.StudyInstanceUID))
			return south
		}, xds.DocumentUniqueIDError, "withdrawn"},
		{"the source's own system, without a grant", func(w *world, r *xdsi.ImagingRequest) party { return w.ehr }, xds.DocumentUniqueIDError, "no-grant"},
		{"the chain stands still", func(w *world, r *xdsi.ImagingRequest) party {
			w.chain.stop()
			return south
		}, xds.RepositoryBusy, "stale"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, small)
			w.allow(south, w.chain.now().Add(time.Hour), false)
			request := w.image(w.instances()[0])
			if got, err := w.images(south, stored, request); err != nil || got.status != xds.Success {
				t.Fatalf("before anything is broken: status %q, %v", got.status, err)
			}
			asks := test.break_(w, &request)
			w.archive.touched = 0
			got, err := w.images(asks, stored, request)
			w.must(err)
			if got.status != xds.Failure || !slices.Equal(got.codes, []string{string(test.code)}) {
				t.Errorf("status %s, errors %v, want failure with %s", got.status, got.codes, test.code)
			}
			if w.archive.touched > 0 {
				t.Error("the archive was asked for a refused request")
			}
			if reason := w.audit.last(); reason != test.reason {
				t.Errorf("the audit trail says %q, want %q", reason, test.reason)
			}
		})
	}
}

// The first check: a request that nobody signed, or that was changed on the way, ends in a fault.
func TestImageSignatures(t *testing.T) {
	w := newWorld(t, small)
	south := newParty(t, "south")
	w.allow(south, w.chain.now().Add(time.Hour), false)
	request := []xdsi.ImagingRequest{w.image(w.instances()[0])}
	signer, err := wss.NewSigner(south.key, south.cert, w.chain.now, rand.Reader)
	w.must(err)
	tampered := &http.Client{Transport: tamper{gateway.PinnedClient(south.tls(), w.north.id).Transport, w.instances()[0].SOPInstanceUID}}
	for name, client := range map[string]*soap.Client{
		"unsigned":              {HTTP: gateway.PinnedClient(south.tls(), w.north.id)},
		"without a certificate": {HTTP: pinnedWithout(w.north.id), Signer: signer},
		"changed":               {HTTP: tampered, Signer: signer},
	} {
		w.archive.touched = 0
		_, err := (&xdsi.Client{SOAP: client}).RetrieveImages(t.Context(), w.at(gateway.PathImaging), request, stored)
		var fault *soap.RemoteFault
		if !errors.As(err, &fault) || w.archive.touched > 0 {
			t.Errorf("%s: %v, want a fault", name, err)
		}
	}
}

// tamper changes a text in each request.
type tamper struct {
	http.RoundTripper
	text string
}

func (c tamper) RoundTrip(r *http.Request) (*http.Response, error) {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	b = bytes.ReplaceAll(b, []byte(c.text), []byte(c.text[:len(c.text)-1]+"0"))
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(b)), int64(len(b))
	return c.RoundTripper.RoundTrip(r)
}

// recorder keeps what a server answers, less what differs from message to message.
type recorder struct {
	http.RoundTripper
	answer *string
}

var ofMessage = regexp.MustCompile(`urn:uuid:[0-9a-f-]{36}|boundary="[^"]*"|--[0-9A-Za-z'()+_,./:=?-]{16,}|<[0-9a-f]{8,}@[^>]*>|start="[^"]*"|Content-ID: <[^>]*>`)

func (c recorder) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := c.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	response.Body.Close()
	response.Body = io.NopCloser(bytes.NewReader(b))
	var all strings.Builder
	all.WriteString(response.Status + "\n")
	response.Header.Del("Date")
	response.Header.Write(&all)
	all.Write(b)
	*c.answer = ofMessage.ReplaceAllString(all.String(), "*")
	return response, nil
}

// recording returns a client whose last answer can be looked at.
func (w *world) recording(p party) (*soap.Client, *string) {
	client, answer := *w.client(p).SOAP, new(string)
	client.HTTP = &http.Client{Transport: recorder{client.HTTP.Transport, answer}}
	return &client, answer
}

// Who knows real UIDs and has no grant learns nothing from RAD-69: the answer is, byte for byte, that to UIDs that nobody
// has ever used.
func TestImagesDeniedLooksAbsent(t *testing.T) {
	w := newWorld(t, small)
	real := w.image(w.instances()[0])
	madeUp := func(uid string) string { return uid[:len(uid)-6] + "424242" }
	absent := real
	absent.StudyInstanceUID, absent.SeriesInstanceUID, absent.DocumentUniqueID = madeUp(real.StudyInstanceUID), madeUp(real.SeriesInstanceUID), madeUp(real.DocumentUniqueID)
	inRealStudy := real
	inRealStudy.DocumentUniqueID = madeUp(real.DocumentUniqueID)
	mixed := real
	mixed.StudyInstanceUID = madeUp(real.StudyInstanceUID)

	stranger := newParty(t, "stranger")
	client, raw := w.recording(stranger)
	asked := func(r xdsi.ImagingRequest) string {
		t.Helper()
		got, err := read((&xdsi.Client{SOAP: client}).RetrieveImages(t.Context(), w.at(gateway.PathImaging), []xdsi.ImagingRequest{r}, stored))
		w.must(err)
		if got.status != xds.Failure {
			t.Fatalf("a stranger gets %s", got.status)
		}
		for _, uid := range []string{r.StudyInstanceUID, r.SeriesInstanceUID} {
			if strings.Contains(*raw, uid) {
				t.Error("the answer has a UID in it that XDS does not ask for")
			}
		}
		return strings.ReplaceAll(*raw, r.DocumentUniqueID, "UID")
	}
	want := asked(absent)
	if !strings.Contains(want, "UID") || !strings.Contains(want, "XDSDocumentUniqueIdError") {
		t.Fatalf("this test sees nothing in %s", want)
	}
	for name, r := range map[string]xdsi.ImagingRequest{"denied": real, "no such instance": inRealStudy, "no such study": mixed} {
		if got := asked(r); got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
		}
	}
}

// A revocation in the middle of an answer holds back the instances whose turn has not come.
func TestImagesRevokedWhileStreaming(t *testing.T) {
	w := newWorld(t, small)
	south := newParty(t, "south")
	granted := w.allow(south, w.chain.now().Add(time.Hour), false)
	var requests []xdsi.ImagingRequest
	for _, i := range w.instances() {
		requests = append(requests, w.image(i))
	}
	w.archive.onOpened = func(int) { w.chain.see(granted) }
	got, err := w.images(south, stored, requests...)
	if err == nil || len(got.bodies) > 1 {
		t.Errorf("%d instances arrived after the revocation, %v", len(got.bodies), err)
	}
}

// An instance that breaks off is a visible cut, never a short document or a document less.
func TestImagesBreakOff(t *testing.T) {
	w := newWorld(t, small)
	var requests []xdsi.ImagingRequest
	for _, i := range w.instances() {
		requests = append(requests, w.image(i))
	}
	w.archive.breakAt = 3
	if got, err := w.images(w.patient, stored, requests...); err == nil || len(got.bodies) != 2 {
		t.Errorf("%d of %d instances, %v", len(got.bodies), len(requests), err)
	}
}

// The organisation's own systems need not sign, and get nothing by that of what is on the ledger: a TLS certificate is
// evidence of the least tier, for RAD-69, ITI-43 and ITI-18 alike.
func TestWeakEvidence(t *testing.T) {
	w := newWorld(t, small)
	w.allow(w.ehr, w.chain.now().Add(time.Hour), false)
	image := []xdsi.ImagingRequest{w.image(w.instances()[0])}
	document := []xds.DocumentRequest{w.document(ledger.DocumentManifest)}
	for name, client := range map[string]*xds.Client{"signed": w.client(w.ehr), "unsigned": w.plain(w.ehr)} {
		want := map[string]xds.Status{"signed": xds.Success, "unsigned": xds.Failure}[name]
		got, err := read((&xdsi.Client{SOAP: client.SOAP}).RetrieveImages(t.Context(), w.at(gateway.PathImaging), image, stored))
		if err != nil || got.status != want || want == xds.Failure && w.audit.last() != "tier" {
			t.Errorf("%s RAD-69: %s, %v", name, got.status, err)
		}
		got, err = read(client.Retrieve(t.Context(), w.url, document))
		if err != nil || got.status != want {
			t.Errorf("%s ITI-43: %s, %v", name, got.status, err)
		}
	}
}

// What cannot be audited is not released.
func TestImagesAuditFailsClosed(t *testing.T) {
	w := newWorld(t, small)
	w.audit.broken = errors.New("disk full")
	got, err := w.images(w.patient, stored, w.image(w.instances()[0]))
	if err != nil || got.status != xds.Failure || len(got.bodies) > 0 || got.codes[0] != string(xds.RepositoryError) {
		t.Errorf("status %s, errors %v, %v", got.status, got.codes, err)
	}
}
