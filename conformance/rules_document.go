package conformance

import (
	"fmt"
	"slices"
	"strings"

	"github.com/beevik/etree"
)

// documentRules judge the DocumentResponses. ITI TF-2: 3.43.4.2.2
var documentRules = []rule{
	{"ENG-10.BODY", "RetrieveDocumentSetResponse begins with RegistryResponse", "ITI TF-2: 3.43.4.2.2; toolkit2 RetrieveB", judgePayload},
	{"4.2.4.2-DOCS", "Success returns all documents, PartialSuccess some, Failure none", "ITI TF-3: Table 4.2.4.2-4; ITI TF-2: 3.43.4.2.2", judgeStatusDocuments},
	{"3.43.5-LOCATION", "The location of each RegistryError is the DocumentUniqueId", "ITI TF-2: 3.43.5", judgeLocation},
	{"3.43.5-UNUSED", "requestId and ResponseSlotList are not used, RegistryError is empty", "ITI TF-2: 3.43.5; ITI TF-3: 4.2.4.1", judgeUnused},
	{"ENG-10.COUNT", "Each document that was asked is answered once: returned, or in the error list", "ITI TF-2: 3.43.5; toolkit2 RetrieveB.validate_retrieve", judgeAccounted},
	{"3.43-ECHO", "HomeCommunityId, RepositoryUniqueId and DocumentUniqueId are those of the request", "ITI TF-2: 3.43.4.2.2; toolkit2 matchHomeCommunityIds (ENG-16)", judgeEcho},
	{"XSD-ORDER", "The children of DocumentResponse stand in the order of the schema", "XDS.b_DocumentRepository.xsd; VAL-MD-10", judgeOrder},
	{"IPF-19", "RepositoryUniqueId, DocumentUniqueId, mimeType and Document are present", "IPF RetrieveDocumentSetResponseValidator; ITI TF-2: 3.43.4.2.2", judgePresent},
	{"3.43-NEWID", "NewDocumentUniqueId, where present, differs from DocumentUniqueId", "ITI TF-2: 3.43.4.2.2; IPF-19", judgeNewID},
	{"ENG-10.BYTES", "The bytes of each Document are there", "toolkit2 RetrieveB.validate_retrieve", judgeBytes},
}

// documentElements returns the xdsb:Document elements of an answer.
func documentElements(x *exchange) []*etree.Element {
	var found []*etree.Element
	for _, r := range children(x.payload(), nsXDSB, "DocumentResponse") {
		found = append(found, children(r, nsXDSB, "Document")...)
	}
	return found
}

func judgeAccounted(x *exchange) error {
	for i, ref := range x.sent.asked {
		n := 0
		for _, d := range x.answer.Documents {
			if d.DocumentUniqueID == ref.DocumentUniqueID && d.RepositoryUniqueID == ref.RepositoryUniqueID {
				n++
			}
		}
		for _, e := range x.answer.Errors {
			if e.Location == ref.DocumentUniqueID && !strings.HasSuffix(e.Severity, "Warning") {
				n++
			}
		}
		if n != 1 {
			return expected(fmt.Sprintf("requested document %d to be answered once", i+1), plural(n, "time"))
		}
	}
	if got := len(x.answer.Documents) + failures(x); got != len(x.sent.asked) {
		return expected(plural(len(x.sent.asked), "result"), fmt.Sprintf("%s and %s", plural(len(x.answer.Documents), "document"), plural(failures(x), "error")))
	}
	return nil
}

func judgeEcho(x *exchange) error {
	for i, d := range x.answer.Documents {
		if !slices.Contains(x.sent.asked, d.DocumentRef) {
			return expected(fmt.Sprintf("DocumentResponse %d to echo the three ids of a DocumentRequest, and no HomeCommunityId where none was asked", i+1), fmt.Sprintf("%+v", d.DocumentRef))
		}
	}
	return nil
}

func judgeOrder(x *exchange) error {
	order := []string{"HomeCommunityId", "RepositoryUniqueId", "DocumentUniqueId", "NewRepositoryUniqueId", "NewDocumentUniqueId", "mimeType", "Document"}
	for i, r := range children(x.payload(), nsXDSB, "DocumentResponse") {
		last := -1
		for _, e := range r.ChildElements() {
			at := slices.Index(order, e.Tag)
			if at <= last || e.NamespaceURI() != nsXDSB {
				return expected(fmt.Sprintf("DocumentResponse %d to have %s in this order, each once at most", i+1, strings.Join(order, ", ")), describe(e)+" out of place")
			}
			last = at
		}
	}
	return nil
}

func judgePresent(x *exchange) error {
	for i, r := range children(x.payload(), nsXDSB, "DocumentResponse") {
		for _, name := range []string{"RepositoryUniqueId", "DocumentUniqueId", "mimeType"} {
			if childText(r, nsXDSB, name) == "" {
				return expected(fmt.Sprintf("%s in DocumentResponse %d", name, i+1), "none")
			}
		}
		if child(r, nsXDSB, "Document") == nil {
			return expected(fmt.Sprintf("Document in DocumentResponse %d", i+1), "none")
		}
	}
	return nil
}

func judgeNewID(x *exchange) error {
	for i, d := range x.answer.Documents {
		if d.NewDocumentUniqueID != "" && d.NewDocumentUniqueID == d.DocumentUniqueID {
			return expected(fmt.Sprintf("a new id in DocumentResponse %d", i+1), "the id that was asked")
		}
	}
	return nil
}

func judgeBytes(x *exchange) error {
	for i, d := range x.answer.Documents {
		if !d.got || d.Size == 0 {
			return expected(fmt.Sprintf("bytes of document %d", i+1), "none")
		}
	}
	return nil
}
