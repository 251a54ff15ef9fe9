//go:build unix

package gateway_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"collimate/dicom/phantom"
	"collimate/gateway"
	"collimate/gateway/catalog"
	"collimate/gateway/documents"
	"collimate/gateway/publisher"
	"collimate/gateway/registry"
	"collimate/keys"
	"collimate/keys/keystore"
	"collimate/ledger"
	"collimate/ledger/store"
	"collimate/pacs"
	archive "collimate/pacs/fs"
	"collimate/xds/metadata"
	"collimate/xua"
)

// The environment of a child of TestPublishCrash, and how often the test kills one.
const (
	crashDir    = "COLLIMATE_TEST_CRASH_DIR"
	crashRound  = "COLLIMATE_TEST_CRASH_ROUND"
	crashRounds = "COLLIMATE_CRASH_ROUNDS"
)

// studiesARound is how many studies come in each round.
const studiesARound = 4

// TestPublishCrash kills a source at random moments, as kill -9 does, while studies come in, are watched, published,
// amended, withdrawn and erased, and documents are submitted. Afterwards archive, catalog, ledger, registry and document
// store agree; what was acknowledged is there, and nothing is there twice.
func TestPublishCrash(t *testing.T) {
	if dir := os.Getenv(crashDir); dir != "" {
		round, err := strconv.Atoi(os.Getenv(crashRound))
		if err != nil {
			t.Fatal(err)
		}
		openPlace(t, dir, say).work(round)
		return
	}
	rounds := 6
	if s := os.Getenv(crashRounds); s != "" {
		var err error
		if rounds, err = strconv.Atoi(s); err != nil {
			t.Fatalf("%s: %v", crashRounds, err)
		}
	} else if testing.Short() {
		t.Skip("starts processes and kills them")
	}
	dir := t.TempDir()
	known := &acknowledged{stored: map[string]bool{}, names: map[string]ledger.StudyID{}, erased: map[string]bool{}, withdrawn: map[string]bool{}, provided: map[string]string{}}
	hear := func(words ...string) { known.note(t, words) }
	p := openPlace(t, dir, hear)
	p.begin()
	p.close()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for round := 1; round <= rounds && !t.Failed(); round++ {
		arrive(t, dir, round)
		kill(t, dir, round, time.Duration(r.IntN(600))*time.Millisecond, known)
		p := openPlace(t, dir, hear)
		p.settle(known)
		p.check(known)
		p.close()
	}
	if len(known.names) == 0 || len(known.provided) == 0 {
		t.Errorf("%d studies and %d documents were acknowledged: this test sees nothing", len(known.names), len(known.provided))
	}
	t.Logf("%d rounds: %d studies published, %d erased, %d withdrawn, %d documents submitted",
		rounds, len(known.names), len(known.erased), len(known.withdrawn), len(known.provided))
}

// acknowledged is what the killed processes have said to have done, or begun.
type acknowledged struct {
	stored    map[string]bool           // file names of instances
	names     map[string]ledger.StudyID // of published studies
	erased    map[string]bool           // or about to be
	withdrawn map[string]bool           // likewise
	provided  map[string]string         // texts of submitted documents by uniqueId
}

// say acknowledges something to the parent: written at once, as a killed process flushes nothing.
func say(words ...string) { os.Stdout.WriteString("ack " + strings.Join(words, " ") + "\n") }

// hear takes over what a process has said, but for a line that was cut.
func (k *acknowledged) hear(t *testing.T, out []byte) {
	t.Helper()
	for line := range bytes.Lines(out) {
		if said, ok := strings.CutPrefix(string(line), "ack "); ok && strings.HasSuffix(said, "\n") {
			k.note(t, strings.Fields(said))
		}
	}
}

// note takes one thing over: what was done, to what, and what came of it.
func (k *acknowledged) note(t *testing.T, words []string) {
	t.Helper()
	switch what, to := words[0], words[1]; what {
	case "stored":
		k.stored[to] = true
	case "published":
		id, err := keys.ParseID(words[2])
		if err != nil {
			t.Fatal(err)
		}
		if was, ok := k.names[to]; ok && was != ledger.StudyID(id) {
			t.Error("a study was published under two names")
		}
		k.names[to] = ledger.StudyID(id)
	case "erasing":
		k.erased[to] = true
	case "withdrawing":
		k.withdrawn[to] = true
	case "provided":
		k.provided[to] = words[2]
	}
}

