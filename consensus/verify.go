package consensus

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/cockroachdb/pebble/v2/vfs"
	abci "github.com/cometbft/cometbft/abci/types"
	sm "github.com/cometbft/cometbft/state"
	cmtstore "github.com/cometbft/cometbft/store"
	"github.com/cometbft/cometbft/types"

	"collimate/consensus/pebbledb"
	"collimate/ledger/store"
)

// Verified says what VerifyChain has found to be right.
type Verified struct {
	From, To     int64 // blocks that were made again
	Snapshot     int64 // height of the snapshot that it began with; 0 for the genesis
	Last         int64 // block up to which links and votes were checked
	Transactions int64
	Records      int    // of the state, which were compared
	AppHash      []byte // of the state after block To
}

// Progress says how far a long piece of work is.
type Progress struct {
	What     string // it counts: a block that is made again, a record that is compared, a proof that is checked
	Done, Of int64  // Of is 0 where it is not known
}

// ErrDiffers is wrapped when what is on disk does not follow from the blocks, or the blocks not from each other.
var ErrDiffers = errors.New("the chain does not verify")

func differs(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrDiffers, fmt.Sprintf(format, args...))
}

// VerifyChain makes the state of a stopped node again, in a directory of its own, and compares it with the one on disk
// byte by byte. It begins with the genesis or, if blocks have been deleted, with the oldest snapshot that is kept. On
// the way it checks that each block follows from the one before, that more than two thirds of the voting power signed
// it, and that its header names the state and the results of the block before.
//
// An error that wraps ErrDiffers names the first difference: the height, or the record and the byte in it. Nothing in a
// node's directory is changed. Progress, which may be nil, is called often. Memory is bounded; the disk must have room for
// another state.
func VerifyChain(ctx context.Context, dir string, g *Genesis, progress func(Progress), log *slog.Logger) (*Verified, error) {
	if progress == nil {
		progress = func(Progress) {}
	}
	if err := g.Validate(); err != nil {
		return nil, fmt.Errorf("consensus: genesis: %w", err)
	}
	v := &verification{genesis: g, dir: dir, log: log, progress: progress}
	out, err := v.run(ctx)
	if err != nil {
		return nil, fmt.Errorf("consensus: verifying: %w", err)
	}
	return out, nil
}

// verification is one VerifyChain.
type verification struct {
	genesis  *Genesis
	dir      string
	log      *slog.Logger
	progress func(Progress)

	blocks     *cmtstore.BlockStore
	validators *types.ValidatorSet
	app        *app
	out        Verified

	last    types.BlockID // of the block before
	hash    []byte        // app hash that the next header must name
	results []byte        // hash of results that the next header must name; nil for any
}

func (v *verification) run(ctx context.Context) (_ *Verified, err error) {
	later := func(f func() error) { err = errors.Join(err, f()) }
	db, err := pebbledb.OpenReadOnly(filepath.Join(v.dir, "data", "blockstore.db"), v.log)
	if err != nil {
		return nil, err
	}
	defer later(db.Close)
	v.blocks = cmtstore.NewBlockStore(db)
	if v.blocks.Height() == 0 {
		return nil, errors.New("this node has no block yet")
	}
	if v.validators, err = v.genesis.validatorSet(); err != nil {
		return nil, err
	}
	onDisk, err := store.Open(LedgerDir(v.dir), store.Options{Logger: v.log, ReadOnly: true})
	if err != nil {
		return nil, err
	}
	defer later(onDisk.Close)
	want := onDisk.Snapshot()
	defer later(want.Close)

	temp, err := os.MkdirTemp("", "collimate-verify-")
	if err != nil {
		return nil, err
	}
	defer later(func() error { return os.RemoveAll(temp) })
	again, err := v.begin(temp)
	if err != nil {
		return nil, err
	}
	defer later(again.Close)
	if want.Height() < v.out.From-1 || want.Height() > v.blocks.Height() {
		return nil, differs("the state on disk is of height %d, the blocks are %d to %d", want.Height(), v.blocks.Base(), v.blocks.Height())
	}
	v.out.To, v.out.Last = want.Height(), v.blocks.Height()
	v.app = newApp(*v.genesis, again, nil, v.out.From-1, v.log)
	defer v.app.stop()
	for h := v.out.From; h <= v.blocks.Height(); h++ {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := v.block(ctx, h); err != nil {
			return nil, err
		}
		v.progress(Progress{"block", h, v.blocks.Height()})
	}
	got := again.Snapshot()
	defer later(got.Close)
	if v.out.Records, err = compare(ctx, got, want, v.progress); err != nil {
		return nil, err
	}
	v.out.AppHash = got.AppHash()
	return &v.out, want.Verify(ctx, func(n int) { v.progress(Progress{"proof", int64(n), int64(v.out.Records)}) })
}

