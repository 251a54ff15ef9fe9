package ledger_test

import (
	"bytes"
	"maps"
	"testing"
	"time"

	"collimate/keys"
	"collimate/ledger"
)

// FuzzParse feeds bytes to Parse. What it accepts must be the one encoding of what it understood.
func FuzzParse(f *testing.F) {
	for _, body := range sampleBodies() {
		f.Add(sign(f, body))
	}
	for _, m := range badMessages(f) {
		f.Add(m.raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		tx, err := ledger.Parse(testChain, raw)
		if err != nil {
			if ledger.CodeOf(err) == "" {
				t.Fatalf("an error without a code: %v", err)
			}
			return
		}
		if tx.Signer == idOf("p1") {
			again := sign(t, tx.Body)
			if !bytes.Equal(again, raw) {
				t.Fatalf("encodes to %x", again)
			}
		}
	})
}

// FuzzPayload feeds payloads under a valid signature to Parse, so that the decoders of the bodies are reached.
// What is accepted must encode to the same bytes, and meet every rule without a panic; and what a rule lets pass, the next
// block must be able to begin after.
func FuzzPayload(f *testing.F) {
	for _, body := range sampleBodies() {
		f.Add(open(f, sign(f, body)).Payload)
	}
	for _, m := range badPayloads(f) {
		f.Add(open(f, m.raw).Payload)
	}
	forms := badForms(f)
	maps.Copy(forms, ownerBadForms())
	for _, form := range forms {
		f.Add(ledger.Payload(form.body))
	}
	w := everyRole(f, "p1")
	for _, body := range standing(f, w, "p1") {
		f.Add(ledger.Payload(body))
	}
	key := keyOf("p1")
	template := open(f, sign(f, allow()))
	at := ledger.Context{Height: w.at.Height + 1, Time: w.at.Time.Add(time.Second)}
	f.Fuzz(func(t *testing.T, payload []byte) {
		m := template
		m.Payload = payload
		raw := m.resign(t, key)
		tx, err := ledger.Parse(testChain, raw)
		if err != nil {
			// A key that is to be a source's comes with a signature of its own.
			if code := ledger.CodeOf(err); code == "" || code == ledger.CodeBadSignature && !bytes.Contains(payload, []byte("rotate-key")) {
				t.Fatalf("got %v", err)
			}
			return
		}
		if again := sign(t, tx.Body); !bytes.Equal(again, raw) {
			t.Fatalf("%x encodes to %x", raw, again)
		}
		state := ledger.NewOverlay(w)
		if err := ledger.Apply(state, tx, at); err != nil {
			if ledger.CodeOf(err) == "" {
				t.Fatalf("a rule failed: %v", err)
			}
			return
		}
		if err := ledger.BeginBlock(state, at, ledger.Observed{}); err != nil {
			t.Fatalf("the next block: %v", err)
		}
	})
}

// everyRole is a world in which one party is source, payer, owner, guardian and member of a group.
func everyRole(t testing.TB, name string) *world {
	t.Helper()
	w := newWorld(t, "bank", name)
	w.must(t, "bank", sourceBody("bank"))
	body, group := sourceBody(name), studyOf("g1."+name+"."+name)
	body.EmergencyGroups = []ledger.StudyID{group}
	w.must(t, name, body)
	w.must(t, name, studiesBody(name, "s1", "s2"))
	w.must(t, name, ledger.DefineStudy{Studies: []ledger.StudyDefinition{{Study: group, Owner: owner(name), Kind: ledger.RecordGroup}}})
	w.must(t, name, ledger.AllowAccess{
		Study: group, Commitment: ledger.NewCommitment(named("blind"), keys.Grantee{ID: idOf(name)}, group),
		NotAfter: testTime.Add(time.Hour).Unix(), Scope: ledger.ScopeAll,
	})
	w.must(t, name, ledger.SetGuardians{
		Study: studyOf("s1"), Threshold: 1, Guardians: []ledger.Commitment{guardian(name, "s1")}, Delay: ledger.DefaultParams().RecoveryTime,
	})
	snap := w.snapshot(t)
	bank, err := snap.Payer(payer("bank"))
	if err != nil {
		t.Fatal(err)
	}
	params, err := snap.Params()
	if err != nil {
		t.Fatal(err)
	}
	w.must(t, "bank", ledger.SetParams{
		Version: 2, Params: params.Params, Payers: []ledger.PayerUnits{{Payer: payer(name), Units: 1000}},
		Height: uint64(w.at.Height) + 1 + params.Params.ChangeBlocks, Sequence: bank.Sequence + 1,
	})
	for range params.Params.ChangeBlocks {
		w.block(t, ledger.Observed{})
	}
	return w
}

// standing has a body of each kind that everyRole lets stand.
func standing(t testing.TB, w *world, name string) []ledger.Body {
	t.Helper()
	rotation, err := ledger.NewRotateKey(nil, testChain, source(name), 2, keyOf("next"))
	if err != nil {
		t.Fatal(err)
	}
	soon := testTime.Add(time.Minute).Unix()
	all := []ledger.Body{
		ledger.UpdateSource{Version: 2, Endpoints: endpointsOf("moved")},
		rotation,
		ledger.Bond{Source: source(name), Units: 1, Sequence: 1},
		ledger.SetParams{Version: 3, Params: otherParams, Height: uint64(w.at.Height) + 200, Sequence: 1},
		ledger.AnchorReceipts{From: 1, To: 2, Count: 3},
		studiesBody(name, "s3"),
		ledger.AmendStudy{Study: studyOf("s1")},
		ledger.HoldStudy{Study: studyOf("s1"), Held: true},
		ledger.WithdrawStudy{Study: studyOf("s1")},
		ledger.TransferStudy{Study: studyOf("s1"), NewOwner: owner("p2")},
		ledger.AllowAccess{Study: studyOf("s1"), Commitment: named("c"), NotAfter: soon, Scope: ledger.ScopeAll},
		ledger.RevokeAccess{Study: studyOf("s1"), Commitment: named("c")},
		ledger.RevokeAccess{Study: studyOf("s1"), All: true},
		ledger.SetGuardians{Study: studyOf("s1"), Round: 1},
		ledger.Recover{Study: studyOf("s1"), Round: 1, NewOwner: owner("p2"), Blind: named("blind", "guardian"), Attempt: 1},
		ledger.EmergencyAccess{Study: studyOf("s1"), Group: studyOf("g1." + name + "." + name), Blind: named("blind"), NotAfter: soon},
	}
	for _, body := range all {
		if err := ledger.Check(w, unsigned(t, name, body), ledger.Context{Height: w.at.Height + 1, Time: w.at.Time}); err != nil {
			t.Errorf("%s is to stand: %v", body.Kind(), err)
		}
	}
	return all
}
