package light

import (
	"crypto/ed25519"
	"encoding/hex"

	"collimate/ledger"
)

// Hash is a SHA-256 of the engine.
type Hash [32]byte

// String returns 64 lower-case hexadecimal digits.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// Block is a light block: a header, the votes that committed it, and who could vote. ledger-spec 8.1
type Block struct {
	_      struct{} `cbor:",toarray"`
	Header Header
	Commit Commit
	// Validators are in the order that the engine hashes: by power, greatest first, then by address.
	Validators []Validator
}

// Header is the header of a block as the engine has it. The AppHash is that of the state after the block before.
// CometBFT spec/core/data_structures.md#header
type Header struct {
	_                  struct{} `cbor:",toarray"`
	BlockVersion       uint64
	AppVersion         uint64
	ChainID            string
	Height             int64
	Time               int64   // Unix time in nanoseconds
	LastBlockID        BlockID // zero in block 1
	LastCommitHash     Hash
	DataHash           Hash
	ValidatorsHash     Hash
	NextValidatorsHash Hash
	ConsensusHash      Hash
	AppHash            Hash
	LastResultsHash    Hash
	EvidenceHash       Hash
	ProposerAddress    [20]byte
}

// BlockID names a block by the hash of its header and that of the parts in which it travels.
type BlockID struct {
	_          struct{} `cbor:",toarray"`
	Hash       Hash
	PartsTotal uint32
	PartsHash  Hash
}

// Commit holds the votes for a block. Height and hash of the block are those of the header beside it.
type Commit struct {
	_          struct{} `cbor:",toarray"`
	Round      int32
	PartsTotal uint32
	PartsHash  Hash
	// Votes has one element for each validator, in their order; nil where there is no vote for this block. Whoever
	// serves a block leaves out those that RFC 8032 refuses and the engine accepts.
	Votes []*Vote
}

// Vote is one validator's precommit.
type Vote struct {
	_         struct{} `cbor:",toarray"`
	Time      int64    // Unix time in nanoseconds
	Signature [64]byte // Ed25519 over the canonical vote
}

// Validator is who may vote, and with which weight.
type Validator struct {
	_     struct{} `cbor:",toarray"`
	Key   ledger.ValidatorKey
	Power int64
}

// DecodeBlock decodes a light block. It has been checked for its form and for nothing else.
func DecodeBlock(b []byte) (*Block, error) {
	var block Block
	if err := decodeExact(b, &block, "light block", MaxBlockBytes); err != nil {
		return nil, err
	}
	return &block, block.bounds()
}

// Encode returns what DecodeBlock decodes.
func (b *Block) Encode() ([]byte, error) {
	if err := b.bounds(); err != nil {
		return nil, err
	}
	return encodeValid(b, "light block", MaxBlockBytes)
}

// bounds checks the form of a block: what can be told from one field, or from the number of them. ledger-spec 8.1
func (b *Block) bounds() error {
	h := &b.Header
	switch {
	case h.ChainID == "" || len(h.ChainID) > ledger.MaxChainIDBytes:
		return refuse(CodeOutOfBounds, "the chain id has %d bytes, want 1 to %d", len(h.ChainID), ledger.MaxChainIDBytes)
	case h.Height < 1:
		return refuse(CodeOutOfBounds, "the height is %d: the first is 1", h.Height)
	case h.Time < 1:
		return refuse(CodeOutOfBounds, "the time is not after 1970")
	case b.Commit.Round < 0:
		return refuse(CodeOutOfBounds, "the round is negative")
	case len(b.Commit.Votes) != len(b.Validators):
		return refuse(CodeOutOfBounds, "there are %d votes of %d validators", len(b.Commit.Votes), len(b.Validators))
	}
	for i, v := range b.Commit.Votes {
		if v != nil && v.Time < 1 {
			return refuse(CodeOutOfBounds, "the time of vote %d is not after 1970", i+1)
		}
	}
	return checkValidators(b.Validators)
}

