package conformance

import (
	"encoding/base64"
	"fmt"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/beevik/etree"
)

// fakeAuthority assigns the patient ids that the fake's domain knows.
const fakeAuthority = "1.3.6.1.4.1.21367.2005.13.20.1000"

// fake is a Document Registry, a Document Repository and an Imaging Document Source in memory, made of net/http and
// etree: all that the steps ask for, and nothing else. Answers can be spoiled.
type fake struct {
	mu        sync.Mutex
	objects   []*etree.Element // of the registry, in the order of registration; copied before they change
	ids       map[string]*etree.Element
	documents map[string]*held
	images    map[string]fakeImage // by SOP Instance UID
	clock     time.Time            // moves a second with each submission
	spoil     func(x *fakeAnswer)
	trusting  bool // refuses no message, and lets strangers in
	seen      func(tx *transaction, payload *etree.Element)
}

// fakeAnswer is an answer before it is written.
type fakeAnswer struct {
	status    int
	tx        *transaction
	header    string // of the envelope, as XML
	payload   *etree.Element
	parts     map[string][]byte // by Content-ID
	multipart bool
}

// newFake starts a fake and returns the target that describes it.
func newFake(t testing.TB) (*fake, *Target) {
	t.Helper()
	f := &fake{documents: map[string]*held{}, images: map[string]fakeImage{}, clock: time.Now().UTC()}
	ts := httptest.NewServer(f)
	t.Cleanup(ts.Close)
	target := &Target{
		RegistryURL: ts.URL + "/registry", RepositoryURL: ts.URL + "/repository", ImagingURL: ts.URL + "/imaging",
		RepositoryUniqueID: testRepository, PatientAuthority: fakeAuthority, Timeout: 20 * time.Second, Stranger: identity(t, "stranger", nil),
	}
	f.fill(target)
	s, err := target.session()
	if err != nil {
		t.Fatal(err)
	}
	s.pause = unhurried
	return f, target
}

var (
	fakeTransactions = []*transaction{retrieveDocumentSet, storedQuery, registerDocumentSet, registerOnDemand, provideAndRegister, retrieveImages}
	fakeRequests     = []string{"RetrieveDocumentSetRequest", "AdhocQueryRequest", "SubmitObjectsRequest", "ProvideAndRegisterDocumentSetRequest", "RetrieveImagingDocumentSetRequest"}
)

func (f *fake) wsdl(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/xml")
	fmt.Fprint(w, `<definitions xmlns="http://schemas.xmlsoap.org/wsdl/" xmlns:wsaw="http://www.w3.org/2006/05/addressing/wsdl"><portType name="P">`)
	for _, tx := range fakeTransactions {
		if !f.trusting {
			fmt.Fprintf(w, `<operation name="O"><input wsaw:Action=%q/></operation>`, tx.action)
		}
	}
	fmt.Fprint(w, `</portType></definitions>`)
}

// fault refuses a message; a trusting fake is pleased with anything.
func (f *fake) fault(w http.ResponseWriter, r *http.Request, code string) {
	w.Header().Set("Content-Type", mediaSOAP)
	if f.trusting {
		tx := map[string]*transaction{"/registry": storedQuery, "/repository": provideAndRegister, "/imaging": retrieveImages}[r.URL.Path]
		a := &fakeAnswer{status: http.StatusOK, tx: tx, multipart: tx.mtom, payload: etree.NewElement(map[string]string{nsRS: "rs:", nsQuery: "query:", nsXDSB: "xdsb:"}[tx.space] + tx.response)}
		a.payload.CreateAttr("status", StatusSuccess)
		a.write(w)
		return
	}
	w.WriteHeader(http.StatusBadRequest)
	fmt.Fprintf(w, `<s:Envelope xmlns:s=%q><s:Header/><s:Body><s:Fault><s:Code><s:Value>s:%s</s:Value></s:Code><s:Reason><s:Text xml:lang="en">no</s:Text></s:Reason></s:Fault></s:Body></s:Envelope>`, nsSOAP, code)
}

