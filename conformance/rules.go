package conformance

import (
	"fmt"
	"slices"
)

// rule is a requirement on any answer of its transactions that is no fault.
type rule struct {
	id, title, citation string
	// judge returns nil, or what was expected and what came.
	judge func(*exchange) error
}

// rules are those of ITI-43, in the order in which a reader meets them in a message.
var rules = retrieveDocumentSet.rules()

// rules returns what is judged on each answer of a transaction.
func (tx *transaction) rules() []rule {
	common := slices.Concat(packagingRules, soapRules, addressingRules, statusRules)
	switch {
	case tx.retrieves():
		return slices.Concat(common, documentRules)
	case tx == storedQuery:
		return slices.Concat(common, answerRules, metadataRules)
	}
	return slices.Concat(common, answerRules)
}

// expected is the form of every complaint.
func expected(want, got any) error { return fmt.Errorf("expected %v, got %v", want, got) }
