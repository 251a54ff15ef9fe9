package ledger_test

import (
	"crypto/elliptic"
	"fmt"
	"testing"
	"time"

	"collimate/keys"
	"collimate/ledger"
)

// decideAccess asks for s1 of north.
func decideAccess(requester string) ledger.Access {
	return ledger.Access{
		Source: keys.Source{ID: idOf("north")}, Study: studyOf("s1"), Requester: keys.Grantee{ID: idOf(requester)},
		Openings: []ledger.Opening{{Blind: named("blind")}}, Scope: ledger.ScopeImages, Now: testTime, Staleness: time.Minute,
	}
}

// grantedWorld has s1 of north, which south may have.
func grantedWorld(t testing.TB) *world {
	w := newWorld(t, "north")
	w.must(t, "north", sourceBody("north"))
	w.must(t, "north", studiesBody("p1", "s1"))
	w.must(t, "p1", ledger.AllowAccess{
		Study: studyOf("s1"), Commitment: ledger.NewCommitment(named("blind"), keys.Grantee{ID: idOf("south")}, studyOf("s1")),
		NotAfter: testTime.Add(time.Hour).Unix(), Scope: ledger.ScopeAll,
	})
	return w
}

func BenchmarkDecide(b *testing.B) {
	w := grantedWorld(b)
	w.must(b, "north", ledger.DefineStudy{Studies: []ledger.StudyDefinition{{Study: studyOf("er.north.chief"), Owner: owner("chief"), Kind: ledger.RecordGroup}}})
	w.must(b, "north", ledger.UpdateSource{Version: 2, Endpoints: endpointsOf("north"), EmergencyGroups: studies([]string{"er.north.chief"})})
	end := testTime.Add(time.Hour).Unix()
	for _, member := range []string{"member", "medic"} {
		w.must(b, "chief", ledger.AllowAccess{
			Study: studyOf("er.north.chief"), Commitment: ledger.NewCommitment(named("blind"), keys.Grantee{ID: idOf(member)}, studyOf("er.north.chief")),
			NotAfter: end, Scope: ledger.ScopeAll,
		})
	}
	w.must(b, "p1", ledger.AllowAccess{
		Study: studyOf("s1"), Commitment: ledger.NewGroupCommitment(named("blind"), studyOf("er.north.chief"), studyOf("s1")),
		NotAfter: end, Scope: ledger.ScopeAll,
	})
	w.must(b, "medic", ledger.EmergencyAccess{Study: studyOf("s1"), Group: studyOf("er.north.chief"), Blind: named("blind"), NotAfter: end})
	snap := w.snapshot(b)
	group := ledger.Opening{Blind: named("blind"), Group: studyOf("er.north.chief"), Membership: named("blind")}
	for _, c := range []struct {
		requester string
		openings  []ledger.Opening
		want      ledger.Reason
	}{
		{"south", []ledger.Opening{{Blind: named("blind")}}, ledger.ReasonAllowed},
		{"member", []ledger.Opening{group}, ledger.ReasonAllowed},
		{"medic", nil, ledger.ReasonEmergency},
		{"stranger", nil, ledger.ReasonNoGrant},
	} {
		b.Run(c.requester, func(b *testing.B) {
			access := decideAccess(c.requester)
			access.Openings = c.openings
			b.ReportAllocs()
			for b.Loop() {
				if d, err := ledger.Decide(snap, access); err != nil || d.Reason != c.want {
					b.Fatal(d, err)
				}
			}
		})
	}
}

func BenchmarkParse(b *testing.B) {
	for name, raw := range map[string][]byte{
		"Ed25519": sign(b, allow()),
		"P-256":   signP256(b),
		"Ed25519, 256 studies": func() []byte {
			var body ledger.DefineStudy
			for i := range ledger.MaxStudiesPerTx {
				body.Studies = append(body.Studies, ledger.StudyDefinition{Study: studyOf(fmt.Sprint(i)), Owner: owner("p1"), Kind: ledger.RecordImaging})
			}
			return sign(b, body)
		}(),
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(raw)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := ledger.Parse(testChain, raw); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func sign(b testing.TB, body ledger.Body) []byte {
	raw, err := ledger.Sign(nil, testChain, body, keyOf("p1"))
	if err != nil {
		b.Fatal(err)
	}
	return raw
}

func signP256(b testing.TB) []byte {
	raw, err := ledger.Sign(nil, testChain, allow(), scalarKey(b, elliptic.P256()))
	if err != nil {
		b.Fatal(err)
	}
	return raw
}

// BenchmarkApply measures the rule and the effect of a grant, without signature and disk.
func BenchmarkApply(b *testing.B) {
	w := grantedWorld(b)
	txs := make([]*ledger.Transaction, ledger.MaxGrantsPerStudy-1)
	for i := range txs {
		txs[i] = signed(b, "p1", ledger.AllowAccess{Study: studyOf("s1"), Commitment: named("c", fmt.Sprint(i)), NotAfter: testTime.Unix() + 10, Scope: ledger.ScopeImages})
	}
	b.ReportAllocs()
	block := ledger.NewOverlay(w)
	for i := 0; b.Loop(); i++ {
		if i%len(txs) == 0 {
			block = ledger.NewOverlay(w)
		}
		if err := ledger.Apply(block, txs[i%len(txs)], w.at); err != nil {
			b.Fatal(err)
		}
	}
}