// turnAway answers whoever signs, which the fake's own people do not do.
func (f *fake) turnAway(a *fakeAnswer, request *etree.Element) {
	switch a.tx {
	case storedQuery:
		a.payload = refuse(etree.NewElement("query:AdhocQueryResponse"), "")
		a.payload.CreateElement("rim:RegistryObjectList")
	case retrieveImages:
		a.payload = etree.NewElement("xdsb:RetrieveDocumentSetResponse")
		response := a.payload.CreateElement("rs:RegistryResponse")
		for _, r := range request.FindElements("//DocumentRequest") {
			addError(response, codeDocumentUniqueID, childText(r, nsXDSB, "DocumentUniqueId"))
		}
		finish(a.payload, response)
	default:
		a.payload = refuse(etree.NewElement("rs:RegistryResponse"), "XDSRegistryError")
	}
}

// snapshot returns what brings the fake back to what it is now.
func (f *fake) snapshot() func() {
	f.mu.Lock()
	defer f.mu.Unlock()
	objects, documents := f.objects, maps.Clone(f.documents)
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.hold(objects)
		f.documents = documents
	}
}

// hold makes these the objects of the registry.
func (f *fake) hold(objects []*etree.Element) {
	f.objects, f.ids = objects, map[string]*etree.Element{}
	for _, e := range objects {
		f.ids[e.SelectAttrValue("id", "")] = e
	}
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.Method == http.MethodGet {
		f.wsdl(w)
		return
	}
	root, parts, isMultipart, err := readFake(r)
	header, body := child(root, nsSOAP, "Header"), elements(child(root, nsSOAP, "Body"))
	a := &fakeAnswer{status: http.StatusOK, multipart: isMultipart, parts: map[string][]byte{}}
	for _, tx := range fakeTransactions {
		if tx.action == childText(header, nsWSA, "Action") {
			a.tx = tx
		}
	}
	switch {
	case err != nil || a.tx == nil || len(body) != 1 || a.tx.mtom != isMultipart || !slices.Contains(fakeRequests, body[0].Tag):
		f.fault(w, r, "Sender")
		return
	case len(children(header, nsXDSB, "Unheard")) > 0:
		f.fault(w, r, "MustUnderstand")
		return
	case child(header, nsWSSE, "Security") != nil && !f.trusting:
		f.turnAway(a, body[0])
		a.header = fmt.Sprintf(`<a:Action s:mustUnderstand="1">%s</a:Action><a:RelatesTo>%s</a:RelatesTo>`, a.tx.responseAction, childText(header, nsWSA, "MessageID"))
		a.write(w)
		return
	}
	if f.seen != nil {
		f.seen(a.tx, body[0])
	}
	switch a.tx {
	case storedQuery:
		a.payload = f.query(body[0])
	case registerDocumentSet, registerOnDemand:
		a.payload = f.register(a.tx, child(body[0], nsRIM, "RegistryObjectList"))
	case provideAndRegister:
		a.payload = f.provide(body[0], parts)
	case retrieveDocumentSet:
		a.payload = f.retrieve(body[0], a.parts)
	case retrieveImages:
		a.payload = f.retrieveImages(body[0], a.parts)
	}
	a.header = fmt.Sprintf(`<a:Action s:mustUnderstand="1">%s</a:Action><a:RelatesTo>%s</a:RelatesTo>`, a.tx.responseAction, childText(header, nsWSA, "MessageID"))
	if f.spoil != nil {
		f.spoil(a)
	}
	a.write(w)
}

