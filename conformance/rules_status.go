package conformance

import (
	"fmt"
	"slices"
	"strings"
)

// statusRules judge the RegistryResponse. ITI TF-3: 4.2.4
var statusRules = []rule{
	{"ENG-04", "The status is one of the three URNs, PartialSuccess with IHE's prefix", "ITI TF-3: 4.2.4; toolkit2 BasicTransaction.eval_expected_status", judgeStatus},
	{"VAL-RR-01", "Success has no errors, the other states have one at least", "ITI TF-3: Table 4.2.4.2-4; toolkit2 RegistryResponseValidator", judgeStatusErrors},
	{"4.2.4.1-CODE", "Each errorCode is one that its transaction may use", "ITI TF-3: Table 4.2.4.1-2", judgeErrorCode},
	{"IHEXDS-153", "Each RegistryError has a codeContext", "Gazelle IHEXDS-153; ITI TF-3: 4.2.4.1", judgeContext},
	{"IHEXDS-154", "Each RegistryError has a severity URN", "Gazelle IHEXDS-154; ITI TF-3: 4.2.4.1; IPF-20", judgeSeverity},
	{"4.2.4.1-HIGHEST", "highestSeverity, where present, is the highest", "ITI TF-3: 4.2.4.1", judgeHighest},
}

func judgeStatus(x *exchange) error {
	switch x.answer.Status {
	case StatusSuccess, StatusFailure, StatusPartialSuccess:
		return nil
	}
	return expected("the URN of Success, Failure or PartialSuccess", fmt.Sprintf("%q", x.answer.Status))
}

// failures counts the entries of severity Error. Whatever is not a warning is an error, as toolkit2 has it.
func failures(x *exchange) int {
	n := 0
	for _, e := range x.answer.Errors {
		if !strings.HasSuffix(e.Severity, "Warning") {
			n++
		}
	}
	return n
}

func judgeStatusErrors(x *exchange) error {
	n := failures(x)
	if success := x.answer.Status == StatusSuccess; success != (n == 0) {
		return expected("errors exactly if the status is not Success", fmt.Sprintf("%s with %s", local(x.answer.Status), plural(n, "error")))
	}
	return nil
}

func judgeStatusDocuments(x *exchange) error {
	asked, came := len(x.sent.asked), len(x.answer.Documents)
	want := StatusPartialSuccess
	switch came {
	case asked:
		want = StatusSuccess
	case 0:
		want = StatusFailure
	}
	if x.answer.Status != want {
		return expected(fmt.Sprintf("%s for %d documents of %d", local(want), came, asked), local(x.answer.Status))
	}
	return nil
}

func judgeErrorCode(x *exchange) error {
	for _, e := range x.answer.Errors {
		if codes := x.sent.tx.codes; codes != nil && !codes[e.Code] {
			return expected("an errorCode of Table 4.2.4.1-2", fmt.Sprintf("%q", e.Code))
		}
	}
	return nil
}

func judgeContext(x *exchange) error {
	for i, e := range x.answer.Errors {
		if strings.TrimSpace(e.Context) == "" {
			return expected(fmt.Sprintf("a codeContext in RegistryError %d (%s)", i+1, e.Code), "none")
		}
	}
	return nil
}

func judgeSeverity(x *exchange) error {
	for _, e := range x.answer.Errors {
		if e.Severity != severityError && e.Severity != severityWarning {
			return expected("the severity URN of Error or Warning", fmt.Sprintf("%q", e.Severity))
		}
	}
	return nil
}

func judgeLocation(x *exchange) error {
	for _, e := range x.answer.Errors {
		if !slices.ContainsFunc(x.sent.asked, func(ref DocumentRef) bool { return ref.DocumentUniqueID == e.Location }) {
			return expected("the DocumentUniqueId of a requested document as location", fmt.Sprintf("%q", e.Location))
		}
	}
	return nil
}

func judgeHighest(x *exchange) error {
	list := child(x.registryResponse(), nsRS, "RegistryErrorList")
	if list == nil {
		return nil
	}
	attr := list.SelectAttr("highestSeverity")
	if attr == nil {
		return nil
	}
	want := severityWarning
	if failures(x) > 0 {
		want = severityError
	}
	if attr.Value != want {
		return expected(fmt.Sprintf("highestSeverity %q", want), fmt.Sprintf("%q", attr.Value))
	}
	return nil
}

func judgeUnused(x *exchange) error {
	rr := x.registryResponse()
	if rr == nil {
		return nil // ENG-10.BODY has said so
	}
	if a := rr.SelectAttr("requestId"); a != nil {
		return expected("no requestId", fmt.Sprintf("%q", a.Value))
	}
	if child(rr, nsRS, "ResponseSlotList") != nil {
		return expected("no ResponseSlotList", "one")
	}
	for _, e := range children(child(rr, nsRS, "RegistryErrorList"), nsRS, "RegistryError") {
		if textOf(e) != "" || len(e.ChildElements()) > 0 {
			return expected("an empty RegistryError", "content")
		}
	}
	return nil
}
