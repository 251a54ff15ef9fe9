package conformance

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestLoadCodes: a codes.xml goes by its schemes, and one that cannot be used says why.
func TestLoadCodes(t *testing.T) {
	var b strings.Builder
	b.WriteString("<Codes>\n")
	for _, name := range requiredCodes {
		b.WriteString(`<CodeType name="` + name + `" classScheme="` + schemeOf[name] + `"><Code code="A" codingScheme="1.2" display="a"/></CodeType>`)
	}
	b.WriteString(`<CodeType name="codeList" classScheme="` + schemeOf["folderCodeList"] + `"><Code code="F" codingScheme="1.2"/></CodeType></Codes>` + "\n")
	whole := b.String()
	for _, test := range []struct{ name, xml, want string }{
		{"whole", whole, ""},
		{"malformed", whole[:40], "not well-formed"},
		{"no classCode", strings.Replace(whole, `"classCode"`, `"otherCode"`, 1), ""}, // its scheme says what it is
		{"no mimeType", strings.Replace(whole, `"mimeType"`, `"otherType"`, 1), "has no mimeType"},
	} {
		t.Run(test.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "codes.xml")
			if err := os.WriteFile(file, []byte(test.xml), 0o600); err != nil {
				t.Fatal(err)
			}
			codes, err := LoadCodes(file)
			if test.want != "" {
				if err == nil || !strings.Contains(err.Error(), test.want) {
					t.Errorf("got %v, want %q", err, test.want)
				}
				return
			}
			if err != nil || !slices.Contains(codes["folderCodeList"], Code{"F", "1.2", ""}) || codes.at("classCode", 7).Value != "A" {
				t.Errorf("got %v, %v", codes, err)
			}
		})
	}
}

// TestSmallDomainSkips: a domain with one code of each kind has the steps skipped that need more, and no others fail.
func TestSmallDomainSkips(t *testing.T) {
	_, target := newFake(t)
	codes := DefaultCodes()
	for name := range codes {
		codes[name] = codes[name][:1]
	}
	target.Codes, target.steps.codes = codes, codes
	skipped := 0
	for _, c := range checks(registryScripts()) {
		switch r := c.result(t.Context(), target); r.Outcome {
		case Failed:
			t.Errorf("%s: %s", r.ID, r.Detail)
		case Skipped:
			skipped++
		}
	}
	if skipped == 0 {
		t.Error("nothing was skipped")
	}
}

// TestReadOnlyTarget: nothing is submitted to a target that is not to be written to.
func TestReadOnlyTarget(t *testing.T) {
	f, target := newFake(t)
	target.ReadOnly = true
	held := len(f.objects)
	for _, a := range Actors[1:] {
		for _, c := range a.Checks() {
			if r := c.result(t.Context(), target); r.Outcome == Failed {
				t.Errorf("%s: %s", r.ID, r.Detail)
			}
		}
	}
	if len(f.objects) != held {
		t.Errorf("%d objects were registered", len(f.objects)-held)
	}
}
