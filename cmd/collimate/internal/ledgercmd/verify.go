package ledgercmd

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"fmt"
	"slices"
	"time"

	"collimate/consensus"
	"collimate/ledger/light"
	"collimate/node/client"
)

// The policy of a client that begins with the genesis file each time. A genesis does not expire for whoever believes
// the validators it names; bonds that could be taken are not what this trust rests on.
var policy = light.Policy{TrustingPeriod: 100 * 365 * 24 * time.Hour, ClockDrift: 10 * time.Second}

// staleness is how old the last block of an answer may be: several heartbeats.
const staleness = 5 * time.Minute

// Verifier returns a reader that trusts the validators of a genesis file and no node.
func Verifier(node *client.Client, genesis *consensus.Genesis) (*client.Verifier, error) {
	var all []light.Validator
	for _, v := range genesis.Validators {
		all = append(all, light.Validator{Key: v.Key, Power: v.Power})
	}
	trusted, err := light.TrustGenesis(genesis.ChainID, genesis.Time, ordered(all))
	if err != nil {
		return nil, fmt.Errorf("trusting the genesis: %w", err)
	}
	return &client.Verifier{Node: node, Trusted: trusted, Policy: policy}, nil
}

// ordered puts validators in the order that the engine hashes: by power, greatest first, then by address.
func ordered(all []light.Validator) []light.Validator {
	slices.SortFunc(all, func(a, b light.Validator) int {
		x, y := sha256.Sum256(a.Key[:]), sha256.Sum256(b.Key[:])
		return cmp.Or(cmp.Compare(b.Power, a.Power), bytes.Compare(x[:20], y[:20]))
	})
	return all
}

// Fresh returns an error if what was read through proofs is old: a node can always show an old state.
func Fresh(v *client.Verifier, now time.Time) error {
	if age := now.Sub(v.Trusted.Time); age > staleness {
		return fmt.Errorf("the proofs are of block %d, %v ago: the node is behind or hides what came after; ask another node", v.Trusted.Height, age.Round(time.Second))
	}
	return nil
}
