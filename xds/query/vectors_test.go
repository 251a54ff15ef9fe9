package query

import (
	"os"
	"slices"
	"strings"
	"testing"

	"collimate/internal/sharedfiles"
	"collimate/xds/metadata"
)

// Messages of other people's making. Requests that are not listed are to be understood.
func TestForeignRequests(t *testing.T) {
	refused := map[string]metadata.ErrorCode{
		"spec-iti18-request-sync-wrong-status-urn.xml": metadata.StoredQueryMissingParam,
		"tk2-11897_old_scheme-old_scheme.xml":          metadata.RegistryError,
		"tk2-msg-sq-req-bad-pid-format.xml":            metadata.RegistryError,
		"tk2-msg-sq-req-bad-stat-format2.xml":          metadata.RegistryError,
	}
	seen := map[string]bool{}
	for _, folder := range []string{"iti18", "iti38", "iti18-initiating-gateway", "negative-iti18"} {
		files, err := os.ReadDir(sharedfiles.Path(t, "ihe", "vectors", folder))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if !strings.HasSuffix(file.Name(), ".xml") {
				continue
			}
			n, ok := find(parse(t, message(t, folder, file.Name())), "AdhocQueryRequest")
			if !ok {
				continue
			}
			seen[file.Name()] = true
			q, errs, err := ParseRequest(n)
			if err != nil {
				t.Errorf("%s: %v", file.Name(), err)
				continue
			}
			if want, bad := refused[file.Name()]; bad {
				if len(errs) != 1 || errs[0].Code != want {
					t.Errorf("%s: got %v, want %s", file.Name(), errs, want)
				}
				continue
			}
			if errs != nil {
				t.Errorf("%s: %v", file.Name(), errs)
				continue
			}
			if _, e := Evaluate(q, &metadata.Objects{}); e != nil {
				t.Errorf("%s: %v", file.Name(), e)
			}
			// Across communities, a query without a patient has to say where to.
			homeless := folder == "iti38" && !q.Name.HasPatient() && q.HomeCommunityID == ""
			if want := file.Name() == "tk2-15815_MissingCommunity-getdocs.xml"; homeless != want {
				t.Errorf("%s: HomeCommunityID is missing: %t, want %t", file.Name(), homeless, want)
			}
		}
	}
	if len(seen) < 60 {
		t.Errorf("%d requests seen, there are more than 60", len(seen))
	}
	for name := range refused {
		if !seen[name] {
			t.Errorf("%s is not among the files", name)
		}
	}
}

func TestForeignResponses(t *testing.T) {
	for _, test := range []struct {
		folder, file string
		objects      int
		refused      bool
		faults       string // one that Validate reports
	}{
		{"iti18", "tk2-msg-sq-resp-lc.xml", 2, false, ""},
		{"iti18", "wxdsb-query_res.xml", 5, false, "authorInstitution is not an XON"},
		{"iti38", "tk2-msg-soap-xcq-resp.xml", 2, false, ""},
		{"negative-iti18", "tk2-msg-sq-resp-lc-no-objectType.xml", 2, false, "objectType is missing"},
		{"negative-iti18", "tk2-msg-sq-resp-nostat-objectref.xml", 0, true, ""},
	} {
		n, _ := find(parse(t, message(t, test.folder, test.file)), "AdhocQueryResponse")
		r, err := ParseResponse(n)
		if test.refused || err != nil {
			if !test.refused || err == nil {
				t.Errorf("%s: error %v, refused is to be %t", test.file, err, test.refused)
			}
			continue
		}
		errs := r.Objects.Validate(metadata.Rules{For: metadata.Answer})
		found := slices.ContainsFunc(errs, func(e *metadata.Error) bool { return strings.Contains(e.Context, test.faults) })
		if found != (test.faults != "") || test.faults == "" && errs != nil || r.Objects.Len() != test.objects || r.Errors != nil {
			t.Errorf("%s: %d objects, %v, errors %v", test.file, r.Objects.Len(), errs, r.Errors)
		}
	}

	// A Failure with an error of nobody's making, and objects, which do not count.
	n, _ := find(parse(t, message(t, "negative-iti38", "tk2-msg-soap-xcq-resp-error.xml")), "AdhocQueryResponse")
	r, err := ParseResponse(n)
	if err != nil || r.Objects != nil || len(r.Errors) != 1 || r.Errors[0].Code != "MyBigError" {
		t.Errorf("error %v, got %+v", err, r)
	}
}
