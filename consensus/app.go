package consensus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"

	"collimate/ledger"
	"collimate/ledger/store"
)

// The result codes of a transaction, in CheckTx and in a block. The ledger's own code goes in Data, which the block's
// results hash covers, and in Info.
const (
	codeOK uint32 = iota
	codeRefused
	codeMalformed
	codeUnavailable // this node cannot tell now; never in a block
)

// codespace says whose the codes are.
const codespace = "ledger"

// app is the ledger as the engine sees it (ABCI). The engine calls the consensus methods one after the other, and
// CheckTx concurrently with them.
type app struct {
	abci.BaseApplication
	genesis  Genesis
	store    *store.Store
	receipts *receipts
	waiters  *waiters
	verified *verified
	log      *slog.Logger

	// seen is called for each transaction that CheckTx accepts, before it is acknowledged to anyone. final is
	// called for each transaction of a block once the block is on disk; err is an *Error if it was refused.
	seen  func(*ledger.Transaction)
	final func(tx *ledger.Transaction, r Receipt, err error)

	mu      sync.RWMutex // held for reading by CheckTx, for writing by stop
	stopped bool

	// The block between FinalizeBlock and Commit.
	block   *store.Block
	results []result
}

// result is what became of a transaction in a block.
type result struct {
	tx      *ledger.Transaction
	receipt Receipt
	err     error // nil, or why it was refused
}

// stop waits for CheckTx to finish; every later one fails. The store may be closed afterwards.
func (a *app) stop() {
	a.mu.Lock()
	a.stopped = true
	a.mu.Unlock()
	if a.block != nil {
		a.block.Discard()
		a.block = nil
	}
}

func (a *app) parse(raw []byte) (*ledger.Transaction, error) {
	return a.verified.parse(a.genesis.ChainID, raw)
}

// Info tells the engine which block the state is of, so that it replays what is missing.
func (a *app) Info(context.Context, *abci.RequestInfo) (*abci.ResponseInfo, error) {
	height, hash, err := a.store.Last()
	if err != nil {
		return nil, err
	}
	return &abci.ResponseInfo{Data: "collimate", AppVersion: appVersion, LastBlockHeight: height, LastBlockAppHash: hash}, nil
}

// InitChain begins the state. After a crash before the first block the engine calls it again.
func (a *app) InitChain(context.Context, *abci.RequestInitChain) (*abci.ResponseInitChain, error) {
	b, err := a.store.Begin(0, a.genesis.Time.UTC())
	if err != nil {
		return nil, err
	}
	defer b.Discard()
	if err := b.Init(a.genesis.ledger()); err != nil {
		return nil, fmt.Errorf("the state in the node's directory is of another network: %w", err)
	}
	hash := b.AppHash()
	return &abci.ResponseInitChain{AppHash: hash}, b.Commit()
}

// CheckTx decides whether a transaction, submitted here or gossiped, may wait for a block.
func (a *app) CheckTx(_ context.Context, r *abci.RequestCheckTx) (*abci.ResponseCheckTx, error) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	if a.stopped {
		return checked(ErrStopped), nil
	}
	tx, err := a.parse(r.Tx)
	if err != nil {
		return checked(err), nil
	}
	snap := a.store.Snapshot()
	defer snap.Close()
	if err := ledger.Check(snap, tx, snap.Next()); err != nil {
		a.waiters.settle(tx.ID, outcome{err: err})
		return checked(err), nil
	}
	a.seen(tx)
	return checked(nil), nil
}

// checked is the answer to CheckTx.
func checked(err error) *abci.ResponseCheckTx {
	code, name, detail := explain(err)
	return &abci.ResponseCheckTx{Code: code, Codespace: codespace, Data: []byte(name), Info: name, Log: detail}
}

// explain returns a result code, the ledger's name of it and a text for people.
func explain(err error) (code uint32, name, detail string) {
	var refused *ledger.Error
	var malformed *ledger.SyntaxError
	switch {
	case err == nil:
		return codeOK, "", ""
	case errors.As(err, &refused):
		return codeRefused, string(refused.Code), refused.Detail
	case errors.As(err, &malformed):
		return codeMalformed, string(malformed.Code), malformed.Detail
	}
	return codeUnavailable, "unavailable", err.Error()
}

