// Package client speaks the HTTP API of a ledger node.
//
// A Client is safe for concurrent use. Its errors are *Error, whatever the node answered; through errors.As and
// errors.Is they are also the ledger's own: a *ledger.Error when the state refuses a transaction, a
// *ledger.SyntaxError when the bytes are none, ledger.ErrNotFound when what was asked for is not on the ledger.
package client

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"collimate/keys"
	"collimate/ledger"
	"collimate/node/query"
)

const (
	// maxAnswer bounds an answer: the longest is a range of light blocks.
	maxAnswer = 8 << 20

	// pageSize is how many records of a list are asked for at a time, and maxListed bounds all of them.
	pageSize  = 250
	maxListed = 1_000_000

	mediaTypeJSON = "application/json"

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
	return post[Receipt](ctx, c, "/v1/transactions?wait="+submitWait.String(), raw)
}

// Offer sends a signed transaction and returns when it waits for its block: with ResultPending, unless it is final
// already.
func (c *Client) Offer(ctx context.Context, raw []byte) (Receipt, error) {
	return post[Receipt](ctx, c, "/v1/transactions?wait=false", raw)
}

// Transaction returns the receipt of an accepted, final transaction.
func (c *Client) Transaction(ctx context.Context, id ledger.TxID) (Receipt, error) {
	return get[Receipt](ctx, c, "/v1/transactions/"+id.String())
}

// Source returns a source by its KeyID, or by its present key.
func (c *Client) Source(ctx context.Context, id keys.Source) (*ledger.SourceRecord, error) {
	return get[*ledger.SourceRecord](ctx, c, "/v1/sources/"+id.String())
}

// SourceByOID returns a source by its alias or by an OID that it has declared.
func (c *Client) SourceByOID(ctx context.Context, oid string) (*ledger.SourceRecord, error) {
	return get[*ledger.SourceRecord](ctx, c, "/v1/sources/"+url.PathEscape(oid))
}

// Sources returns all sources.
func (c *Client) Sources(ctx context.Context) ([]ledger.SourceRecord, error) {
	return list[ledger.SourceRecord](ctx, c, "/v1/sources")
}

// Stake returns what stands behind a source.
func (c *Client) Stake(ctx context.Context, id keys.Source) (*ledger.StakeRecord, error) {
	return get[*ledger.StakeRecord](ctx, c, "/v1/sources/"+id.String()+"/stake")
}

// Bonds returns who put it up.
func (c *Client) Bonds(ctx context.Context, id keys.Source) ([]ledger.BondRecord, error) {
	return list[ledger.BondRecord](ctx, c, "/v1/sources/"+id.String()+"/bonds")
}

// Receipts returns the receipts that a source has anchored.
func (c *Client) Receipts(ctx context.Context, id keys.Source) ([]ledger.ReceiptsRecord, error) {
	return list[ledger.ReceiptsRecord](ctx, c, "/v1/sources/"+id.String()+"/receipts")
}

// Study returns a study.
func (c *Client) Study(ctx context.Context, id ledger.StudyID) (*ledger.StudyRecord, error) {
	return get[*ledger.StudyRecord](ctx, c, "/v1/studies/"+id.String())
}

// Grants returns the grants and tombstones of a study.
func (c *Client) Grants(ctx context.Context, id ledger.StudyID) ([]ledger.GrantRecord, error) {
	return list[ledger.GrantRecord](ctx, c, "/v1/studies/"+id.String()+"/grants")
}

// Guardians returns who can recover a study.
func (c *Client) Guardians(ctx context.Context, id ledger.StudyID) (*ledger.GuardiansRecord, error) {
	return get[*ledger.GuardiansRecord](ctx, c, "/v1/studies/"+id.String()+"/guardians")
}

// Recovery returns what the guardians of a study have said so far.
func (c *Client) Recovery(ctx context.Context, id ledger.StudyID) (*ledger.RecoveryRecord, error) {
	return get[*ledger.RecoveryRecord](ctx, c, "/v1/studies/"+id.String()+"/recovery")
}

// Emergencies returns who took a study without a grant.
func (c *Client) Emergencies(ctx context.Context, id ledger.StudyID) ([]ledger.EmergencyRecord, error) {
	return list[ledger.EmergencyRecord](ctx, c, "/v1/studies/"+id.String()+"/emergencies")
}

