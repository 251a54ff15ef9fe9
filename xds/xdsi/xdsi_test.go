package xdsi

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"collimate/soap"
	"collimate/soap/mtom"
	"collimate/xds"
	"collimate/xds/metadata"
	"collimate/xmlsec"
	"collimate/xua"
)

const (
	location = "1.2.276.1" // Retrieve Location UID
	implicit = "1.2.840.10008.1.2"
	explicit = "1.2.840.10008.1.2.1"
	jpeg     = "1.2.840.10008.1.2.4.70"
)

// archive is an ImageSource in memory: images by study, series and instance. It has each in the transfer syntaxes that
// it lists, and writes into an image which one it is in.
type archive struct {
	images    map[[3]string]string
	syntaxes  []string
	locations []string
	asked     []ImagingRequest // the last request
	listed    []string
	caller    xua.Caller
}

func (a *archive) RetrieveImages(_ context.Context, caller xua.Caller, requests []ImagingRequest, transferSyntaxes []string) (*xds.RetrieveResponse, error) {
	a.asked, a.listed, a.caller = requests, transferSyntaxes, caller
	r, c := &xds.RetrieveResponse{}, &content{}
	for _, q := range requests {
		image, ok := a.images[[3]string{q.StudyInstanceUID, q.SeriesInstanceUID, q.DocumentUniqueID}]
		i := slices.IndexFunc(transferSyntaxes, func(s string) bool { return slices.Contains(a.syntaxes, s) })
		code := xds.ErrorCode("")
		switch {
		case !slices.Contains(a.locations, q.RepositoryUniqueID):
			code = xds.UnknownRepositoryID
		case !ok:
			code = xds.DocumentUniqueIDError
		case i < 0:
			code = TransferSyntaxError
		}
		if code != "" {
			r.Errors = append(r.Errors, &xds.Error{Code: code, Location: q.DocumentUniqueID})
			continue
		}
		image += " in " + transferSyntaxes[i]
		r.Documents = append(r.Documents, xds.Document{DocumentRequest: q.DocumentRequest, MimeType: "application/dicom", Size: int64(len(image))})
		c.bodies = append(c.bodies, image)
	}
	r.Content = c
	return r, nil
}

type content struct {
	bodies []string
	next   int
}

func (c *content) Next() (int, io.WriterTo, error) {
	if c.next == len(c.bodies) {
		return 0, nil, io.EOF
	}
	c.next++
	return c.next - 1, strings.NewReader(c.bodies[c.next-1]), nil
}

func (c *content) Close() error { return nil }

func ask(study, series, instance string) ImagingRequest {
	return ImagingRequest{study, series, xds.DocumentRequest{RepositoryUniqueID: location, DocumentUniqueID: instance}}
}

// newArchive has a study 1.1 with series 1.1.1 and 1.1.2 of two images each, 1.1.1.1 and so on.
func newArchive() *archive {
	a := &archive{images: map[[3]string]string{}, syntaxes: []string{implicit, explicit}, locations: []string{location}}
	for _, series := range []string{"1.1.1", "1.1.2"} {
		for _, n := range []string{".1", ".2"} {
			a.images[[3]string{"1.1", series, series + n}] = series + n
		}
	}
	return a
}

// serve starts an Imaging Document Source.
func serve(t testing.TB, source ImageSource) (*Client, string) {
	t.Helper()
	server := httptest.NewServer(NewHandler(source, func(context.Context, *soap.Request) (xua.Caller, error) {
		return xua.Caller{Tier: xua.TierC, Name: "somebody"}, nil
	}, xds.Options{}))
	t.Cleanup(server.Close)
	return &Client{SOAP: &soap.Client{}}, server.URL
}

// outcome reads an answer to its end: the images in their order, then the errors.
func outcome(r *xds.RetrieveResponse) string {
	defer r.Close()
	var s []string
	for r.Content != nil {
		i, from, err := r.Content.Next()
		if err == io.EOF {
			break
		}
		var b bytes.Buffer
		if err == nil {
			_, err = from.WriteTo(&b)
		}
		if err != nil {
			return err.Error()
		}
		s = append(s, fmt.Sprintf("%d: %s", i, &b))
	}
	for _, e := range r.Errors {
		s = append(s, string(e.Code)+" at "+e.Location)
	}
	return strings.Join(s, ", ")
}

