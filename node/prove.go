package node

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"

	"collimate/ledger"
	"collimate/ledger/light"
	"collimate/ledger/store"
	"collimate/node/client"
)

// pathProve is the path of proofs of state keys.
const pathProve = "/v1/prove"

// headKey is that of the one record beside the app hash. ledger-spec 4.1
var headKey, _ = ledger.HeadEntry(ledger.Head{})

// proveKeys answers with the proofs of state keys, present or absent.
func (n *Node) proveKeys(w http.ResponseWriter, r *http.Request) {
	names := r.URL.Query()["key"]
	if len(names) == 0 || len(names) > maxProvedKeys {
		n.fail(w, requestError(fmt.Sprintf("name 1 to %d keys: key=HEX&key=HEX", maxProvedKeys)))
		return
	}
	var keys [][]byte
	for _, name := range names {
		key, err := parseKey("key", name)
		if err != nil {
			n.fail(w, err)
			return
		}
		if bytes.Equal(key, headKey) {
			n.fail(w, requestError("the head record is not part of the app hash, so there is no proof of it: see /v1/status"))
			return
		}
		keys = append(keys, key)
	}
	snap, err := n.snapshot(true)
	if err != nil {
		n.fail(w, err)
		return
	}
	defer snap.Close()
	n.prove(w, r, snap, keys, true, nil)
}

// prove answers with the proofs of keys, alone or beside what was found under them.
func (n *Node) prove(w http.ResponseWriter, r *http.Request, snap *store.Snapshot, keys [][]byte, alone bool, found any) {
	if more := len(keys) / (maxProvedKeys + 1); more > 0 && !n.gate.charge(w, r, more*proofCost) {
		return
	}
	bundle, err := n.bundle(snap, keys)
	if err != nil {
		w.Header().Del("ETag")
		n.fail(w, err)
		return
	}
	if alone {
		answerBytes(w, client.MediaTypeBundle, bundle)
		return
	}
	answer(w, http.StatusOK, client.Proved[any]{Value: found, Bundle: bundle})
}

// bundle encodes the proofs of keys, and the light block that commits to the state that they are of.
func (n *Node) bundle(snap *store.Snapshot, keys [][]byte) ([]byte, error) {
	block, err := n.engine.LightBlock(snap.Height() + 1)
	if err != nil {
		return nil, err
	}
	proofs, err := snap.Prove(keys...)
	if err != nil {
		return nil, err
	}
	b := light.Bundle{Blocks: []light.Block{*block}}
	for i, key := range keys {
		e := light.Entry{Key: key}
		if e.Value, err = snap.Get(key); err != nil {
			return nil, err
		}
		if e.Proof, err = proofs[i].MarshalBinary(); err != nil {
			return nil, err
		}
		b.Entries = append(b.Entries, e)
	}
	return b.Encode()
}

// lightBlock answers with the light block of one height.
func (n *Node) lightBlock(w http.ResponseWriter, r *http.Request) {
	height, err := heightOf(r.PathValue("height"))
	if err != nil {
		n.fail(w, err)
		return
	}
	n.lightBlocksFrom(w, height, height)
}

// lightBlocks answers with those of a range, one after the other.
func (n *Node) lightBlocks(w http.ResponseWriter, r *http.Request) {
	from, err := heightOf(r.URL.Query().Get("from"))
	if err != nil {
		n.fail(w, err)
		return
	}
	to, err := heightOf(r.URL.Query().Get("to"))
	if err != nil {
		n.fail(w, err)
		return
	}
	if to < from || to-from >= maxLightBlocks {
		n.fail(w, requestError(fmt.Sprintf("a range has 1 to %d blocks", maxLightBlocks)))
		return
	}
	if more := int(to - from); more > 0 && !n.gate.charge(w, r, more) { // the first is charged already
		return
	}
	n.lightBlocksFrom(w, from, to)
}

func (n *Node) lightBlocksFrom(w http.ResponseWriter, from, to int64) {
	var all []byte
	for h := from; h <= to; h++ {
		block, err := n.engine.LightBlock(h)
		if err != nil {
			n.fail(w, err)
			return
		}
		b, err := block.Encode()
		if err != nil {
			n.fail(w, err)
			return
		}
		all = append(all, b...)
	}
	media := client.MediaTypeBundle
	if to > from {
		media = client.MediaTypeSequence
	}
	answerBytes(w, media, all)
}

func heightOf(s string) (int64, error) {
	height, err := strconv.ParseInt(s, 10, 64)
	if err != nil || height < 1 {
		return 0, requestError("a height is 1 or more")
	}
	return height, nil
}
