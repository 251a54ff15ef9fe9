package ledger

// readGuardians returns the guardians of a study; nobody, in round 0, if the present owner has set none.
// ledger-spec 4.8
func readGuardians(r Reader, study *StudyRecord) (*GuardiansRecord, error) {
	g, err := read(r, KeyGuardians(study.ID), GuardiansRecord{Study: study.ID})
	if err == nil && (g == nil || g.OwnerSince != study.OwnerSince) {
		g = &GuardiansRecord{Study: study.ID, OwnerSince: study.OwnerSince}
	}
	return g, err
}

// readRecovery returns what guardians have said in their present round, nil if nothing.
func readRecovery(r Reader, g *GuardiansRecord) (*RecoveryRecord, error) {
	recovery, err := read(r, KeyRecovery(g.Study), RecoveryRecord{Study: g.Study})
	if recovery != nil && recovery.Round != g.Round {
		recovery = nil
	}
	return recovery, err
}

// guardiansOf returns the guardians that a transaction is about, which names their round: so nothing signed can be sent
// again after a recovery was ended.
func guardiansOf(r Reader, study *StudyRecord, round uint64) (*GuardiansRecord, error) {
	g, err := readGuardians(r, study)
	if err == nil && g.Round != round {
		return nil, refuse(CodeWrongRound, "the guardians are in round %d: what was signed for round %d does not count", g.Round, round)
	}
	return g, err
}

// nextRound ends what the guardians have said so far.
func nextRound(r Reader, g *GuardiansRecord) ([]write, error) {
	g.Round++
	writes, err := endRecovery(r, g.Study)
	return append(writes, set(KeyGuardians(g.Study), g)), err
}

// endRecovery takes the recovery of a study out of the state, if there is one, and with it what was to be done at its
// time.
func endRecovery(r Reader, study StudyID) ([]write, error) {
	old, err := read(r, KeyRecovery(study), RecoveryRecord{})
	if old == nil || err != nil {
		return nil, err
	}
	writes := []write{{key: KeyRecovery(study)}}
	if old.At != 0 {
		writes = append(writes, write{key: keyRecover(old.At, study)})
	}
	return writes, nil
}

// recoverDue gives a study to the owner that its guardians have agreed on, if that is due at a time. ledger-spec 5.0.3
func recoverDue(r Reader, id StudyID, at Seconds, height int64) ([]write, error) {
	study, err := readStudy(r, id)
	if study == nil || err != nil {
		return nil, err
	}
	guardians, err := readGuardians(r, study)
	if err != nil {
		return nil, err
	}
	recovery, err := readRecovery(r, guardians)
	if recovery == nil || recovery.At != at || err != nil {
		return nil, err
	}
	return study.handOver(r, recovery.NewOwner, height)
}