func TestRetrieveImages(t *testing.T) {
	both := []string{explicit, implicit}
	for _, test := range []struct {
		name     string
		requests []ImagingRequest
		syntaxes []string
		want     string
	}{
		{"one", []ImagingRequest{ask("1.1", "1.1.1", "1.1.1.1")}, both, "0: 1.1.1.1 in " + explicit},
		{"in the order asked", []ImagingRequest{ask("1.1", "1.1.2", "1.1.2.2"), ask("1.1", "1.1.1", "1.1.1.1"), ask("1.1", "1.1.2", "1.1.2.1")}, []string{implicit},
			"0: 1.1.2.2 in " + implicit + ", 1: 1.1.1.1 in " + implicit + ", 2: 1.1.2.1 in " + implicit},
		{"the same twice", []ImagingRequest{ask("1.1", "1.1.1", "1.1.1.1"), ask("1.1", "1.1.1", "1.1.1.1")}, []string{jpeg, implicit},
			"0: 1.1.1.1 in " + implicit + ", 1: 1.1.1.1 in " + implicit},
		{"one unknown", []ImagingRequest{ask("1.1", "1.1.1", "1.1.1.9"), ask("1.1", "1.1.1", "1.1.1.2")}, both,
			"0: 1.1.1.2 in " + explicit + ", XDSDocumentUniqueIdError at 1.1.1.9"},
		{"in another series", []ImagingRequest{ask("1.1", "1.1.2", "1.1.1.1")}, both, "XDSDocumentUniqueIdError at 1.1.1.1"},
		{"in another study", []ImagingRequest{ask("1.2", "1.1.1", "1.1.1.1")}, both, "XDSDocumentUniqueIdError at 1.1.1.1"},
		{"once in the right series and once in another", []ImagingRequest{ask("1.1", "1.1.2", "1.1.1.1"), ask("1.1", "1.1.1", "1.1.1.1")}, both,
			"0: 1.1.1.1 in " + explicit + ", XDSDocumentUniqueIdError at 1.1.1.1"},
		{"transfer syntax that is not to be had", []ImagingRequest{ask("1.1", "1.1.1", "1.1.1.1")}, []string{jpeg}, "urn:dicom:wado:0007 at 1.1.1.1"},
	} {
		a := newArchive()
		client, url := serve(t, a)
		response, err := client.RetrieveImages(t.Context(), url, test.requests, test.syntaxes)
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		if got := outcome(response); got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
		if !slices.Equal(a.asked, test.requests) || !slices.Equal(a.listed, test.syntaxes) || a.caller.Name != "somebody" {
			t.Errorf("%s: the source was asked for %v in %v by %+v", test.name, a.asked, a.listed, a.caller)
		}
	}
	client, url := serve(t, newArchive())
	for name, bad := range map[string]ImagingRequest{
		"no study": ask("", "1.1.1", "1.1.1.1"), "no series": ask("1.1", "", "1.1.1.1"), "no image": ask("1.1", "1.1.1", "x"), "no UID": ask("1.1^x", "1.1.1", "1.1"),
	} {
		if _, err := client.RetrieveImages(t.Context(), url, []ImagingRequest{bad}, both); err == nil {
			t.Errorf("%s: what nobody can answer is sent", name)
		}
	}
	if _, err := client.RetrieveImages(t.Context(), url, []ImagingRequest{ask("1.1", "1.1.1", "1.1.1.1")}, nil); err == nil {
		t.Error("no transfer syntax: what nobody can answer is sent")
	}
}

// A study of the largest kind in one request.
func TestMaxImages(t *testing.T) {
	a := newArchive()
	var requests []ImagingRequest
	for i := range maxImages {
		uid := fmt.Sprintf("1.2.826.0.1.3680043.8.1055.1.20111102150758591.92402465.76095170.%d", i)[:64-6] + fmt.Sprintf(".%05d", i)
		a.images[[3]string{"1.1", "1.1.1", uid}] = "x"
		requests = append(requests, ask("1.1", "1.1.1", uid))
	}
	client, url := serve(t, a)
	response, err := client.RetrieveImages(t.Context(), url, requests, []string{explicit})
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(outcome(response), "x in "+explicit); got != maxImages {
		t.Errorf("%d images came, want %d", got, maxImages)
	}
	if _, err = client.RetrieveImages(t.Context(), url, append(requests, requests[0]), []string{explicit}); err == nil {
		t.Error("one image more is sent")
	}
	for i := range requests { // none is there, and each is told so
		requests[i].StudyInstanceUID = "1.9"
	}
	if response, err = client.RetrieveImages(t.Context(), url, requests, []string{explicit}); err != nil || len(response.Errors) != maxImages {
		t.Errorf("error %v, or not an error for each image", err)
	}
}