// place is a source all of which is on disk.
type place struct {
	*world
	files   *archive.Archive
	watcher *publisher.Watcher
	say     func(words ...string)
	closers []func() error
}

// fixed is a party whose key is always the same.
func fixed(t testing.TB, seed byte) party {
	t.Helper()
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
	cert, err := keystore.SelfSigned(key, "fixed", []string{"127.0.0.1"}, time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	id, err := keys.IDOf(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return party{key, cert, id}
}

func openPlace(t testing.TB, dir string, say func(words ...string)) *place {
	t.Helper()
	w := &world{t: t, north: fixed(t, 1), ehr: fixed(t, 2), audit: &trail{}, sourceURL: "https://127.0.0.1:1"}
	s, err := store.Open(filepath.Join(dir, "ledger"), store.Options{Logger: slog.New(slog.DiscardHandler)})
	w.must(err)
	height, _, err := s.Last()
	w.must(err)
	w.chain = &chain{t: t, store: s, payer: fixed(t, 3), height: height, clock: time.Now(), revoked: map[ledger.Commitment]bool{}, ended: map[ledger.StudyID]bool{}}
	files, err := archive.Open(filepath.Join(dir, "archive"))
	w.must(err)
	p := &place{world: w, files: files, say: say}
	w.archive = &flaky{Archive: files}
	w.catalog, err = catalog.Open(filepath.Join(dir, "catalog"), catalog.Options{})
	w.must(err)
	w.registry, err = registry.Open(t.Context(), "sqlite:"+filepath.Join(dir, "registry.db"))
	w.must(err)
	w.documentsDir = filepath.Join(dir, "documents")
	w.documents, err = documents.Open(t.Context(), w.documentsDir, w.registry.HasHash)
	w.must(err)
	w.source, err = gateway.NewSource(w.config(func(*gateway.SourceConfig) {}))
	w.must(err)
	p.watcher, err = publisher.New(publisher.Config{
		Source: loud{w.source, say}, Archive: files, Catalog: w.catalog,
		Interval: 10 * time.Millisecond, Full: time.Nanosecond, Stable: 20 * time.Millisecond,
	})
	w.must(err)
	p.closers = []func() error{w.documents.Close, w.registry.Close, w.catalog.Close, files.Close, s.Close}
	return p
}

func (p *place) close() {
	p.t.Helper()
	for _, close := range p.closers {
		p.must(close())
	}
}

// begin makes the ledger, and the source on it.
func (p *place) begin() {
	p.t.Helper()
	params := ledger.DefaultParams()
	params.WritesPerUnit, params.WritesPerStudy = 10_000, 10_000
	genesis := ledger.Genesis{ChainID: chainID, Time: p.chain.clock, Params: &params, Payers: []ledger.PayerUnits{{Payer: keys.Payer{ID: p.chain.payer.id}, Units: 1000}},
		Validators: [][32]byte{[32]byte(spareValidator.Public().(ed25519.PublicKey))}}
	p.must(p.chain.block(func(b *store.Block) error { return b.Init(genesis) }))
	p.chain.bond(p.north.id)
	p.defineAs(spareValidator)
}

// loud is a source that says what it has published.
type loud struct {
	*gateway.Source
	say func(words ...string)
}

func (l loud) PublishBatch(ctx context.Context, uids []string) ([]gateway.Outcome, error) {
	outcomes, err := l.Source.PublishBatch(ctx, uids)
	for i, o := range outcomes {
		if o.Err == nil {
			l.say("published", uids[i], o.Ticket.StudyID.String())
		}
	}
	return outcomes, err
}

// arrive makes the studies of a round, which are to come in.
func arrive(t *testing.T, dir string, round int) {
	t.Helper()
	for n := range studiesARound {
		_, err := phantom.Generate(filepath.Join(dir, "from", fmt.Sprint(round), fmt.Sprint(n)),
			phantom.Options{Series: 1, Slices: 3, Rows: 16, Columns: 16, StudyInstanceUID: uidOf(round, n)})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func uidOf(round, n int) string { return fmt.Sprintf("1.2.826.0.1.%d.%d", round, n) }

// kill starts a process that works, and ends it after a while.
func kill(t *testing.T, dir string, round int, after time.Duration, known *acknowledged) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command(self, "-test.run=^TestPublishCrash$", "-test.timeout=60s")
	child.Env = append(os.Environ(), crashDir+"="+dir, crashRound+"="+strconv.Itoa(round))
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	first := make([]byte, 1)
	if _, err := io.ReadFull(out, first); err != nil { // it has begun
		t.Fatal(err)
	}
	said.Write(first)
	timer := time.AfterFunc(after, func() { child.Process.Kill() })
	defer timer.Stop()
	if _, err := said.ReadFrom(out); err != nil {
		t.Fatal(err)
	}
	err = child.Wait()
	var ended *exec.ExitError
	if !errors.As(err, &ended) || ended.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("the process ended otherwise: %v\n%s", err, said.Bytes())
	}
	known.hear(t, said.Bytes())
}

// work is what a process does until it is killed: the studies and documents of its round, and those of the one before,
// which may have been cut short.
func (p *place) work(round int) {
	p.say("working", "now")
	go p.repeat("watching", func() error { return p.watcher.Look(p.t.Context()) })
	go p.repeat("receiving", func() error { return errors.Join(p.receive(round-1), p.receive(round)) })
	go p.repeat("submitting", func() error { return errors.Join(p.submit(round-1), p.submit(round)) })
	p.repeat("operating", func() error { return p.operate(uidOf(round-rand.IntN(2), rand.IntN(studiesARound))) })
}

// repeat does something over and over.
func (p *place) repeat(what string, do func() error) {
	for {
		if err := do(); err != nil {
			fmt.Printf("%s: %v\n", what, err)
			os.Exit(3)
		}
		time.Sleep(time.Duration(rand.IntN(10)) * time.Millisecond)
	}
}

// receive takes the studies of a round in, an instance at a time.
func (p *place) receive(round int) error {
	for n := range studiesARound {
		names, err := filepath.Glob(filepath.Join(filepath.Dir(p.documentsDir), "from", fmt.Sprint(round), fmt.Sprint(n), "CT", "*", "*.dcm"))
		if err != nil {
			return err
		}
		for _, name := range names {
			f, err := os.Open(name)
			if err != nil {
				return err
			}
			err = p.files.Receive(p.t.Context(), f)
			if err := errors.Join(err, f.Close()); err != nil {
				return err
			}
			p.say("stored", name)
			time.Sleep(time.Duration(rand.IntN(10)) * time.Millisecond)
		}
	}
	return nil
}

// submission makes the documents of a round, always the same.
func (p *place) submission(round, n int) (id, text string, o *metadata.Objects, documents *parts) {
	id = fmt.Sprintf("1.2.3.9.%d.%d", round, n)
	text = "report-" + id
	p.submissions = round*100 + n
	o, documents = p.report(id, uidOf(round, n%studiesARound), text)
	return id, text, o, documents
}

func (p *place) submit(round int) error {
	for n := range 6 {
		id, text, o, documents := p.submission(round, n)
		caller := xua.Caller{Key: keys.Grantee{ID: p.ehr.id}, Tier: xua.TierC}
		err := p.source.Provide(p.t.Context(), caller, o, documents)
		if errors.As(err, new(metadata.Errors)) {
			continue // the study was erased, and this document with it: the submission is not the same any more
		}
		if err != nil {
			return err
		}
		p.say("provided", id, text)
	}
	return nil
}

// operate does what an operator may do with a study.
func (p *place) operate(uid string) error {
	ctx := p.t.Context()
	var err error
	switch rand.IntN(60) {
	case 0:
		p.say("erasing", uid)
		err = p.source.Erase(ctx, uid)
	case 1:
		p.say("withdrawing", uid)
		err = p.source.Withdraw(ctx, uid)
	case 2, 3, 4:
		err = p.source.Hold(ctx, uid, true)
	case 5, 6, 7:
		err = p.source.Hold(ctx, uid, false)
	case 8, 9, 10:
		err = p.source.Amend(ctx, uid)
	}
	switch {
	case errors.Is(err, catalog.ErrNotFound), errors.Is(err, ledger.ErrNotFound), errors.Is(err, pacs.ErrNotFound): // not published yet
	case ledger.CodeOf(err) == ledger.CodeWithdrawn, ledger.CodeOf(err) == ledger.CodeWrongRevision, ledger.CodeOf(err) == ledger.CodeNoChange:
	default:
		return err
	}
	return nil
}
