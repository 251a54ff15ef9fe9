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
	_, err := effect(r, tx, at)
	return err
}

// Apply writes the effect of a transaction, or nothing if it refuses it as Check does.
func Apply(w ReaderWriter, tx *Transaction, at Context) error {
	if at.Height < 1 {
		// Records hold heights, with 0 for never.
		return fmt.Errorf("applying a transaction at height %d: the first block is 1", at.Height)
	}
	writes, err := effect(w, tx, at)
	if err != nil {
		return err
	}
	for _, e := range writes {
		if e.value == nil {
			err = w.Delete(e.key)
		} else {
			err = w.Set(e.key, e.value)
		}
		if err != nil {
			return fmt.Errorf("writing the state: %w", err)
		}
	}
	return nil
}

// effect returns what a transaction would write. It is the one way to a rule.
func effect(r Reader, tx *Transaction, at Context) ([]write, error) {
	chainID, err := chainIDOf(r)
	if err != nil {
		return nil, err
	}
	if tx.chainID != chainID {
		return nil, refuse(CodeOtherChain, "the transaction was not verified for the chain of this state")
	}
	return tx.Body.rule(r, signer{tx.Signer, chainID}, at)
}