// request returns a RetrieveImagingDocumentSetRequest.
func request(inside string, syntaxes ...string) string {
	s := `<r:RetrieveImagingDocumentSetRequest xmlns:r="` + xds.NSXDSI + `" xmlns:d="` + xds.NSXDSb + `">` + inside
	if syntaxes != nil {
		s += `<r:TransferSyntaxUIDList>`
		for _, uid := range syntaxes {
			s += `<r:TransferSyntaxUID>` + uid + `</r:TransferSyntaxUID>`
		}
		s += `</r:TransferSyntaxUIDList>`
	}
	return s + `</r:RetrieveImagingDocumentSetRequest>`
}

func study(uid, inside string) string {
	return `<r:StudyRequest studyInstanceUID="` + uid + `">` + inside + `</r:StudyRequest>`
}

func series(uid string, images ...string) string {
	var b strings.Builder
	for _, image := range images {
		b.WriteString(`<d:DocumentRequest><d:RepositoryUniqueId>` + location + `</d:RepositoryUniqueId><d:DocumentUniqueId>` + image + `</d:DocumentUniqueId></d:DocumentRequest>`)
	}
	return `<r:SeriesRequest seriesInstanceUID="` + uid + `">` + b.String() + `</r:SeriesRequest>`
}

// message is a message in MTOM.
func message(t testing.TB, payload string) string {
	t.Helper()
	root, err := (&soap.Envelope{Action: xds.TransactionOf(xds.RAD69).Action + " ", Payload: []byte(payload)}).Marshal(nil)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w := mtom.NewWriter(&b, "b")
	w.Root(root)
	w.Close()
	return b.String()
}

// send posts a request and says in short what the answer is: the codes of its errors, "" for Success, or the reason of a
// fault; and the answer.
func send(t testing.TB, source ImageSource, contentType, body string) (got, answer string) {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	w := httptest.NewRecorder()
	NewHandler(source, nil, xds.Options{}).ServeHTTP(w, r)
	_, payload, ok := strings.Cut(w.Body.String(), "<soap:Body>")
	payload, _, end := strings.Cut(payload, "</soap:Body>")
	if !ok || !end {
		t.Fatalf("HTTP %d: %.500s", w.Code, w.Body)
	}
	n := parse(t, payload)
	if n.Local() == "Fault" {
		_, reason, _ := strings.Cut(payload, `xml:lang="en">`)
		reason, _, _ = strings.Cut(reason, "<")
		return "fault: " + reason, payload
	}
	if action := `ihe:iti:2007:RetrieveDocumentSetResponse</wsa:Action>`; !strings.Contains(w.Body.String(), action) {
		t.Errorf("the action is not that of ITI-43: %.500s", w.Body)
	}
	registry, err := n.Only(metadata.NSRS, "RegistryResponse")
	if err != nil {
		t.Fatal(err)
	}
	status, errs, err := metadata.ParseStatus(registry)
	if err != nil || w.Code != http.StatusOK {
		t.Errorf("HTTP %d, error %v", w.Code, err)
	}
	var s []string
	for _, e := range errs {
		s = append(s, string(e.Code))
	}
	if got = strings.Join(slices.Compact(s), " "); status == xds.PartialSuccess {
		got = "partial " + got
	}
	return got, payload
}

func parse(t testing.TB, s string) xmlsec.Node {
	t.Helper()
	doc, err := xmlsec.Parse([]byte(s), xmlsec.DefaultLimits)
	if err != nil {
		t.Fatalf("%v in %.500s", err, s)
	}
	return doc.Root()
}

