package client

import (
	"time"

	"collimate/ledger"
)

// MediaTypeTransaction is the Content-Type of a signed transaction. RFC 9052 section 11.3 registers application/cose;
// the API takes plain CBOR, since a transaction is tagged.
const MediaTypeTransaction = "application/cbor"

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
	Time   time.Time   `json:"time"` // of the block: chain time
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
	CodeNotFinal     = "not-final"   // accepted, and may still become final
	CodeCatchingUp   = "catching-up" // try again, or another node
	CodeBusy         = "busy"        // try again
	CodeUnavailable  = "unavailable" // the node is stopping or has halted
	CodeInternal     = "internal"    // see the node's log
	CodeNotPersisted = "not-persisted"
)