// History returns what happened to a study, oldest first, to its present owner. Whoever else asks gets ErrNotFound, as
// for a study that is not on the ledger. A study of a long history takes several queries, signed as needed.
func (c *Client) History(ctx context.Context, study ledger.StudyID, owner crypto.Signer) ([]Event, error) {
	status, err := c.Status(ctx)
	if err != nil {
		return nil, err
	}
	return pages(func(cursor string) (Page[Event], error) {
		raw, err := query.Sign(rand.Reader, status.ChainID, query.History{Study: study, At: time.Now()}, owner)
		if err != nil {
			return Page[Event]{}, fmt.Errorf("signing the query: %w", err)
		}
		return post[Page[Event]](ctx, c, "/v1/studies/"+study.String()+"/history?cursor="+cursor, raw)
	})
}

// Payers returns all payers.
func (c *Client) Payers(ctx context.Context) ([]ledger.PayerRecord, error) {
	return list[ledger.PayerRecord](ctx, c, "/v1/payers")
}

// Payer returns a payer.
func (c *Client) Payer(ctx context.Context, id keys.Payer) (*ledger.PayerRecord, error) {
	return get[*ledger.PayerRecord](ctx, c, "/v1/payers/"+id.String())
}

// Params returns the rules that can change.
func (c *Client) Params(ctx context.Context) (*ledger.ParamsRecord, error) {
	return get[*ledger.ParamsRecord](ctx, c, "/v1/params")
}

// NextParams returns a change of them that has been decided.
func (c *Client) NextParams(ctx context.Context) (*ledger.NextRecord, error) {
	return get[*ledger.NextRecord](ctx, c, "/v1/params/next")
}

// list returns all pages of a list.
func list[T any](ctx context.Context, c *Client, path string) ([]T, error) {
	return pages(func(cursor string) (Page[T], error) {
		return get[Page[T]](ctx, c, path+"?limit="+strconv.Itoa(pageSize)+"&cursor="+cursor)
	})
}

// pages collects pages until there is no next one.
func pages[T any](page func(cursor string) (Page[T], error)) ([]T, error) {
	all := []T{}
	for cursor := ""; ; {
		p, err := page(cursor)
		if err != nil {
			return nil, err
		}
		all = append(all, p.Items...)
		if p.Next == "" {
			return all, nil
		}
		if p.Next == cursor || len(all) > maxListed {
			return nil, fmt.Errorf("asking the node: its list does not end")
		}
		cursor = p.Next
	}
}

func get[T any](ctx context.Context, c *Client, path string) (T, error) {
	return asked[T](c.do(ctx, http.MethodGet, path, nil, mediaTypeJSON))
}

func post[T any](ctx context.Context, c *Client, path string, raw []byte) (T, error) {
	return asked[T](c.do(ctx, http.MethodPost, path, raw, mediaTypeJSON))
}

// asked decodes an answer.
func asked[T any](b []byte, err error) (T, error) {
	var out T
	if err != nil {
		return out, err
	}
	if err := json.Unmarshal(b, &out); err != nil {
		return out, fmt.Errorf("decoding the node's answer: %w", err)
	}
	return out, nil
}

// do sends a request and reads the answer.
func (c *Client) do(ctx context.Context, method, path string, body []byte, accept string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("asking the node: %w", err)
	}
	req.Header.Set("Accept", accept)
	if method == http.MethodPost {
		req.Header.Set("Content-Type", MediaTypeTransaction)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("asking the node: %w", err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return nil, fmt.Errorf("reading the node's answer: %w", err)
	}
	if len(b) > maxAnswer {
		return nil, fmt.Errorf("reading the node's answer: more than %d bytes", maxAnswer)
	}
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusAccepted {
		return nil, problem(resp.StatusCode, b)
	}
	return b, nil
}

func problem(status int, b []byte) error {
	var p Problem
	if err := json.Unmarshal(b, &p); err != nil || p.Error.Code == "" {
		return fmt.Errorf("HTTP status %d without an explanation: is this the API of a ledger node?: %w", status, errors.Join(err))
	}
	return &Error{Status: status, Code: p.Error.Code, Detail: p.Error.Detail}
}
