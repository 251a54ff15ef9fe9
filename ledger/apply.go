package ledger

import (
	"fmt"
	"time"
)

// Context is the block that a transaction stands in.
type Context struct {
	Height int64
	Time   time.Time // chain time
}

// Check reports whether a transaction may stand in a block: nil, an *Error that says why not, or another
// error if the state cannot be read.
func Check(r Reader, tx *Transaction, at Context) error {
	_, _, err := effect(r, tx, at)
	return err
}

// Apply writes the effect of a transaction, or nothing if it refuses it as Check does.
func Apply(w ReaderWriter, tx *Transaction, at Context) error {
	if at.Height < 1 {
		// Records hold heights, with 0 for never.
		return fmt.Errorf("applying a transaction at height %d: the first block is 1", at.Height)
	}
	_, writes, err := effect(w, tx, at)
	if err != nil {
		return err
	}
	return put(w, writes)
}

// effect returns what a transaction would write, and what it would be charged. It is the one way to a rule.
func effect(r Reader, tx *Transaction, at Context) (*env, []write, error) {
	chainID, err := chainIDOf(r)
	if err != nil {
		return nil, nil, err
	}
	if tx.chainID != chainID {
		return nil, nil, refuse(CodeOtherChain, "the transaction was not verified for the chain of this state")
	}
	e := &env{Reader: r, chainID: chainID, by: tx.Signer, height: at.Height, time: at.Time.UnixNano()}
	writes, err := tx.Body.rule(e)
	return e, writes, err
}