// Whatever can be answered image by image is, and the rest is a fault.
func TestRequests(t *testing.T) {
	image := series("1.1.1", "1.1.1.1")
	many := make([]string, maxTransferSyntaxes)
	for i := range many {
		many[i] = explicit
	}
	for _, test := range []struct{ name, payload, want string }{
		{"as it should be", request(study("1.1", image), explicit), ""},
		{"with blanks", request("\n"+study(" 1.1 ", "\n"+series("\t1.1.1", " 1.1.1.1\n")), " "+explicit+" "), ""},
		{"the list first", strings.Replace(request(study("1.1", image)), "><r:StudyRequest", "><r:TransferSyntaxUIDList><r:TransferSyntaxUID>"+explicit+"</r:TransferSyntaxUID></r:TransferSyntaxUIDList><r:StudyRequest", 1), ""},
		{"empty home community after the document", strings.Replace(request(study("1.1", image), explicit), "</d:DocumentRequest>", "<d:HomeCommunityId/></d:DocumentRequest>", 1), ""},
		{"the same transfer syntax many times", request(study("1.1", image), many...), ""},
		{"a transfer syntax and one that is none", request(study("1.1", image), "", explicit, "x"), ""},
		{"partly", request(study("1.1", series("1.1.1", "1.1.1.1", "1.1.1.7")+series("1.1.2", "1.1.2.1")), explicit), "partial XDSDocumentUniqueIdError"},
		{"one of two studies", request(study("1.1", image)+study("", image), explicit), "partial XDSRepositoryError"},

		{"empty study", request(study("", image), explicit), "XDSRepositoryError"},
		{"no study", strings.Replace(request(study("1.1", image), explicit), ` studyInstanceUID="1.1"`, "", 1), "XDSRepositoryError"},
		{"empty series", request(study("1.1", series("", "1.1.1.1")), explicit), "XDSRepositoryError"},
		{"both", request(study("", series("", "1.1.1.1")), explicit), "XDSRepositoryError"},
		{"study that is no UID", request(study("1.1'; drop", image), explicit), "XDSRepositoryError"},
		{"no list", request(study("1.1", image)), "XDSRepositoryError"},
		{"empty list", request(study("1.1", image), []string{}...), "XDSRepositoryError"},
		{"empty transfer syntax", request(study("1.1", image), " "), "XDSRepositoryError"},
		{"unknown transfer syntax", request(study("1.1", image), explicit+".999"), "urn:dicom:wado:0007"},
		{"image that is no UID", request(study("1.1", series("1.1.1", "1.1.1.1^x")), explicit), "XDSDocumentUniqueIdError"},
		{"unknown repository", strings.ReplaceAll(request(study("1.1", image), explicit), location, location+".9"), "XDSUnknownRepositoryId"},
		{"repository that is no OID", strings.ReplaceAll(request(study("1.1", image), explicit), location, "x"), "XDSUnknownRepositoryId"},
		{"home community that is none", strings.Replace(request(study("1.1", image), explicit), "<d:DocumentRequest>", "<d:DocumentRequest><d:HomeCommunityId>x</d:HomeCommunityId>", 1), "XDSUnknownCommunity"},

		{"nothing", request("", explicit), "fault: a RetrieveImagingDocumentSetRequest has no StudyRequest"},
		{"study without series", request(study("1.1", ""), explicit), "fault: a StudyRequest has no SeriesRequest"},
		{"series without images", request(study("1.1", series("1.1.1")), explicit), "fault: a SeriesRequest has no DocumentRequest"},
		{"one of two series without images", request(study("1.1", image+series("1.1.2")), explicit), "fault: a SeriesRequest has no DocumentRequest"},
		{"another child", request(study("1.1", image)+"<r:x/>", explicit), "fault: a RetrieveImagingDocumentSetRequest has a child"},
		{"another child of a study", request(study("1.1", image+"<r:x/>"), explicit), "fault: a StudyRequest has a child"},
		{"another child of a series", request(study("1.1", strings.Replace(image, "<d:DocumentRequest>", "<r:x/><d:DocumentRequest>", 1)), explicit), "fault: a SeriesRequest has a child"},
		{"DocumentRequest in the namespace of the request", request(study("1.1", strings.ReplaceAll(image, "d:", "r:")), explicit), "fault: a SeriesRequest has a child"},
		{"another child of the list", strings.ReplaceAll(request(study("1.1", image), explicit), "r:TransferSyntaxUID>", "r:x>"), "fault: a TransferSyntaxUIDList has a child"},
		{"two lists", request(study("1.1", image)+"<r:TransferSyntaxUIDList/>", explicit), "fault: a RetrieveImagingDocumentSetRequest has a child"},
		{"two ids", strings.Replace(request(study("1.1", image), explicit), "</d:DocumentRequest>", "<d:DocumentUniqueId>1.1</d:DocumentUniqueId></d:DocumentRequest>", 1), "fault: a DocumentRequest has DocumentUniqueId twice"},
		{"no image", request(study("1.1", series("1.1.1", "")), explicit), "fault: a DocumentRequest has no DocumentUniqueId"},
		{"too many transfer syntaxes", request(study("1.1", image), append(many, explicit)...), "fault: more than 256 TransferSyntaxUIDs"},
		{"too many images", request(study("1.1", series("1.1.1", slices.Repeat([]string{"1.1"}, maxImages+1)...)), explicit), "fault: more than 16384 DocumentRequests"},
		{"another message", `<d:RetrieveDocumentSetRequest xmlns:d="` + xds.NSXDSb + `"/>`, "fault: the child of Body is not a RetrieveImagingDocumentSetRequest"},
	} {
		a := newArchive()
		got, answer := send(t, a, mtom.FormatContentType("b", "urn:x"), message(t, test.payload))
		if fault := strings.HasPrefix(test.want, "fault"); fault && !strings.HasPrefix(got, test.want) || !fault && got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
		if toolkit := strings.Contains(answer, `codeContext="XDSRepositoryError: XDSIRequestError: `); toolkit != strings.Contains(test.want, "XDSRepositoryError") {
			t.Errorf("%s: the name that the toolkit looks for: %t in %s", test.name, toolkit, answer)
		}
		if len(slices.Compact(slices.Sorted(slices.Values(a.listed)))) != len(a.listed) || len(a.asked) > 0 && len(a.listed) == 0 {
			t.Errorf("%s: the source was asked for %v", test.name, a.listed)
		}
	}
}

