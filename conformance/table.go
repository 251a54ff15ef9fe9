package conformance

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"strings"
)

// WriteTable writes what has come of the checks of actors as Markdown, under an introduction: each step of toolkit2 with
// its outcome, then the rules that were judged on every answer, then the steps that are not run and why. It says nothing
// that changes from run to run.
func WriteTable(w io.Writer, introduction string, results []Result) error {
	b := bufio.NewWriter(w)
	fmt.Fprintln(b, introduction)
	counts := map[Outcome]int{}
	for _, a := range Actors {
		var steps, rules []Result
		for _, r := range results {
			switch {
			case r.Actor != a || strings.HasSuffix(r.ID, schemaRule):
			case strings.HasPrefix(r.ID, string(a)+" / "):
				rules = append(rules, r)
			default:
				steps = append(steps, r)
			}
		}
		if len(steps) == 0 {
			continue
		}
		for _, r := range append(steps[:len(steps):len(steps)], rules...) {
			counts[r.Outcome]++
		}
		fmt.Fprintf(b, "\n## %s\n\n| test / section / step | what it shows | outcome |\n|---|---|---|\n", actorTitles[a])
		for _, r := range steps {
			fmt.Fprintf(b, "| %s | %s | %s |\n", cell(r.ID), cell(r.Title), r.Outcome)
		}
		fmt.Fprintf(b, "\nOn each answer:\n\n| transaction, rule | what must be so | who demands it | outcome |\n|---|---|---|---|\n")
		for _, r := range rules {
			fmt.Fprintf(b, "| %s | %s | %s | %s |\n", cell(strings.TrimPrefix(r.ID, string(a)+" / ")), cell(r.Title), cell(r.Citation), r.Outcome)
		}
	}
	fmt.Fprint(b, "\n## The same under an older name\n\n| test / section | judged as |\n|---|---|\n")
	for _, s := range sameAs {
		fmt.Fprintf(b, "| %s | %s |\n", s.older, s.newer)
	}
	fmt.Fprint(b, "\n## Not applicable\n\n| test, section or step | why |\n|---|---|\n")
	for _, n := range notApplicable {
		fmt.Fprintf(b, "| %s | %s |\n", n.id, n.reason)
	}
	fmt.Fprintf(b, "\n%d passed, %d failed, %d skipped.\n", counts[Passed], counts[Failed], counts[Skipped])
	return b.Flush()
}

var actorTitles = map[Actor]string{
	Retrieval: "Retrieval (ITI-43)", Registry: "Document Registry (ITI-42, ITI-18)", Repository: "Document Repository (ITI-41, ITI-43)",
	OnDemand: "On-Demand Document Source (ITI-61, ITI-43)", Imaging: "Imaging Document Source (RAD-68, RAD-69)",
}

// cell makes text fit for a cell of a table.
func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }

// sameAs are tests that toolkit2 has twice: by prefixes of their ids.
var sameAs = []struct{ older, newer string }{
	{"12345", "12344"},
	{"ids-1001 / validate-metadata", "ids_2018-4801a / ValidateMetadata"},
	{"ids_4801 / ValidateKOS", "ids_2018-4801a / ValidateKOS"},
	{"ids_4801 / ValidateMetadata", "ids_2018-4801a / ValidateMetadata"},
	{"ids_4802 / ValidateKOS", "ids_2018-4801b / ValidateKOS"},
	{"ids_4802 / ValidateMetadata", "ids_2018-4801b / ValidateMetadata"},
	{"ids_4802 / SelftestPnR", "ids_4801 / SelftestPnR"},
	{"ids_4810", "ids_2018-4803a"},
	{"ids_4811", "ids_2018-4803b"},
	{"ids_4812", "ids_2018-4811"},
	{"ids_4820", "ids_2018-4820"},
	{"12038, 12083", "12029 and 12028"},
}