// readFake takes the envelope and the parts out of HTTP and MIME.
func readFake(r *http.Request) (*etree.Element, map[string][]byte, bool, error) {
	media, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return nil, nil, false, err
	}
	parts, raw := map[string][]byte{}, []byte(nil)
	if media == mediaMultipart {
		for m := multipart.NewReader(r.Body, params["boundary"]); ; {
			p, err := m.NextRawPart()
			if err == io.EOF {
				break
			}
			if err != nil {
				return nil, nil, true, err
			}
			b, err := io.ReadAll(p)
			if err != nil {
				return nil, nil, true, err
			}
			if raw == nil {
				raw = b
			} else {
				parts[unbracket(p.Header.Get("Content-ID"))] = b
			}
		}
	} else if raw, err = io.ReadAll(r.Body); err != nil {
		return nil, nil, false, err
	}
	doc := etree.NewDocument()
	doc.ReadSettings = etree.ReadSettings{ValidateInput: true, MaxDepth: 200}
	if err := doc.ReadFromBytes(raw); err != nil || doc.Root() == nil || strings.Contains(string(raw), "<!DOCTYPE") || strings.Contains(string(raw), "<nobody:") {
		return nil, nil, false, fmt.Errorf("not XML: %v", err)
	}
	return doc.Root(), parts, media == mediaMultipart, nil
}

func (a *fakeAnswer) write(w http.ResponseWriter) {
	var b strings.Builder
	fmt.Fprintf(&b, `<s:Envelope xmlns:s=%q xmlns:a=%q xmlns:rs=%q xmlns:rim=%q xmlns:query=%q xmlns:xdsb=%q xmlns:xop=%q><s:Header>%s</s:Header><s:Body>`,
		nsSOAP, nsWSA, nsRS, nsRIM, nsQuery, nsXDSB, nsXOP, a.header)
	payload, _ := etree.NewDocumentWithRoot(a.payload.Copy()).WriteToString()
	b.WriteString(payload + `</s:Body></s:Envelope>`)
	if !a.multipart {
		w.Header().Set("Content-Type", "application/soap+xml; charset=UTF-8")
		w.WriteHeader(a.status)
		io.WriteString(w, b.String())
		return
	}
	w.Header().Set("Content-Type", `multipart/related; boundary="B"; type="application/xop+xml"; start="<root@test>"; start-info="application/soap+xml"`)
	w.WriteHeader(a.status)
	fmt.Fprintf(w, "--B\r\nContent-Type: application/xop+xml; charset=UTF-8; type=\"application/soap+xml\"\r\nContent-Transfer-Encoding: binary\r\nContent-ID: <root@test>\r\n\r\n%s", b.String())
	for _, id := range slices.Sorted(maps.Keys(a.parts)) {
		fmt.Fprintf(w, "\r\n--B\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: binary\r\nContent-ID: <%s>\r\n\r\n%s", id, a.parts[id])
	}
	io.WriteString(w, "\r\n--B--\r\n")
}

// refuse fills a status and errors into an element that can have them; codes may be empty.
func refuse(e *etree.Element, code string) *etree.Element {
	e.CreateAttr("status", StatusSuccess)
	if code != "" {
		e.CreateAttr("status", StatusFailure)
		addError(e, code, "")
	}
	return e
}

func addError(e *etree.Element, code, location string) {
	list := e.SelectElement("rs:RegistryErrorList")
	if list == nil {
		list = e.CreateElement("rs:RegistryErrorList")
	}
	r := list.CreateElement("rs:RegistryError")
	r.CreateAttr("errorCode", code)
	r.CreateAttr("codeContext", code+": refused")
	r.CreateAttr("severity", severityError)
	if location != "" {
		r.CreateAttr("location", location)
	}
}

