package consensus

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"collimate/keys"
	"collimate/ledger"
)

// TestJoinLarge measures how a node joins a network of four with many studies: COLLIMATE_JOIN_STUDIES says how many.
func TestJoinLarge(t *testing.T) {
	studies, err := strconv.Atoi(os.Getenv("COLLIMATE_JOIN_STUDIES"))
	if err != nil {
		t.Skip("minutes, and hundreds of megabytes: set COLLIMATE_JOIN_STUDIES, say to 1000000")
	}
	w := newNetwork(t, 4)
	for _, m := range w.members {
		m.config.SnapshotEvery = 20
	}
	w.start(0, 1, 2, 3)
	w.ready(3, 0, 1, 2, 3)
	for i := range w.members { // each has its share of a block
		w.defineWith(i, uint64(studies/800+100))
	}
	w.agree(w.members[0].engine.Status().Height, 0, 1, 2, 3)
	owner := keys.Owner{ID: idOf(t, newKey(t))}
	began := time.Now()
	var all sync.WaitGroup
	var next atomic.Int64
	for i := range 32 {
		all.Go(func() {
			for {
				at := int(next.Add(ledger.MaxStudiesPerTx)) - ledger.MaxStudiesPerTx
				if at >= studies {
					return
				}
				var body ledger.DefineStudy
				for n := range ledger.MaxStudiesPerTx {
					id := ledger.StudyID(sha256.Sum256(fmt.Appendf(nil, "%d", at+n)))
					body.Studies = append(body.Studies, ledger.StudyDefinition{Study: id, Owner: owner, Kind: ledger.RecordImaging})
				}
				slices.SortFunc(body.Studies, func(a, b ledger.StudyDefinition) int { return bytes.Compare(a.Study[:], b.Study[:]) })
				raw := w.sign(body, w.members[i%4].key)
				for {
					if _, err := w.submit(i%4, raw); err == nil {
						break
					} else if !errors.Is(err, ErrNotFinal) && !errors.Is(err, ErrBusy) {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	all.Wait()
	height := w.members[0].engine.Status().Height
	t.Logf("%d studies in %d blocks after %v", studies, height, time.Since(began).Round(time.Second))
	w.stop(3)
	w.snapshots(height, 0, 1, 2)
	for _, sync := range []Sync{SyncSnapshot, SyncReplay} {
		w.stop(3)
		w.wipe(3)
		w.members[3].config.Sync = sync
		began := time.Now()
		w.start(3)
		eventually(t, 30*time.Minute, "node 3 has caught up", func() bool {
			s := w.members[3].engine.Status()
			return !s.CatchingUp && s.Height >= w.members[0].engine.Status().Height
		})
		took := time.Since(began)
		a := w.members[0].engine.kept
		heights, err := a.heights()
		must(t, err)
		t.Logf("%s: %v; the snapshot has %d MB, the blocks %d MB, the state on disk %d MB", sync, took.Round(time.Millisecond),
			size(t, a.path(heights[0]))>>20, size(t, filepath.Join(w.members[0].dir, "data", "blockstore.db"))>>20,
			size(t, LedgerDir(w.members[3].dir))>>20)
		w.agree(0, 0, 1, 2, 3)
	}
}

// size returns the bytes of all files under a directory.
func size(t *testing.T, dir string) (n int64) {
	t.Helper()
	must(t, filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		n += info.Size()
		return err
	}))
	return n
}
