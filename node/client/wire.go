package client

import (
	"time"

	"collimate/keys"
	"collimate/ledger"
)

// The media types of what is not JSON.
const (
	// MediaTypeTransaction is the Content-Type of a signed transaction or query. RFC 9052 section 11.3 registers
	// application/cose; the API takes plain CBOR, since both are tagged.
	MediaTypeTransaction = "application/cbor"
	// MediaTypeBundle is what an Accept header names to get proofs alone: a light.Bundle.
	MediaTypeBundle = "application/cbor"
	// MediaTypeSequence is one CBOR item after the other. RFC 8742
	MediaTypeSequence = "application/cbor-seq"
	// MediaTypeEvents is that of server-sent events.
	MediaTypeEvents = "text/event-stream"
)

// Status is a node's view of the network and of itself, as GET /v1/status answers.
type Status struct {
	ChainID          string    `json:"chain_id"`
	Height           int64     `json:"height"`
	BlockTime        time.Time `json:"block_time"` // chain time
	AppHash          string    `json:"app_hash"`   // lower-case hexadecimal
	Peers            int       `json:"peers"`
	CatchingUp       bool      `json:"catching_up"`
	NodeID           string    `json:"node_id"`           // libp2p peer id
	ValidatorAddress string    `json:"validator_address"` // upper-case hexadecimal
}

// Receipt says in which block a transaction became final.
type Receipt struct {
	TxID   ledger.TxID `json:"tx"`
	Height int64       `json:"height"`
	Time   time.Time   `json:"time"`   // of the block: chain time
	Result string      `json:"result"` // ResultFinal, or ResultPending without height and time
}

// The results of a transaction that was not refused.
const (
	ResultFinal   = "final"
	ResultPending = "pending" // it waits for its block, which may still refuse it
)

// Page is a part of a list.
type Page[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next,omitempty"` // the cursor of the page that follows; empty if this is the last
}

// Proved is an answer with the proofs of all that it was read from.
type Proved[T any] struct {
	Value  T      `json:"value"`  // null if there is none, which is proved too
	Bundle []byte `json:"bundle"` // light.Bundle
}

// Block is a final block.
type Block struct {
	Height  int64     `json:"height"`
	Time    time.Time `json:"time"`     // chain time
	AppHash string    `json:"app_hash"` // after the block, lower-case hexadecimal
}

// KindRecovered is the Event of a study that went to the owner whom its guardians had named. No transaction does
// that, but time. ledger-spec 5.0.3
const KindRecovered ledger.Kind = "recovered"

// Event is what a block did to a study. Which of the last fields there are goes by Kind.
type Event struct {
	Study  ledger.StudyID `json:"study"`
	Kind   ledger.Kind    `json:"kind"`          // of the transaction, or KindRecovered
	Height int64          `json:"height"`        // 0 if not final yet
	Time   time.Time      `json:"time,omitzero"` // of the block: chain time
	TxID   ledger.TxID    `json:"tx,omitzero"`
	Signer keys.ID        `json:"signer,omitzero"`

	Epoch      uint64            `json:"epoch,omitempty"`     // that the owner signed for
	Revision   uint64            `json:"revision,omitempty"`  // that the source signed for
	Commitment ledger.Commitment `json:"commitment,omitzero"` // of the grant or the membership
	All        bool              `json:"all,omitempty"`       // of a revocation
	NotAfter   ledger.Seconds    `json:"not_after,omitzero"`  // of a grant or an emergency
	Scope      ledger.Scope      `json:"scope,omitempty"`     // of a grant
	Tier       ledger.Tier       `json:"tier,omitempty"`      // of a grant
	Owner      keys.Owner        `json:"owner,omitzero"`      // the new one, or the one that a guardian names
	Held       bool              `json:"held,omitempty"`      // whether it is held from now on
	Guardians  int               `json:"guardians,omitempty"` // how many there are
	Threshold  uint64            `json:"threshold,omitempty"` // how many of them must agree
	Delay      uint64            `json:"delay,omitempty"`     // of a recovery, in seconds
	Group      ledger.StudyID    `json:"group,omitzero"`      // by which somebody broke the glass
}

// Problem is the body of every answer that is not a success.
type Problem struct {
	Error struct {
		Code   string `json:"code"`
		Detail string `json:"detail"` // for people: what to do
	} `json:"error"`
}

// The codes of problems that are not the ledger's own.
const (
	CodeBadRequest   = "bad-request"
	CodeNotFound     = "not-found"
	CodeTooLarge     = "too-large"
	CodeMediaType    = "media-type"
	CodeBadQuery     = "bad-query"    // a signed query is of another time, chain or study, or not signed by whom it says
	CodeTooMany      = "too-many"     // requests from one address
	CodeTooOld       = "too-old"      // a stream of events cannot resume
	CodeTooSlow      = "too-slow"     // a stream of events was not read
	CodeNoProof      = "no-proof-yet" // the node has joined a moment ago, or started after a crash
	CodeNotFinal     = "not-final"    // accepted, and may still become final
	CodeCatchingUp   = "catching-up"  // try again, or another node
	CodeBusy         = "busy"         // try again
	CodeUnavailable  = "unavailable"  // the node is stopping or has halted
	CodeInternal     = "internal"     // see the node's log
	CodeNotPersisted = "not-persisted"
)
