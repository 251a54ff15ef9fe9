package gateway_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"net/http"
	"time"

	"collimate/conformance"
	"collimate/gateway"
	"collimate/gateway/catalog"
	"collimate/keys"
	"collimate/ledger"
)

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// pinnedWithout returns a client that shows no certificate.
func pinnedWithout(id keys.ID) *http.Client { return gateway.PinnedClient(nil, id) }

// signing returns the independent client, signing as p with one thing broken.
func (w *world) signing(p party, b conformance.Breakage) *conformance.SigningConsumer {
	return &conformance.SigningConsumer{
		Consumer: conformance.Consumer{HTTP: conformance.NewHTTPClient(gateway.PinnedTLS(p.tls(), w.north.id))},
		Identity: p.identity(), Break: b,
	}
}

// otherSource puts a second source on the ledger and returns its key.
func (w *world) otherSource() keys.Source {
	w.t.Helper()
	id, _ := w.define(newParty(w.t, "east"))
	return id
}

// define puts a source on the ledger whose validator key the genesis has: the test's chain admits a second one
// through spareValidator.
func (w *world) define(p party) (keys.Source, party) {
	w.t.Helper()
	source := keys.Source{ID: p.id}
	w.chain.bond(p.id)
	w.chain.sign(p.key, ledger.DefineSource{
		Endpoints:      ledger.Endpoints{ITI43: "https://east.example/xds", Openings: "https://east.example/openings"},
		ValidatorKey:   [32]byte(spareValidator.Public().(ed25519.PublicKey)),
		ValidatorProof: [64]byte(ed25519.Sign(spareValidator, ledger.ValidatorProofMessage(chainID, source))),
	})
	return source, p
}

// foreignStudy publishes a study of another source, grants it, and plants it in this source's catalog: only the
// ledger knows that it is not this source's to give.
func (w *world) foreignStudy(grantee party) (documentUniqueID string) {
	w.t.Helper()
	_, east := w.define(newParty(w.t, "east"))
	s := catalog.Study{StudyInstanceUID: w.ticket.StudyInstanceUID, Salt: [32]byte{7}}
	s.StudyID = ledger.NewStudyID(s.Salt, s.StudyInstanceUID)
	w.chain.sign(east.key, ledger.DefineStudy{Studies: []ledger.StudyDefinition{{Study: s.StudyID, Owner: keys.Owner{ID: w.patient.id}, Kind: ledger.RecordImaging}}})
	var blind [32]byte
	rand.Read(blind[:])
	g := keys.Grantee{ID: grantee.id}
	w.chain.sign(w.patient.key, ledger.AllowAccess{Study: s.StudyID, Commitment: ledger.NewCommitment(blind, g, s.StudyID), NotAfter: w.chain.now().Add(time.Hour).Unix(), Scope: ledger.ScopeAll})
	w.must(w.catalog.PutOpening(s.StudyID, g, ledger.Opening{Blind: blind}))
	documentUniqueID = ledger.DocumentUniqueID(s.StudyID, ledger.DocumentStudy)
	w.must(w.catalog.PutStudy(s, map[string]ledger.DocumentKind{documentUniqueID: ledger.DocumentStudy}))
	return documentUniqueID
}