// begin makes the state to begin with: that of the genesis, or of a snapshot.
func (v *verification) begin(temp string) (*store.Store, error) {
	opt := store.Options{FS: unsynced{vfs.Default}, Logger: v.log}
	dir := filepath.Join(temp, "ledger.db")
	if v.blocks.Base() <= 1 {
		v.out.From = 1
		s, err := store.Open(dir, opt)
		if err != nil {
			return nil, err
		}
		a := newApp(*v.genesis, s, nil, 0, v.log)
		r, err := a.InitChain(context.Background(), &abci.RequestInitChain{})
		if err != nil {
			return nil, errors.Join(err, s.Close())
		}
		v.hash = r.AppHash
		return s, nil
	}
	kept := &archives{dir: filepath.Join(v.dir, "data", archiveDir)}
	heights, err := kept.heights()
	if err != nil {
		return nil, err
	}
	for i := len(heights) - 1; i >= 0; i-- {
		if heights[i] >= v.blocks.Base()-1 {
			return v.beginAt(kept, heights[i], dir, opt)
		}
	}
	return nil, fmt.Errorf("blocks below %d have been deleted, or were never here, and there is no snapshot to begin with: "+
		"verify a node that retains all blocks, or wait for the next snapshot", v.blocks.Base())
}

func (v *verification) beginAt(kept *archives, height int64, dir string, opt store.Options) (*store.Store, error) {
	trusted, err := v.genesis.trusted()
	if err != nil {
		return nil, err
	}
	manifest, err := kept.file(height, store.ManifestFile)
	if err != nil {
		return nil, err
	}
	blocks, err := kept.file(height, blocksFile)
	if err != nil {
		return nil, err
	}
	o, err := prove(trusted, manifest, blocks, v.blocks.LoadBlockMeta(v.blocks.Height()).Header.Time)
	if err != nil {
		return nil, differs("the snapshot of height %d: %v", height, err)
	}
	r, err := store.BeginRestore(dir, manifest, opt)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	for i, more := r.Next(); more; i, more = r.Next() {
		chunk, err := kept.file(height, store.ChunkFile(i))
		if err != nil {
			return nil, err
		}
		if err := r.Add(chunk); err != nil {
			return nil, differs("the snapshot of height %d: %v", height, err)
		}
	}
	if err := r.Finish(); err != nil {
		return nil, err
	}
	v.out.From, v.out.Snapshot = height+1, height
	v.last, v.hash = fromLightID(o.next.Header.LastBlockID), o.manifest.AppHash[:]
	return store.Open(dir, opt)
}

