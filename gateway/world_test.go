package gateway_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"collimate/atna"
	"collimate/conformance"
	"collimate/dicom/phantom"
	"collimate/gateway"
	"collimate/gateway/catalog"
	"collimate/gateway/documents"
	"collimate/gateway/registry"
	"collimate/keys"
	"collimate/keys/keystore"
	"collimate/ledger"
	"collimate/ledger/store"
	"collimate/pacs"
	archive "collimate/pacs/fs"
	"collimate/soap"
	"collimate/soap/wss"
	"collimate/xds"

	"github.com/cockroachdb/pebble/v2/vfs"
)

const chainID = "gateway-test"

// chain is a ledger of one: each transaction is a final block at once. Its clock moves only when told to.
type chain struct {
	t     testing.TB
	store *store.Store
	payer party  // who bonds for every source
	bonds uint64 // so far

	mu      sync.Mutex
	height  int64
	clock   time.Time
	revoked map[ledger.Commitment]bool // seen, not final
	ended   map[ledger.StudyID]bool    // in its present epoch, likewise
	looked  int                        // how often a decision asked for a commitment
}

var _ gateway.Ledger = (*chain)(nil)

// spareValidator is the key of a second validator, for tests that need a second source.
var spareValidator = ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))

func newChain(t testing.TB, validators ...ed25519.PrivateKey) *chain {
	t.Helper()
	s, err := store.Open("ledger", store.Options{FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	c := &chain{t: t, store: s, clock: time.Now().Truncate(time.Second), revoked: map[ledger.Commitment]bool{}, ended: map[ledger.StudyID]bool{}}
	c.payer = newParty(t, "payer")
	params := ledger.DefaultParams()
	params.WritesPerStudy, params.SavedWrites = 1_000_000, 10_000 // tests are in a hurry
	genesis := ledger.Genesis{ChainID: chainID, Time: c.clock, Params: &params, Payers: []ledger.PayerUnits{{Payer: keys.Payer{ID: c.payer.id}, Units: 1000}}}
	for _, v := range validators {
		genesis.Validators = append(genesis.Validators, [32]byte(v.Public().(ed25519.PublicKey)))
	}
	c.block(func(b *store.Block) error { return b.Init(genesis) })
	return c
}

// block makes the next block.
func (c *chain) block(fill func(*store.Block) error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.height++
	b, err := c.store.Begin(c.height, c.clock)
	if err != nil {
		c.t.Fatal(err)
	}
	defer b.Discard()
	if err := fill(b); err != nil {
		c.height--
		return err
	}
	if err := b.Commit(); err != nil {
		c.t.Fatal(err)
	}
	return nil
}

// pass lets time pass: on the chain, and for those whose clock is the chain's.
func (c *chain) pass(d time.Duration) {
	c.mu.Lock()
	c.clock = c.clock.Add(d)
	c.mu.Unlock()
	c.block(func(*store.Block) error { return nil })
}

// stop lets the clock go on while no block comes.
func (c *chain) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clock = c.clock.Add(2 * gateway.DefaultStaleness)
}

func (c *chain) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.clock
}

func (c *chain) View(f func(*ledger.Snapshot) error) error {
	s := c.store.Snapshot()
	defer s.Close()
	return f(s.Snapshot)
}

func (c *chain) Submit(_ context.Context, raw []byte) error {
	tx, err := ledger.Parse(chainID, raw)
	if err != nil {
		return err
	}
	return c.block(func(b *store.Block) error { return b.Apply(tx) })
}

func (c *chain) Revoked(_ ledger.StudyID, commitment ledger.Commitment) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.looked++
	return c.revoked[commitment]
}

func (c *chain) RevokedAll(study ledger.StudyID, _ uint64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ended[study]
}

// see stands for a revocation that has reached the node and is not final.
func (c *chain) see(commitment ledger.Commitment) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.revoked[commitment] = true
}

