package ledger

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"collimate/keys"
)

// Genesis is how a chain begins. ledger-spec 4.2
type Genesis struct {
	ChainID string
	Time    time.Time
	// Validators are the Ed25519 keys that vote on blocks.
	Validators [][32]byte
	// Payers are who may put up bonds for sources, and how much.
	Payers []PayerUnits
	// Params are those to begin with; nil stands for DefaultParams.
	Params *Params
}

// genesisRecord is what the state keeps of a Genesis, beside its params and a record for each validator and payer.
type genesisRecord struct {
	ChainID    string `cbor:"1,keyasint"`
	Time       int64  `cbor:"2,keyasint"` // Unix time in nanoseconds
	Validators int    `cbor:"3,keyasint"`
	Payers     int    `cbor:"4,keyasint"`
}

// ValidatorRecord is what the ledger holds of a validator. ledger-spec 4.2
type ValidatorRecord struct {
	Key      ValidatorKey `cbor:"-" json:"key"`
	Source   keys.Source  `cbor:"1,keyasint" json:"source"`   // that it belongs to; zero if none yet
	Window   uint64       `cbor:"2,keyasint" json:"window"`   // in which it was last absent
	Absences uint64       `cbor:"3,keyasint" json:"absences"` // in that window
}

func readValidator(r Reader, key ValidatorKey) (*ValidatorRecord, error) {
	return read(r, KeyValidator(key), ValidatorRecord{Key: key})
}

// InitGenesis begins the state. Repeating it with the same Genesis before the first block does nothing, since an engine
// that stopped there begins again; with another Genesis it refuses.
func InitGenesis(w ReaderWriter, g Genesis) error {
	writes, err := g.writes()
	if err != nil {
		return err
	}
	begun, err := w.Get(keyMeta(metaGenesis))
	if err != nil {
		return fmt.Errorf("reading the state: %w", err)
	}
	if begun == nil {
		return put(w, writes)
	}
	// The genesis record counts the others, so they are the same if each of them is there.
	for _, e := range writes {
		value, err := w.Get(e.key)
		if err != nil {
			return fmt.Errorf("reading the state: %w", err)
		}
		if !bytes.Equal(value, e.value) {
			return refuse(CodeGenesisDiffers, "the state began with another chain id, time, validators, payers or params")
		}
	}
	return nil
}

// writes returns the state that a genesis begins with.
func (g Genesis) writes() ([]write, error) {
	params := DefaultParams()
	if g.Params != nil {
		params = *g.Params
	}
	if err := errors.Join(checkChainID(g.ChainID), params.Validate()); err != nil {
		return nil, &Error{Code: CodeBadGenesis, Detail: err.Error()}
	}
	if g.Time.Before(time.Unix(0, 0)) || g.Time.After(time.Unix(0, maxTime)) {
		return nil, refuse(CodeBadGenesis, "the genesis time is before 1970 or after the year 2115")
	}
	if n := len(g.Validators); n == 0 || n > MaxValidators {
		return nil, refuse(CodeBadGenesis, "the genesis has %d validators, want 1 to %d", n, MaxValidators)
	}
	if n := len(g.Payers); n == 0 || n > MaxPayers {
		return nil, refuse(CodeBadGenesis, "the genesis has %d payers, want 1 to %d", n, MaxPayers)
	}
	writes := []write{
		set(keyMeta(metaGenesis), genesisRecord{g.ChainID, g.Time.UnixNano(), len(g.Validators), len(g.Payers)}),
		set(KeyParams(), ParamsRecord{Version: 1, Params: params}),
	}
	validators := map[ValidatorKey]bool{}
	for _, v := range g.Validators {
		switch {
		case ValidatorKey(v).check() != nil:
			return nil, refuse(CodeBadGenesis, "the genesis has a validator whose key is not a sound Ed25519 key")
		case validators[v]:
			return nil, refuse(CodeBadGenesis, "the genesis names a validator twice")
		}
		validators[v] = true
		writes = append(writes, set(KeyValidator(v), ValidatorRecord{}))
	}
	payers := map[keys.Payer]bool{}
	for _, p := range g.Payers {
		switch {
		case p.Payer.IsZero():
			return nil, refuse(CodeBadGenesis, "the genesis has a payer without a key")
		case payers[p.Payer]:
			return nil, refuse(CodeBadGenesis, "the genesis names a payer twice")
		case p.Units == 0 || p.Units > MaxUnits:
			return nil, refuse(CodeBadGenesis, "the genesis gives a payer %d units, want 1 to %d", p.Units, uint64(MaxUnits))
		}
		payers[p.Payer] = true
		writes = append(writes, set(KeyPayer(p.Payer), PayerRecord{Units: p.Units}))
	}
	return writes, nil
}

// chainIDOf returns the chain id of the state.
func chainIDOf(r Reader) (string, error) {
	var g genesisRecord
	ok, err := get(r, keyMeta(metaGenesis), &g)
	if err != nil {
		return "", err
	}
	if !ok {
		return "", refuse(CodeNoGenesis, "the state has not begun")
	}
	return g.ChainID, nil
}

// timeBefore returns the chain time of the block before: that of the genesis, before the first.
func timeBefore(r Reader) (int64, error) {
	var h headRecord
	if _, err := get(r, keyMeta(metaHead), &h); err != nil || h.Height > 0 {
		return h.Time, err
	}
	var g genesisRecord
	_, err := get(r, keyMeta(metaGenesis), &g)
	return g.Time, err
}

// Head says which block a state is of. It is written with each block and does not count for the app hash, which
// it holds. ledger-spec 4.2
type Head struct {
	Height  int64
	Time    time.Time // of the block, agreed on by the validators: chain time
	AppHash []byte    // after the block; empty before the genesis
}

type headRecord struct {
	Height  int64  `cbor:"1,keyasint"`
	Time    int64  `cbor:"2,keyasint"` // Unix time in nanoseconds
	AppHash []byte `cbor:"3,keyasint"`
}

// HeadEntry returns the key and the value with which a store keeps h beside the state.
func HeadEntry(h Head) (key, value []byte) {
	return keyMeta(metaHead), encode(headRecord{h.Height, h.Time.UnixNano(), h.AppHash})
}

// ReadHead returns the Head that was last written, the zero Head if there is none.
func ReadHead(r Reader) (Head, error) {
	var h headRecord
	ok, err := get(r, keyMeta(metaHead), &h)
	if !ok || err != nil {
		return Head{}, err
	}
	if h.Height < 0 {
		return Head{}, errors.New("the state is damaged: the height is negative")
	}
	return Head{Height: h.Height, Time: time.Unix(0, h.Time).UTC(), AppHash: h.AppHash}, nil
}
