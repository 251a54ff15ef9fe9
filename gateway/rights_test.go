package gateway_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"net/http"
	"slices"
	"testing"
	"time"

	"collimate/dicom/phantom"
	"collimate/gateway"
	"collimate/keys"
	"collimate/ledger"
	"collimate/soap"
	"collimate/soap/wss"
	"collimate/xds"
	"collimate/xua"
)

const released = "released"

// outcome is what a requester gets of the manifest: released, or the reason that the audit trail has.
func (w *world) outcome(p party) string {
	w.t.Helper()
	got, err := w.retrieve(p, w.document(ledger.DocumentManifest))
	if err != nil {
		w.t.Fatal(err)
	}
	if got.status == xds.Success {
		return released
	}
	if len(got.codes) != 1 || got.codes[0] != string(xds.DocumentUniqueIDError) {
		w.t.Errorf("codes %v: a refusal must look like an absent document", got.codes)
	}
	return w.audit.last()
}

// grant lets a commitment in on any record of the patient's.
func (w *world) grant(record ledger.StudyID, c ledger.Commitment, scope ledger.Scope, tier ledger.Tier) {
	w.t.Helper()
	w.chain.sign(w.patient.key, ledger.AllowAccess{Study: record, Epoch: 1, Commitment: c,
		NotAfter: w.chain.now().Add(time.Hour).Unix(), Scope: scope, Tier: tier})
}

func (w *world) disclose(o gateway.Opening) int {
	w.t.Helper()
	raw, err := json.Marshal(o)
	w.must(err)
	r, err := pinnedWithout(w.north.id).Post(w.source.Endpoints().Openings, "application/json", bytes.NewReader(raw))
	w.must(err)
	r.Body.Close()
	return r.StatusCode
}

// newGroup is a record of kind group, which the source defined and the patient owns: who owns it does not matter here.
func (w *world) newGroup() ledger.StudyID {
	w.t.Helper()
	id, err := w.source.DefineGroup(context.Background(), keys.Owner{ID: w.chain.payer.id})
	w.must(err)
	w.chain.sign(w.chain.payer.key, ledger.TransferStudy{Study: id, NewOwner: keys.Owner{ID: w.patient.id}})
	return id
}

// A grant to a group lets its members in, and nobody else, for as long as they are members.
func TestGroups(t *testing.T) {
	w := newWorld(t, small)
	member, stranger := newParty(t, "member"), newParty(t, "stranger")
	group := w.newGroup()
	blind, membership := [32]byte{1}, [32]byte{2}
	joined := ledger.NewCommitment(membership, keys.Grantee{ID: member.id}, group)
	w.grant(w.ticket.StudyID, ledger.NewGroupCommitment(blind, group, w.ticket.StudyID), ledger.ScopeAll, 0)

	opening := func(p party, group ledger.StudyID) gateway.Opening {
		m := gateway.Secret(membership)
		return gateway.Opening{Study: w.ticket.StudyID, Grantee: keys.Grantee{ID: p.id}, Blind: blind, Group: &group, Membership: &m}
	}
	if got := w.disclose(opening(member, group)); got != http.StatusNotFound {
		t.Errorf("an opening of somebody who is not a member yet: %d, want 404", got)
	}
	w.grant(group, joined, ledger.ScopeAll, 0)
	if got := w.disclose(opening(stranger, group)); got != http.StatusNotFound {
		t.Errorf("an opening of a stranger with a member's blind: %d, want 404", got)
	}
	if got := w.disclose(opening(member, w.newGroup())); got != http.StatusNotFound {
		t.Errorf("an opening of another group: %d, want 404", got)
	}
	half := opening(member, group)
	half.Membership = nil
	if got := w.disclose(half); got != http.StatusBadRequest {
		t.Errorf("an opening without the membership: %d, want 400", got)
	}
	if got := w.outcome(member); got != string(ledger.ReasonNoGrant) {
		t.Errorf("before the opening: %s", got)
	}
	if got := w.disclose(opening(member, group)); got != http.StatusNoContent {
		t.Fatalf("the opening: %d, want 204", got)
	}
	if got := w.outcome(member); got != released {
		t.Errorf("a member: %s", got)
	}
	if got := w.outcome(stranger); got != string(ledger.ReasonNoGrant) {
		t.Errorf("a stranger: %s", got)
	}
	w.chain.see(joined)
	if got := w.outcome(member); got != string(ledger.ReasonNotMember) {
		t.Errorf("whose membership was seen to be revoked: %s", got)
	}
}

