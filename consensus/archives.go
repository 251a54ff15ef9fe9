package consensus

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"collimate/ledger/light"
	"collimate/ledger/store"
	"collimate/p2p"

	"github.com/libp2p/go-libp2p/core/peer"
)

// archives are the snapshots of the state that a node keeps for others to join by, keptArchives of them:
//
//	Dir/data/archives/HEIGHT   manifest, NNNN.chunk   as store.Export writes them
//	                           blocks                 light blocks of HEIGHT and HEIGHT+1, whose header proves the manifest
//
// One is made in another directory, and gets its name when it is whole.
type archives struct {
	dir   string
	every int64 // blocks between two of them; none is made if it is negative
	light func(height int64) (*light.Block, error)
	log   *slog.Logger

	ctx  context.Context
	end  context.CancelFunc
	work sync.WaitGroup
	busy chan struct{} // a token while one is being made
}

const (
	archiveDir  = "archives"
	archivePart = "unfinished"
	blocksFile  = "blocks"
)

func newArchives(dataDir string, every int64, light func(int64) (*light.Block, error), log *slog.Logger) *archives {
	a := &archives{dir: filepath.Join(dataDir, archiveDir), every: every, light: light, log: log, busy: make(chan struct{}, 1)}
	a.ctx, a.end = context.WithCancel(context.Background())
	return a
}

// offer makes an archive of a state in the background, if it is due and none is being made.
func (a *archives) offer(s *store.Store, height int64) {
	if a.every < 0 || height%a.every != 0 || a.ctx.Err() != nil {
		return
	}
	select {
	case a.busy <- struct{}{}:
	default:
		a.log.Warn("no snapshot at this height: the last one is still being made", "height", height)
		return
	}
	snap := s.Snapshot()
	a.work.Go(func() {
		defer func() { <-a.busy }()
		began := time.Now()
		var err error
		politely(func() { err = errors.Join(a.make(snap), snap.Close()) })
		switch {
		case a.ctx.Err() != nil:
		case err != nil:
			a.log.Error("making a snapshot", "height", height, "err", err)
		default:
			a.log.Info("made a snapshot", "height", height, "took", time.Since(began))
		}
	})
}

// close gives up the one that is being made, and waits.
func (a *archives) close() {
	a.end()
	a.work.Wait()
}

func (a *archives) make(snap *store.Snapshot) error {
	part := filepath.Join(a.dir, archivePart)
	if err := errors.Join(os.RemoveAll(part), os.MkdirAll(a.dir, 0o700)); err != nil {
		return err
	}
	if _, err := snap.Export(a.ctx, part); err != nil {
		return err
	}
	blocks, err := a.proof(snap.Height())
	if err != nil {
		return err
	}
	err = errors.Join(writeSynced(filepath.Join(part, blocksFile), blocks), syncDir(part))
	if err == nil {
		err = os.Rename(part, a.path(snap.Height()))
	}
	if err != nil {
		return err
	}
	heights, err := a.heights()
	if err != nil {
		return err
	}
	for _, old := range heights[min(keptArchives, len(heights)):] {
		if err := os.RemoveAll(a.path(old)); err != nil {
			return err
		}
	}
	return nil
}

// proof waits for the block after a height, which says what the state at that height is, and returns both.
func (a *archives) proof(height int64) ([]byte, error) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		next, err := a.light(height + 1)
		if err == nil {
			this, err := a.light(height)
			if err != nil {
				return nil, err
			}
			return encodeBlocks(this, next)
		}
		if !errors.Is(err, ErrNotFound) {
			return nil, err
		}
		select {
		case <-tick.C:
		case <-a.ctx.Done():
			return nil, a.ctx.Err()
		}
	}
}

func (a *archives) path(height int64) string {
	return filepath.Join(a.dir, fmt.Sprintf("%016d", height))
}

