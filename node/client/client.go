// Package client speaks the HTTP API of a ledger node.
//
// A Client is safe for concurrent use. Its errors are *Error, whatever the node answered; through errors.As and
// errors.Is they are also the ledger's own: a *ledger.Error when the state refuses a transaction, a
// *ledger.SyntaxError when the bytes are none, ledger.ErrNotFound when what was asked for is not on the ledger.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"collimate/keys"
	"collimate/ledger"
)

const (
	// maxAnswer bounds an answer: the longest is a list of 8,192 grants of some 350 bytes.
	maxAnswer = 8 << 20

	// submitWait is how long Submit asks the node to wait for finality, within its caller's context.
	submitWait = 30 * time.Second

	// idleTimeout is how long a connection is kept for the next request. Clients are made for one question too.
	idleTimeout = 10 * time.Second

	// headerTimeout is how long a node may take to answer: submitWait, and time to spare.
	headerTimeout = submitWait + 15*time.Second
)

// Client is a connection to one node.
type Client struct {
	base string
	http *http.Client
}

// New returns a client for a node, by the URL of its API such as http://127.0.0.1:8442.
func New(base string) *Client {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.ResponseHeaderTimeout = headerTimeout
	t.Proxy = nil // a node is a neighbour
	t.IdleConnTimeout = idleTimeout
	return &Client{base: strings.TrimRight(base, "/"), http: &http.Client{Transport: t}}
}

// URL returns the URL of the node's API.
func (c *Client) URL() string { return c.base }

// Error is a node's refusal.
type Error struct {
	Status int    // HTTP
	Code   string // the ledger's, or one of this package's
	Detail string // for people
}

// Error returns code and detail.
func (e *Error) Error() string { return e.Code + ": " + e.Detail }

// Unwrap returns the ledger's own error.
func (e *Error) Unwrap() error {
	switch e.Status {
	case http.StatusConflict:
		return &ledger.Error{Code: ledger.ErrorCode(e.Code), Detail: e.Detail}
	case http.StatusUnprocessableEntity:
		return &ledger.SyntaxError{Code: ledger.ErrorCode(e.Code), Detail: e.Detail}
	case http.StatusNotFound:
		return ledger.ErrNotFound
	}
	return nil
}

// Status asks how the node is.
func (c *Client) Status(ctx context.Context) (Status, error) {
	return get[Status](ctx, c, "/v1/status")
}

// Submit sends a signed transaction and returns when it is final. With code CodeNotFinal it was accepted and may
// still become final: send the same bytes again to wait on.
func (c *Client) Submit(ctx context.Context, raw []byte) (Receipt, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+"/v1/transactions?wait="+submitWait.String(), bytes.NewReader(raw))
	if err != nil {
		return Receipt{}, fmt.Errorf("asking the node: %w", err)
	}
	req.Header.Set("Content-Type", MediaTypeTransaction)
	return do[Receipt](c, req)
}

// Transaction returns the receipt of an accepted, final transaction.
func (c *Client) Transaction(ctx context.Context, id ledger.TxID) (Receipt, error) {
	return get[Receipt](ctx, c, "/v1/transactions/"+id.String())
}

// Source returns a source by its key.
func (c *Client) Source(ctx context.Context, id keys.Source) (*ledger.SourceRecord, error) {
	return get[*ledger.SourceRecord](ctx, c, "/v1/sources/"+id.String())
}

// SourceByOID returns a source by its alias or by an OID that it has declared.
func (c *Client) SourceByOID(ctx context.Context, oid string) (*ledger.SourceRecord, error) {
	return get[*ledger.SourceRecord](ctx, c, "/v1/sources/"+url.PathEscape(oid))
}

// Sources returns all sources.
func (c *Client) Sources(ctx context.Context) ([]ledger.SourceRecord, error) {
	return get[[]ledger.SourceRecord](ctx, c, "/v1/sources")
}

// Study returns a study.
func (c *Client) Study(ctx context.Context, id ledger.StudyID) (*ledger.StudyRecord, error) {
	return get[*ledger.StudyRecord](ctx, c, "/v1/studies/"+id.String())
}

// Grants returns the grants and tombstones of a study.
func (c *Client) Grants(ctx context.Context, id ledger.StudyID) ([]ledger.GrantRecord, error) {
	return get[[]ledger.GrantRecord](ctx, c, "/v1/studies/"+id.String()+"/grants")
}

func get[T any](ctx context.Context, c *Client, path string) (T, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+path, nil)
	if err != nil {
		var none T
		return none, fmt.Errorf("asking the node: %w", err)
	}
	return do[T](c, req)
}

// do sends a request and decodes the answer.
func do[T any](c *Client, req *http.Request) (T, error) {
	var out T
	resp, err := c.http.Do(req)
	if err != nil {
		return out, fmt.Errorf("asking the node: %w", err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return out, fmt.Errorf("reading the node's answer: %w", err)
	}
	if len(b) > maxAnswer {
		return out, fmt.Errorf("reading the node's answer: more than %d bytes", maxAnswer)
	}
	if resp.StatusCode != http.StatusOK {
		return out, problem(resp.StatusCode, b)
	}
	if err := json.Unmarshal(b, &out); err != nil {
		return out, fmt.Errorf("decoding the node's answer: %w", err)
	}
	return out, nil
}

func problem(status int, b []byte) error {
	var p Problem
	if err := json.Unmarshal(b, &p); err != nil || p.Error.Code == "" {
		return fmt.Errorf("HTTP status %d without an explanation: is this the API of a ledger node?: %w", status, errors.Join(err))
	}
	return &Error{Status: status, Code: p.Error.Code, Detail: p.Error.Detail}
}
