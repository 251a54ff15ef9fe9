package xds

// The namespaces of the messages. ITI TF-2: Table V.2.4-1
const (
	// NSXDSb is that of the transactions of a Document Repository.
	NSXDSb = "urn:ihe:iti:xds-b:2007"
	// NSRS is that of ebXML registry services, of RegistryResponse.
	NSRS = "urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0"
)

// ITI43 is the ID of Retrieve Document Set.
const ITI43 = "ITI-43"

// Transaction is one row of the table of transactions: it drives dispatch, the WSDL and the checks.
type Transaction struct {
	ID             string // "ITI-43"
	Name           string // "RetrieveDocumentSet"
	Action         string // wsa:Action of the request
	ResponseAction string // wsa:Action of the answer
	MTOM           bool   // packaging, both ways; simple SOAP otherwise
	Namespace      string // of the two elements below
	Request        string // child of Body of the request
	Response       string // child of Body of the answer
}

// Transactions returns the table, in order of ID. ITI TF-2: 3.43.5
func Transactions() []Transaction {
	return []Transaction{{
		ID:             ITI43,
		Name:           "RetrieveDocumentSet",
		Action:         "urn:ihe:iti:2007:RetrieveDocumentSet",
		ResponseAction: "urn:ihe:iti:2007:RetrieveDocumentSetResponse",
		MTOM:           true,
		Namespace:      NSXDSb,
		Request:        "RetrieveDocumentSetRequest",
		Response:       "RetrieveDocumentSetResponse",
	}}
}

// transaction returns the row of a transaction that is in the table.
func transaction(id string) Transaction {
	for _, t := range Transactions() {
		if t.ID == id {
			return t
		}
	}
	panic("xds: no transaction " + id)
}
