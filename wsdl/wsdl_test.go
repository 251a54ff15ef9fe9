package wsdl

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"sort"
	"strings"
	"testing"

	"github.com/beevik/etree"
	"github.com/hooklift/gowsdl"

	"collimate/internal/sharedfiles"
)

const address = "https://north.example/xds/repository?a=1&b=2"

func model(t *testing.T, b []byte) *gowsdl.WSDL {
	t.Helper()
	w := new(gowsdl.WSDL)
	if err := xml.Unmarshal(b, w); err != nil {
		t.Fatal(err)
	}
	return w
}

// operations lists what a WSDL offers: operation, then message and element each way, as gowsdl sees them, and the
// actions, of which its model knows only those of SOAP 1.1.
func operations(t *testing.T, b []byte) map[string]string {
	t.Helper()
	w := model(t, b)
	local := func(s string) string { return s[strings.Index(s, ":")+1:] }
	element := map[string]string{}
	for _, m := range w.Messages {
		for _, p := range m.Parts {
			element[m.Name] = local(p.Element)
		}
	}
	list := map[string]string{}
	for _, p := range w.PortTypes {
		for _, o := range p.Operations {
			in, out := local(o.Input.Message), local(o.Output.Message)
			list[o.Name] = fmt.Sprintf("%s=%s %s=%s", in, element[in], out, element[out])
		}
	}
	doc := etree.NewDocument()
	if err := doc.ReadFromBytes(b); err != nil {
		t.Fatal(err)
	}
	for _, o := range doc.FindElements("//portType/operation/*") {
		list[o.Parent().SelectAttrValue("name", "")] += " " + o.SelectAttrValue("wsaw:Action", o.SelectAttrValue("wsam:Action", "none"))
	}
	for _, o := range doc.FindElements("//binding/operation/operation") {
		if action := o.SelectAttrValue("soapAction", ""); action != "" {
			list[o.Parent().SelectAttrValue("name", "")] += " soapAction=" + action
		}
	}
	return list
}

// official returns WSDLs that others publish.
func official(t *testing.T, paths ...string) (list [][]byte) {
	t.Helper()
	for _, path := range paths {
		b := sharedfiles.Read(t, "ihe", "schemas", path)
		list = append(list, b)
	}
	return list
}

// What we offer, we offer as IHE says it.
func TestAgainstOfficialWSDL(t *testing.T) {
	const folder = "dcm4chee-xds/wsdl/"
	for _, test := range []struct {
		contract   Contract
		official   []string
		operations int
	}{
		{DocumentRegistry, []string{folder + "XDS.b_DocumentRegistry.wsdl", "ipf-xds/wsdl/iti61.wsdl"}, 3},
		{DocumentRepository, []string{folder + "XDS.b_DocumentRepository.wsdl"}, 2},
		{RetrievingRepository, []string{folder + "XDS.b_DocumentRepository.wsdl"}, 1},
		{ImagingDocumentSource, []string{folder + "XDS-I.b_ImagingDocumentSource.wsdl"}, 1},
	} {
		b, err := test.contract.WSDL(address)
		if err != nil {
			t.Fatal(err)
		}
		ours, got, want := model(t, b), operations(t, b), map[string]string{}
		if len(got) != test.operations {
			t.Errorf("%s: %d operations, want %d", test.contract, len(got), test.operations)
		}
		for i, b := range official(t, test.official...) {
			maps.Copy(want, operations(t, b))
			if i > 0 {
				continue
			}
			theirs := model(t, b)
			if ours.Name != theirs.Name || ours.TargetNamespace != theirs.TargetNamespace {
				t.Errorf("%s: got %s in %s, want %s in %s", test.contract, ours.Name, ours.TargetNamespace, theirs.Name, theirs.TargetNamespace)
			}
			if got, want := ours.PortTypes[0].Name, theirs.PortTypes[0].Name; got != want {
				t.Errorf("%s: port type %s, want %s", test.contract, got, want)
			}
			if got, want := ours.Service[0].Name+" "+ours.Service[0].Ports[0].Name, theirs.Service[0].Name+" "+theirs.Service[0].Ports[0].Name; got != want {
				t.Errorf("%s: service and port %s, want %s", test.contract, got, want)
			}
		}
		for name, got := range got {
			// The official one of ITI-61, of another year, says no soapAction.
			if !strings.HasPrefix(got, want[name]) || want[name] == "" || !strings.Contains(got, " soapAction=urn:") {
				t.Errorf("%s: %s: got %s, want %s", test.contract, name, got, want[name])
			}
		}
	}
}

