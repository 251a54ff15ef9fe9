// Package xds is Cross-Enterprise Document Sharing: the transactions of a Document Registry and a Document Repository,
// a server and a client. What they say is in xds/metadata and xds/query; RAD-69 is in xds/xdsi.
//
//	ITI-18 Registry Stored Query                 Registry.Query       query.Query  -> query.Response
//	ITI-42 Register Document Set-b               Registry.Register    metadata.Objects
//	ITI-61 Register On-Demand Document Entry     Registry.Register    metadata.Objects
//	ITI-41 Provide and Register Document Set-b   Recipient.Provide    metadata.Objects, Incoming (RAD-68, too)
//	ITI-43 Retrieve Document Set                 Repository.Retrieve  []DocumentRequest -> RetrieveResponse
//
// A backend fills Registry, Repository and Recipient and hears nothing of SOAP; NewRegistryHandler and
// NewRepositoryHandler put them on the wire. Client is the other end. The table of Transactions drives both.
//
// A message that is not what its transaction says is refused with a SOAP fault; everything else is told in the answer,
// with the codes of ITI TF-3: Table 4.2.4.1-2. Documents are streams in both directions: those of ITI-41 are handed on
// while they arrive, and those of ITI-43 follow an envelope that names its status before the first of them: Success,
// PartialSuccess or Failure. What a Repository reports is compared with what was asked, so that each document is
// answered exactly once, as a document or as an error, whatever the backend does.
//
// The package is pure but for what it calls: it reads no clock, no file and no randomness. Values may be used
// concurrently as far as the backend may.
package xds