// ?wsdl is that of an Imaging Document Source.
func TestContract(t *testing.T) {
	_, url := serve(t, newArchive())
	response, err := http.Get(url + "/imaging?wsdl")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	if err != nil || !strings.Contains(string(b), xds.TransactionOf(xds.RAD69).Action) || !strings.Contains(string(b), `location="`+url+`/imaging"`) {
		t.Errorf("HTTP %d, error %v: %s", response.StatusCode, err, b)
	}
}

// A client is refused as a whole if it is not let in.
func TestAuthenticator(t *testing.T) {
	a := newArchive()
	refused := &soap.Fault{Code: soap.Sender, Reason: "no"}
	operation := Operation(a, func(context.Context, *soap.Request) (xua.Caller, error) { return xua.Caller{}, refused })
	_, err := operation.Handle(t.Context(), &soap.Request{Payload: parse(t, request(study("1.1", series("1.1.1", "1.1.1.1")), explicit))})
	if !errors.Is(err, refused) || a.asked != nil {
		t.Errorf("error %v, asked for %v", err, a.asked)
	}
}

// FuzzRequest: what is understood is sent on as the same.
func FuzzRequest(f *testing.F) {
	f.Add(request(study("1.1", series("1.1.1", "1.1.1.1", "1.1.1.2")+series("1.1.2", "1.1.2.1"))+study("1.2", series("1.2.1", "1.2.1.1")), explicit, implicit))
	f.Add(request(study("", series("x", "1^x")), " ", explicit, explicit))
	f.Fuzz(func(t *testing.T, s string) {
		doc, err := xmlsec.Parse([]byte(s), xmlsec.DefaultLimits)
		if err != nil {
			return
		}
		r, fault := parseRequest(doc.Root())
		if fault != nil {
			if fault.Reason == "" {
				t.Fatal("no reason")
			}
			return
		}
		again, fault := parseRequest(parse(t, string(appendRequest(nil, r))))
		if fault != nil || !slices.Equal(again.requests, r.requests) || !slices.Equal(again.transferSyntaxes, r.transferSyntaxes) {
			t.Fatalf("%+v became %+v, fault %v", r, again, fault)
		}
		for _, image := range r.images() {
			image.Unanswerable()
		}
	})
}
