package metadata

import (
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"collimate/internal/sharedfiles"
	"collimate/xmlsec"
)

// What is written is read as the same.
func TestRoundTrip(t *testing.T) {
	for name, o := range map[string]*Objects{"sample": sample(), "on-demand": onDemandSample(), "registered": resolved(), "nothing": {}} {
		again, err := ParseSubmission(parse(t, string(AppendSubmission(nil, o))))
		if err != nil || !reflect.DeepEqual(o, again) {
			t.Errorf("%s: error %v, or got\n%+v\nwant\n%+v", name, err, again, o)
		}
	}
	list := string(AppendRefs(nil, resolved()))
	again, err := ParseObjects(parse(t, list))
	if err != nil || len(again.Refs) != resolved().Len() || again.Len() != 0 {
		t.Errorf("references: error %v, got %d of %d", err, len(again.Refs), resolved().Len())
	}
}

// Registered objects as the strictest reader wants them: VAL-MD-01, 06, 10 and 11 of the IHE toolkit.
func TestAnswer(t *testing.T) {
	o := resolved()
	o.Documents[0].LogicalID, o.Documents[0].Version = "", "" // a registry need not keep them
	o.Documents[0].HomeCommunityID = "urn:oid:1.2.3"
	written := AppendAnswer(nil, o)
	if again := AppendAnswer(nil, o); string(again) != string(written) {
		t.Error("an answer is not the same again")
	}
	root := parse(t, string(written))
	list, err := ParseObjects(root)
	if err != nil {
		t.Fatal(err)
	}
	if errs := list.Validate(Rules{For: Answer}); errs != nil {
		t.Error(errs)
	}
	ids := map[string]bool{}
	for n := range root.Document().Walk() {
		switch n.Local() {
		case "ExtrinsicObject", "RegistryPackage", "Association":
			if lid, _ := n.Attr("", "lid"); !IsUUID(lid) {
				t.Errorf("lid of a %s is %q", n.Local(), lid)
			}
			order(t, n)
		case "Classification", "ExternalIdentifier":
			if objectType, _ := n.Attr("", "objectType"); objectType != objectTypePrefix+n.Local() {
				t.Errorf("objectType of a %s is %q", n.Local(), objectType)
			}
			of := map[string]string{"Classification": "classifiedObject", "ExternalIdentifier": "registryObject"}[n.Local()]
			parent, _ := n.Parent().Attr("", "id")
			if object, _ := n.Attr("", of); object != parent {
				t.Errorf("%s of a %s is %q", of, n.Local(), object)
			}
		default:
			continue
		}
		id, _ := n.Attr("", "id")
		if !IsUUID(id) || ids[id] {
			t.Errorf("id of a %s is %q, which is no UUID or was there before", n.Local(), id)
		}
		ids[id] = true
	}
}

// order checks the order of the children of a registry object.
func order(t *testing.T, n xmlsec.Node) {
	t.Helper()
	const want = "Slot Name Description VersionInfo Classification ExternalIdentifier"
	at := 0
	for c := range n.Elements() {
		i := strings.Index(want, c.Local())
		if i < at {
			t.Errorf("a %s stands where it may not", c.Local())
		}
		at = i
	}
}

// Every message that we write is valid against both sets of the official schemas.
func TestValid(t *testing.T) {
	xmllint, err := exec.LookPath("xmllint")
	if err != nil {
		t.Skip("xmllint is not installed")
	}
	foreign, _ := submission(t, "iti42", "tk2-12346_two_doc_w_fol-submit_2doc_w_fol.xml")
	n := 0
	foreign.Resolve(func() string { n++; return partID("", "", n) })
	messages := map[string]string{
		"sample":    string(AppendSubmission(nil, sample())),
		"on-demand": string(AppendSubmission(nil, onDemandSample())),
		"foreign":   string(AppendSubmission(nil, foreign)),
		"nothing":   string(AppendSubmission(nil, &Objects{})),
	}
	wrap := func(list []byte) string {
		return `<lcm:SubmitObjectsRequest xmlns:lcm="` + NSLCM + `">` + string(list) + `</lcm:SubmitObjectsRequest>`
	}
	messages["answer"], messages["references"] = wrap(AppendAnswer(nil, resolved())), wrap(AppendRefs(nil, resolved()))
	for _, schema := range []string{
		sharedfiles.Path(t, "ihe", "schemas", "toolkit2", "v3", "lcm.xsd"),
		sharedfiles.Path(t, "ihe", "schemas", "ipf-xds", "wsdl", "schema", "ebRS30", "lcm.xsd"),
	} {
		validate := func(message string) (string, error) {
			file := filepath.Join(t.TempDir(), "message.xml")
			if err := os.WriteFile(file, []byte(message), 0o600); err != nil {
				t.Fatal(err)
			}
			out, err := exec.CommandContext(t.Context(), xmllint, "--nonet", "--noout", "--schema", schema, file).CombinedOutput()
			return string(out), err
		}
		for name, message := range messages {
			if out, err := validate(message); err != nil {
				t.Errorf("%s: %v\n%s", name, err, out)
			}
		}
		if _, err := validate(strings.ReplaceAll(messages["sample"], "rim:Slot", "rim:slot")); err == nil {
			t.Error("the schema accepts an element that is not in it: this test cannot fail")
		}
	}
}

func TestErrorList(t *testing.T) {
	errs := Errors{
		{Code: RegistryMetadata, Context: `hash is "missing"`, Location: "DocumentEntry 2"},
		{Code: ExtraMetadataNotSaved, Context: "XDSExtraMetadataNotSaved: it is not kept", Severity: SeverityWarning},
		{Code: RegistryBusy},
	}
	written := string(AppendErrorList(nil, errs))
	if !strings.Contains(written, `codeContext="XDSRegistryMetadataError: hash is &quot;missing&quot;"`) || !strings.Contains(written, `highestSeverity="`+string(SeverityError)) {
		t.Error(written)
	}
	again, err := ParseErrorList(parse(t, written))
	if err != nil || len(again) != 3 || again[0].Location != "DocumentEntry 2" || again[1].Severity != SeverityWarning || again[2].Context != "XDSRegistryBusy" {
		t.Errorf("error %v, got %v", err, again)
	}
	if got := AppendErrorList(nil, nil); got != nil {
		t.Errorf("no errors are written as %s", got)
	}
	if (Errors{errs[1]}).Severity() != SeverityWarning || Errors(nil).Severity() != "" {
		t.Error("the severity of a list is not the highest")
	}
}
