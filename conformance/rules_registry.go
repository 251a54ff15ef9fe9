package conformance

import (
	"fmt"
	"slices"
)

// schemaRule is the id of the validation against the official schema, which is run like a rule.
const schemaRule = "ENG-09.XSD"

// answerRules judge an AdhocQueryResponse or a RegistryResponse as a whole.
var answerRules = []rule{
	{"ENG-09", "The answer has its lists in the order of the schema, and a query's success has a RegistryObjectList", "ITI TF-2: 3.18.4.1.2.7; toolkit2 ENG-09", judgeLists},
	{"4.2.4.2-PARTIAL", "A submission is taken or refused as a whole: no PartialSuccess", "ITI TF-3: Tables 4.2.4.2-1 and -2; toolkit2 VAL-RR-01", judgePartial},
	{"18-REFS", "An ObjectRef request gets ObjectRefs only, a LeafClass request none", "ITI TF-2: 3.18.4.1.2.3.1; toolkit2 VAL-SQ-03", judgeReturnType},
}

func judgeLists(x *exchange) error {
	order := []string{"ResponseSlotList", "RegistryErrorList"}
	if x.sent.tx == storedQuery {
		order = append(order, "RegistryObjectList")
	}
	last := -1
	for _, e := range elements(x.payload()) {
		at := slices.Index(order, e.Tag)
		if at <= last {
			return expected(fmt.Sprintf("%s in this order, each once at most", order), describe(e)+" out of place")
		}
		last = at
	}
	if x.sent.tx == storedQuery && x.answer.Status == StatusSuccess && child(x.payload(), nsRIM, "RegistryObjectList") == nil {
		return expected("a RegistryObjectList, empty perhaps, beside Success", "none")
	}
	return nil
}

func judgePartial(x *exchange) error {
	if !x.sent.tx.partial && x.answer.Status == StatusPartialSuccess {
		return expected("Success or Failure", "PartialSuccess")
	}
	return nil
}

func judgeReturnType(x *exchange) error {
	option := x.sent.body().FindElement("query:AdhocQueryRequest/query:ResponseOption")
	if option == nil {
		return nil
	}
	c := readContents(x)
	refs, whole := len(c.refs), len(c.objects)+len(c.associations)
	if option.SelectAttrValue("returnType", "") == "ObjectRef" && whole > 0 {
		return expected("ObjectRefs only", plural(whole, "whole object"))
	}
	if option.SelectAttrValue("returnType", "") == "LeafClass" && refs > 0 {
		return expected("whole objects only", plural(refs, "ObjectRef"))
	}
	return nil
}
