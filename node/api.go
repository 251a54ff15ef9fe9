package node

import (
	"context"
	"log/slog"
	"net"
	"net/http"

	"collimate/ledger"
	"collimate/node/api"
	"collimate/node/client"
)

// route is one resource of the API. What each takes and answers is in the OpenAPI document of package api.
type route struct {
	pattern string // of http.ServeMux
	serve   http.HandlerFunc
	long    bool // it waits for what happens, and has a bound of its own
}

// routes returns the API. Each answer is of one height. Answers are JSON, of the types in package client and the
// records of package ledger; what can be proved is also proved on request. Everything else is a client.Problem.
func (n *Node) routes() []route {
	return []route{
		{"GET /healthz", n.health, false},
		{"GET /openapi.json", document, false},
		{"GET /docs", docs, false},
		{"GET /v1/status", n.status, false},

		{"POST /v1/transactions", n.submit, true},
		{"GET /v1/transactions/{id}", n.transaction, false},

		{"GET /v1/sources", n.lister(readSources), false},
		{"GET /v1/sources/{id}", n.reader(readSource), false},
		{"GET /v1/sources/{id}/stake", n.reader(ofSource((*ledger.Snapshot).Stake)), false},
		{"GET /v1/sources/{id}/bonds", n.lister(ofSource((*ledger.Snapshot).Bonds)), false},
		{"GET /v1/sources/{id}/receipts", n.lister(ofSource((*ledger.Snapshot).Receipts)), false},
		{"GET /v1/studies/{id}", n.reader(ofStudy((*ledger.Snapshot).Study)), false},
		{"GET /v1/studies/{id}/grants", n.lister(ofStudy(readGrants)), false},
		{"GET /v1/studies/{id}/guardians", n.reader(ofStudy((*ledger.Snapshot).Guardians)), false},
		{"GET /v1/studies/{id}/recovery", n.reader(ofStudy((*ledger.Snapshot).Recovery)), false},
		{"GET /v1/studies/{id}/emergencies", n.lister(ofStudy((*ledger.Snapshot).Emergencies)), false},
		{"POST /v1/studies/{id}/history", n.history, false},
		{"GET /v1/payers", n.lister(readPayers), false},
		{"GET /v1/payers/{id}", n.reader(readPayer), false},
		{"GET /v1/params", n.reader(readParams), false},
		{"GET /v1/params/next", n.reader(readNext), false},

		{"GET " + pathProve, n.proveKeys, false},
		{"GET /v1/light-blocks", n.lightBlocks, false},
		{"GET /v1/light-blocks/{height}", n.lightBlock, false},
		{"GET /v1/events", n.events, true},

		{"/", nothing, false},
	}
}

func (n *Node) newServer() *http.Server {
	mux := http.NewServeMux()
	for _, r := range n.routes() {
		mux.HandleFunc(r.pattern, n.gate.guard(r.long, r.serve))
	}
	return &http.Server{
		Handler:           origins(n.config.Origins).wrap(mux),
		BaseContext:       func(net.Listener) context.Context { return n.life },
		ConnState:         n.gate.connection,
		MaxHeaderBytes:    maxHeaderBytes,
		ReadHeaderTimeout: headTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		ErrorLog:          slog.NewLogLogger(n.log.Handler(), slog.LevelDebug),
	}
}

func nothing(w http.ResponseWriter, _ *http.Request) {
	refuse(w, http.StatusNotFound, client.CodeNotFound, "no such resource or method: the API is described at /docs and in /openapi.json")
}

func document(w http.ResponseWriter, _ *http.Request) {
	answerBytes(w, "application/json", api.Document)
}

func docs(w http.ResponseWriter, _ *http.Request) {
	answerBytes(w, "text/html; charset=utf-8", api.Page)
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
