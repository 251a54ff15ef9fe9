// Package xds is Cross-Enterprise Document Sharing: the vocabulary of its messages, a server and a client.
//
// So far it holds the Document Repository's transaction ITI-43 Retrieve Document Set (ITI TF-2: 3.43). A
// backend fills Repository and hears nothing of SOAP; RepositoryOperation and NewHandler put it on the wire.
// Client is the other end.
//
//	DocumentRequest ...  -->  Repository.Retrieve  -->  RetrieveResponse
//	                                                      Documents   found and let out
//	                                                      Errors      one for each other document
//	                                                      Content     their bytes, streamed
//
// The answer names its status before the first document: Success, PartialSuccess or Failure. What a
// Repository reports is compared with what was asked, so that each document is answered exactly once, as a
// document or as an error, whatever the backend does.
//
// The package is pure but for what it calls: it reads no clock, no file and no randomness. Values may be used
// concurrently as far as the Repository may.
package xds