// heights returns those of the archives, the newest first.
func (a *archives) heights() ([]int64, error) {
	files, err := os.ReadDir(a.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var heights []int64
	for _, f := range files {
		if h, err := strconv.ParseInt(f.Name(), 10, 64); err == nil && h > 0 {
			heights = append(heights, h)
		}
	}
	slices.Sort(heights)
	slices.Reverse(heights)
	return heights, nil
}

// retain returns the height below which blocks are of no use, if so many are to be kept: never one that follows an
// archive, as whoever joins by that needs it. 0 keeps all.
func (a *archives) retain(height, keep int64) (int64, error) {
	if keep == 0 {
		return 0, nil
	}
	heights, err := a.heights()
	if err != nil || len(heights) == 0 {
		return 0, err
	}
	return max(0, min(height-keep+1, heights[len(heights)-1])), nil
}

// archiveExchange is how nodes get archives from each other. The request is
//
//	0  1  what: 0 heights, 1 manifest, 2 blocks, 3 chunk, 4 light block
//	1  8  height, big endian; 0 for 0
//	9  4  number of the chunk, big endian; else 0
//
// and the answer the file, the light block, or up to keptArchives heights of 8 bytes each.
var archiveExchange = p2p.Exchange{
	Protocol: "/collimate/archive/1", MaxRequest: 13, MaxAnswer: store.MaxChunkBytes, Rate: archiveRate,
}

type archiveRequest struct {
	what   byte
	height int64
	chunk  uint32
}

const (
	askHeights = iota
	askManifest
	askBlocks
	askChunk
	askLight
)

func (r archiveRequest) encode() []byte {
	b := binary.BigEndian.AppendUint64([]byte{r.what}, uint64(r.height))
	return binary.BigEndian.AppendUint32(b, r.chunk)
}

// answer answers a peer.
func (a *archives) answer(_ peer.ID, request []byte) ([]byte, error) {
	if len(request) != archiveExchange.MaxRequest {
		return nil, fmt.Errorf("a request of %d bytes", len(request))
	}
	height, chunk := int64(binary.BigEndian.Uint64(request[1:])), binary.BigEndian.Uint32(request[9:])
	if height < 0 {
		return nil, errors.New("a request for a negative height")
	}
	switch request[0] {
	case askHeights:
		heights, err := a.heights()
		if err != nil {
			return nil, err
		}
		var b []byte
		for _, h := range heights[:min(keptArchives, len(heights))] {
			b = binary.BigEndian.AppendUint64(b, uint64(h))
		}
		return b, nil
	case askManifest:
		return a.file(height, store.ManifestFile)
	case askBlocks:
		return a.file(height, blocksFile)
	case askChunk:
		return a.file(height, store.ChunkFile(int(chunk)))
	case askLight:
		b, err := a.light(height)
		if errors.Is(err, ErrNotFound) {
			return nil, p2p.ErrNotThere
		}
		if err != nil {
			return nil, err
		}
		return b.Encode()
	}
	return nil, fmt.Errorf("a request of the unknown kind %d", request[0])
}

func (a *archives) file(height int64, name string) ([]byte, error) {
	b, err := os.ReadFile(filepath.Join(a.path(height), name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, p2p.ErrNotThere
	}
	return b, err
}

// encodeBlocks puts two light blocks behind each other, each after its length in 4 bytes.
func encodeBlocks(blocks ...*light.Block) (out []byte, err error) {
	for _, b := range blocks {
		e, err := b.Encode()
		if err != nil {
			return nil, err
		}
		out = append(binary.BigEndian.AppendUint32(out, uint32(len(e))), e...)
	}
	return out, nil
}

// decodeBlocks is its inverse.
func decodeBlocks(b []byte) (this, next *light.Block, err error) {
	cut := func() (*light.Block, error) {
		if len(b) < 4 || uint64(binary.BigEndian.Uint32(b)) > uint64(len(b)-4) {
			return nil, errors.New("two light blocks: the length is wrong")
		}
		n := 4 + int(binary.BigEndian.Uint32(b))
		block, err := light.DecodeBlock(b[4:n])
		b = b[n:]
		return block, err
	}
	if this, err = cut(); err != nil {
		return nil, nil, err
	}
	if next, err = cut(); err != nil {
		return nil, nil, err
	}
	if len(b) > 0 {
		return nil, nil, errors.New("two light blocks: something follows them")
	}
	return this, next, nil
}
