package consensus

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"

	"collimate/ledger"
	"collimate/ledger/store"
)

// The result codes of a transaction in a block. The ledger's own code goes in Data, which the block's
// results hash covers, and in Info.
const (
	codeOK uint32 = iota
	codeRefused
	codeMalformed
	codeUnavailable // this node cannot tell: never in a block
)

// codespace says whose the codes are.
const codespace = "ledger"

// app is the ledger as the engine sees it (ABCI). The engine calls the consensus methods one after the other.
type app struct {
	abci.BaseApplication
	genesis    Genesis
	validators map[string]ledger.ValidatorKey // by the engine's address
	store      *store.Store
	receipts   *receipts
	waiters    *waiters
	verified   *verified
	pool       *pool
	log        *slog.Logger

	// See Config.
	onBlock  func(Block) error
	onCommit func(Block)
	after    func(height int64) (retain int64, err error) // see Engine.after

	// The block between FinalizeBlock and Commit.
	block *store.Block
	made  Block
}

// Block is what a block did.
type Block struct {
	Height  int64
	Time    time.Time // chain time
	AppHash []byte    // of the state after it
	Results []Result  // in the order of its transactions
}

// Result is what became of a transaction in a block.
type Result struct {
	Tx  *ledger.Transaction
	Err error // a *ledger.Error if it was refused
}

// receipt is that of a transaction of the block.
func (b Block) receipt(tx *ledger.Transaction) Receipt {
	return Receipt{TxID: tx.ID, Height: b.Height, Time: b.Time}
}

func newApp(g Genesis, s *store.Store, index *receipts, height int64, log *slog.Logger) *app {
	a := &app{genesis: g, validators: map[string]ledger.ValidatorKey{}, store: s, receipts: index, waiters: newWaiters(), verified: newVerified(), log: log}
	for _, v := range g.Validators {
		a.validators[string(addressOf(v.Key))] = v.Key
	}
	a.pool = newPool(s, height, a.waiters.settle)
	a.after = func(int64) (int64, error) { return 0, nil }
	return a
}

// stop gives up a block that was not committed. The store may be closed afterwards.
func (a *app) stop() {
	if a.block != nil {
		a.block.Discard()
		a.block = nil
	}
}

// parse is ledger.Parse with the memory of the pool and of earlier proposals.
func (a *app) parse(raw []byte) (*ledger.Transaction, error) {
	if len(raw) > ledger.MaxTxBytes {
		return ledger.Parse(a.genesis.ChainID, raw) // refuses it, for less than a hash
	}
	if tx := a.recall(raw); tx != nil {
		return tx, nil
	}
	return a.verified.parse(a.genesis.ChainID, raw)
}

