package consensus

import (
	"context"
	"errors"
	"sync"
	"time"

	sm "github.com/cometbft/cometbft/state"
	"github.com/cometbft/cometbft/types"

	"collimate/ledger/light"
	"collimate/p2p"
)

// past is history for the pool of evidence. A node that joined by a snapshot has no header from before it, and must all the
// same agree whether a vote was a second one: otherwise a block with evidence of that time would bring it down. So it
// asks its peers for the header, and verifies that.
type past struct {
	sm.Store
	history
	trusted light.Trusted
	host    *p2p.Host

	mu    sync.Mutex
	known map[int64]*light.Block // of the last few that were asked for
}

// LoadBlockMeta returns the header of a block and what names it, nil if there is none anywhere.
func (p *past) LoadBlockMeta(height int64) *types.BlockMeta {
	if meta := p.blocks.LoadBlockMeta(height); meta != nil {
		return meta
	}
	b := p.fetch(height)
	if b == nil {
		return nil
	}
	header, commit := fromLight(b)
	return &types.BlockMeta{BlockID: commit.BlockID, Header: *header}
}

// LoadBlockCommit returns the votes for a block, nil if there are none anywhere.
func (p *past) LoadBlockCommit(height int64) *types.Commit {
	if c := p.blocks.LoadBlockCommit(height); c != nil {
		return c
	}
	b := p.fetch(height)
	if b == nil {
		return nil
	}
	_, commit := fromLight(b)
	return commit
}

// Height returns that of the last block.
func (p *past) Height() int64 { return p.blocks.Height() }

// LoadValidators returns the validators of a height: from before the snapshot those of the genesis.
func (p *past) LoadValidators(height int64) (*types.ValidatorSet, error) {
	set, err := p.Store.LoadValidators(height)
	if errors.As(err, new(sm.ErrNoValSetForHeight)) {
		return p.validators.Copy(), nil
	}
	return set, err
}

// fetch asks peers for a light block, one height at a time.
func (p *past) fetch(height int64) *light.Block {
	p.mu.Lock()
	defer p.mu.Unlock()
	if b := p.known[height]; b != nil {
		return b
	}
	if base := p.blocks.Base(); height < 1 || base > 0 && height >= base { // 0 until the first block after the snapshot
		return nil
	}
	for _, id := range p.host.Sessions() {
		b, err := p.host.Ask(context.Background(), id, archiveExchange, archiveRequest{askLight, height, 0}.encode())
		if err != nil {
			continue
		}
		block, err := light.DecodeBlock(b)
		if err != nil || block.Header.Height != height {
			continue
		}
		if _, err := p.trusted.Verify(block, joinPolicy, time.Now()); err != nil {
			continue
		}
		if len(p.known) >= maxKnownPast {
			clear(p.known)
		}
		p.known[height] = block
		return block
	}
	return nil
}
