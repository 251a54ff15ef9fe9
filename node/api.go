package node

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"time"

	"collimate/consensus"
	"collimate/keys"
	"collimate/ledger"
	"collimate/node/client"
)

// newServer returns the HTTP API. All answers are JSON; package client has their types.
//
//	GET  /healthz                   200 {"status":"ok"}; 503 with the reason
//	GET  /v1/status                 client.Status
//	GET  /v1/sources                [ledger.SourceRecord]
//	GET  /v1/sources/{id}           ledger.SourceRecord; id is a KeyID, an alias or a declared OID
//	GET  /v1/studies/{id}           ledger.StudyRecord
//	GET  /v1/studies/{id}/grants    [ledger.GrantRecord], tombstones and earlier epochs included
//	GET  /v1/transactions/{id}      client.Receipt of an accepted, final transaction
//	POST /v1/transactions?wait=30s  client.Receipt when final. Body: the signed transaction, application/cbor,
//	                                at most 64 KiB. wait is at most 1m. The same bytes again give the same receipt.
//
// Everything else is a client.Problem, {"error":{"code":..., "detail":...}}:
//
//	400 bad-request   404 not-found   413 too-large   415 media-type
//	409 the ledger's code: the state refuses the transaction
//	422 the ledger's code: the bytes are no transaction of this chain
//	503 catching-up, busy, unavailable: try again, or another node
//	504 not-final: accepted, may still become final; send it again to wait on
//	500 internal, not-persisted: see the node's log
//
// Each answer is of one height. Other origins may not read: there are no CORS headers, and a page cannot submit
// without them, for the media type is not one of a form's.
func (n *Node) newServer() *http.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", n.health)
	mux.HandleFunc("GET /v1/status", n.status)
	mux.HandleFunc("GET /v1/sources", n.sources)
	mux.HandleFunc("GET /v1/sources/{id}", n.source)
	mux.HandleFunc("GET /v1/studies/{id}", n.study)
	mux.HandleFunc("GET /v1/studies/{id}/grants", n.grants)
	mux.HandleFunc("GET /v1/transactions/{id}", n.transaction)
	mux.HandleFunc("POST /v1/transactions", n.submit)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, http.StatusNotFound, client.CodeNotFound, "no such resource or method: the API is GET /v1/status, /v1/sources, /v1/studies/{id} and POST /v1/transactions")
	})
	return &http.Server{
		Handler:           mux,
		BaseContext:       func(net.Listener) context.Context { return n.life },
		MaxHeaderBytes:    maxHeaderBytes,
		ReadHeaderTimeout: headTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		ErrorLog:          slog.NewLogLogger(n.log.Handler(), slog.LevelDebug),
	}
}

func (n *Node) health(w http.ResponseWriter, _ *http.Request) {
	if err := n.Healthy(); err != nil {
		refuse(w, http.StatusServiceUnavailable, client.CodeUnavailable, err.Error())
		return
	}
	answer(w, http.StatusOK, map[string]string{"status": "ok"})
}

func (n *Node) status(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, client.Status(n.Status()))
}

func (n *Node) sources(w http.ResponseWriter, _ *http.Request) {
	n.read(w, func(s *ledger.Snapshot) (any, error) { return s.Sources() })
}

func (n *Node) source(w http.ResponseWriter, r *http.Request) {
	n.read(w, func(s *ledger.Snapshot) (any, error) {
		name := r.PathValue("id")
		if id, err := keys.ParseID(name); err == nil {
			return s.Source(keys.Source{ID: id})
		}
		return s.SourceByOID(name)
	})
}

func (n *Node) study(w http.ResponseWriter, r *http.Request) {
	id, err := ledger.ParseStudyID(r.PathValue("id"))
	if err != nil {
		refuse(w, http.StatusBadRequest, client.CodeBadRequest, err.Error())
		return
	}
	n.read(w, func(s *ledger.Snapshot) (any, error) { return s.Study(id) })
}

func (n *Node) grants(w http.ResponseWriter, r *http.Request) {
	id, err := ledger.ParseStudyID(r.PathValue("id"))
	if err != nil {
		refuse(w, http.StatusBadRequest, client.CodeBadRequest, err.Error())
		return
	}
	n.read(w, func(s *ledger.Snapshot) (any, error) {
		if _, err := s.Study(id); err != nil {
			return nil, err
		}
		return s.Grants(id)
	})
}

