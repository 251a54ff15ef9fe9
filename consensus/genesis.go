package consensus

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/cometbft/cometbft/crypto/ed25519"
	cmtjson "github.com/cometbft/cometbft/libs/json"
	"github.com/cometbft/cometbft/types"

	"collimate/ledger"
)

// Genesis is how a network begins: the same file on every node.
//
//	{
//	  "chain_id": "collimate-demo",
//	  "time": "2026-01-02T03:04:05Z",
//	  "validators": [
//	    {"name": "north", "key": "<64 hexadecimal digits>", "power": 10}
//	  ]
//	}
type Genesis struct {
	ChainID    string      `json:"chain_id"`
	Time       time.Time   `json:"time"` // of the first block
	Validators []Validator `json:"validators"`
}

// Validator is a key that votes on blocks.
type Validator struct {
	Name  string              `json:"name"` // for people
	Key   ledger.ValidatorKey `json:"key"`  // Ed25519
	Power int64               `json:"power"`
}

// LoadGenesis reads and validates a genesis file. Unknown fields are refused: two nodes that read a file
// differently would not find out before they disagree.
func LoadGenesis(path string) (*Genesis, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("opening the genesis file: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxGenesisFile+1))
	if err != nil {
		return nil, fmt.Errorf("reading the genesis file: %w", err)
	}
	g, err := ParseGenesis(b)
	if err != nil {
		return nil, fmt.Errorf("genesis file %s: %w", path, err)
	}
	return g, nil
}

// ParseGenesis reads and validates a genesis.
func ParseGenesis(b []byte) (*Genesis, error) {
	if len(b) > maxGenesisFile {
		return nil, fmt.Errorf("more than %d bytes", maxGenesisFile)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	var g Genesis
	if err := d.Decode(&g); err != nil {
		return nil, fmt.Errorf("decoding: %w", err)
	}
	if d.More() {
		return nil, errors.New("something follows the JSON object")
	}
	return &g, g.Validate()
}

// Save writes the genesis to a new file.
func (g Genesis) Save(path string) error {
	if err := g.Validate(); err != nil {
		return err
	}
	b, err := json.MarshalIndent(g, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding the genesis: %w", err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return fmt.Errorf("writing the genesis file: %w", err)
	}
	_, err = f.Write(append(b, '\n'))
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("writing the genesis file: %w", err)
	}
	return nil
}

// Validate reports every fault at once.
func (g Genesis) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if n := len(g.ChainID); n == 0 || n > ledger.MaxChainIDBytes {
		bad("chain_id has %d bytes, want 1 to %d", n, ledger.MaxChainIDBytes)
	}
	if g.Time.IsZero() {
		bad("time is missing")
	}
	if n := len(g.Validators); n == 0 || n > ledger.MaxValidators {
		bad("there are %d validators, want 1 to %d", n, ledger.MaxValidators)
	}
	seen := map[ledger.ValidatorKey]bool{}
	for i, v := range g.Validators {
		if v.Key == (ledger.ValidatorKey{}) {
			bad("validator %d has no key", i+1)
		} else if seen[v.Key] {
			bad("validator %d has the key of another", i+1)
		}
		seen[v.Key] = true
		if v.Power < 1 || v.Power > maxPower {
			bad("validator %d has power %d, want 1 to %d", i+1, v.Power, maxPower)
		}
		if len(v.Name) > maxName {
			bad("the name of validator %d has %d bytes, at most %d", i+1, len(v.Name), maxName)
		}
	}
	return errors.Join(errs...)
}

// Hash identifies a network: the chain id, the first block's time, the validators and the rules of the chain that
// are compiled in. Nodes show it to each other before anything else.
func (g Genesis) Hash() ([32]byte, error) {
	b, err := cmtjson.Marshal(g.doc())
	if err != nil {
		return [32]byte{}, fmt.Errorf("encoding the genesis: %w", err)
	}
	return sha256.Sum256(b), nil
}

// doc is the genesis as the engine takes it.
func (g Genesis) doc() *types.GenesisDoc {
	params := types.DefaultConsensusParams()
	params.Block.MaxBytes = maxBlockBytes
	params.Evidence.MaxBytes = maxEvidenceBytes
	params.Evidence.MaxAgeNumBlocks = maxEvidenceBlocks
	params.Evidence.MaxAgeDuration = maxEvidenceAge
	params.Version.App = appVersion
	doc := &types.GenesisDoc{ChainID: g.ChainID, GenesisTime: g.Time.UTC().Round(0), InitialHeight: 1, ConsensusParams: params}
	for _, v := range g.Validators {
		key := ed25519.PubKey(v.Key[:])
		doc.Validators = append(doc.Validators, types.GenesisValidator{Address: key.Address(), PubKey: key, Power: v.Power, Name: v.Name})
	}
	return doc
}

// ledger is the genesis as the application takes it.
func (g Genesis) ledger() ledger.Genesis {
	out := ledger.Genesis{ChainID: g.ChainID, Time: g.Time.UTC()}
	for _, v := range g.Validators {
		out.Validators = append(out.Validators, v.Key)
	}
	return out
}
