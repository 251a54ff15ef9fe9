package consensus

import (
	"crypto/sha256"
	"sync"

	"collimate/ledger"
)

// verified remembers transactions of one chain whose signature was good, so that CheckTx, the proposal and the block
// cost one verification together. It keeps two generations of maxVerified: when the young one is full it becomes the
// old one.
type verified struct {
	mu         sync.Mutex
	young, old map[[32]byte]*ledger.Transaction // by SHA-256 of the bytes
}

func newVerified() *verified {
	return &verified{young: map[[32]byte]*ledger.Transaction{}}
}

// parse is ledger.Parse with a memory. The transaction is shared: nobody may change it.
func (v *verified) parse(chainID string, raw []byte) (*ledger.Transaction, error) {
	if len(raw) > ledger.MaxTxBytes {
		return ledger.Parse(chainID, raw) // refuses it, for less than a hash
	}
	sum := sha256.Sum256(raw)
	v.mu.Lock()
	tx := v.young[sum]
	if tx == nil {
		tx = v.old[sum]
	}
	v.mu.Unlock()
	if tx != nil {
		return tx, nil
	}
	tx, err := ledger.Parse(chainID, append([]byte{}, raw...)) // the engine may reuse its buffer
	if err != nil {
		return nil, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.young) >= maxVerified {
		v.old, v.young = v.young, map[[32]byte]*ledger.Transaction{}
	}
	v.young[sum] = tx
	return tx, nil
}