// seeAll stands for one of all grants of a study, or of all memberships of a group.
func (c *chain) seeAll(study ledger.StudyID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended[study] = true
}

// sign sends a transaction of a key, which must be accepted.
func (c *chain) sign(key crypto.Signer, body ledger.Body) {
	c.t.Helper()
	raw, err := ledger.Sign(rand.Reader, chainID, body, key)
	if err != nil {
		c.t.Fatal(err)
	}
	if err := c.Submit(context.Background(), raw); err != nil {
		c.t.Fatal(err)
	}
}

// bond puts up a bond for a source.
func (c *chain) bond(source keys.ID) {
	c.t.Helper()
	c.bonds++
	c.sign(c.payer.key, ledger.Bond{Source: keys.Source{ID: source}, Units: 10, Sequence: c.bonds})
}

// trail keeps audit messages in memory.
type trail struct {
	mu       sync.Mutex
	messages []atna.Message
	broken   error
}

func (r *trail) Record(_ context.Context, m atna.Message) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.broken != nil {
		return r.broken
	}
	r.messages = append(r.messages, m)
	return nil
}

// last returns the reason in the last message, or its absence.
func (r *trail) last() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.messages) == 0 {
		return "no audit message"
	}
	return r.messages[len(r.messages)-1].Reason
}

// names reports whether a participant of the last message has this user id.
func (r *trail) names(user string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.messages) > 0 && slices.ContainsFunc(r.messages[len(r.messages)-1].Participants, func(p atna.Participant) bool { return p.UserID == user })
}

// party is a key with a certificate.
type party struct {
	key  crypto.Signer
	cert *x509.Certificate
	id   keys.ID
}

func newParty(t testing.TB, name string) party {
	t.Helper()
	key, err := keystore.Generate(keystore.P256)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := keystore.SelfSigned(key, name, []string{"127.0.0.1"}, time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	id, err := keys.IDOf(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return party{key, cert, id}
}

func (p party) tls() *tls.Certificate {
	return &tls.Certificate{Certificate: [][]byte{p.cert.Raw}, PrivateKey: p.key, Leaf: p.cert}
}

func (p party) identity() conformance.Identity {
	return conformance.Identity{Key: p.key, Certificate: p.cert}
}

// world is a source with one published study, and a patient who has claimed it.
type world struct {
	t            testing.TB
	chain        *chain
	north        party
	source       *gateway.Source
	url          string // of ITI-43 at the source
	sourceURL    string
	archive      *flaky
	catalog      *catalog.Catalog
	audit        *trail
	registry     *registry.Store
	documents    *documents.Store
	documentsDir string
	submissions  int
	ehr          party // a system of the source's own organisation
	accept       gateway.Requesters
	async        *soap.Async      // nil unless answers may go elsewhere
	folder       *archive.Archive // where the archive keeps its instances; nil if pacs is given
	pacs         pacs.Archive     // what the archive is in front of
	study        string           // that it has

	patient party
	ticket  *gateway.Ticket
}

func newWorld(t testing.TB, o phantom.Options) *world {
	t.Helper()
	return newWorldFor(t, o, gateway.Requesters{})
}

// newWorldFor returns a world whose source accepts these requesters.
func newWorldFor(t testing.TB, o phantom.Options, accept gateway.Requesters) *world {
	t.Helper()
	return newWorldWith(t, o, func(w *world) { w.accept = accept })
}

// newWorldWith returns a world that is changed before its source starts.
func newWorldWith(t testing.TB, o phantom.Options, change func(*world)) *world {
	t.Helper()
	_, validator, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, chain: newChain(t, validator, spareValidator), patient: newParty(t, "patient"), north: newParty(t, "source")}
	change(w)
	w.open(validator, o)
	return w
}

// secondSource returns another source on the same ledger, with a study of the same patient.
func (w *world) secondSource(o phantom.Options) *world {
	w.t.Helper()
	second := &world{t: w.t, chain: w.chain, patient: w.patient, north: newParty(w.t, "source")}
	second.open(spareValidator, o)
	return second
}

// open starts the source and publishes its study, which the patient claims.
func (w *world) open(validator ed25519.PrivateKey, o phantom.Options) {
	t := w.t
	t.Helper()
	w.audit = &trail{}
	if w.pacs == nil {
		studies, a := newArchive(t, o)
		w.folder, w.pacs, w.study = a, a, studies[0]
	}
	w.archive = &flaky{Archive: w.pacs}
	var err error
	w.catalog, err = catalog.Open("catalog", catalog.Options{FS: vfs.NewMem()})
	w.must(err)
	t.Cleanup(func() { w.catalog.Close() })
	w.registry, err = registry.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "registry.db"))
	w.must(err)
	t.Cleanup(func() { w.registry.Close() })
	w.documentsDir = filepath.Join(t.TempDir(), "documents")
	w.documents, err = documents.Open(t.Context(), w.documentsDir, w.registry.HasHash)
	w.must(err)
	t.Cleanup(func() { w.documents.Close() })
	w.ehr = newParty(t, "ehr")

	listener := listen(t)
	w.sourceURL = "https://" + listener.Addr().String()
	w.source, err = gateway.NewSource(w.config(func(*gateway.SourceConfig) {}))
	w.must(err)
	w.url = w.source.Endpoints().ITI43
	handler, err := w.source.Handler()
	w.must(err)
	serve(t, listener, handler, w.source.TLSConfig())

	w.chain.bond(w.north.id)
	w.defineAs(validator)
	w.ticket, err = w.source.Publish(context.Background(), w.study)
	w.must(err)
	claim, err := w.ticket.Claim()
	w.must(err)
	w.chain.sign(claim, ledger.TransferStudy{Study: w.ticket.StudyID, NewOwner: keys.Owner{ID: w.patient.id}})
}