// provide is ITI-41.
func (f *fake) provide(request *etree.Element, parts map[string][]byte) *etree.Element {
	answer := etree.NewElement("rs:RegistryResponse")
	list := child(child(request, nsLCM, "SubmitObjectsRequest"), nsRIM, "RegistryObjectList")
	sent := map[string][]byte{}
	for _, d := range children(request, nsXDSB, "Document") {
		id := d.SelectAttrValue("id", "")
		if include := child(d, nsXOP, "Include"); include != nil {
			cid, err := unescapeCID(include.SelectAttrValue("href", ""))
			if err != nil || parts[cid] == nil {
				return refuse(answer, "XDSRepositoryError")
			}
			sent[id] = parts[cid]
		} else if b, err := base64.StdEncoding.DecodeString(d.Text()); err == nil {
			sent[id] = b
		}
	}
	entries := children(list, nsRIM, "ExtrinsicObject")
	for _, e := range entries {
		b, ok := sent[e.SelectAttrValue("id", "")]
		if !ok {
			return refuse(answer, "XDSMissingDocument")
		}
		delete(sent, e.SelectAttrValue("id", ""))
		if h := slotOf(e, "hash"); h != "" && !strings.EqualFold(h, hashOf(b)) {
			return refuse(answer, "XDSRepositoryMetadataError")
		}
		if n := slotOf(e, "size"); n != "" && n != fmt.Sprint(len(b)) {
			return refuse(answer, "XDSRepositoryMetadataError")
		}
		setSlot(e, "repositoryUniqueId", testRepository)
		if slotOf(e, "hash") == "" {
			setSlot(e, "hash", hashOf(b))
		}
		setSlot(e, "size", fmt.Sprint(len(b)))
		e.CreateAttr("bytes", string(b)) // taken off below
	}
	if len(sent) > 0 {
		return refuse(answer, "XDSMissingDocumentMetadata")
	}
	kept := map[string]*held{}
	for _, e := range entries {
		kept[uniqueIDOf(e)] = &held{mimeType: e.SelectAttrValue("mimeType", ""), body: []byte(e.SelectAttrValue("bytes", ""))}
		e.RemoveAttr("bytes")
	}
	answer = f.register(provideAndRegister, list)
	if answer.SelectAttrValue("status", "") == StatusSuccess {
		maps.Copy(f.documents, kept)
	}
	return answer
}

// retrieve is ITI-43. Documents whose id begins with onDemandID come under a new one.
func (f *fake) retrieve(request *etree.Element, parts map[string][]byte) *etree.Element {
	answer := etree.NewElement("xdsb:RetrieveDocumentSetResponse")
	response := answer.CreateElement("rs:RegistryResponse")
	for _, r := range children(request, nsXDSB, "DocumentRequest") {
		f.respond(answer, response, r, f.documents[childText(r, nsXDSB, "DocumentUniqueId")], parts)
	}
	finish(answer, response)
	return answer
}

// respond adds a document to an answer, or an error.
func (f *fake) respond(answer, response, r *etree.Element, d *held, parts map[string][]byte) {
	repository, id := childText(r, nsXDSB, "RepositoryUniqueId"), childText(r, nsXDSB, "DocumentUniqueId")
	switch {
	case repository != testRepository:
		addError(response, codeUnknownRepositoryID, id)
		return
	case d == nil:
		addError(response, codeDocumentUniqueID, id)
		return
	}
	e := answer.CreateElement("xdsb:DocumentResponse")
	if home := childText(r, nsXDSB, "HomeCommunityId"); home != "" {
		e.CreateElement("xdsb:HomeCommunityId").SetText(home)
	}
	e.CreateElement("xdsb:RepositoryUniqueId").SetText(repository)
	e.CreateElement("xdsb:DocumentUniqueId").SetText(id)
	if id == onDemandID {
		e.CreateElement("xdsb:NewDocumentUniqueId").SetText(newOID())
	}
	e.CreateElement("xdsb:mimeType").SetText(d.mimeType)
	cid := fmt.Sprintf("p%d@test", len(parts))
	parts[cid] = d.body
	e.CreateElement("xdsb:Document").CreateElement("xop:Include").CreateAttr("href", "cid:"+cid)
}

const onDemandID = "2.25.100000000000000000000000000000000000009"

// finish sets the status by what has come.
func finish(answer, response *etree.Element) {
	switch came := len(answer.SelectElements("xdsb:DocumentResponse")); {
	case response.SelectElement("rs:RegistryErrorList") == nil:
		response.CreateAttr("status", StatusSuccess)
	case came == 0:
		response.CreateAttr("status", StatusFailure)
	default:
		response.CreateAttr("status", StatusPartialSuccess)
	}
}
