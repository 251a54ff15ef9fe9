// Package owner acts for the owner of a study: it claims, lets in, and revokes.
//
// The owner's key stays in this process. What it signs goes to a ledger node, any of the network; an Owner waits
// until it is final. The opening of a grant, which says whom the grant names, goes to the study's source alone,
// over TLS pinned to the key by which the ledger knows that source. With a Verifier nothing depends on what the node
// says: neither for which epoch the owner signs, nor who the source is.
package owner

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
	"strings"
	"time"

	"collimate/cmd/collimate/internal/ledgercmd"
	"collimate/gateway"
	"collimate/keys"
	"collimate/ledger"
	"collimate/node/client"
)

const (
	// openingPatience is how long a source may take to see a grant that is final at the owner's node.
	openingPatience = 30 * time.Second
	// retryPause is between two attempts: less than a block takes.
	retryPause = 200 * time.Millisecond
	// maxAnswerBytes bounds what is read of a source's refusal.
	maxAnswerBytes = 4 << 10
)

// ErrOtherChain is returned for a ticket that is not of the node's network.
var ErrOtherChain = errors.New("the claim ticket is of another network than the node")

// Owner speaks for one key.
type Owner struct {
	Key crypto.Signer
	ledgercmd.Reader
}

// ID names the owner.
func (o *Owner) ID() (keys.Owner, error) {
	id, err := keys.IDOf(o.Key.Public())
	return keys.Owner{ID: id}, err
}

// Claim makes the study of a ticket the owner's. A study that is the owner's already is left as it is, and the
// receipt is zero.
func (o *Owner) Claim(ctx context.Context, ticket *gateway.Ticket) (client.Receipt, error) {
	id, err := o.ID()
	if err != nil {
		return client.Receipt{}, err
	}
	study, err := o.Study(ctx, ticket.StudyID)
	if err != nil || study.Owner == id {
		return client.Receipt{}, err
	}
	claim, err := ticket.Claim()
	if err != nil {
		return client.Receipt{}, err
	}
	status, err := o.Node.Status(ctx)
	if err != nil {
		return client.Receipt{}, err
	}
	if status.ChainID != ticket.ChainID {
		return client.Receipt{}, ErrOtherChain
	}
	claimant := &ledgercmd.Signer{Key: claim, Reader: o.Reader}
	return claimant.Submit(ctx, ledger.TransferStudy{Study: ticket.StudyID, Epoch: study.Epoch, NewOwner: id})
}

// Grant is a grant that is final.
type Grant struct {
	Receipt    client.Receipt
	Opening    gateway.Opening
	Commitment ledger.Commitment
	NotAfter   time.Time
}

// NewOpening draws the secret of a grant. Keep it before the grant is made: without it a grant can neither be
// used nor told from the others.
func NewOpening(study ledger.StudyID, grantee keys.Grantee) gateway.Opening {
	o := gateway.Opening{Study: study, Grantee: grantee}
	rand.Read(o.Blind[:]) // never fails: crypto/rand
	return o
}

// Reach is what a grant reaches to, and the least evidence of who asks.
type Reach struct {
	Scope ledger.Scope
	Tier  ledger.Tier
}

// Allow lets the grantee of an opening retrieve its study until notAfter. The grant is final when it returns, and
// useful once the source has the opening: see Disclose.
func (o *Owner) Allow(ctx context.Context, opening gateway.Opening, reach Reach, notAfter time.Time) (*Grant, error) {
	record, err := o.Study(ctx, opening.Study)
	if err != nil {
		return nil, err
	}
	g := &Grant{Opening: opening, Commitment: opening.Commitment(), NotAfter: notAfter}
	g.Receipt, err = o.sign(ctx, ledger.AllowAccess{Study: opening.Study, Epoch: record.Epoch, Commitment: g.Commitment, NotAfter: notAfter.Unix(), Scope: reach.Scope, Tier: reach.Tier})
	return g, err
}

// Revoke ends the grant of a commitment.
func (o *Owner) Revoke(ctx context.Context, study ledger.StudyID, c ledger.Commitment) (client.Receipt, error) {
	return o.revoke(ctx, ledger.RevokeAccess{Study: study, Commitment: c})
}

// RevokeAll ends all grants of a study.
func (o *Owner) RevokeAll(ctx context.Context, study ledger.StudyID) (client.Receipt, error) {
	return o.revoke(ctx, ledger.RevokeAccess{Study: study, All: true})
}

func (o *Owner) revoke(ctx context.Context, r ledger.RevokeAccess) (client.Receipt, error) {
	record, err := o.Study(ctx, r.Study)
	if err != nil {
		return client.Receipt{}, err
	}
	r.Epoch = record.Epoch
	return o.sign(ctx, r)
}

// sign signs with the owner's key, and submits.
func (o *Owner) sign(ctx context.Context, body ledger.Body) (client.Receipt, error) {
	return (&ledgercmd.Signer{Key: o.Key, Reader: o.Reader}).Submit(ctx, body)
}

// Disclose gives the opening of a final grant to the study's source, as the ledger names it. The source may see
// the block a moment after the owner's node does, so it asks again for a while. It may be repeated at any time.
func Disclose(ctx context.Context, from ledgercmd.Reader, o gateway.Opening) error {
	study, err := from.Study(ctx, o.Study)
	if err != nil {
		return err
	}
	source, err := from.Source(ctx, study.Source)
	if err != nil {
		return err
	}
	body, err := json.Marshal(o)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, openingPatience)
	defer cancel()
	pinned := gateway.PinnedClient(nil, source.TLSKeys(time.Now())...)
	defer pinned.CloseIdleConnections()
	for {
		again, err := post(ctx, pinned, source.Endpoints.Openings, body)
		if err == nil || !again {
			return err
		}
		select {
		case <-time.After(retryPause):
		case <-ctx.Done():
			return err
		}
	}
}

// post sends an opening once, and tells whether trying again may help.
func post(ctx context.Context, c *http.Client, url string, body []byte) (again bool, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return false, err
	}
	r.Header.Set("Content-Type", "application/json")
	response, err := c.Do(r)
	if errors.Is(err, gateway.ErrPin) {
		return false, fmt.Errorf("sending the opening to the source: %w", err)
	}
	if err != nil {
		return ctx.Err() == nil, fmt.Errorf("sending the opening to the source: %w", err)
	}
	defer response.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(response.Body, maxAnswerBytes))
	switch code := response.StatusCode; {
	case code == http.StatusNoContent:
		return false, nil
	default:
		return code == http.StatusNotFound || code >= 500,
			fmt.Errorf("sending the opening to the source: it answered %s: %s", response.Status, strings.TrimSpace(string(text)))
	}
}
