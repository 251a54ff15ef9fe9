package client

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"collimate/ledger"
	"collimate/ledger/light"
)

// ErrNotProven is returned for what an answer's proofs do not show: the node has left it out.
var ErrNotProven = errors.New("the node's answer does not prove this")

// maxSteps bounds the light blocks between what is trusted and an answer: each halves the distance.
const maxSteps = 64

// Verifier reads from a node without trusting it. Its fields may be kept for the next time. It is for one goroutine.
type Verifier struct {
	Node    *Client
	Trusted light.Trusted // moves on with each answer
	Policy  light.Policy
}

// Prove returns the proofs of keys of the state, at most 16 at a time. They are not verified.
func (c *Client) Prove(ctx context.Context, keys ...[]byte) (*light.Bundle, error) {
	q := url.Values{}
	for _, key := range keys {
		q.Add("key", hex.EncodeToString(key))
	}
	return c.bundle(ctx, "/v1/prove?"+q.Encode())
}

// bundle asks for the proofs of an answer.
func (c *Client) bundle(ctx context.Context, path string) (*light.Bundle, error) {
	b, err := c.do(ctx, http.MethodGet, path, nil, MediaTypeBundle)
	if err != nil {
		return nil, err
	}
	bundle, err := light.DecodeBundle(b)
	if err != nil {
		return nil, fmt.Errorf("decoding the node's proofs: %w", err)
	}
	return bundle, nil
}

// LightBlock returns the light block of a height. It is not verified.
func (c *Client) LightBlock(ctx context.Context, height int64) (*light.Block, error) {
	b, err := c.do(ctx, http.MethodGet, "/v1/light-blocks/"+strconv.FormatInt(height, 10), nil, MediaTypeBundle)
	if err != nil {
		return nil, err
	}
	block, err := light.DecodeBlock(b)
	if err != nil {
		return nil, fmt.Errorf("decoding the node's light block: %w", err)
	}
	return block, nil
}

// Read asks for a resource of the API, such as /v1/studies/ID, and calls read with the state that its proofs show.
// What read asks for besides fails with ErrNotProven. Of a list, what is there is proven, and that nothing is missing
// is not, but for the grants of a study, which its record counts.
//
// The state is that after block Trusted.Height-1; its time is before Trusted.Time. See light.Bundle.
func (v *Verifier) Read(ctx context.Context, path string, read func(*ledger.Snapshot) error) error {
	bundle, err := v.Node.bundle(ctx, path)
	if err != nil {
		return err
	}
	if err := v.Verify(ctx, bundle, time.Now()); err != nil {
		return err
	}
	return read(new(ledger.Snapshot).On(newProven(bundle)))
}

// Verify verifies a bundle. Where the validators have changed too much since what is trusted, it asks the node for
// blocks between.
func (v *Verifier) Verify(ctx context.Context, bundle *light.Bundle, now time.Time) error {
	target := bundle.Blocks[0].Header.Height
	for step := 0; ; step++ {
		trusted, err := bundle.Verify(v.Trusted, v.Policy, now)
		if err == nil {
			v.Trusted = trusted
			return nil
		}
		if light.CodeOf(err) != light.CodeNotTrusted || step == maxSteps {
			return fmt.Errorf("verifying the node's proofs: %w", err)
		}
		if err := v.advance(ctx, target, now); err != nil {
			return err
		}
	}
}

// advance trusts a block between what is trusted and the target: the first of those at a half, a quarter, ... of the way
// that can be trusted. The next block always can.
func (v *Verifier) advance(ctx context.Context, target int64, now time.Time) error {
	for distance := (target - v.Trusted.Height) / 2; ; distance /= 2 {
		block, err := v.Node.LightBlock(ctx, v.Trusted.Height+max(distance, 1))
		if err != nil {
			return err
		}
		trusted, err := v.Trusted.Verify(block, v.Policy, now)
		if err == nil {
			v.Trusted = trusted
			return nil
		}
		if light.CodeOf(err) != light.CodeNotTrusted || distance <= 1 {
			return fmt.Errorf("verifying the blocks before the node's proofs: %w", err)
		}
	}
}

// proven is the part of the state that verified proofs show.
type proven struct {
	entries map[string][]byte // nil: absent
	keys    []string          // of those present, ascending
}

func newProven(b *light.Bundle) *proven {
	p := &proven{entries: map[string][]byte{}}
	for _, e := range b.Entries {
		p.entries[string(e.Key)] = e.Value
		if e.Value != nil {
			p.keys = append(p.keys, string(e.Key))
		}
	}
	slices.Sort(p.keys)
	return p
}

// Get returns a value, nil if it is proven that there is none.
func (p *proven) Get(key []byte) ([]byte, error) {
	value, ok := p.entries[string(key)]
	if !ok {
		return nil, ErrNotProven
	}
	return value, nil
}

// Iterate visits what is there.
func (p *proven) Iterate(prefix []byte, visit func(key, value []byte) error) error {
	for _, key := range p.keys {
		if !bytes.HasPrefix([]byte(key), prefix) {
			continue
		}
		if err := visit([]byte(key), p.entries[key]); err != nil {
			return err
		}
	}
	return nil
}
