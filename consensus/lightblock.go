package consensus

import (
	stded25519 "crypto/ed25519"
	"errors"
	"fmt"
	"time"

	"github.com/cometbft/cometbft/crypto/ed25519"
	cmtversion "github.com/cometbft/cometbft/proto/tendermint/version"
	sm "github.com/cometbft/cometbft/state"
	cmtstore "github.com/cometbft/cometbft/store"
	"github.com/cometbft/cometbft/types"

	"collimate/ledger"
	"collimate/ledger/light"
)

// ErrNotFound is wrapped when a block is asked for that is not here: pruned, before the snapshot by which the node joined,
// or not made yet.
var ErrNotFound = errors.New("this node does not have that block")

// LightBlock returns the light block of a height, whose header commits to the state after the block before it. The last
// one has the votes that this node has seen, the others those that the next block has.
func (e *Engine) LightBlock(height int64) (*light.Block, error) {
	if err := e.running(); err != nil {
		return nil, err
	}
	defer e.calls.Done()
	return e.history.lightBlock(height)
}

// history is what the engine's databases hold of the past.
type history struct {
	blocks     *cmtstore.BlockStore
	states     sm.Store
	validators *types.ValidatorSet // of all heights: those of the genesis
}

func (h history) lightBlock(height int64) (*light.Block, error) {
	meta := h.blocks.LoadBlockMeta(height)
	commit := h.blocks.LoadBlockCommit(height)
	if commit == nil {
		commit = h.blocks.LoadSeenCommit(height)
	}
	if meta == nil || commit == nil {
		return nil, fmt.Errorf("%w: height %d", ErrNotFound, height)
	}
	return toLight(&meta.Header, commit, h.validators)
}

// toLight makes a light block of the engine's types. Votes that RFC 8032 refuses and the engine accepts are left out.
func toLight(h *types.Header, c *types.Commit, all *types.ValidatorSet) (*light.Block, error) {
	if len(c.Signatures) != len(all.Validators) || string(h.ValidatorsHash) != string(all.Hash()) {
		return nil, fmt.Errorf("block %d was voted on by other validators than those of the genesis", h.Height)
	}
	b := &light.Block{
		Header: light.Header{
			BlockVersion: h.Version.Block, AppVersion: h.Version.App, ChainID: h.ChainID, Height: h.Height, Time: h.Time.UnixNano(),
			LastBlockID: lightID(h.LastBlockID), LastCommitHash: light.Hash(h.LastCommitHash), DataHash: light.Hash(h.DataHash),
			ValidatorsHash: light.Hash(h.ValidatorsHash), NextValidatorsHash: light.Hash(h.NextValidatorsHash),
			ConsensusHash: light.Hash(h.ConsensusHash), AppHash: light.Hash(h.AppHash), LastResultsHash: light.Hash(h.LastResultsHash),
			EvidenceHash: light.Hash(h.EvidenceHash), ProposerAddress: [20]byte(h.ProposerAddress),
		},
		Commit: light.Commit{Round: c.Round, PartsTotal: c.BlockID.PartSetHeader.Total, PartsHash: light.Hash(c.BlockID.PartSetHeader.Hash)},
	}
	for i, v := range all.Validators {
		key := ledger.ValidatorKey(v.PubKey.Bytes())
		b.Validators = append(b.Validators, light.Validator{Key: key, Power: v.VotingPower})
		var vote *light.Vote
		if s := c.Signatures[i]; s.BlockIDFlag == types.BlockIDFlagCommit && stded25519.Verify(key[:], c.VoteSignBytes(h.ChainID, int32(i)), s.Signature) {
			vote = &light.Vote{Time: s.Timestamp.UnixNano(), Signature: [64]byte(s.Signature)}
		}
		b.Commit.Votes = append(b.Commit.Votes, vote)
	}
	return b, nil
}

// addressOf is the engine's short name of a validator.
func addressOf(key ledger.ValidatorKey) types.Address { return ed25519.PubKey(key[:]).Address() }

// lightID is a block id as package light has it; that of no block is zero.
func lightID(id types.BlockID) (out light.BlockID) {
	if !id.IsZero() {
		out = light.BlockID{Hash: light.Hash(id.Hash), PartsTotal: id.PartSetHeader.Total, PartsHash: light.Hash(id.PartSetHeader.Hash)}
	}
	return out
}

// fromLightID is its inverse.
func fromLightID(id light.BlockID) types.BlockID {
	if id == (light.BlockID{}) {
		return types.BlockID{}
	}
	return types.BlockID{Hash: id.Hash[:], PartSetHeader: types.PartSetHeader{Total: id.PartsTotal, Hash: id.PartsHash[:]}}
}

// fromLight is the inverse of toLight; a vote that is left out counts as absent.
func fromLight(b *light.Block) (*types.Header, *types.Commit) {
	h := b.Header
	header := &types.Header{
		Version: cmtversion.Consensus{Block: h.BlockVersion, App: h.AppVersion}, ChainID: h.ChainID, Height: h.Height,
		Time: time.Unix(0, h.Time).UTC(), LastBlockID: fromLightID(h.LastBlockID),
		LastCommitHash: h.LastCommitHash[:], DataHash: h.DataHash[:], ValidatorsHash: h.ValidatorsHash[:],
		NextValidatorsHash: h.NextValidatorsHash[:], ConsensusHash: h.ConsensusHash[:], AppHash: h.AppHash[:],
		LastResultsHash: h.LastResultsHash[:], EvidenceHash: h.EvidenceHash[:], ProposerAddress: h.ProposerAddress[:],
	}
	hash := h.Hash()
	commit := &types.Commit{Height: h.Height, Round: b.Commit.Round,
		BlockID: fromLightID(light.BlockID{Hash: hash, PartsTotal: b.Commit.PartsTotal, PartsHash: b.Commit.PartsHash})}
	for i, v := range b.Validators {
		s := types.NewCommitSigAbsent()
		if vote := b.Commit.Votes[i]; vote != nil {
			s = types.CommitSig{BlockIDFlag: types.BlockIDFlagCommit, ValidatorAddress: addressOf(v.Key),
				Timestamp: time.Unix(0, vote.Time).UTC(), Signature: vote.Signature[:]}
		}
		commit.Signatures = append(commit.Signatures, s)
	}
	return header, commit
}