// block checks a block against the one before, and makes its state if that is on disk too.
func (v *verification) block(ctx context.Context, h int64) (err error) {
	defer func() { // the engine panics on bytes that it cannot decode
		if p := recover(); p != nil {
			err = differs("block %d cannot be read: %v", h, p)
		}
	}()
	b, meta := v.blocks.LoadBlock(h), v.blocks.LoadBlockMeta(h)
	if b == nil || meta == nil {
		return differs("block %d is missing", h)
	}
	commit := v.blocks.LoadBlockCommit(h)
	if commit == nil {
		commit = v.blocks.LoadSeenCommit(h)
	}
	parts, err := b.MakePartSet(types.BlockPartSizeBytes)
	if err != nil {
		return differs("block %d: %v", h, err)
	}
	id := types.BlockID{Hash: b.Hash(), PartSetHeader: parts.Header()}
	switch {
	case b.ValidateBasic() != nil:
		return differs("block %d: %v", h, b.ValidateBasic())
	case b.ChainID != v.genesis.ChainID || b.Height != h:
		return differs("block %d is of chain %q and height %d", h, b.ChainID, b.Height)
	case !meta.BlockID.Equals(id):
		return differs("block %d is not the one under whose name it is kept", h)
	case !b.LastBlockID.Equals(v.last):
		return differs("block %d does not follow block %d", h, h-1)
	case !bytes.Equal(b.ValidatorsHash, v.validators.Hash()):
		return differs("block %d has other validators than the genesis", h)
	case h <= v.out.To+1 && !bytes.Equal(b.AppHash, v.hash):
		return differs("after block %d the app hash is %x, and the header of block %d says %x", h-1, v.hash, h, b.AppHash)
	case v.results != nil && !bytes.Equal(b.LastResultsHash, v.results):
		return differs("the results of block %d have the hash %x, and the header of block %d says %x", h-1, v.results, h, b.LastResultsHash)
	case commit == nil:
		return differs("there are no votes for block %d", h)
	}
	if err := v.validators.VerifyCommitLight(b.ChainID, id, h, commit); err != nil {
		return differs("the votes for block %d: %v", h, err)
	}
	v.last, v.results = id, nil
	if h > v.out.To {
		return nil
	}
	r, err := v.app.FinalizeBlock(ctx, &abci.RequestFinalizeBlock{
		Height: h, Time: b.Time, Txs: b.Txs.ToSliceOfBytes(), Misbehavior: b.Evidence.Evidence.ToABCI(),
		DecidedLastCommit: sm.BuildLastCommitInfo(b, v.validators, 1),
	})
	if err != nil {
		return err
	}
	if err := v.app.block.Commit(); err != nil {
		return err
	}
	v.app.block = nil
	v.hash, v.results = r.AppHash, sm.TxResultsHash(r.TxResults)
	v.out.Transactions += int64(len(b.Txs))
	return nil
}

// record is one of a state.
type record struct{ key, value []byte }

// records returns those of a state in order of their keys; fail takes the error that ended it early.
func records(s *store.Snapshot, fail *error) iter.Seq[record] {
	return func(yield func(record) bool) {
		enough := errors.New("enough")
		err := s.Iterate(nil, func(key, value []byte) error {
			if !yield(record{key, value}) {
				return enough
			}
			return nil
		})
		if err != enough {
			*fail = err
		}
	}
}

// compare compares two states, and returns the number of records. What an error says of a record is its key, which is a hash
// or a salted one.
func compare(ctx context.Context, got, want *store.Snapshot, progress func(Progress)) (n int, err error) {
	var failed [2]error
	next, stop := iter.Pull(records(got, &failed[0]))
	defer stop()
	for w := range records(want, &failed[1]) {
		g, ok := next()
		switch {
		case failed[0] != nil:
			return n, failed[0]
		case !ok || bytes.Compare(g.key, w.key) > 0:
			return n, differs("the state on disk has a record %x that does not follow from the blocks", w.key)
		case bytes.Compare(g.key, w.key) < 0:
			return n, differs("the state on disk lacks the record %x", g.key)
		case !bytes.Equal(g.value, w.value):
			return n, differs("the record %x differs from byte %d on: on disk it has %d bytes, made again %d", w.key,
				commonPrefix(g.value, w.value), len(w.value), len(g.value))
		}
		if n++; n%compareStep == 1 {
			if err := ctx.Err(); err != nil {
				return n, err
			}
			progress(Progress{"record", int64(n), 0})
		}
	}
	if failed[1] != nil {
		return n, failed[1]
	}
	if g, ok := next(); ok {
		return n, differs("the state on disk lacks the record %x", g.key)
	}
	return n, failed[0]
}

func commonPrefix(a, b []byte) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// unsynced is a file system that does not wait for the disk: what is made again can be made again.
type unsynced struct{ vfs.FS }

func (u unsynced) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return withoutSync(u.FS.Create(name, c))
}

func (u unsynced) ReuseForWrite(oldname, newname string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return withoutSync(u.FS.ReuseForWrite(oldname, newname, c))
}

func (u unsynced) OpenDir(name string) (vfs.File, error) { return withoutSync(u.FS.OpenDir(name)) }

func withoutSync(f vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	return unsyncedFile{f}, nil
}

type unsyncedFile struct{ vfs.File }

func (unsyncedFile) Sync() error                { return nil }
func (unsyncedFile) SyncData() error            { return nil }
func (unsyncedFile) SyncTo(int64) (bool, error) { return false, nil }
