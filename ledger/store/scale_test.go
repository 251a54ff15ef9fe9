package store_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"collimate/keys"
	"collimate/ledger"
	"collimate/ledger/store"
	"collimate/ledger/tree"
)

// sizes are the numbers of records to measure at: COLLIMATE_RECORDS="1000000 10000000" go test -bench Scale.
func sizes(b *testing.B) (all []int) {
	b.Helper()
	list := os.Getenv("COLLIMATE_RECORDS")
	if list == "" {
		list = "100000"
	}
	for _, s := range strings.Fields(list) {
		n, err := strconv.Atoi(s)
		if err != nil {
			b.Fatalf("COLLIMATE_RECORDS: %v", err)
		}
		all = append(all, n)
	}
	return all
}

// record returns a key and a value as those of a study: 33 and 96 bytes, of which source and owner are the most.
func record(i int) (key, value []byte) {
	number := binary.BigEndian.AppendUint64([]byte("record"), uint64(i))
	id, owner, source := sha256.Sum256(number), sha256.Sum256(number[:]), sha256.Sum256([]byte{byte(i % 50)})
	owner[0]++
	value = append(value, 0xad, 1, 0x58, 32)
	value = append(value, source[:]...)
	value = append(value, 2, 0x58, 32)
	value = append(value, owner[:]...)
	for field := byte(3); field < 16; field++ {
		value = append(value, field, 0)
	}
	return append([]byte{0x05}, id[:]...), value
}

const (
	loadBlock    = 10_000 // keys in a block while the store is filled
	measureBlock = 2_000  // then
)

// measured is the number of keys that are measured on top of n: enough for compactions of each level to be among them.
func measured(n int) int { return max(100_000, n/10) }

// BenchmarkScale measures what the tree costs beside a store without it: CPU of all threads for each key, compactions
// included, bytes on disk, memory, proofs and the time to open.
func BenchmarkScale(b *testing.B) {
	for _, n := range sizes(b) {
		b.Run("flat/"+strconv.Itoa(n), func(b *testing.B) {
			dir := b.TempDir()
			f, err := store.OpenFlat(dir)
			if err != nil {
				b.Fatal(err)
			}
			height := int64(0)
			commit := func(from, to int) {
				o := ledger.NewOverlay(nil)
				for i := from; i < to; i++ {
					o.Set(record(i))
				}
				height++
				if err := f.Commit(o, ledger.Head{Height: height, Time: testTime, AppHash: make([]byte, 32)}); err != nil {
					b.Fatal(err)
				}
			}
			fill(b, f.DB, n, commit)
			if err := f.DB.Close(); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(bytesIn(b, dir)/float64(n+measured(n)), "B/key")
		})
		b.Run("tree/"+strconv.Itoa(n), func(b *testing.B) { scaleTree(b, n) })
	}
}

func scaleTree(b *testing.B, n int) {
	dir := b.TempDir()
	s, err := store.Open(dir, store.Options{})
	if err != nil {
		b.Fatal(err)
	}
	height := int64(0)
	commit := func(from, to int) {
		blk, err := s.Begin(height, testTime)
		if err != nil {
			b.Fatal(err)
		}
		defer blk.Discard()
		if height == 0 {
			if err := blk.Init(genesis()); err != nil {
				b.Fatal(err)
			}
		}
		height++
		for i := from; i < to; i++ {
			blk.Set(record(i))
		}
		if err := blk.Commit(); err != nil {
			b.Fatal(err)
		}
	}
	fill(b, s.DB(), n, commit)
	grant(b, s, height)
	scaleApply(b, s)
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(bytesIn(b, dir)/float64(n+measured(n)), "B/key")

	began := time.Now()
	if s, err = store.Open(dir, store.Options{}); err != nil {
		b.Fatal(err)
	}
	defer closing(b, s)
	b.ReportMetric(float64(time.Since(began).Microseconds())/1000, "open-ms")

	snap := s.Snapshot()
	defer snap.Close()
	root := tree.Hash(snap.AppHash())
	rng := rand.New(rand.NewPCG(1, 2))
	var prove, verify, size []float64
	for i := range 10_000 {
		key, value := record(rng.IntN(n))
		if i%2 == 1 {
			key, value = append(key, 0), nil
		}
		t0 := time.Now()
		proofs, err := snap.Prove(key)
		if err != nil {
			b.Fatal(err)
		}
		t1 := time.Now()
		if err := proofs[0].Verify(root, key, value); err != nil {
			b.Fatal(err)
		}
		t2 := time.Now()
		encoded, err := proofs[0].MarshalBinary()
		if err != nil {
			b.Fatal(err)
		}
		prove = append(prove, float64(t1.Sub(t0).Nanoseconds())/1000)
		verify = append(verify, float64(t2.Sub(t1).Nanoseconds())/1000)
		size = append(size, float64(len(encoded)))
	}
	for _, list := range [][]float64{prove, verify, size} {
		slices.Sort(list)
	}
	scaleDecide(b, snap)
	b.ReportMetric(at(prove, 0.5), "prove-p50-us")
	b.ReportMetric(at(prove, 0.99), "prove-p99-us")
	b.ReportMetric(at(verify, 0.5), "verify-p50-us")
	b.ReportMetric(at(size, 0.5), "proof-p50-B")
	b.ReportMetric(at(size, 1), "proof-max-B")
	scaleArchive(b, snap)
}