// inFront is the archive as the source sees it.
func (w *world) inFront() pacs.Archive {
	if b, ok := w.pacs.(pacs.Batcher); ok {
		return fast{w.archive, b}
	}
	return w.archive
}

// config is that of the source, changed.
func (w *world) config(change func(*gateway.SourceConfig)) gateway.SourceConfig {
	c := gateway.SourceConfig{
		ChainID: chainID, Key: w.north.key, Certificate: w.north.cert, URL: w.sourceURL,
		Catalog: w.catalog, Archive: w.inFront(), Ledger: w.chain, Audit: w.audit,
		Logger: slog.New(slog.DiscardHandler), Now: w.chain.now, Requesters: w.accept, Async: w.async,
		Registry: w.registry, Documents: w.documents, Submitters: []keys.ID{w.ehr.id}, MaxDocument: 1 << 20,
	}
	change(&c)
	return c
}

// defineAs puts the source on the ledger beside the validator that proves it.
func (w *world) defineAs(validator ed25519.PrivateKey) {
	w.t.Helper()
	prove := func(m []byte) (proof [64]byte, err error) { return [64]byte(ed25519.Sign(validator, m)), nil }
	w.must(w.source.Define(context.Background(), [32]byte(validator.Public().(ed25519.PublicKey)), prove))
}

