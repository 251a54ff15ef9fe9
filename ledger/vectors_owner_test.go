package ledger_test

import "collimate/ledger"

// ownerSamples has a body of each kind that owners, guardians and members sign, in each of its forms.
func ownerSamples() map[string]ledger.Body {
	s1, c := studyOf("s1"), named("c")
	guardians := []ledger.Commitment{guardian("g1", "s1"), guardian("g2", "s1"), guardian("g3", "s1")}
	var most []ledger.Commitment
	for i := range ledger.MaxGuardians {
		most = append(most, named("guardian", string(rune('a'+i))))
	}
	return map[string]ledger.Body{
		"transfer-study":       ledger.TransferStudy{Study: s1, Epoch: 0, NewOwner: owner("p1")},
		"allow-access":         ledger.AllowAccess{Study: s1, Epoch: 1, Commitment: c, NotAfter: testTime.Unix(), Scope: ledger.ScopeAll},
		"allow-access, narrow": ledger.AllowAccess{Study: s1, Epoch: 1, Commitment: c, NotAfter: 1, Scope: ledger.ScopeImages, Tier: ledger.TierMessage},
		"allow-access, group": ledger.AllowAccess{
			Study: s1, Epoch: 1, Commitment: ledger.NewGroupCommitment(named("blind"), studyOf("trial"), s1),
			NotAfter: 1<<63 - 1, Scope: ledger.ScopeReports | ledger.ScopeFind, Tier: ledger.TierBearer,
		},
		"revoke-access":         ledger.RevokeAccess{Study: s1, Epoch: 1, Commitment: c},
		"revoke-access, all":    ledger.RevokeAccess{Study: s1, Epoch: 1 << 40, All: true},
		"set-guardians":         ledger.SetGuardians{Study: s1, Epoch: 2, Round: 3, Threshold: 2, Guardians: guardians, Delay: 259200},
		"set-guardians, most":   ledger.SetGuardians{Study: s1, Threshold: ledger.MaxGuardians, Guardians: most, Delay: 366 * 86400},
		"set-guardians, nobody": ledger.SetGuardians{Study: s1, Epoch: 2, Round: 4},
		"recover":               ledger.Recover{Study: s1, OwnerSince: 1, Round: 3, NewOwner: owner("p2"), Blind: named("blind"), Attempt: 1},
		"recover, last attempt": ledger.Recover{Study: s1, OwnerSince: 1, Round: 3, NewOwner: owner("p2"), Attempt: ledger.MaxAttempts},
		"cancel-recovery":       ledger.CancelRecovery{Study: s1, Epoch: 2, Round: 3},
		"emergency-access": ledger.EmergencyAccess{
			Study: s1, Group: studyOf("er"), Blind: named("blind"), Reason: ledger.NewReason(named("blind"), "unconscious"), NotAfter: testTime.Unix(),
		},
		"emergency-access, least": ledger.EmergencyAccess{Study: s1, NotAfter: 1},
	}
}

// ownerBadForms breaks each rule of form of the kinds that owners, guardians and members sign.
func ownerBadForms() map[string]badForm {
	s1, c := studyOf("s1"), named("c")
	one, two := ledger.Commitment{1}, ledger.Commitment{2}
	var many []ledger.Commitment
	for i := range ledger.MaxGuardians + 1 {
		many = append(many, ledger.Commitment{byte(i + 1)})
	}
	guardians := func(threshold, delay uint64, who ...ledger.Commitment) ledger.SetGuardians {
		return ledger.SetGuardians{Study: s1, Threshold: threshold, Guardians: who, Delay: delay}
	}
	all := map[string]badForm{}
	for name, body := range map[string]ledger.Body{
		"transfer-study: no new owner":               ledger.TransferStudy{Study: s1},
		"allow-access: a zero commitment":            ledger.AllowAccess{Study: s1, NotAfter: 1, Scope: 1},
		"allow-access: no end":                       ledger.AllowAccess{Study: s1, Commitment: c, Scope: 1},
		"allow-access: an end before 1970":           ledger.AllowAccess{Study: s1, Commitment: c, NotAfter: -1, Scope: 1},
		"allow-access: scope 0":                      ledger.AllowAccess{Study: s1, Commitment: c, NotAfter: 1},
		"allow-access: scope 8":                      ledger.AllowAccess{Study: s1, Commitment: c, NotAfter: 1, Scope: 8},
		"allow-access: tier 4":                       ledger.AllowAccess{Study: s1, Commitment: c, NotAfter: 1, Scope: 1, Tier: 4},
		"revoke-access: one and all":                 ledger.RevokeAccess{Study: s1, Commitment: c, All: true},
		"revoke-access: neither one nor all":         ledger.RevokeAccess{Study: s1},
		"set-guardians: too many":                    guardians(1, 300000, many...),
		"set-guardians: twice the same":              guardians(1, 300000, one, one),
		"set-guardians: not ascending":               guardians(1, 300000, two, one),
		"set-guardians: a zero commitment":           guardians(1, 300000, ledger.Commitment{}, one),
		"set-guardians: nobody must agree":           guardians(0, 300000, one, two),
		"set-guardians: more must agree than are":    guardians(3, 300000, one, two),
		"set-guardians: a delay of more than a year": guardians(1, 366*86400+1, one),
		"set-guardians: one of none must agree":      guardians(1, 0),
		"set-guardians: a delay without guardians":   guardians(0, 1),
		"recover: no new owner":                      ledger.Recover{Study: s1, Attempt: 1},
		"recover: attempt 0":                         ledger.Recover{Study: s1, NewOwner: owner("p1")},
		"recover: attempt 17":                        ledger.Recover{Study: s1, NewOwner: owner("p1"), Attempt: ledger.MaxAttempts + 1},
		"emergency-access: no end":                   ledger.EmergencyAccess{Study: s1},
		"emergency-access: an end before 1970":       ledger.EmergencyAccess{Study: s1, NotAfter: -1},
	} {
		all[name] = badForm{body, ledger.CodeOutOfBounds}
	}
	return all
}
