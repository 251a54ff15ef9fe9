package node

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"

	"collimate/ledger"
)

// view is how one request reads the state. What it lists is a page of the keys there are: those after a cursor, up
// to a limit. And it remembers which keys were read, so that the same reading can be shown by proofs: whoever reads
// the proven entries in the same way comes to the same answer.
type view struct {
	state
	after []byte // list only what comes after this key
	limit int    // of what is listed
	more  []byte // the last key listed, if there are more

	keys [][]byte
	read map[string]bool
}

// state is a store's Snapshot, as far as a view reads it.
type state interface {
	ledger.Reader
	IterateFrom(prefix, from []byte, visit func(key, value []byte) error) error
}

// errPageEnds ends an iteration early.
var errPageEnds = errors.New("the page is full")

func newView(s state, after []byte, limit int) *view {
	return &view{state: s, after: after, limit: limit, read: map[string]bool{}}
}

// Get reads one key.
func (v *view) Get(key []byte) ([]byte, error) {
	v.note(key)
	return v.state.Get(key)
}

// Iterate visits the keys of the page.
func (v *view) Iterate(prefix []byte, visit func(key, value []byte) error) error {
	var last []byte
	n := 0
	var from []byte
	if v.after != nil {
		from = append(bytes.Clone(v.after), 0) // the next key that there can be
	}
	err := v.state.IterateFrom(prefix, from, func(key, value []byte) error {
		if n == v.limit {
			v.more = last
			return errPageEnds
		}
		n++
		last = bytes.Clone(key)
		v.note(last)
		return visit(key, value)
	})
	return ignore(err, errPageEnds)
}

func (v *view) note(key []byte) {
	if s := string(key); !v.read[s] {
		v.read[s] = true
		v.keys = append(v.keys, []byte(s))
	}
}

// next returns the cursor of the page that follows, empty if there is none.
func (v *view) next() string { return hex.EncodeToString(v.more) }

// parseKey decodes a state key, of which a cursor is one.
func parseKey(what, s string) ([]byte, error) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) == 0 || len(b) > maxNameBytes/2 {
		return nil, requestError(fmt.Sprintf("%s is the hexadecimal digits of a state key, at most %d", what, maxNameBytes))
	}
	return b, nil
}