// at returns a percentile of what is sorted.
func at(list []float64, share float64) float64 { return list[int(share*float64(len(list)-1))] }

const (
	grantedStudies = 4096 // real ones, whose keys lie among those of the records
	grantBlind     = 7
)

// grant adds a source with studies, whose owner lets one requester in, from a height on.
func grant(b *testing.B, s *store.Store, height int64) {
	extend(b, s, height, history(b, 1))
	for from := 0; from < grantedStudies; from += ledger.MaxStudiesPerTx {
		var body ledger.DefineStudy
		var grants []*ledger.Transaction
		for i := from; i < from+ledger.MaxStudiesPerTx; i++ {
			body.Studies = append(body.Studies, ledger.StudyDefinition{Study: studyOf(i), Owner: keys.Owner{ID: idOf(b, "p1")}, Kind: ledger.RecordImaging})
			grants = append(grants, signed(b, "p1", ledger.AllowAccess{
				Study: studyOf(i), Commitment: ledger.NewCommitment([32]byte{grantBlind}, keys.Grantee{ID: idOf(b, "south")}, studyOf(i)),
				NotAfter: timeOf(height).Add(24 * time.Hour).Unix(), Scope: ledger.ScopeAll,
			}))
		}
		extend(b, s, height+1, append([]*ledger.Transaction{signed(b, "north", body)}, grants...))
		height++
	}
}

// scaleApply measures blocks of 2,000 transactions, each a grant on a study of its own: to parse them and verify their signatures, and to apply
// and commit them.
func scaleApply(b *testing.B, s *store.Store) {
	const blocks, transactions = 2, 2_000
	var parsing, applying time.Duration
	for n := range blocks {
		last, _, err := s.Last()
		if err != nil {
			b.Fatal(err)
		}
		var raws [][]byte
		for i := range transactions {
			study := studyOf(n*transactions + i)
			raw, err := ledger.Sign(nil, testChain, ledger.AllowAccess{
				Study: study, Commitment: ledger.NewCommitment([32]byte{grantBlind + 2}, keys.Grantee{ID: idOf(b, "south")}, study),
				NotAfter: timeOf(last).Add(time.Hour).Unix(), Scope: ledger.ScopeAll,
			}, keyOf("p1"))
			if err != nil {
				b.Fatal(err)
			}
			raws = append(raws, raw)
		}
		used := cpu(b)
		var txs []*ledger.Transaction
		for _, raw := range raws {
			tx, err := ledger.Parse(testChain, raw)
			if err != nil {
				b.Fatal(err)
			}
			txs = append(txs, tx)
		}
		parsing += cpu(b) - used
		used = cpu(b)
		extend(b, s, last+1, txs)
		applying += cpu(b) - used
	}
	b.ReportMetric(float64(parsing.Microseconds())/blocks/transactions, "parse-cpu-us/tx")
	b.ReportMetric(float64(applying.Microseconds())/blocks/transactions, "apply-cpu-us/tx")
}

