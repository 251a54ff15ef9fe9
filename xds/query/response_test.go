package query

import (
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"collimate/internal/sharedfiles"
	"collimate/xds/metadata"
	"collimate/xmlsec"
)

// responses are answers of each kind.
func responses() map[string]*Response {
	failed := metadata.Errors{{Code: metadata.StoredQueryMissingParam, Context: "$uuid is missing"}}
	warned := metadata.Errors{{Code: metadata.RegistryError, Context: "slow", Severity: metadata.SeverityWarning}}
	return map[string]*Response{
		"success": {Objects: example()}, "nothing": {Objects: &metadata.Objects{}}, "partial": {Objects: example(), Errors: failed},
		"failure": {Errors: failed}, "warning": {Objects: example(), Errors: warned}, "silence": {}, "failure with a warning": {Errors: warned},
	}
}

func TestResponse(t *testing.T) {
	want := map[string]metadata.ResponseStatus{
		"success": metadata.Success, "nothing": metadata.Success, "partial": metadata.PartialSuccess, "failure": metadata.Failure, "warning": metadata.Success,
		"silence": metadata.Failure, "failure with a warning": metadata.Failure,
	}
	for name, r := range responses() {
		for _, as := range []ReturnType{ObjectRef, LeafClass} {
			n := parse(t, string(AppendResponse(nil, r, as)))
			if status, _ := n.Attr("", "status"); status != string(want[name]) {
				t.Errorf("%s: status %s", name, status)
			}
			again, err := ParseResponse(n)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			switch {
			case (again.Objects == nil) != (r.Objects == nil):
				t.Errorf("%s: objects were lost or found", name)
			case r.Objects == nil:
				if again.Errors.Severity() != metadata.SeverityError {
					t.Errorf("%s: a Failure without an error", name)
				}
			case as == ObjectRef && (len(again.Objects.Refs) != r.Objects.Len() || again.Objects.Len() != 0):
				t.Errorf("%s: %d references and %d objects", name, len(again.Objects.Refs), again.Objects.Len())
			case as == LeafClass && (summary(again.Objects) != summary(r.Objects) || len(again.Objects.Refs) != 0):
				t.Errorf("%s: got %s", name, summary(again.Objects))
			}
		}
	}
	if r := responses()["silence"]; len(r.Errors) != 0 {
		t.Error("writing changes a response")
	}
}

func TestResponsesOfPeers(t *testing.T) {
	good := string(AppendResponse(nil, &Response{Objects: &metadata.Objects{}}, LeafClass))
	bad := string(AppendResponse(nil, &Response{}, LeafClass))
	for _, test := range []struct {
		name, message string
		ok            bool
	}{
		{"as it should be", good, true},
		{"Success without prefix", strings.Replace(good, string(metadata.Success), "Success", 1), true},
		{"PartialSuccess of ebXML", strings.Replace(bad, string(metadata.Failure), strings.Replace(string(metadata.Failure), "Failure", "PartialSuccess", 1), 1), true},
		{"no list", strings.Replace(good, `<rim:RegistryObjectList xmlns:rim="`+metadata.NSRIM+`"></rim:RegistryObjectList>`, "", 1), true},
		{"another element", "<a/>", false},
		{"no status", strings.Replace(good, "status=", "x=", 1), false},
		{"Warning", strings.Replace(good, "Success", "Warning", 1), false},
		{"Success with errors", strings.Replace(bad, string(metadata.Failure), string(metadata.Success), 1), false},
		{"Failure without errors", strings.Replace(good, string(metadata.Success), string(metadata.Failure), 1), false},
		{"PartialSuccess without errors", strings.Replace(good, string(metadata.Success), string(metadata.PartialSuccess), 1), false},
		{"another child in the error list", strings.ReplaceAll(bad, "rs:RegistryError ", "rs:Error "), false},
	} {
		if r, err := ParseResponse(parse(t, test.message)); (err == nil) != test.ok {
			t.Errorf("%s: error %v, got %+v", test.name, err, r)
		}
	}
}

// Every message that we write is valid against both sets of the official schemas.
func TestValid(t *testing.T) {
	xmllint, err := exec.LookPath("xmllint")
	if err != nil {
		t.Skip("xmllint is not installed")
	}
	dir := t.TempDir()
	var files []string
	add := func(name string, message []byte) {
		file := filepath.Join(dir, strings.ReplaceAll(name, " ", "-")+".xml")
		if err := os.WriteFile(file, message, 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	for _, q := range everything() {
		add(string(q.Name), AppendRequest(nil, q))
	}
	for name, r := range responses() {
		add(name+" objects", AppendResponse(nil, r, LeafClass))
		add(name+" references", AppendResponse(nil, r, ObjectRef))
	}
	wrong := filepath.Join(dir, "wrong.xml")
	if err := os.WriteFile(wrong, []byte(strings.ReplaceAll(string(AppendRequest(nil, everything()[0])), "rim:Value", "rim:value")), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, schema := range []string{
		sharedfiles.Path(t, "ihe", "schemas", "toolkit2", "v3", "query.xsd"),
		sharedfiles.Path(t, "ihe", "schemas", "ipf-xds", "wsdl", "schema", "ebRS30", "query.xsd"),
	} {
		arguments := []string{"--nonet", "--noout", "--schema", schema}
		if out, err := exec.CommandContext(t.Context(), xmllint, append(arguments, files...)...).CombinedOutput(); err != nil {
			t.Errorf("%v\n%.3000s", err, out)
		}
		if exec.CommandContext(t.Context(), xmllint, append(arguments, wrong)...).Run() == nil {
			t.Error("the schema accepts an element that is not in it: this test cannot fail")
		}
	}
}

// FuzzResponse: what is read is written so that it is read as the same.
func FuzzResponse(f *testing.F) {
	for _, r := range responses() {
		f.Add(AppendResponse(nil, r, LeafClass))
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		doc, err := xmlsec.Parse(message, xmlsec.Limits{MaxBytes: 1 << 20})
		if err != nil {
			return
		}
		r, err := ParseResponse(doc.Root())
		if err != nil || r.Objects != nil && r.Objects.Validate(metadata.Rules{For: metadata.Answer}) != nil {
			return
		}
		if doc, err = xmlsec.Parse(AppendResponse(nil, r, LeafClass), xmlsec.Limits{}); err != nil {
			t.Fatal(err)
		}
		again, err := ParseResponse(doc.Root())
		if err != nil || !reflect.DeepEqual(r.Objects, again.Objects) {
			t.Fatalf("error %v, or other objects than were written", err)
		}
	})
}