// The reasons that several tests share.
const (
	noFeed      = "ITI-8 is not offered: a patient is known by the authority of the id"
	noGateway   = "tests a gateway between communities (XCA, XCA-I), which these actors are not"
	noWADO      = "RAD-55 (WADO-URI) is not offered: images are retrieved by RAD-69"
	noXDR       = "tests a Document Recipient (XDR), which is not claimed; ITI-41 is judged by 11966 and its neighbours"
	noUpdate    = "Metadata Update is not offered"
	noAsync     = "asynchronous exchange is not judged here; the synchronous test is"
	notRun      = "toolkit2 does not run this step itself"
	ofSender    = "judges what a sender sends to toolkit2's simulator: needs toolkit2"
	onlyText    = "instructions, no step"
	noStep      = "a test without steps"
	gatewayLoad = "loads data for the tests of gateways"
)

// notApplicable are the tests, sections and steps of these actors that are not run, by prefixes of their ids.
var notApplicable = []struct{ id, reason string }{
	{"11710", "registers an address at NIST's public registry"},
	{"11721", noStep}, {"11965", noStep}, {"12029a", noStep}, {"12037", noStep}, {"12088", noStep}, {"12089", noStep}, {"12329", noStep},
	{"11897 / no_matching_classcode", notRun + ", and an unknown code is no error in the Technical Framework"},
	{"11966 / patientFeed", noFeed}, {"11979 / patientFeed", noFeed}, {"12346 / patient_identity_feed", noFeed}, {"12374 / register_new_patient_id", noFeed},
	{"12022 / submit1", notRun}, {"12022 / xfrmapnd1", notRun},
	{"12093", noGateway}, {"12315", noGateway}, {"12318", gatewayLoad}, {"12342", noGateway}, {"12343", noGateway},
	{"12331", noAsync}, {"12333", noAsync}, {"12334", noAsync}, {"12335", noAsync}, {"12336", noAsync}, {"12337", noAsync},
	{"12361", "loads data for ITI-51, which is not offered"},
	{"12371", noXDR}, {"12373", noXDR}, {"12375", noXDR}, {"12376", noXDR},
	{"12379 / no_support", "the other of two choices: extra metadata is kept here"},
	{"15500", "XCPD is not offered"},
	{"15804", noFeed}, {"15807", gatewayLoad}, {"15811", noGateway}, {"15813", noGateway}, {"15815", noGateway},
	{"15817", noFeed}, {"15817b", noFeed}, {"15818", noFeed}, {"15819", noFeed}, {"15820", noFeed}, {"15821", noFeed}, {"15822", noFeed}, {"15823", noFeed},
	{"15824", noFeed}, {"15825", noFeed}, {"15826", noFeed}, {"15827", noFeed}, {"15828", noFeed}, {"RecPIF", noFeed},
	{"15830", noGateway}, {"15832", gatewayLoad}, {"15833", "MHD is not offered"},
	{"ManualPif-Readme", onlyText}, {"RgManualPif-Readme", onlyText}, {"XdsDocSrc-Readme", onlyText}, {"XdsIsr-Readme", onlyText},
	{"PnrNoXop / patientFeed", noFeed}, {"PnrXop / patientFeed", noFeed},
	{"XdsDocAdminTest", noUpdate}, {"XdsDocSrcSubmissionTest", ofSender}, {"XdsIsrSubmissionTest", ofSender},
	{"ids_2018-4800", onlyText}, {"ids_4800", onlyText},
	{"ids_2018-4802a", noWADO}, {"ids_2018-4802b", noWADO}, {"ids_2018-4802c", noWADO}, {"ids_2018-4810", noWADO},
	{"ids_4805", noWADO}, {"ids_4806", noWADO}, {"ids_4807", noWADO}, {"ids_4808", noWADO}, {"ids_4809", noWADO},
}

// coverage says how a step of toolkit2 is dealt with: "run", "same" or "not applicable", "" if it is forgotten.
func coverage(id string, run map[string]bool) string {
	under := func(prefix string) bool {
		rest, ok := strings.CutPrefix(id, prefix)
		return ok && (rest == "" || rest[0] == ' ' || strings.HasSuffix(prefix, "Test") && rest[0] == '-')
	}
	how := ""
	if run[id] {
		how = "run"
	}
	for _, s := range sameAs {
		for _, older := range strings.Split(s.older, ", ") {
			if under(older) {
				how = cmp.Or(how, "same")
			}
		}
	}
	for _, n := range notApplicable {
		if under(n.id) {
			how = cmp.Or(how, "not applicable")
		}
	}
	return how
}