// structure lists the elements and attributes of a schema by path, with their types and how often they occur,
// as far as they are within what keep names. Sequences within sequences, which official schemas have and
// gowsdl's model loses, count as their elements do.
func structure(t *testing.T, b []byte, keep map[string]bool) []string {
	t.Helper()
	doc := etree.NewDocument()
	if err := doc.ReadFromBytes(b); err != nil {
		t.Fatal(err)
	}
	value := func(e *etree.Element, name, otherwise string) string {
		s := e.SelectAttrValue(name, otherwise)
		for prefix, rest, ok := strings.Cut(s, ":"); ok && prefix != "urn"; {
			return rest // prefixes are free
		}
		return s
	}
	var list []string
	var walk func(e *etree.Element, path, minimum string)
	walk = func(e *etree.Element, path, minimum string) {
		for _, c := range e.ChildElements() {
			name := value(c, "name", value(c, "ref", value(c, "base", "")))
			switch c.Tag {
			case "sequence", "simpleContent", "complexContent":
				walk(c, path, c.SelectAttrValue("minOccurs", minimum))
			case "complexType", "simpleType":
				walk(c, path+name, "")
			case "element":
				low := c.SelectAttrValue("minOccurs", minimum)
				if low == "" {
					low = "1"
				}
				list = append(list, fmt.Sprintf("%s/%s type=%s %s..%s in %s", path, name, value(c, "type", ""), low, c.SelectAttrValue("maxOccurs", "1"), value(c, "substitutionGroup", "")))
				walk(c, path+"/"+name, "")
			case "attribute":
				list = append(list, fmt.Sprintf("%s/@%s type=%s use=%s default=%s", path, name, value(c, "type", ""), c.SelectAttrValue("use", "optional"), c.SelectAttrValue("default", "")))
				walk(c, path+"/@"+name, "")
			case "extension", "restriction", "maxLength", "enumeration":
				list = append(list, fmt.Sprintf("%s %s %s%s", path, c.Tag, name, c.SelectAttrValue("value", "")))
				walk(c, path, "")
			}
		}
	}
	for _, c := range doc.Root().ChildElements() {
		if name := c.SelectAttrValue("name", ""); keep[name] {
			top := etree.NewElement("top")
			top.AddChild(c.Copy())
			walk(top, "", "")
		}
	}
	sort.Strings(list)
	return list
}

// tops are the names of the top-level definitions of a schema.
func tops(t *testing.T, b []byte) map[string]bool {
	t.Helper()
	schema := new(gowsdl.XSDSchema)
	if err := xml.Unmarshal(b, schema); err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, e := range schema.Elements {
		names[e.Name] = true
	}
	for _, c := range schema.ComplexTypes {
		names[c.Name] = true
	}
	for _, s := range schema.SimpleType {
		names[s.Name] = true
	}
	return names
}

func TestAgainstOfficialSchemas(t *testing.T) {
	for _, name := range []string{"XDS.b_DocumentRepository.xsd", "XDSI.b_ImagingDocumentSource.xsd", "lcm.xsd", "query.xsd", "rs.xsd", "rim.xsd"} {
		official := sharedfiles.Read(t, "ihe", "schemas", "toolkit2", "v3", name)
		ours, err := files.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		keep := tops(t, ours)
		if len(keep) == 0 {
			t.Errorf("%s: nothing is defined", name)
		}
		for defined := range keep {
			if !tops(t, official)[defined] {
				t.Errorf("%s: %s is not in the official schema", name, defined)
			}
		}
		got, want := structure(t, ours, keep), structure(t, official, keep)
		if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w {
			t.Errorf("%s: got\n%s\n\nwant\n%s", name, g, w)
		}
	}
}

func TestHandler(t *testing.T) {
	tests := []struct {
		address, target string
		status          int
		contains        string
	}{
		{address, "/r?wsdl", 200, `<soap12:address location="https://north.example/xds/repository?a=1&amp;b=2"/>`},
		{address, "/r?WSDL", 200, `schemaLocation="?xsd=XDS.b_DocumentRepository.xsd"`},
		{"", "http://south.example:8443/a%22b?wsdl", 200, `<soap12:address location="http://south.example:8443/a%22b"/>`},
		{"ftp://x/", "/r?wsdl", 400, "not an absolute http"},
		{strings.Repeat("x", maxAddress+1), "/r?wsdl", 400, "more than 1024"},
		{"", "/r?xsd=XDS.b_DocumentRepository.xsd", 200, `schemaLocation="?xsd=rs.xsd"`},
		{"", "/r?xsd=rs.xsd", 200, `name="RegistryResponse"`},
		{"", "/r?xsd=rim.xsd", 200, `name="LongName"`},
		{"", "/r?xsd=XDS.b_DocumentRepository.wsdl", 404, "?wsdl"},
		{"", "/r?xsd=../go.mod", 404, "?wsdl"},
		{"", "/r?xsd=", 404, "?wsdl"},
		{"", "/r", 404, "?wsdl"},
	}
	for _, test := range tests {
		w := httptest.NewRecorder()
		Handler(DocumentRepository, test.address).ServeHTTP(w, httptest.NewRequest(http.MethodGet, test.target, nil))
		if w.Code != test.status || !strings.Contains(w.Body.String(), test.contains) {
			t.Errorf("%s: HTTP %d, want %d and %s in %s", test.target, w.Code, test.status, test.contains, w.Body)
		}
		if test.status != http.StatusOK {
			continue
		}
		if got := w.Header().Get("Content-Type"); got != "text/xml; charset=utf-8" {
			t.Errorf("%s: Content-Type %s", test.target, got)
		}
		d := xml.NewDecoder(w.Body)
		for {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", test.target, err)
			}
		}
	}
}

// Every schema that is referred to can be had.
func TestReferences(t *testing.T) {
	names, err := fs.Glob(files, "*")
	if err != nil || len(names) != 11 {
		t.Fatalf("%d files, error %v", len(names), err)
	}
	for _, name := range names {
		b, err := files.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, after := range strings.Split(string(relative(b)), `schemaLocation="?xsd=`)[1:] {
			ref, _, _ := strings.Cut(after, `"`)
			if _, err := Schema(ref); err != nil {
				t.Errorf("%s refers to %s: %v", name, ref, err)
			}
		}
	}
	if _, err := Schema("x.xsd"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v, want fs.ErrNotExist", err)
	}
}
