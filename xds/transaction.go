package xds

import (
	"context"
	"fmt"

	"collimate/soap"
	"collimate/xds/metadata"
	"collimate/xds/query"
	"collimate/xmlsec"
	"collimate/xua"
)

// The namespaces of the messages that those of ebXML RegRep are not of. ITI TF-2: Table V.2.4-1
const (
	// NSXDSb is that of the transactions of a Document Repository.
	NSXDSb = "urn:ihe:iti:xds-b:2007"
	// NSXDSI is that of the transactions of an Imaging Document Source.
	NSXDSI = "urn:ihe:rad:xdsi-b:2009"
)

// The IDs of the transactions. RAD-68 has none: on the wire it is ITI-41.
const (
	ITI18 = "ITI-18" // Registry Stored Query
	ITI41 = "ITI-41" // Provide and Register Document Set-b
	ITI42 = "ITI-42" // Register Document Set-b
	ITI43 = "ITI-43" // Retrieve Document Set
	ITI61 = "ITI-61" // Register On-Demand Document Entry
	RAD69 = "RAD-69" // Retrieve Imaging Document Set
)

// Transaction is one row of the table of transactions: it drives dispatch, the WSDL and the checks.
type Transaction struct {
	ID             string    // "ITI-43"
	Actor          string    // who answers, as its WSDL is named: "DocumentRepository"
	Name           string    // "RetrieveDocumentSet"
	Action         string    // wsa:Action of the request
	ResponseAction string    // wsa:Action of the answer
	MTOM           bool      // packaging, both ways; simple SOAP otherwise
	Streams        bool      // the request may have attachments that are too large to be held
	Request        soap.Name // child of Body of the request
	Response       soap.Name // child of Body of the answer
}

var transactions = []Transaction{{
	ID: ITI18, Actor: "DocumentRegistry", Name: "RegistryStoredQuery",
	Action: "urn:ihe:iti:2007:RegistryStoredQuery", ResponseAction: "urn:ihe:iti:2007:RegistryStoredQueryResponse",
	Request: soap.Name{Space: query.NSQuery, Local: "AdhocQueryRequest"}, Response: soap.Name{Space: query.NSQuery, Local: "AdhocQueryResponse"},
}, {
	ID: ITI41, Actor: "DocumentRepository", Name: "ProvideAndRegisterDocumentSet-b", MTOM: true, Streams: true,
	Action: "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-b", ResponseAction: "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-bResponse",
	Request: soap.Name{Space: NSXDSb, Local: "ProvideAndRegisterDocumentSetRequest"}, Response: registryResponse,
}, {
	ID: ITI42, Actor: "DocumentRegistry", Name: "RegisterDocumentSet-b",
	Action: "urn:ihe:iti:2007:RegisterDocumentSet-b", ResponseAction: "urn:ihe:iti:2007:RegisterDocumentSet-bResponse",
	Request: soap.Name{Space: metadata.NSLCM, Local: "SubmitObjectsRequest"}, Response: registryResponse,
}, {
	ID: ITI43, Actor: "DocumentRepository", Name: "RetrieveDocumentSet", MTOM: true,
	Action: "urn:ihe:iti:2007:RetrieveDocumentSet", ResponseAction: "urn:ihe:iti:2007:RetrieveDocumentSetResponse",
	Request: soap.Name{Space: NSXDSb, Local: "RetrieveDocumentSetRequest"}, Response: retrieveResponse,
}, {
	ID: ITI61, Actor: "DocumentRegistry", Name: "RegisterOnDemandDocumentEntry",
	// The action of the answer is without "Entry". ITI TF-2: 3.61.4.2.2
	Action: "urn:ihe:iti:2010:RegisterOnDemandDocumentEntry", ResponseAction: "urn:ihe:iti:2010:RegisterOnDemandDocumentResponse",
	Request: soap.Name{Space: metadata.NSLCM, Local: "SubmitObjectsRequest"}, Response: registryResponse,
}, {
	ID: RAD69, Actor: "ImagingDocumentSource", Name: "RetrieveImagingDocumentSet", MTOM: true,
	// The answer is that of ITI-43, and so is its action.
	Action: "urn:ihe:rad:2009:RetrieveImagingDocumentSet", ResponseAction: "urn:ihe:iti:2007:RetrieveDocumentSetResponse",
	Request: soap.Name{Space: NSXDSI, Local: "RetrieveImagingDocumentSetRequest"}, Response: retrieveResponse,
}}

var (
	registryResponse = soap.Name{Space: metadata.NSRS, Local: "RegistryResponse"}
	retrieveResponse = soap.Name{Space: NSXDSb, Local: "RetrieveDocumentSetResponse"}
)

// Transactions returns the table, in order of ID. The caller must not change it.
// ITI TF-2: 3.18.4.1.2.7, 3.41.5, 3.42.5, 3.43.5, 3.61.4
func Transactions() []Transaction { return transactions }

// TransactionOf returns the row of a transaction, which has to be in the table.
func TransactionOf(id string) Transaction {
	for _, t := range transactions {
		if t.ID == id {
			return t
		}
	}
	panic("xds: no transaction " + id)
}

// Authenticator says who sends a request. An error that is a *soap.Fault is sent as it is. A nil Authenticator
// finds nobody.
type Authenticator = func(context.Context, *soap.Request) (xua.Caller, error)

// Operation returns the transaction as a row for a soap.Server: handle gets requests whose payload is the element
// of the transaction, and who sent them.
func (t Transaction) Operation(authenticate Authenticator, handle func(context.Context, xua.Caller, *soap.Request) (*soap.Response, error)) soap.Operation {
	return soap.Operation{
		ID: t.ID, Action: t.Action, ResponseAction: t.ResponseAction, MTOM: t.MTOM, Streams: t.Streams,
		Handle: func(ctx context.Context, request *soap.Request) (*soap.Response, error) {
			var caller xua.Caller
			if authenticate != nil {
				var err error
				if caller, err = authenticate(ctx, request); err != nil {
					return nil, err
				}
				request.SetAuthenticated() // so the answer may go where the request says
			}
			if p := request.Payload; !p.Is(t.Request.Space, t.Request.Local) {
				return nil, malformed("the child of Body is not a " + t.Request.Local + " in namespace " + t.Request.Space)
			}
			return handle(ctx, caller, request)
		},
	}
}

// call sends a request of the transaction and returns its answer, whose payload is the element of the transaction.
// A fault is a *soap.RemoteFault.
func (t Transaction) call(ctx context.Context, client *soap.Client, url string, e soap.Envelope) (*soap.Reply, error) {
	if client == nil {
		client = &soap.Client{}
	}
	e.Action, e.MTOM = t.Action, t.MTOM
	reply, err := client.Call(ctx, url, e)
	if err != nil {
		return nil, err
	}
	if err := t.answers(reply.Action, reply.Payload); err != nil {
		reply.Close()
		return nil, fmt.Errorf("reading the answer to %s: %w", t.Name, err)
	}
	return reply, nil
}

// answers checks that an answer is one to the transaction.
func (t Transaction) answers(action string, payload xmlsec.Node) error {
	switch {
	case action != t.ResponseAction:
		return fmt.Errorf("the wsa:Action of the answer is not %s", t.ResponseAction)
	case !payload.Is(t.Response.Space, t.Response.Local):
		return fmt.Errorf("the child of Body is not a %s", t.Response.Local)
	}
	return nil
}