// A grant reaches no further than its owner said.
func TestScopeAndTier(t *testing.T) {
	w := newWorldFor(t, small, gateway.Requesters{MinTier: xua.TierC})
	for _, test := range []struct {
		scope  ledger.Scope
		tier   ledger.Tier
		signed bool
		want   string
	}{
		{ledger.ScopeAll, 0, true, released},
		{ledger.ScopeImages, 0, true, released},
		{ledger.ScopeReports | ledger.ScopeFind, 0, true, string(ledger.ReasonOutOfScope)},
		{ledger.ScopeAll, ledger.Tier(xua.TierA), true, released},
		{ledger.ScopeAll, ledger.Tier(xua.TierC), false, released},
		{ledger.ScopeAll, ledger.Tier(xua.TierB), false, string(ledger.ReasonLowTier)},
		{ledger.ScopeAll, ledger.Tier(xua.TierA), false, string(ledger.ReasonLowTier)},
	} {
		p := newParty(t, "requester")
		blind := [32]byte(p.id)
		w.grant(w.ticket.StudyID, ledger.NewCommitment(blind, keys.Grantee{ID: p.id}, w.ticket.StudyID), test.scope, test.tier)
		if got := w.disclose(gateway.Opening{Study: w.ticket.StudyID, Grantee: keys.Grantee{ID: p.id}, Blind: blind}); got != http.StatusNoContent {
			t.Fatalf("the opening: %d", got)
		}
		client := w.client(p)
		if !test.signed { // the TLS certificate is all the evidence
			client = &xds.Client{SOAP: &soap.Client{HTTP: gateway.PinnedClient(p.tls(), w.north.id)}}
		}
		got, err := read(client.Retrieve(context.Background(), w.url, []xds.DocumentRequest{w.document(ledger.DocumentManifest)}))
		if err != nil {
			t.Fatal(err)
		}
		outcome := released
		if got.status != xds.Success {
			outcome = w.audit.last()
		}
		if outcome != test.want {
			t.Errorf("scope %d, tier %d, signed %t: %s, want %s", test.scope, test.tier, test.signed, outcome, test.want)
		}
	}
}

// What a source does to a study: held it is nobody's, released it is as before, withdrawn it is gone, erased it is forgotten.
func TestStudyActs(t *testing.T) {
	w := newWorld(t, small)
	ctx, uid := context.Background(), w.ticket.StudyInstanceUID
	south := newParty(t, "south")
	w.allow(south, w.chain.now().Add(time.Hour), false)
	both := func(want string) {
		t.Helper()
		for _, p := range []party{south, w.patient} {
			if got := w.outcome(p); got != want {
				t.Errorf("%s gets %s, want %s", p.cert.Subject.CommonName, got, want)
			}
		}
	}
	w.must(w.source.Amend(ctx, uid))
	both(released)
	for range 2 { // the second time changes nothing
		w.must(w.source.Hold(ctx, uid, true))
		both(string(ledger.ReasonHeld))
	}
	for range 2 {
		w.must(w.source.Hold(ctx, uid, false))
		both(released)
	}
	for range 2 {
		w.must(w.source.Withdraw(ctx, uid))
		both(string(ledger.ReasonWithdrawn))
	}
	w.must(w.source.Erase(ctx, uid))
	both("unknown-document")
	if err := w.source.Hold(ctx, uid, true); err == nil {
		t.Error("an erased study can be held: the source still knows which it is")
	}
	again, err := w.source.Publish(ctx, uid)
	w.must(err)
	if again.StudyID == w.ticket.StudyID || again.Salt == w.ticket.Salt {
		t.Error("published again, the erased study has its old name")
	}
}

