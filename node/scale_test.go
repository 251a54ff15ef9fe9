package node

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"collimate/consensus"
	"collimate/keys"
	"collimate/ledger"
)

// envScale is the number of studies of TestScaleNode; 4,000,000 make a state of 10 million records with claims and grants.
const envScale = "COLLIMATE_NODE_STUDIES"

// scaleGrants is the number of studies whose owner lets somebody in; decisions are measured on them.
const scaleGrants = 2000

// TestScaleNode measures a whole node with many studies: bytes on disk by store, the time it takes to start again,
// to decide and to prove.
func TestScaleNode(t *testing.T) {
	studies, err := strconv.Atoi(os.Getenv(envScale))
	if err != nil {
		t.Skip("minutes, and gigabytes: set " + envScale + ", say to 1000000")
	}
	w := newWorld(t, 1)
	w.genesis.Payers[0].Units = uint64(studies)
	params := ledger.DefaultParams()
	params.WritesPerStudy = 1000
	w.genesis.Params = &params
	n, stop := w.start(0)
	c := w.client(0)
	w.ready(c, 0)
	source := keys.Source{ID: idOf(t, w.source)}
	proof, err := consensus.SignValidatorProof(w.configs[0].Dir, ledger.ValidatorProofMessage(w.genesis.ChainID, source))
	if err != nil {
		t.Fatal(err)
	}
	w.must(c, w.sign(ledger.Bond{Source: source, Units: uint64(studies), Sequence: 1}, w.payer))
	w.must(c, w.sign(ledger.DefineSource{
		Endpoints:    ledger.Endpoints{ITI43: "https://n.example/iti43", Openings: "https://n.example/openings"},
		ValidatorKey: w.genesis.Validators[0].Key, ValidatorProof: proof,
	}, w.source))

	began := time.Now()
	every := max(2, studies/scaleGrants)
	w.inParallel(studies/ledger.MaxStudiesPerTx, n, func(tx int) []byte { return w.batch(tx, every) })
	filled := time.Since(began)
	t.Logf("%d studies in %v: %.0f a second", studies, filled.Round(time.Second), float64(studies)/filled.Seconds())
	w.sizes(studies)

	requester := keys.Grantee{ID: keys.ID{9}}
	granted := make([]ledger.StudyID, 0, scaleGrants)
	for at := 0; at < studies/ledger.MaxStudiesPerTx*ledger.MaxStudiesPerTx; at += every {
		granted = append(granted, scaleStudy(at))
	}
	w.inParallel(len(granted), n, func(i int) []byte {
		com := ledger.NewCommitment([32]byte{7}, requester, granted[i])
		return w.sign(ledger.AllowAccess{Study: granted[i], Commitment: com, NotAfter: time.Now().Add(24 * time.Hour).Unix(), Scope: ledger.ScopeAll}, w.owner)
	})
	stop()

	began = time.Now()
	n, _ = w.start(0)
	w.ready(c, 0)
	height := n.Status().Height
	t.Logf("started again in %v at height %d", time.Since(began).Round(time.Millisecond), height)

	snap := n.Snapshot()
	defer snap.Close()
	rng := rand.New(rand.NewPCG(1, 2))
	decide := func(what string, study func() ledger.StudyID, want bool) {
		var took []time.Duration
		for range 20_000 {
			a := ledger.Access{
				Source: source, Study: study(), Requester: requester, Openings: []ledger.Opening{{Blind: [32]byte{7}}},
				Scope: ledger.ScopeImages, Tier: ledger.TierMessage, Revoked: n.Revoked, RevokedAll: n.RevokedAll,
				Now: time.Now(), Staleness: time.Hour,
			}
			began := time.Now()
			d, err := ledger.Decide(snap.Snapshot, a)
			took = append(took, time.Since(began))
			if err != nil || d.Allowed != want {
				t.Fatalf("%s: got %v, %v", what, d, err)
			}
		}
		w.percentiles("to decide on "+what, took)
	}
	decide("a study that is granted", func() ledger.StudyID { return granted[rng.IntN(len(granted))] }, true)
	decide("a study that is not", func() ledger.StudyID {
		return scaleStudy(rng.IntN(len(granted)-1)*every + 1 + rng.IntN(every-1))
	}, false)
	decide("a study that is not there", func() ledger.StudyID { return scaleStudy(-1 - rng.IntN(studies)) }, false)
}

func scaleStudy(n int) ledger.StudyID { return sha256.Sum256(fmt.Appendf(nil, "study %d", n)) }

// batch returns a transaction that defines as many studies as one can; each that is a multiple of every is the owner's.
func (w *world) batch(tx, every int) []byte {
	var body ledger.DefineStudy
	for i := range ledger.MaxStudiesPerTx {
		at := tx*ledger.MaxStudiesPerTx + i
		d := ledger.StudyDefinition{Study: scaleStudy(at), Owner: keys.Owner{ID: sha256.Sum256(fmt.Appendf(nil, "owner %d", at))}, Kind: ledger.RecordImaging}
		if at%every == 0 {
			d.Owner = keys.Owner{ID: idOf(w.t, w.owner)}
		}
		body.Studies = append(body.Studies, d)
	}
	slices.SortFunc(body.Studies, func(a, b ledger.StudyDefinition) int { return bytes.Compare(a.Study[:], b.Study[:]) })
	return w.sign(body, w.source)
}

// inParallel submits transactions until all are final.
func (w *world) inParallel(count int, n *Node, make func(int) []byte) {
	w.t.Helper()
	var all sync.WaitGroup
	var next, failed atomic.Int64
	for range 64 {
		all.Go(func() {
			for {
				at := int(next.Add(1)) - 1
				if at >= count || failed.Load() > 0 {
					return
				}
				raw := make(at)
				for {
					_, err := n.Submit(w.t.Context(), raw)
					if err == nil {
						break
					}
					if !errors.Is(err, consensus.ErrNotFinal) && !errors.Is(err, consensus.ErrBusy) {
						failed.Add(1)
						w.t.Errorf("transaction %d: %v", at, err)
						return
					}
					time.Sleep(10 * time.Millisecond)
				}
			}
		})
	}
	all.Wait()
	if failed.Load() > 0 {
		w.t.FailNow()
	}
}

// sizes logs what a study takes on disk, by store.
func (w *world) sizes(studies int) {
	w.t.Helper()
	by := map[string]int64{}
	var sum int64
	root := filepath.Join(w.configs[0].Dir, "data")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		top, _, _ := bytes.Cut([]byte(name), []byte{filepath.Separator})
		by[string(top)] += info.Size()
		sum += info.Size()
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	for name, n := range by {
		w.t.Logf("%6.1f B a study in %s", float64(n)/float64(studies), name)
	}
	w.t.Logf("%6.1f B a study in all", float64(sum)/float64(studies))
}

func (w *world) percentiles(what string, took []time.Duration) {
	slices.Sort(took)
	w.t.Logf("%s: p50 %v, p99 %v", what, took[len(took)/2], took[len(took)*99/100])
}
