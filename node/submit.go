package node

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"time"

	"collimate/consensus"
	"collimate/ledger"
	"collimate/node/client"
)

// submit answers when a transaction is final or refused, or with wait=false when it waits for its block.
func (n *Node) submit(w http.ResponseWriter, r *http.Request) {
	wait, err := waitOf(r)
	if err != nil {
		n.fail(w, err)
		return
	}
	raw, ok := n.body(w, r, client.MediaTypeTransaction, maxBody)
	if !ok {
		return
	}
	from := n.gate.address(r)
	if !n.gate.waits.take(from) {
		busy(w, "too many requests wait for finality at this node, in all or of this address: try again in a second, or another node")
		return
	}
	defer n.gate.waits.leave(from)
	if wait == noWait {
		n.offerOnly(w, r, raw)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), wait)
	defer cancel()
	receipt, err := n.Submit(ctx, raw)
	if err != nil {
		n.fail(w, err)
		return
	}
	answer(w, http.StatusOK, receiptOf(receipt))
}

// offerOnly answers with the receipt of a transaction that is final already, or says that it waits.
func (n *Node) offerOnly(w http.ResponseWriter, r *http.Request, raw []byte) {
	id, err := n.engine.Offer(r.Context(), raw)
	if err := errors.Join(err, n.seen.failure()); err != nil {
		n.fail(w, err)
		return
	}
	receipt, final, err := n.engine.Receipt(id)
	switch {
	case err != nil:
		n.fail(w, err)
	case final:
		answer(w, http.StatusOK, receiptOf(receipt))
	default:
		answer(w, http.StatusAccepted, client.Receipt{TxID: id, Result: client.ResultPending})
	}
}

func receiptOf(r consensus.Receipt) client.Receipt {
	return client.Receipt{TxID: r.TxID, Height: r.Height, Time: r.Time, Result: client.ResultFinal}
}

// body reads a request's body, or refuses it.
func (n *Node) body(w http.ResponseWriter, r *http.Request, media string, limit int64) ([]byte, bool) {
	if got, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || got != media {
		refuse(w, http.StatusUnsupportedMediaType, client.CodeMediaType, "send the signed message with Content-Type: "+media)
		return nil, false
	}
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		refuse(w, http.StatusRequestEntityTooLarge, client.CodeTooLarge, "the body is larger than any message of this kind")
	case err != nil:
		refuse(w, http.StatusBadRequest, client.CodeBadRequest, "the body ended early, or took too long")
	}
	return raw, err == nil
}

// noWait stands for wait=false.
const noWait = time.Duration(-1)

// waitOf returns how long a request wants to wait for finality.
func waitOf(r *http.Request) (time.Duration, error) {
	switch s := r.URL.Query().Get("wait"); s {
	case "":
		return defaultWait, nil
	case "false":
		return noWait, nil
	default:
		wait, err := time.ParseDuration(s)
		if err != nil || wait < 0 || wait > maxWait {
			return 0, requestError("wait is false or a duration from 0s to 1m, such as wait=30s")
		}
		return wait, nil
	}
}

// transaction answers with the receipt of an accepted, final transaction.
func (n *Node) transaction(w http.ResponseWriter, r *http.Request) {
	var id ledger.TxID
	if err := id.UnmarshalText([]byte(r.PathValue("id"))); err != nil {
		n.fail(w, requestError(err.Error()))
		return
	}
	receipt, ok, err := n.engine.Receipt(id)
	switch {
	case err != nil:
		n.fail(w, err)
	case !ok:
		refuse(w, http.StatusNotFound, client.CodeNotFound, "no accepted transaction with this id is final here")
	default:
		answer(w, http.StatusOK, receiptOf(receipt))
	}
}
