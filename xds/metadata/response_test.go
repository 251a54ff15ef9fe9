package metadata

import (
	"strings"
	"testing"

	"collimate/internal/sharedfiles"
	"collimate/xmlsec"
)

func TestStatus(t *testing.T) {
	fault := Errors{{Code: RegistryError, Context: "no"}}
	warning := Errors{{Code: ExtraMetadataNotSaved, Context: "no", Severity: SeverityWarning}}
	written := func(status ResponseStatus, errs Errors) string {
		return string(AppendRegistryResponse(nil, status, errs))
	}
	ok := written(Success, nil)
	for _, test := range []struct {
		name, message string
		status        ResponseStatus // "" if it is an error
		errs          int
	}{
		{"success", ok, Success, 0},
		{"success with a warning", written(Success, warning), Success, 1},
		{"partial", written(PartialSuccess, append(warning, fault...)), PartialSuccess, 2},
		{"failure", written(Failure, fault), Failure, 1},
		{"Success without prefix", strings.Replace(ok, string(Success), " Success ", 1), Success, 0},
		{"PartialSuccess of ebXML", strings.Replace(written(Failure, fault), "Type:Failure", "Type:PartialSuccess", 1), PartialSuccess, 1},
		{"another child beside the list", strings.Replace(written(Failure, fault), "><rs:RegistryErrorList", "><x/><rs:RegistryErrorList", 1), Failure, 1},
		{"no status", strings.Replace(ok, "status=", "x=", 1), "", 0},
		{"unknown status", strings.Replace(ok, "Success", "Warning", 1), "", 0},
		{"success with an error", written(Success, fault), "", 0},
		{"partial without an error", written(PartialSuccess, warning), "", 0},
		{"failure without an error", written(Failure, warning), "", 0},
		{"more errors than are read", strings.Replace(written(Failure, fault), "<rs:RegistryError ", strings.Repeat("<rs:RegistryError/>", maxPeerErrors)+"<rs:RegistryError ", 1), "", 0},
		{"another child in the list", strings.Replace(written(Failure, fault), "<rs:RegistryError ", "<rs:Error ", 1), "", 0},
	} {
		status, errs, err := ParseStatus(parse(t, test.message))
		if status != test.status || (err == nil) != (test.status != "") || len(errs) != test.errs {
			t.Errorf("%s: got %s and %v, error %v", test.name, status, errs, err)
		}
	}

	b := sharedfiles.Read(t, "ihe", "vectors", "negative-soap", "tk2-msg-regresp-fail-noerr.xml")
	if _, _, err := ParseStatus(parse(t, string(b))); err == nil {
		t.Error("tk2-msg-regresp-fail-noerr.xml: a Failure without errors is accepted")
	}
}

// FuzzStatus: what is understood is written as the same.
func FuzzStatus(f *testing.F) {
	f.Add(string(AppendRegistryResponse(nil, Failure, Errors{{Code: RegistryError, Context: "no", Location: "1"}, {Code: RegistryBusy, Severity: SeverityWarning}})))
	f.Add(string(AppendRegistryResponse(nil, Success, nil)))
	f.Fuzz(func(t *testing.T, s string) {
		doc, err := xmlsec.Parse([]byte(s), xmlsec.DefaultLimits)
		if err != nil {
			return
		}
		status, errs, err := ParseStatus(doc.Root())
		if err != nil {
			return
		}
		again, other, err := ParseStatus(parse(t, string(AppendRegistryResponse(nil, status, errs))))
		if err != nil || again != status || len(other) != len(errs) || other.Severity() != errs.Severity() {
			t.Fatalf("%s with %v became %s with %v, error %v", status, errs, again, other, err)
		}
	})
}
