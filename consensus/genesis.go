package consensus

import (
	"bytes"
	stded25519 "crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"time"

	"github.com/cometbft/cometbft/crypto/ed25519"
	cmtjson "github.com/cometbft/cometbft/libs/json"
	"github.com/cometbft/cometbft/types"

	"collimate/keys"
	"collimate/ledger"
)

// Genesis is how a network begins: the same file on every node.
//
//	{
//	  "chain_id": "collimate-demo",
//	  "time": "2026-01-02T03:04:05Z",
//	  "validators": [
//	    {"name": "north", "key": "<64 hexadecimal digits>", "power": 10}
//	  ],
//	  "payers": [
//	    {"name": "fund", "key": "<64 hexadecimal digits>", "units": 1000}
//	  ],
//	  "params": {"writes_per_unit": 10, ...}
//	}
//
// Params are those of ledger-spec 4.3, all of them by name; without them the defaults count.
type Genesis struct {
	ChainID    string      `json:"chain_id"`
	Time       time.Time   `json:"time"` // of the first block
	Validators []Validator `json:"validators"`
	Payers     []Payer     `json:"payers"`

	Params *ledger.Params `json:"params,omitempty"` // nil for ledger.DefaultParams
}

// Validator is a key that votes on blocks.
type Validator struct {
	Name  string              `json:"name"` // for people
	Key   ledger.ValidatorKey `json:"key"`  // Ed25519
	Power int64               `json:"power"`
}

// Payer is a key that may put up bonds for sources.
type Payer struct {
	Name  string  `json:"name"` // for people
	Key   keys.ID `json:"key"`  // KeyID
	Units uint64  `json:"units"`
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
	var file struct {
		Genesis
		Params *fullParams `json:"params"` // in place of that of Genesis
	}
	if err := d.Decode(&file); err != nil {
		return nil, fmt.Errorf("decoding: %w", err)
	}
	if d.More() {
		return nil, errors.New("something follows the JSON object")
	}
	g := file.Genesis
	g.Params = (*ledger.Params)(file.Params)
	return &g, g.Validate()
}

// fullParams are Params of which none may be left out.
type fullParams ledger.Params

func (p *fullParams) UnmarshalJSON(b []byte) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	// The only one that may be zero: left out it must not become that.
	params := ledger.Params{AbsenceForfeit: math.MaxUint64}
	if err := d.Decode(&params); err != nil {
		return err
	}
	*p = fullParams(params)
	return nil
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
		} else if keys.Supported(stded25519.PublicKey(v.Key[:])) != nil {
			bad("the key of validator %d is no sound Ed25519 key", i+1)
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
	if n := len(g.Payers); n == 0 || n > ledger.MaxPayers {
		bad("there are %d payers, want 1 to %d: name who puts up bonds for the sources", n, ledger.MaxPayers)
	}
	paying := map[keys.ID]bool{}
	for i, p := range g.Payers {
		if p.Key == (keys.ID{}) {
			bad("payer %d has no key", i+1)
		} else if paying[p.Key] {
			bad("payer %d has the key of another", i+1)
		}
		paying[p.Key] = true
		if p.Units < 1 || p.Units > ledger.MaxUnits {
			bad("payer %d has %d units, want 1 to %d", i+1, p.Units, uint64(ledger.MaxUnits))
		}
		if len(p.Name) > maxName {
			bad("the name of payer %d has %d bytes, at most %d", i+1, len(p.Name), maxName)
		}
	}
	if g.Params != nil {
		if err := g.Params.Validate(); err != nil {
			bad("params must all be given, or none: %w", err)
		}
	}
	return errors.Join(errs...)
}

// Hash identifies a network: all that the genesis says, and the rules of the chain that are compiled in. Nodes show it to each other before anything else.
func (g Genesis) Hash() ([32]byte, error) {
	doc, err := g.doc()
	if err != nil {
		return [32]byte{}, err
	}
	b, err := cmtjson.Marshal(doc)
	if err != nil {
		return [32]byte{}, fmt.Errorf("encoding the genesis: %w", err)
	}
	return sha256.Sum256(b), nil
}

// doc is the genesis as the engine takes it, with payers and params as the application's part of it.
func (g Genesis) doc() (*types.GenesisDoc, error) {
	app, err := json.Marshal(struct {
		Payers []Payer       `json:"payers"`
		Params ledger.Params `json:"params"`
	}{g.Payers, g.params()})
	if err != nil {
		return nil, fmt.Errorf("encoding the genesis: %w", err)
	}
	params := types.DefaultConsensusParams()
	params.Block.MaxBytes = maxBlockBytes
	params.Evidence.MaxBytes = maxEvidenceBytes
	params.Evidence.MaxAgeNumBlocks = maxEvidenceBlocks
	params.Evidence.MaxAgeDuration = maxEvidenceAge
	params.Version.App = appVersion
	doc := &types.GenesisDoc{ChainID: g.ChainID, GenesisTime: g.Time.UTC().Round(0), InitialHeight: 1, ConsensusParams: params, AppState: app}
	for _, v := range g.Validators {
		key := ed25519.PubKey(v.Key[:])
		doc.Validators = append(doc.Validators, types.GenesisValidator{Address: key.Address(), PubKey: key, Power: v.Power, Name: v.Name})
	}
	return doc, nil
}

func (g Genesis) params() ledger.Params {
	if g.Params != nil {
		return *g.Params
	}
	return ledger.DefaultParams()
}

// ledger is the genesis as the application takes it.
func (g Genesis) ledger() ledger.Genesis {
	params := g.params()
	out := ledger.Genesis{ChainID: g.ChainID, Time: g.Time.UTC(), Params: &params}
	for _, v := range g.Validators {
		out.Validators = append(out.Validators, v.Key)
	}
	for _, p := range g.Payers {
		out.Payers = append(out.Payers, ledger.PayerUnits{Payer: keys.Payer{ID: p.Key}, Units: p.Units})
	}
	return out
}
