package ledger

import (
	"errors"
	"fmt"
	"time"

	"collimate/keys"
)

// Genesis is how a chain begins. ledger-spec 4.2
type Genesis struct {
	ChainID string
	Time    time.Time
	// Validators are the Ed25519 keys that vote on blocks. Only a source that proves possession of one of
	// them can be defined.
	Validators [][32]byte
}

// genesisRecord is what the state keeps of a Genesis, beside one validatorRecord for each validator.
type genesisRecord struct {
	ChainID    string `cbor:"1,keyasint"`
	Time       int64  `cbor:"2,keyasint"` // Unix time in nanoseconds
	Validators int    `cbor:"3,keyasint"`
}

// validatorRecord says which source a validator belongs to; the zero KeyID until one is defined.
type validatorRecord struct {
	Source keys.Source `cbor:"1,keyasint"`
}

// InitGenesis begins the state. Repeating it with the same Genesis does nothing, since an engine that stopped
// before the first block begins again; with another Genesis it refuses.
func InitGenesis(w ReaderWriter, g Genesis) error {
	if err := checkChainID(g.ChainID); err != nil {
		return &Error{Code: CodeBadGenesis, Detail: err.Error()}
	}
	if n := len(g.Validators); n == 0 || n > MaxValidators {
		return refuse(CodeBadGenesis, "the genesis has %d validators, want 1 to %d", n, MaxValidators)
	}
	record := genesisRecord{ChainID: g.ChainID, Time: g.Time.UnixNano(), Validators: len(g.Validators)}
	var now genesisRecord
	begun, err := get(w, keyMeta(metaGenesis), &now)
	if err != nil {
		return err
	}
	if begun {
		return sameGenesis(w, g, record, now)
	}
	seen := map[ValidatorKey]bool{}
	for _, v := range g.Validators {
		if seen[v] {
			return refuse(CodeBadGenesis, "the genesis names a validator twice")
		}
		seen[v] = true
	}
	for _, v := range g.Validators {
		if err := w.Set(keyValidator(v), encode(validatorRecord{})); err != nil {
			return fmt.Errorf("writing the genesis: %w", err)
		}
	}
	return w.Set(keyMeta(metaGenesis), encode(record))
}

func sameGenesis(r Reader, g Genesis, record, now genesisRecord) error {
	if record != now {
		return refuse(CodeGenesisDiffers, "the state belongs to another chain id, time or number of validators")
	}
	for _, v := range g.Validators {
		if ok, err := get(r, keyValidator(v), &validatorRecord{}); err != nil {
			return err
		} else if !ok {
			return refuse(CodeGenesisDiffers, "the state belongs to other validators")
		}
	}
	return nil
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

// The names of the records under prefixMeta.
const (
	metaGenesis = "genesis"
	metaHead    = "head"
)

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
