package consensus

import (
	"bytes"
	"sync"

	"collimate/ledger"
)

// verified remembers transactions of one chain whose signature was good, so that offer, proposal and block cost one
// verification together. It keeps two generations of maxVerified: when the young one is full it becomes the
// old one.
type verified struct {
	mu         sync.Mutex
	young, old map[ledger.TxID]*ledger.Transaction
}

func newVerified() *verified {
	return &verified{young: map[ledger.TxID]*ledger.Transaction{}}
}

// get returns a transaction by the SHA-256 of its bytes, nil if it is not remembered. It is shared: nobody may change it.
func (v *verified) get(id ledger.TxID) *ledger.Transaction {
	v.mu.Lock()
	defer v.mu.Unlock()
	if tx := v.young[id]; tx != nil {
		return tx
	}
	return v.old[id]
}

// parse is ledger.Parse, and remembers what was good.
func (v *verified) parse(chainID string, raw []byte) (*ledger.Transaction, error) {
	tx, err := ledger.Parse(chainID, bytes.Clone(raw)) // the engine may reuse its buffer
	if err != nil {
		return nil, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.young) >= maxVerified {
		v.old, v.young = v.young, map[ledger.TxID]*ledger.Transaction{}
	}
	v.young[tx.ID] = tx
	return tx, nil
}
