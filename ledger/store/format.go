package store

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"collimate/ledger/tree"
)

// In Pebble the state stands under its own keys (ledger-spec 4.1), the store's own marks and then the entries of the tree
// (package tree) behind it.
const firstOwn = 0xf0

// format names what this version writes. A change of it makes every node join its network anew.
const format = "collimate/ledger-store/v3"

// Comparer orders keys bytewise. Whoever opens the database by itself needs it.
var Comparer = newComparer()

func newComparer() *pebble.Comparer {
	c := *pebble.DefaultComparer
	c.Name, c.Split = format, tree.Split
	return &c
}

// keyFormat holds the format once there is a state.
var keyFormat = []byte{firstOwn, 'f'}

// isState reports whether a key may be one of the state's.
func isState(key []byte) bool { return len(key) > 0 && key[0] < firstOwn }

// checkFormat refuses a database in which something else stands than what this version writes, and marks an empty one.
func checkFormat(db *pebble.DB) error {
	found, err := mark(db, keyFormat)
	if err != nil {
		return err
	}
	if string(found) == format {
		return nil
	}
	if found != nil {
		return fmt.Errorf("%w: its format is %q, want %q", ErrFormat, found, format)
	}
	unfinished, err := mark(db, keyRestore)
	if err != nil {
		return err
	}
	if unfinished != nil {
		return ErrUnfinished
	}
	empty, err := isEmpty(db)
	if err != nil {
		return err
	}
	if !empty {
		return ErrFormat
	}
	return db.Set(keyFormat, []byte(format), pebble.Sync)
}

// mark returns one of the store's own marks, nil if it is not there.
func mark(db *pebble.DB, key []byte) ([]byte, error) {
	b, closer, err := db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return append([]byte{}, b...), closer.Close()
}

func isEmpty(db *pebble.DB) (bool, error) {
	it, err := db.NewIter(nil)
	if err != nil {
		return false, err
	}
	empty := !it.First()
	return empty, errors.Join(it.Error(), it.Close())
}