// PrepareProposal drops what no validator would accept. There should be nothing: CheckTx came first.
func (a *app) PrepareProposal(_ context.Context, r *abci.RequestPrepareProposal) (*abci.ResponsePrepareProposal, error) {
	good := make([][]byte, 0, len(r.Txs))
	var size int64
	for _, raw := range r.Txs {
		if _, err := a.parse(raw); err != nil {
			continue
		}
		if size += txSize(raw); size > r.MaxTxBytes {
			break
		}
		good = append(good, raw)
	}
	return &abci.ResponsePrepareProposal{Txs: good}, nil
}

// txSize is what a transaction takes in a block at most: tag and length are a protobuf key and varint.
func txSize(raw []byte) int64 { return int64(len(raw)) + 6 }

// ProcessProposal rejects a proposal that holds anything but transactions of this chain with good signatures. Whether
// the state accepts them is not asked: a proposer cannot know what the transactions before them do.
func (a *app) ProcessProposal(_ context.Context, r *abci.RequestProcessProposal) (*abci.ResponseProcessProposal, error) {
	for _, raw := range r.Txs {
		if _, err := a.parse(raw); err != nil {
			a.log.Warn("rejected a proposal", "height", r.Height, "proposer", fmt.Sprintf("%X", r.ProposerAddress), "err", err)
			return &abci.ResponseProcessProposal{Status: abci.ResponseProcessProposal_REJECT}, nil
		}
	}
	return &abci.ResponseProcessProposal{Status: abci.ResponseProcessProposal_ACCEPT}, nil
}

// FinalizeBlock applies a decided block to the state in memory. It is a function of state and block alone. An error
// means that this node's disk has failed; the engine halts.
func (a *app) FinalizeBlock(_ context.Context, r *abci.RequestFinalizeBlock) (*abci.ResponseFinalizeBlock, error) {
	if a.block != nil { // the engine never came to Commit
		a.block.Discard()
	}
	b, err := a.store.Begin(r.Height, r.Time)
	if err != nil {
		return nil, err
	}
	a.block, a.results = b, make([]result, 0, len(r.Txs))
	answers := make([]*abci.ExecTxResult, len(r.Txs))
	for i, raw := range r.Txs {
		tx, err := a.parse(raw)
		if err == nil {
			err = b.Apply(tx)
			a.results = append(a.results, result{tx, Receipt{TxID: tx.ID, Height: r.Height, Time: r.Time}, err})
		}
		code, name, detail := explain(err)
		if code == codeUnavailable {
			return nil, fmt.Errorf("applying a transaction of block %d: %w", r.Height, err)
		}
		answers[i] = &abci.ExecTxResult{Code: code, Codespace: codespace, Data: []byte(name), Info: name, Log: detail}
	}
	return &abci.ResponseFinalizeBlock{TxResults: answers, AppHash: b.AppHash()}, nil
}

// Commit writes the block to the disk, then tells those who wait for its transactions. Receipts go first: a receipt
// whose block is lost in a crash is written again when the engine replays the block.
func (a *app) Commit(context.Context, *abci.RequestCommit) (*abci.ResponseCommit, error) {
	if a.block == nil {
		return nil, errors.New("commit without a block")
	}
	if err := a.receipts.add(a.results); err != nil {
		return nil, err
	}
	err := a.block.Commit()
	a.block = nil
	if err != nil {
		return nil, err
	}
	for _, r := range a.results {
		a.final(r.tx, r.receipt, r.err)
		a.waiters.settle(r.tx.ID, outcome{r.receipt, r.err})
	}
	a.results = nil
	return &abci.ResponseCommit{}, nil
}

// Receipt says in which block a transaction became final.
type Receipt struct {
	TxID   ledger.TxID
	Height int64
	Time   time.Time // of the block: chain time
}
