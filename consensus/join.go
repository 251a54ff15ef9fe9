package consensus

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2"
	sm "github.com/cometbft/cometbft/state"
	cmtstore "github.com/cometbft/cometbft/store"
	"github.com/cometbft/cometbft/types"

	"collimate/consensus/pebbledb"
	"collimate/ledger/light"
	"collimate/ledger/store"
)

// Sync is how a node with an empty directory gets the state.
type Sync string

const (
	// SyncAuto joins by a snapshot if a peer has one and the network is older than a few minutes, and replays otherwise.
	SyncAuto Sync = ""
	// SyncReplay makes every block of the chain again.
	SyncReplay Sync = "replay"
	// SyncSnapshot joins by a snapshot or not at all.
	SyncSnapshot Sync = "snapshot"
)

// TrustedHeader is a header that the operator believes, from another operator or from a website.
type TrustedHeader struct {
	Height int64
	Hash   light.Hash
}

// LedgerDir is where the ledger store of a node is, whose directory is dir.
func LedgerDir(dir string) string { return filepath.Join(dir, "data", "ledger.db") }

// The directory in which a node's databases are made until they are whole, and the file in it that says so.
const (
	joinDir  = "join"
	joinDone = "done"
)

// ErrNoSnapshot is wrapped when no peer has a snapshot that holds.
var ErrNoSnapshot = errors.New("no peer has a snapshot to join by")

// Join gives an empty directory the state of the network, by a snapshot of a peer, as Config.Sync says. With anything
// there already it does nothing. Call it before the ledger store is opened.
//
// Nothing that a peer says is believed: the header that names the state is signed by the validators of the genesis, or
// by those of Config.Trust, and every chunk leads to it. A crash leaves nothing or a directory in which Join goes on.
func Join(ctx context.Context, c Config, log *slog.Logger) error {
	if err := c.Validate(); err != nil {
		return fmt.Errorf("consensus: %w", err)
	}
	data := filepath.Join(c.Dir, "data")
	if err := settle(data); err != nil {
		return fmt.Errorf("consensus: finishing to join: %w", err)
	}
	begun, err := hasBegun(data)
	if begun || err != nil || c.Sync == SyncReplay || len(c.Peers) == 0 ||
		c.Sync == SyncAuto && time.Since(c.Genesis.Time) < youngNetwork {
		return err
	}
	err = joinPeers(ctx, c, log)
	if c.Sync == SyncAuto && errors.Is(err, ErrNoSnapshot) {
		log.Info("joining by replaying every block", "why", err)
		return os.RemoveAll(filepath.Join(data, joinDir))
	}
	if err != nil {
		return fmt.Errorf("consensus: joining: %w", err)
	}
	return nil
}

// hasBegun reports whether a data directory has anything of a chain.
func hasBegun(data string) (bool, error) {
	for _, name := range []string{"ledger.db", "state.db", "blockstore.db"} {
		if _, err := os.Lstat(filepath.Join(data, name)); err == nil {
			return true, nil
		} else if !errors.Is(err, fs.ErrNotExist) {
			return false, err
		}
	}
	return false, nil
}