// newArchive returns an archive that holds one generated study.
func newArchive(t testing.TB, o phantom.Options) ([]string, *archive.Archive) {
	t.Helper()
	from := filepath.Join(t.TempDir(), "from")
	if _, err := phantom.Generate(from, o); err != nil {
		t.Fatal(err)
	}
	a, err := archive.Open(filepath.Join(t.TempDir(), "archive"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	got, err := a.Import(context.Background(), from, nil)
	if err != nil || len(got.Studies) != 1 {
		t.Fatalf("importing: %+v, %v", got, err)
	}
	return got.Studies, a
}

// small is a study that is quick to make.
var small = phantom.Options{Series: 2, Slices: 3, Rows: 64, Columns: 64}

func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func serve(t testing.TB, l net.Listener, h http.Handler, c *tls.Config) {
	t.Helper()
	server := soap.NewHTTPServer(h, c, slog.New(slog.DiscardHandler))
	done := make(chan struct{})
	go func() { defer close(done); server.ServeTLS(l, "", "") }()
	t.Cleanup(func() { server.Close(); <-done })
}

// allow lets a grantee in, and hands the opening to the source unless silent.
func (w *world) allow(grantee party, until time.Time, silent bool) ledger.Commitment {
	w.t.Helper()
	var blind [32]byte
	rand.Read(blind[:])
	commitment := ledger.NewCommitment(blind, keys.Grantee{ID: grantee.id}, w.ticket.StudyID)
	w.chain.sign(w.patient.key, ledger.AllowAccess{Study: w.ticket.StudyID, Epoch: w.epoch(), Commitment: commitment, NotAfter: until.Unix(), Scope: ledger.ScopeAll})
	if !silent {
		if err := w.catalog.PutOpening(w.ticket.StudyID, keys.Grantee{ID: grantee.id}, ledger.Opening{Blind: blind}); err != nil {
			w.t.Fatal(err)
		}
	}
	return commitment
}

// allowScope lets a grantee in as far as a scope reaches, for an hour.
func (w *world) allowScope(grantee party, scope ledger.Scope) ledger.Commitment {
	w.t.Helper()
	o := ledger.Opening{}
	rand.Read(o.Blind[:])
	g := keys.Grantee{ID: grantee.id}
	w.grant(w.ticket.StudyID, o.Commitment(g, w.ticket.StudyID), scope, 0)
	w.must(w.catalog.PutOpening(w.ticket.StudyID, g, o))
	return o.Commitment(g, w.ticket.StudyID)
}

func (w *world) epoch() (epoch uint64) {
	w.t.Helper()
	err := w.chain.View(func(view *ledger.Snapshot) error {
		study, err := view.Study(w.ticket.StudyID)
		if err == nil {
			epoch = study.Epoch
		}
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return epoch
}

// document names one of the published documents in a request.
func (w *world) document(kind ledger.DocumentKind) xds.DocumentRequest {
	return xds.DocumentRequest{RepositoryUniqueID: w.ticket.RepositoryUniqueID, DocumentUniqueID: w.ticket.Documents[kind]}
}

// client signs as p.
func (w *world) client(p party) *xds.Client {
	w.t.Helper()
	signer, err := wss.NewSigner(p.key, p.cert, w.chain.now, rand.Reader)
	if err != nil {
		w.t.Fatal(err)
	}
	return &xds.Client{SOAP: &soap.Client{HTTP: gateway.PinnedClient(p.tls(), w.north.id), Signer: signer}}
}

// answer is what a retrieve came to.
type answer struct {
	status xds.Status
	codes  []string          // error codes, sorted
	bodies map[string][]byte // by documentUniqueId
}

// retrieve asks the source directly, signed by p.
func (w *world) retrieve(p party, requests ...xds.DocumentRequest) (answer, error) {
	return read(w.client(p).Retrieve(context.Background(), w.url, requests))
}

func read(r *xds.RetrieveResponse, err error) (answer, error) {
	if err != nil {
		return answer{}, err
	}
	defer r.Close()
	a := answer{status: r.Status(), bodies: map[string][]byte{}}
	for _, e := range r.Errors {
		a.codes = append(a.codes, string(e.Code))
	}
	slices.Sort(a.codes)
	for r.Content != nil {
		i, bytesOf, err := r.Content.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return a, err
		}
		var b bytes.Buffer
		if _, err := bytesOf.WriteTo(&b); err != nil {
			return a, err
		}
		a.bodies[r.Documents[i].DocumentUniqueID] = b.Bytes()
	}
	return a, nil
}

// contains reports whether a haystack holds any of the needles, for tests that look for leaks.
func contains(haystack string, needles ...string) string {
	for _, n := range needles {
		if n != "" && strings.Contains(haystack, n) {
			return n
		}
	}
	return ""
}
