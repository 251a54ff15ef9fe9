// Package gateway joins the two worlds: it answers IHE transactions by what the ledger says and what the
// archive holds.
//
// A Source stands beside an imaging centre's archive and is a Document Repository (ITI-43, ITI-41 and RAD-68), a Document
// Registry (ITI-18, ITI-42, ITI-61) and an Imaging Document Source (RAD-69). It gives out a study, a part of one, or a
// document that was submitted for one, if the four checks hold.
//
//  1. the signature is right (soap/wss, before the Source is called);
//  2. repositoryUniqueId names this source's own key;
//  3. what is asked for is of a study that this source published on the ledger;
//  4. the ledger says that the study's owner has let this requester in.
//
// A query finds what its caller may retrieve. Only the organisation's own systems, by their keys, may submit; and see what
// is of no study on the ledger.
//
// A Consumer stands beside an existing XDS consumer and fills xds.Repository too: it finds the source of each
// document on the ledger, asks it in a signed request over TLS pinned to the source's key, and streams the
// answer through without storing it.
//
// Both decide all that can fail politely before the first byte of an answer. One request reads one snapshot of
// the ledger. What is denied and what does not exist look alike outside; the reason goes to the audit trail.
// Every way to the bytes of the archive and of the document store passes Source.decide, the one place where policy is made.
//
// A Source and a Consumer may be used concurrently.
package gateway

import (
	"context"
	"time"

	"collimate/ledger"
)

// Ledger is what a gateway needs of its ledger node.
type Ledger interface {
	// View calls f with an immutable snapshot of the last final block; the snapshot is void afterwards.
	View(f func(*ledger.Snapshot) error) error
	// Submit sends a signed transaction and returns when it is final, or with the ledger's refusal.
	Submit(ctx context.Context, transaction []byte) error
	// Revoked and RevokedAll report revocations that this node has seen but that need not be final yet.
	Revoked(ledger.StudyID, ledger.Commitment) bool
	RevokedAll(study ledger.StudyID, epoch uint64) bool
}

// The paths at which a gateway answers.
const (
	// PathRepository is ITI-43, on the source side and on the consumer side; and ITI-41 with RAD-68, on the source side.
	PathRepository = "/xds/repository"
	// PathRegistry is ITI-18, ITI-42 and ITI-61, on the source side.
	PathRegistry = "/xds/registry"
	// PathImaging is RAD-69, on the source side.
	PathImaging = "/xdsi/imaging"
	// PathOpenings takes the openings of grants, on the source side.
	PathOpenings = "/v1/openings"
)

// DefaultStaleness is how old the last block may be before a source refuses everything: longer than a few
// missed heartbeats, short enough that a source cut off from the network stops releasing images.
const DefaultStaleness = 2 * time.Minute