// A source that rotates its key keeps its name, its studies and, for a while, both keys; requesters follow the ledger.
func TestRotatedKey(t *testing.T) {
	w := newWorld(t, small)
	fresh := newParty(t, "source, second key")
	proof := func(version uint64) ledger.RotateKey {
		body, err := ledger.NewRotateKey(rand.Reader, chainID, keys.Source{ID: w.north.id}, version, fresh.key)
		w.must(err)
		return body
	}
	w.chain.sign(w.north.key, proof(2))
	var record *ledger.SourceRecord
	w.must(w.chain.View(func(view *ledger.Snapshot) (err error) {
		record, err = view.SourceByOID(w.ticket.RepositoryUniqueID)
		return err
	}))
	now := w.chain.now()
	if got := record.TLSKeys(now); len(got) != 2 || got[0] != fresh.id || got[1] != w.north.id {
		t.Fatalf("keys right after the rotation: %v, want the new one and the old one", got)
	}
	if got := record.TLSKeys(now.Add(8 * 24 * time.Hour)); len(got) != 1 || got[0] != fresh.id {
		t.Errorf("keys after the overlap: %v, want the new one", got)
	}

	// The source, started anew with the fresh key and its old name, answers for what it published before.
	listener := listen(t)
	source, err := gateway.NewSource(gateway.SourceConfig{
		ChainID: chainID, ID: keys.Source{ID: w.north.id}, Key: fresh.key, Certificate: fresh.cert,
		URL: "https://" + listener.Addr().String(), Catalog: w.catalog, Archive: w.archive, Ledger: w.chain,
		Audit: w.audit, Logger: slog.New(slog.DiscardHandler), Now: w.chain.now,
	})
	w.must(err)
	handler, err := source.Handler()
	w.must(err)
	serve(t, listener, handler, source.TLSConfig())
	w.must(source.Define(context.Background(), [32]byte{}, nil)) // its URL is another now
	w.must(w.chain.View(func(view *ledger.Snapshot) (err error) {
		record, err = view.Source(keys.Source{ID: w.north.id})
		return err
	}))
	if record.Version != 3 || record.Endpoints != source.Endpoints() || record.EarlierEndpoints != w.source.Endpoints() {
		t.Errorf("the record is %+v, want version 3 with both endpoints", record)
	}

	south := newParty(t, "south")
	w.allow(south, now.Add(time.Hour), false)
	signer, err := wss.NewSigner(south.key, south.cert, w.chain.now, rand.Reader)
	w.must(err)
	client := &xds.Client{SOAP: &soap.Client{HTTP: gateway.PinnedClient(south.tls(), record.TLSKeys(now)...), Signer: signer}}
	got, err := read(client.Retrieve(context.Background(), record.Endpoints.ITI43, []xds.DocumentRequest{w.document(ledger.DocumentManifest)}))
	if err != nil || got.status != xds.Success {
		t.Errorf("from the source with its new key: %v, %v", got.status, err)
	}
	client.SOAP.HTTP = gateway.PinnedClient(south.tls(), w.north.id)
	if _, err := client.Retrieve(context.Background(), record.Endpoints.ITI43, []xds.DocumentRequest{w.document(ledger.DocumentManifest)}); err == nil {
		t.Error("a requester who is pinned to the old key talks to a server with the new one")
	}
}

// A member of a group that the source admits breaks the glass, in the open, and gets the study until the end of it.
func TestEmergency(t *testing.T) {
	w := newWorld(t, phantom.Options{Series: 1, Slices: 1, Rows: 64, Columns: 64})
	doctor := newParty(t, "emergency physician")
	group := w.newGroup()
	blind := [32]byte{9}
	w.grant(group, ledger.NewCommitment(blind, keys.Grantee{ID: doctor.id}, group), ledger.ScopeAll, 0)
	glass := ledger.EmergencyAccess{Study: w.ticket.StudyID, Group: group, Blind: blind, Reason: [32]byte{1}, NotAfter: w.chain.now().Add(time.Hour).Unix()}
	raw, err := ledger.Sign(rand.Reader, chainID, glass, doctor.key)
	w.must(err)
	if err := w.chain.Submit(context.Background(), raw); ledger.CodeOf(err) != ledger.CodeNotAdmitted {
		t.Fatalf("of a group that the source does not admit: %v", err)
	}
	w.chain.sign(w.north.key, ledger.UpdateSource{Version: 2, Endpoints: w.source.Endpoints(), EmergencyGroups: []ledger.StudyID{group}})
	w.chain.sign(doctor.key, glass)
	if got := w.outcome(doctor); got != released {
		t.Errorf("in the emergency: %s", got)
	}
	w.chain.pass(90 * time.Minute)
	if got := w.outcome(doctor); got == released {
		t.Error("after the end of the emergency the study is still to be had")
	}
}

