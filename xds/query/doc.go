// Package query is the Registry Stored Query: which queries there are, their parameters, and what they mean.
// ITI TF-2: 3.18 (ITI-18), 3.38 (ITI-38)
//
//	AdhocQueryRequest --ParseRequest--> Query, or Errors    the form that a registry can run
//	Query, Objects    --Evaluate------> Objects             what it means: the reference for a registry's own way
//	Response          --AppendResponse-> AdhocQueryResponse  ObjectRef or LeafClass
//
// and for who asks, AppendRequest and ParseResponse. A Query is a conjunction: each condition of a Filter is to
// hold, and a condition holds if one of its alternatives does.
//
//	$XDSDocumentEntryEventCodeList  ('a^^s','b^^s')      Codes: {eventCodeList, AnyOf: a, b},
//	$XDSDocumentEntryEventCodeList  ('c^^s')                    {eventCodeList, AnyOf: c}        (a or b) and c
//
// Parameters that are not known are kept in Query.Extra and change nothing, as the Technical Framework asks.
// ITI-51 Multi-Patient Stored Query is not offered: its queries are unknown here.
//
// Errors name parameters, never values. The package is pure; values may be used concurrently.
package query