// recall returns a transaction that was verified before, nil if none was with these bytes.
func (a *app) recall(raw []byte) *ledger.Transaction {
	id := sha256.Sum256(raw)
	if tx := a.pool.get(id); tx != nil {
		return tx
	}
	return a.verified.get(id)
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

// PrepareProposal tries the transactions out in the order in which they are to stand, and leaves out those that the state
// would refuse: their signers pay for what is written, so that what is refused would fill blocks for nothing. An error
// would bring the engine down; without a state there is nothing to propose.
func (a *app) PrepareProposal(_ context.Context, r *abci.RequestPrepareProposal) (*abci.ResponsePrepareProposal, error) {
	seen := a.observed(r.Misbehavior)
	for _, v := range r.LocalLastCommit.Votes {
		a.present(&seen, v.Validator.Address, v.BlockIdFlag)
	}
	good, err := a.try(r, seen)
	if err != nil {
		a.log.Error("proposing an empty block", "height", r.Height, "err", err)
		good = nil
	}
	return &abci.ResponsePrepareProposal{Txs: good}, nil
}

func (a *app) try(r *abci.RequestPrepareProposal, seen ledger.Observed) (good [][]byte, err error) {
	b, err := a.store.Begin(r.Height, r.Time)
	if err != nil {
		return nil, err
	}
	defer b.Discard()
	if err := b.Begin(seen); err != nil {
		return nil, err
	}
	var size int64
	for _, raw := range r.Txs {
		tx, err := a.parse(raw)
		if err != nil {
			continue
		}
		if size+txSize(raw) > r.MaxTxBytes {
			break
		}
		switch err := b.Apply(tx); {
		case ledger.CodeOf(err) != "":
			a.pool.drop(tx.ID, err)
		case err != nil:
			return nil, err
		default:
			good, size = append(good, raw), size+txSize(raw)
		}
	}
	return good, nil
}

// observed is what the engine reports of validators that broke the rules.
func (a *app) observed(all []abci.Misbehavior) ledger.Observed {
	var seen ledger.Observed
	for _, m := range all {
		if key, ok := a.validators[string(m.Validator.Address)]; ok && !slices.Contains(seen.Equivocated, key) {
			seen.Equivocated = append(seen.Equivocated, key)
		}
	}
	return seen
}

// present counts a validator as absent whose vote is not in the last commit. One that voted for nothing was there.
func (a *app) present(seen *ledger.Observed, address []byte, flag cmtproto.BlockIDFlag) {
	if key, ok := a.validators[string(address)]; ok && flag == cmtproto.BlockIDFlagAbsent {
		seen.Absent = append(seen.Absent, key)
	}
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
	a.stop() // the engine may never have come to Commit
	b, err := a.store.Begin(r.Height, r.Time)
	if err != nil {
		return nil, err
	}
	a.block, a.made = b, Block{Height: r.Height, Time: r.Time}
	seen := a.observed(r.Misbehavior)
	for _, v := range r.DecidedLastCommit.Votes {
		a.present(&seen, v.Validator.Address, v.BlockIdFlag)
	}
	if err := b.Begin(seen); err != nil {
		return nil, fmt.Errorf("beginning block %d: %w", r.Height, err)
	}
	answers := make([]*abci.ExecTxResult, len(r.Txs))
	for i, raw := range r.Txs {
		tx, err := a.parse(raw)
		if err == nil {
			err = b.Apply(tx)
			a.made.Results = append(a.made.Results, Result{tx, err})
		}
		code, name, detail := explain(err)
		if code == codeUnavailable {
			return nil, fmt.Errorf("applying a transaction of block %d: %w", r.Height, err)
		}
		answers[i] = &abci.ExecTxResult{Code: code, Codespace: codespace, Data: []byte(name), Info: name, Log: detail}
	}
	a.made.AppHash = b.AppHash()
	return &abci.ResponseFinalizeBlock{TxResults: answers, AppHash: a.made.AppHash}, nil
}

// Commit writes the block to the disk, then tells those who wait for its transactions. Receipts go first: a receipt
// whose block is lost in a crash is written again when the engine replays the block.
func (a *app) Commit(context.Context, *abci.RequestCommit) (*abci.ResponseCommit, error) {
	if a.block == nil {
		return nil, errors.New("commit without a block")
	}
	if err := a.receipts.add(a.made); err != nil {
		return nil, err
	}
	if a.onBlock != nil {
		if err := a.onBlock(a.made); err != nil {
			return nil, fmt.Errorf("recording block %d: %w", a.made.Height, err)
		}
	}
	err := a.block.Commit()
	a.block = nil
	if err != nil {
		return nil, err
	}
	a.pool.commit(a.made)
	if a.onCommit != nil {
		a.onCommit(a.made)
	}
	for _, r := range a.made.Results {
		a.waiters.settle(r.Tx.ID, outcome{a.made.receipt(r.Tx), r.Err})
	}
	retain, err := a.after(a.made.Height)
	if err != nil { // not worth halting for
		a.log.Error("deleting old blocks", "height", a.made.Height, "err", err)
	}
	return &abci.ResponseCommit{RetainHeight: retain}, nil
}

// Receipt says in which block a transaction became final.
type Receipt struct {
	TxID   ledger.TxID
	Height int64
	Time   time.Time // of the block: chain time
}