// settle puts databases that are whole in their place. A crash in the middle leaves the rest to the next start.
func settle(data string) error {
	join := filepath.Join(data, joinDir)
	if _, err := os.Lstat(filepath.Join(join, joinDone)); errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	for _, name := range []string{"ledger.db", "state.db", "blockstore.db"} {
		err := os.Rename(filepath.Join(join, name), filepath.Join(data, name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // moved before the crash
			return err
		}
	}
	if err := syncDir(data); err != nil {
		return err
	}
	return os.RemoveAll(join)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// writeSynced writes a file that survives a crash once its directory has been synced.
func writeSynced(name string, b []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	return errors.Join(err, f.Sync(), f.Close())
}

// offer is an archive that was proved: a manifest, and the light blocks of its height and the next.
type offer struct {
	encoded    []byte
	manifest   *store.Manifest
	this, next *light.Block
}

// trusted is what a node believes before it has a state.
func (g Genesis) trusted() (light.Trusted, error) {
	set, err := g.validatorSet()
	if err != nil {
		return light.Trusted{}, err
	}
	var all []light.Validator
	for _, v := range set.Validators {
		all = append(all, light.Validator{Key: [32]byte(v.PubKey.Bytes()), Power: v.VotingPower})
	}
	return light.TrustGenesis(g.ChainID, g.Time, all)
}

// joinPolicy lets a node that has the genesis believe its validators for as long as the chain lives, whose voting power does
// not change (ledger-spec 12).
var joinPolicy = light.Policy{TrustingPeriod: 100 * 365 * 24 * time.Hour, ClockDrift: time.Minute}

// prove checks an archive against what is trusted.
func prove(t light.Trusted, manifest, blocks []byte, now time.Time) (*offer, error) {
	o := &offer{encoded: manifest}
	var err error
	if o.manifest, err = store.DecodeManifest(manifest); err != nil {
		return nil, err
	}
	if o.this, o.next, err = decodeBlocks(blocks); err != nil {
		return nil, err
	}
	this, err := t.Verify(o.this, joinPolicy, now)
	if err != nil {
		return nil, err
	}
	next, err := this.Verify(o.next, joinPolicy, now)
	if err != nil {
		return nil, err
	}
	m := o.manifest
	last := light.BlockID{Hash: this.Hash, PartsTotal: o.this.Commit.PartsTotal, PartsHash: o.this.Commit.PartsHash}
	switch {
	case next.Height != this.Height+1 || o.next.Header.LastBlockID != last:
		return nil, errors.New("the second light block does not follow the first")
	case m.Height != this.Height || !m.Time.Equal(this.Time) || m.ChainID != t.ChainID:
		return nil, errors.New("the manifest and the light blocks are not of the same block")
	case light.Hash(m.AppHash) != next.AppHash:
		return nil, errors.New("the manifest is not of the state that the validators have signed")
	}
	return o, nil
}

// install makes the databases of a node of an archive, in order of its chunks. It resumes what was begun with the same
// manifest. chunk returns a chunk, and what is to be told if it is not the right one.
func install(ctx context.Context, c Config, o *offer, log *slog.Logger, chunk func(ctx context.Context, i int) ([]byte, func(error), error)) error {
	join := filepath.Join(c.Dir, "data", joinDir)
	if err := os.MkdirAll(join, 0o700); err != nil {
		return err
	}
	opt := store.Options{Logger: log}
	r, err := store.BeginRestore(filepath.Join(join, "ledger.db"), o.encoded, opt)
	if err != nil { // begun with another manifest, or damaged: begin again
		if err := errors.Join(os.RemoveAll(join), os.MkdirAll(join, 0o700)); err != nil {
			return err
		}
		if r, err = store.BeginRestore(filepath.Join(join, "ledger.db"), o.encoded, opt); err != nil {
			return err
		}
	}
	defer r.Close()
	for i, more := r.Next(); more; i, more = r.Next() {
		b, reject, err := chunk(ctx, i)
		if err != nil {
			return err
		}
		if err := r.Add(b); errors.Is(err, store.ErrArchive) {
			reject(err)
		} else if err != nil {
			return err
		}
	}
	if err := r.Finish(); err != nil {
		return err
	}
	if err := o.bootstrap(c.Genesis, join, log); err != nil {
		return err
	}
	if err := errors.Join(writeSynced(filepath.Join(join, joinDone), nil), syncDir(join)); err != nil {
		return err
	}
	return settle(filepath.Join(c.Dir, "data"))
}

// bootstrap makes the engine's databases as after the block of the archive: no block, the state, and the votes for the
// last block, which the next proposal repeats.
func (o *offer) bootstrap(g *Genesis, dir string, log *slog.Logger) (err error) {
	state, err := o.engineState(g)
	if err != nil {
		return err
	}
	cache := pebble.NewCache(1 << 20)
	defer cache.Unref()
	open := func(name string) (*pebbledb.DB, error) {
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			return nil, err
		}
		return pebbledb.Open(filepath.Join(dir, name), cache, log)
	}
	db, err := open("state.db")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	states := sm.NewStore(db, sm.StoreOptions{DiscardABCIResponses: true})
	if err := errors.Join(states.Bootstrap(state), states.SetOfflineStateSyncHeight(state.LastBlockHeight)); err != nil {
		return err
	}
	blocks, err := open("blockstore.db")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, blocks.Close()) }()
	_, commit := fromLight(o.this)
	return cmtstore.NewBlockStore(blocks).SaveSeenCommit(o.manifest.Height, commit)
}

// engineState is the engine's state after the block of the archive.
func (o *offer) engineState(g *Genesis) (sm.State, error) {
	doc, err := g.doc()
	if err != nil {
		return sm.State{}, err
	}
	state, err := sm.MakeGenesisState(doc)
	if err != nil {
		return sm.State{}, err
	}
	if h := o.next.Header.NextValidatorsHash; string(h[:]) != string(state.Validators.Hash()) {
		return sm.State{}, errors.New("the validators are not those of the genesis any more, which this version does not know")
	}
	height := o.manifest.Height
	header, _ := fromLight(o.next)
	state.Version.Consensus = header.Version
	state.LastBlockHeight, state.LastBlockID, state.LastBlockTime = height, header.LastBlockID, o.manifest.Time
	state.LastValidators, state.Validators, state.NextValidators = rotation(state.Validators, height)
	state.LastHeightValidatorsChanged, state.LastHeightConsensusParamsChanged = height+2, height+1
	state.AppHash, state.LastResultsHash = header.AppHash, header.LastResultsHash
	return state, nil
}

// rotation returns validators as they stand at a height and at the two that follow. Whose turn it is to propose follows
// from the set at height 1 and the number of blocks since, one step for each; it repeats itself after as many steps as
// the powers have units.
func rotation(first *types.ValidatorSet, height int64) (this, next, after *types.ValidatorSet) {
	seen := []*types.ValidatorSet{first}
	at := func(steps int64) *types.ValidatorSet {
		for {
			last := seen[len(seen)-1]
			if n := int64(len(seen)); n > 1 && samePriorities(last, first) {
				return seen[steps%(n-1)].Copy()
			} else if steps < n {
				return seen[steps].Copy()
			}
			seen = append(seen, last.CopyIncrementProposerPriority(1))
		}
	}
	return at(height - 1), at(height), at(height + 1)
}

func samePriorities(a, b *types.ValidatorSet) bool {
	return slices.EqualFunc(a.Validators, b.Validators, func(a, b *types.Validator) bool { return a.ProposerPriority == b.ProposerPriority })
}

// validatorSet is that of the genesis, as at height 1.
func (g Genesis) validatorSet() (*types.ValidatorSet, error) {
	doc, err := g.doc()
	if err != nil {
		return nil, err
	}
	state, err := sm.MakeGenesisState(doc)
	if err != nil {
		return nil, fmt.Errorf("reading the genesis: %w", err)
	}
	return state.Validators, nil
}