// A revocation of everything that is seen counts at once, of a study and of a group, for grants and for emergencies.
func TestEverythingSeen(t *testing.T) {
	w := newWorld(t, small)
	direct, member, doctor := newParty(t, "direct"), newParty(t, "member"), newParty(t, "emergency physician")
	w.allow(direct, w.chain.now().Add(time.Hour), false)
	group := w.newGroup()
	blind, membership := [32]byte{1}, gateway.Secret{2}
	for _, p := range []party{member, doctor} {
		w.grant(group, ledger.NewCommitment(membership, keys.Grantee{ID: p.id}, group), ledger.ScopeAll, 0)
	}
	w.grant(w.ticket.StudyID, ledger.NewGroupCommitment(blind, group, w.ticket.StudyID), ledger.ScopeAll, 0)
	if got := w.disclose(gateway.Opening{Study: w.ticket.StudyID, Grantee: keys.Grantee{ID: member.id}, Blind: blind, Group: &group, Membership: &membership}); got != http.StatusNoContent {
		t.Fatalf("the opening: %d", got)
	}
	w.chain.sign(w.north.key, ledger.UpdateSource{Version: 2, Endpoints: w.source.Endpoints(), EmergencyGroups: []ledger.StudyID{group}})
	w.chain.sign(doctor.key, ledger.EmergencyAccess{Study: w.ticket.StudyID, Group: group, Blind: membership, Reason: [32]byte{1}, NotAfter: w.chain.now().Add(time.Hour).Unix()})

	check := func(p party, want string) {
		t.Helper()
		if got := w.outcome(p); got != want {
			t.Errorf("%s: %s, want %s", p.cert.Subject.CommonName, got, want)
		}
	}
	for _, p := range []party{direct, member, doctor} {
		check(p, released)
	}
	w.chain.seeAll(group)
	check(direct, released)
	check(member, string(ledger.ReasonNotMember))
	check(doctor, string(ledger.ReasonNotMember))
	w.chain.seeAll(w.ticket.StudyID)
	check(direct, string(ledger.ReasonRevokedAllSeen))
	check(member, string(ledger.ReasonRevokedAllSeen))
}

// An answer may wait between the decision and its first byte, as one that is sent elsewhere does in its queue.
func TestRevokedBeforeFirstByte(t *testing.T) {
	w := newWorld(t, small)
	south := newParty(t, "south")
	granted := w.allow(south, w.chain.now().Add(time.Hour), false)
	caller := xua.Caller{Key: keys.Grantee{ID: south.id}, Tier: xua.TierA}
	for _, revoked := range []bool{false, true} {
		got, err := w.source.Retrieve(t.Context(), caller, []xds.DocumentRequest{w.document(ledger.DocumentStudy)})
		w.must(err)
		if revoked {
			w.chain.see(granted)
		}
		if _, _, err := got.Content.Next(); (err != nil) != revoked {
			t.Errorf("revoked %t: the first document: %v", revoked, err)
		}
		w.must(got.Close())
	}
}

// A caller whom nobody has authenticated gets an error, whoever calls; and a source answers for itself alone.
func TestNobodyAndElsewhere(t *testing.T) {
	w := newWorld(t, small)
	asked := []xds.DocumentRequest{w.document(ledger.DocumentManifest)}
	if _, err := w.source.Retrieve(t.Context(), xua.Caller{}, asked); err == nil {
		t.Error("nobody gets an answer")
	}
	other := w.secondSource(small)
	asked[0].RepositoryUniqueID = other.ticket.RepositoryUniqueID
	got, err := w.retrieve(w.patient, asked[0])
	if err != nil || !slices.Equal(got.codes, []string{string(xds.UnknownRepositoryID)}) {
		t.Errorf("a document of another source's repository: %v, %v", got.codes, err)
	}
}

// An owner and a grantee can make a decision dear, with thousands of grants that reach to nothing. A request pays for it
// once, however often it names the document.
func TestOneDecision(t *testing.T) {
	w := newWorld(t, small)
	south := newParty(t, "south")
	w.allow(south, w.chain.now().Add(time.Hour), false)
	requests := slices.Repeat([]xds.DocumentRequest{w.document(ledger.DocumentManifest)}, 100)
	got, err := w.source.Retrieve(t.Context(), xua.Caller{Key: keys.Grantee{ID: south.id}, Tier: xua.TierA}, requests)
	w.must(err)
	defer got.Close()
	if len(got.Documents) != len(requests) || w.chain.looked != 1 {
		t.Errorf("%d documents after %d decisions, want %d after one", len(got.Documents), w.chain.looked, len(requests))
	}
}
