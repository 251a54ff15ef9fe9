package light

import (
	"math"

	"collimate/ledger"
)

// The limits of what a verifier reads. A block of MaxValidators takes 31 KiB, so a bundle within the limits costs
// at most MaxBlocks * MaxValidators signatures: 0.2 s of one core.
const (
	// MaxBundleBytes bounds a bundle as it travels.
	MaxBundleBytes = 1 << 20
	// MaxBlockBytes bounds a light block that travels alone.
	MaxBlockBytes = 64 << 10
	// MaxBlocks bounds the blocks of a bundle. One is enough while a third of the power that the client trusts
	// still votes; each further one bridges a change of the validators.
	MaxBlocks = 16
	// MaxEntries bounds the entries of a bundle: a study, its source and the grants of a page.
	MaxEntries = 256
	// MaxValidators is the ledger's.
	MaxValidators = ledger.MaxValidators
	// MaxKeyBytes is above the longest key of the state, 65 bytes.
	MaxKeyBytes = 128
	// MaxTotalPower is the engine's bound on the power of all validators; three times as much fits an int64.
	MaxTotalPower = math.MaxInt64 / 8
)

const (
	// maxNesting is the depth of the deepest item: bundle, blocks, block, commit, votes, vote.
	maxNesting = 6
	// maxElements bounds any list, of which votes, validators and entries are the longest.
	maxElements = 256
	// maxMapPairs is the least that the decoder can be set to; there are no maps.
	maxMapPairs = 16
)
