package node

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"collimate/consensus"
	"collimate/ledger"
	"collimate/ledger/store"
	"collimate/node/client"
)

// requestError is what is wrong with a request, for people.
type requestError string

func (e requestError) Error() string { return string(e) }

// fail answers with an error of the node.
func (n *Node) fail(w http.ResponseWriter, err error) {
	var bad requestError
	var refused *ledger.Error
	var malformed *ledger.SyntaxError
	switch {
	case errors.As(err, &bad):
		refuse(w, http.StatusBadRequest, client.CodeBadRequest, bad.Error())
	case errors.Is(err, ledger.ErrNotFound), errors.Is(err, consensus.ErrNotFound):
		refuse(w, http.StatusNotFound, client.CodeNotFound, err.Error())
	case errors.As(err, &refused):
		refuse(w, http.StatusConflict, string(refused.Code), refused.Detail)
	case errors.As(err, &malformed):
		refuse(w, http.StatusUnprocessableEntity, string(malformed.Code), malformed.Detail)
	case errors.Is(err, errTooOld):
		refuse(w, http.StatusGone, client.CodeTooOld, err.Error())
	case errors.Is(err, consensus.ErrNotFinal):
		refuse(w, http.StatusGatewayTimeout, client.CodeNotFinal, consensus.ErrNotFinal.Error())
	case errors.Is(err, consensus.ErrCatchingUp):
		refuse(w, http.StatusServiceUnavailable, client.CodeCatchingUp, err.Error())
	case errors.Is(err, consensus.ErrBusy):
		busy(w, err.Error())
	case errors.Is(err, store.ErrNotKept):
		w.Header().Set("Retry-After", "1")
		refuse(w, http.StatusServiceUnavailable, client.CodeNoProof,
			"this node has just joined, or was started after a crash, and can prove from its next block on: try again in a few seconds")
	case errors.Is(err, consensus.ErrStopped), errors.Is(err, consensus.ErrHalted), errors.Is(err, store.ErrClosed):
		refuse(w, http.StatusServiceUnavailable, client.CodeUnavailable, err.Error())
	case errors.Is(err, ErrNotPersisted):
		refuse(w, http.StatusInternalServerError, client.CodeNotPersisted, ErrNotPersisted.Error())
	default:
		n.log.Error("answering a request", "err", err)
		refuse(w, http.StatusInternalServerError, client.CodeInternal, "the node could not answer: see its log")
	}
}

func problemOf(code, detail string) (p client.Problem) {
	p.Error.Code, p.Error.Detail = code, detail
	return p
}

func refuse(w http.ResponseWriter, status int, code, detail string) {
	answer(w, status, problemOf(code, detail))
}

// answer sends JSON. Nothing is kept by anybody, but for what has an ETag.
func answer(w http.ResponseWriter, status int, v any) {
	head(w, "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // fails only if the client has gone
}

// answerBytes sends what is encoded already.
func answerBytes(w http.ResponseWriter, media string, b []byte) {
	head(w, media)
	_, _ = w.Write(b) // as above
}

func head(w http.ResponseWriter, media string) {
	h := w.Header()
	h.Set("Content-Type", media)
	if h.Get("ETag") == "" {
		h.Set("Cache-Control", "no-store")
	}
	h.Set("X-Content-Type-Options", "nosniff")
}

// accepts reports whether a request asks for a media type by its name.
func accepts(r *http.Request, media string) bool {
	return strings.Contains(r.Header.Get("Accept"), media)
}