func checkValidators(all []Validator) error {
	if len(all) == 0 || len(all) > MaxValidators {
		return refuse(CodeOutOfBounds, "there are %d validators, want 1 to %d", len(all), MaxValidators)
	}
	seen := make(map[ledger.ValidatorKey]bool, len(all))
	var total int64
	for i, v := range all {
		if v.Power < 1 || v.Power > MaxTotalPower-total {
			return refuse(CodeOutOfBounds, "the power of validator %d is not 1 or more, or too much with the others'", i+1)
		}
		if seen[v.Key] { // its power would count twice
			return refuse(CodeOutOfBounds, "validator %d has the key of another", i+1)
		}
		seen[v.Key] = true
		total += v.Power
	}
	return nil
}

// Hash returns the hash of the header: the Merkle root of its fields. CometBFT spec/core/data_structures.md#header
func (h *Header) Hash() Hash {
	version := appendVarint(nil, 1, h.BlockVersion)
	version = appendVarint(version, 2, h.AppVersion)
	return merkleRoot([][]byte{
		version,
		appendBytes(nil, 1, []byte(h.ChainID)),
		appendVarint(nil, 1, uint64(h.Height)),
		timestamp(h.Time),
		h.LastBlockID.encode(),
		appendBytes(nil, 1, h.LastCommitHash[:]),
		appendBytes(nil, 1, h.DataHash[:]),
		appendBytes(nil, 1, h.ValidatorsHash[:]),
		appendBytes(nil, 1, h.NextValidatorsHash[:]),
		appendBytes(nil, 1, h.ConsensusHash[:]),
		appendBytes(nil, 1, h.AppHash[:]),
		appendBytes(nil, 1, h.LastResultsHash[:]),
		appendBytes(nil, 1, h.EvidenceHash[:]),
		appendBytes(nil, 1, h.ProposerAddress[:]),
	})
}

// encode returns the BlockID in protobuf, where a zero hash stands for none.
func (id BlockID) encode() []byte {
	var b, parts []byte
	if id.Hash != (Hash{}) {
		b = appendBytes(b, 1, id.Hash[:])
	}
	parts = appendVarint(parts, 1, uint64(id.PartsTotal))
	if id.PartsHash != (Hash{}) {
		parts = appendBytes(parts, 2, id.PartsHash[:])
	}
	return appendMessage(b, 2, parts)
}

// ValidatorsHash returns the hash under which a header names its validators. CometBFT
// spec/core/data_structures.md#validatorset
func ValidatorsHash(all []Validator) Hash {
	leaves := make([][]byte, len(all))
	for i, v := range all {
		leaves[i] = appendMessage(nil, 1, appendBytes(nil, 1, v.Key[:]))
		leaves[i] = appendVarint(leaves[i], 2, uint64(v.Power))
	}
	return merkleRoot(leaves)
}

// voteBytes returns what a validator signs to vote for the block at a time: a canonical vote, delimited by its
// length. CometBFT spec/core/data_structures.md#canonicalvote
func (b *Block) voteBytes(hash Hash, time int64) []byte {
	const precommit = 2
	id := BlockID{Hash: hash, PartsTotal: b.Commit.PartsTotal, PartsHash: b.Commit.PartsHash}
	vote := appendVarint(nil, 1, precommit)
	vote = appendFixed64(vote, 2, b.Header.Height)
	vote = appendFixed64(vote, 3, int64(b.Commit.Round))
	vote = appendMessage(vote, 4, id.encode())
	vote = appendMessage(vote, 5, timestamp(time))
	vote = appendBytes(vote, 6, []byte(b.Header.ChainID))
	return delimited(vote)
}

// verifyVotes verifies those of the first n votes that are there.
func (b *Block) verifyVotes(hash Hash, n int) error {
	for i, v := range b.Commit.Votes[:n] {
		if v != nil && !ed25519.Verify(b.Validators[i].Key[:], b.voteBytes(hash, v.Time), v.Signature[:]) {
			return refuse(CodeBadSignature, "vote %d of %d is not signed by its validator", i+1, len(b.Commit.Votes))
		}
	}
	return nil
}
