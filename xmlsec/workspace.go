package xmlsec

import (
	"crypto"
	"hash"
	"sync"
)

// workspace is what one verification needs beside the document: a buffer for canonical XML and the states of
// the hashes. It is used again for the next, as a gateway verifies little else than small messages.
type workspace struct {
	canonicalizer
	hashes [crypto.SHA512 + 1]hash.Hash
	digest [64]byte // the longest: SHA-512
}

var workspaces = sync.Pool{New: func() any { return new(workspace) }}

func newWorkspace() *workspace { return workspaces.Get().(*workspace) }

// release gives w back. It keeps the buffer unless one message made it unusually large.
func (w *workspace) release() {
	if cap(w.out) > 4*hashBlock {
		w.out = nil
	}
	w.d, w.options = nil, C14NOptions{}
	clear(w.rendered[:cap(w.rendered)]) // they point into the document
	clear(w.need[:cap(w.need)])
	workspaces.Put(w)
}

// hash returns the state of h, empty.
func (w *workspace) hash(h crypto.Hash) hash.Hash {
	if w.hashes[h] == nil {
		w.hashes[h] = h.New()
	} else {
		w.hashes[h].Reset()
	}
	return w.hashes[h]
}

// sum returns the digest of the canonical form of n. It is good until w is used again.
func (w *workspace) sum(h crypto.Hash, n Node, o C14NOptions) []byte {
	state := w.hash(h)
	w.stream(state, n, o)
	return state.Sum(w.digest[:0])
}