func (n *Node) transaction(w http.ResponseWriter, r *http.Request) {
	var id ledger.TxID
	if err := id.UnmarshalText([]byte(r.PathValue("id"))); err != nil {
		refuse(w, http.StatusBadRequest, client.CodeBadRequest, err.Error())
		return
	}
	receipt, ok, err := n.engine.Receipt(id)
	switch {
	case err != nil:
		n.fail(w, err)
	case !ok:
		refuse(w, http.StatusNotFound, client.CodeNotFound, "no accepted transaction with this id is final here")
	default:
		answer(w, http.StatusOK, client.Receipt(receipt))
	}
}

// read answers from one snapshot.
func (n *Node) read(w http.ResponseWriter, f func(*ledger.Snapshot) (any, error)) {
	snap := n.store.Snapshot()
	defer snap.Close()
	v, err := f(snap.Snapshot)
	if err != nil {
		n.fail(w, err)
		return
	}
	answer(w, http.StatusOK, v)
}

func (n *Node) submit(w http.ResponseWriter, r *http.Request) {
	wait, err := waitOf(r)
	if err != nil {
		refuse(w, http.StatusBadRequest, client.CodeBadRequest, err.Error())
		return
	}
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != client.MediaTypeTransaction {
		refuse(w, http.StatusUnsupportedMediaType, client.CodeMediaType, "send the signed transaction with Content-Type: "+client.MediaTypeTransaction)
		return
	}
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		refuse(w, http.StatusRequestEntityTooLarge, client.CodeTooLarge, "a transaction has at most 65536 bytes")
		return
	case err != nil:
		refuse(w, http.StatusBadRequest, client.CodeBadRequest, "the body ended early")
		return
	}
	select {
	case n.waits <- struct{}{}:
		defer func() { <-n.waits }()
	default:
		n.fail(w, consensus.ErrBusy)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), wait)
	defer cancel()
	receipt, err := n.Submit(ctx, raw)
	if err != nil {
		n.fail(w, err)
		return
	}
	answer(w, http.StatusOK, client.Receipt(receipt))
}

func waitOf(r *http.Request) (time.Duration, error) {
	s := r.URL.Query().Get("wait")
	if s == "" {
		return defaultWait, nil
	}
	wait, err := time.ParseDuration(s)
	if err != nil || wait < 0 || wait > maxWait {
		return 0, errors.New("wait is a duration from 0s to 1m, such as wait=30s")
	}
	return wait, nil
}

// fail answers with an error of the node.
func (n *Node) fail(w http.ResponseWriter, err error) {
	var refused *ledger.Error
	var malformed *ledger.SyntaxError
	switch {
	case errors.Is(err, ledger.ErrNotFound):
		refuse(w, http.StatusNotFound, client.CodeNotFound, err.Error())
	case errors.As(err, &refused):
		refuse(w, http.StatusConflict, string(refused.Code), refused.Detail)
	case errors.As(err, &malformed):
		refuse(w, http.StatusUnprocessableEntity, string(malformed.Code), malformed.Detail)
	case errors.Is(err, consensus.ErrNotFinal):
		refuse(w, http.StatusGatewayTimeout, client.CodeNotFinal, consensus.ErrNotFinal.Error())
	case errors.Is(err, consensus.ErrCatchingUp):
		refuse(w, http.StatusServiceUnavailable, client.CodeCatchingUp, err.Error())
	case errors.Is(err, consensus.ErrBusy):
		refuse(w, http.StatusServiceUnavailable, client.CodeBusy, err.Error())
	case errors.Is(err, consensus.ErrStopped), errors.Is(err, consensus.ErrHalted):
		refuse(w, http.StatusServiceUnavailable, client.CodeUnavailable, err.Error())
	case errors.Is(err, ErrNotPersisted):
		refuse(w, http.StatusInternalServerError, client.CodeNotPersisted, ErrNotPersisted.Error())
	default:
		n.log.Error("answering a request", "err", err)
		refuse(w, http.StatusInternalServerError, client.CodeInternal, "the node could not answer: see its log")
	}
}

func refuse(w http.ResponseWriter, status int, code, detail string) {
	var p client.Problem
	p.Error.Code, p.Error.Detail = code, detail
	answer(w, status, p)
}

func answer(w http.ResponseWriter, status int, v any) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // fails only if the client has gone
}
