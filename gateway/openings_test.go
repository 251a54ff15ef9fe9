package gateway_test

import (
	"net/http"
	"testing"
	"time"

	"collimate/gateway"
	"collimate/keys"
	"collimate/ledger"
)

// What is disclosed of grants that do not stand is not kept: it would take up room or the place of what stands, and what
// was erased must not come back.
func TestVoidOpenings(t *testing.T) {
	w := newWorld(t, small)
	study, south := w.ticket.StudyID, newParty(t, "south")
	grantee := keys.Grantee{ID: south.id}
	blinds := byte(0)
	granted := func(life time.Duration) gateway.Opening {
		t.Helper()
		blinds++
		o := gateway.Opening{Study: study, Grantee: grantee, Blind: gateway.Secret{blinds}}
		w.chain.sign(w.patient.key, ledger.AllowAccess{Study: study, Epoch: w.epoch(), Commitment: o.Commitment(),
			NotAfter: w.chain.now().Add(life).Unix(), Scope: ledger.ScopeAll})
		return o
	}
	revoke := func(record ledger.StudyID, epoch uint64, c ledger.Commitment) {
		t.Helper()
		w.chain.sign(w.patient.key, ledger.RevokeAccess{Study: record, Epoch: epoch, Commitment: c, All: c == ledger.Commitment{}})
	}
	check := func(what string, o gateway.Opening, want, kept int) {
		t.Helper()
		if got := w.disclose(o); got != want {
			t.Errorf("an opening of %s: %d, want %d", what, got, want)
		}
		if all, err := w.catalog.Openings(study, grantee); err != nil || len(all) != kept {
			t.Errorf("after an opening of %s: %d are kept, %v, want %d", what, len(all), err, kept)
		}
	}
	first, second, brief := granted(time.Hour), granted(time.Hour), granted(time.Minute)
	check("a grant", first, http.StatusNoContent, 1)
	check("another", second, http.StatusNoContent, 2)
	revoke(study, 1, first.Commitment())
	check("a revoked grant", first, http.StatusNotFound, 2)
	check("a grant, after a revocation", second, http.StatusNoContent, 1)
	w.chain.pass(time.Minute)
	check("a grant at its end", brief, http.StatusNoContent, 2)
	w.chain.pass(time.Second)
	check("a grant after its end", brief, http.StatusNotFound, 2)

	group := w.newGroup()
	old, present := gateway.Secret{1}, gateway.Secret{2}
	for _, m := range []gateway.Secret{old, present} {
		w.grant(group, ledger.NewCommitment(m, grantee, group), ledger.ScopeAll, 0)
	}
	toGroup := gateway.Opening{Study: study, Grantee: grantee, Blind: gateway.Secret{9}, Group: &group, Membership: &present}
	w.grant(study, toGroup.Commitment(), ledger.ScopeAll, 0)
	revoke(group, 1, ledger.NewCommitment(old, grantee, group))
	check("a group", toGroup, http.StatusNoContent, 2)
	toGroup.Membership = &old
	check("a revoked membership", toGroup, http.StatusNotFound, 2)
	if got := w.outcome(south); got != released {
		t.Errorf("a member whose earlier membership was disclosed again: %s", got)
	}

	revoke(study, 1, ledger.Commitment{})
	check("an earlier epoch", second, http.StatusNotFound, 2)
	last := granted(time.Hour)
	check("the present epoch", last, http.StatusNoContent, 1)
	other := w.secondSource(small)
	if got := other.disclose(last); got != http.StatusNotFound {
		t.Errorf("an opening of another source's study: %d, want 404", got)
	}
	w.must(w.source.Withdraw(t.Context(), w.ticket.StudyInstanceUID))
	check("a withdrawn study", last, http.StatusNotFound, 1)
}