// scaleDecide decides for somebody who is let in and for somebody who is not, on studies all over the state.
func scaleDecide(b *testing.B, snap *store.Snapshot) {
	source, south := keys.Source{ID: idOf(b, "north")}, keys.Grantee{ID: idOf(b, "south")}
	rng := rand.New(rand.NewPCG(3, 4))
	for _, of := range []struct {
		name  string
		blind byte
	}{{"allow", grantBlind}, {"refuse", grantBlind + 1}} {
		var took []float64
		for range 20_000 {
			began := time.Now()
			d, err := ledger.Decide(snap.Snapshot, ledger.Access{
				Source: source, Study: studyOf(rng.IntN(grantedStudies)), Requester: south, Openings: []ledger.Opening{{Blind: [32]byte{of.blind}}},
				Scope: ledger.ScopeImages, Now: snap.Time(), Staleness: time.Minute,
			})
			took = append(took, float64(time.Since(began).Nanoseconds())/1000)
			if err != nil || d.Allowed != (of.blind == grantBlind) {
				b.Fatal(d, err)
			}
		}
		slices.Sort(took)
		b.ReportMetric(at(took, 0.5), of.name+"-p50-us")
		b.ReportMetric(at(took, 0.99), of.name+"-p99-us")
	}
}

// scaleArchive exports a state, restores it and verifies what came of it.
func scaleArchive(b *testing.B, snap *store.Snapshot) {
	used := cpu(b)
	lap := func(what string) {
		b.ReportMetric((cpu(b) - used).Seconds(), what+"-cpu-s")
		used = cpu(b)
	}
	archive, dir := filepath.Join(b.TempDir(), "archive"), filepath.Join(b.TempDir(), "restored")
	if _, err := snap.Export(b.Context(), archive); err != nil {
		b.Fatal(err)
	}
	lap("export")
	read := func(name string) []byte {
		data, err := os.ReadFile(filepath.Join(archive, name))
		if err != nil {
			b.Fatal(err)
		}
		return data
	}
	r, err := store.BeginRestore(dir, read(store.ManifestFile), store.Options{})
	if err != nil {
		b.Fatal(err)
	}
	for i, more := r.Next(); more; i, more = r.Next() {
		if err := r.Add(read(store.ChunkFile(i))); err != nil {
			b.Fatal(err)
		}
	}
	if err := r.Finish(); err != nil {
		b.Fatal(err)
	}
	lap("restore")
	s, err := store.Open(dir, store.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer closing(b, s)
	lap("open")
	if err := verify(b, s); err != nil {
		b.Fatal(err)
	}
	lap("verify")
}

// fill commits n keys, then measures the commits of some more.
func fill(b *testing.B, db *pebble.DB, n int, commit func(from, to int)) {
	b.Helper()
	for i := 0; i < n; i += loadBlock {
		commit(i, min(n, i+loadBlock))
	}
	settle(db)
	began, used := time.Now(), cpu(b)
	var slowest time.Duration
	for i := n; i < n+measured(n); i += measureBlock {
		t := time.Now()
		commit(i, i+measureBlock)
		slowest = max(slowest, time.Since(t))
	}
	wall := time.Since(began)
	settle(db)
	b.ReportMetric(float64((cpu(b)-used).Nanoseconds())/1000/float64(measured(n)), "cpu-us/key")
	b.ReportMetric(float64(measured(n))/wall.Seconds(), "keys/s")
	b.ReportMetric(float64(slowest.Milliseconds()), "slowest-ms")
	b.ReportMetric(resident(b), "RSS-MB")
	b.ReportMetric(0, "ns/op")
}

// settle waits for the compactions that are due, whose cost belongs to the writes before.
func settle(db *pebble.DB) {
	for quiet := 0; quiet < 5; {
		if m := db.Metrics(); m.Compact.NumInProgress == 0 && m.Flush.NumInProgress == 0 {
			quiet++
		} else {
			quiet = 0
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// cpu is the processor time of all threads of this process so far.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// resident is the memory of this process in MB.
func resident(b *testing.B) float64 {
	b.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0 // another system
	}
	_, rest, _ := bytes.Cut(status, []byte("VmRSS:"))
	kb, err := strconv.Atoi(string(bytes.Fields(rest)[0]))
	if err != nil {
		b.Fatal(err)
	}
	return float64(kb) / 1024
}

// bytesIn is the size of the files in a directory.
func bytesIn(b *testing.B, dir string) (n float64) {
	b.Helper()
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			info, statErr := d.Info()
			if err = statErr; err == nil {
				n += float64(info.Size())
			}
		}
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	return n
}
