package conformance

import (
	"fmt"
	"slices"
)

// rule is a requirement on any answer to ITI-43 that holds a RetrieveDocumentSetResponse.
type rule struct {
	id, title, citation string
	// judge returns nil, or what was expected and what came.
	judge func(*exchange) error
}

// rules are all of them, in the order in which a reader meets them in a message.
var rules = slices.Concat(packagingRules, soapRules, addressingRules, statusRules, documentRules)

// expected is the form of every complaint.
func expected(want, got any) error { return fmt.Errorf("expected %v, got %v", want, got) }
