package ledger

import "collimate/keys"

// env is what a rule judges by: the state, who signed, and the block that the transaction is to stand in. It keeps
// what the rule charges.
type env struct {
	Reader
	chainID string
	by      keys.ID
	height  int64
	time    int64 // chain time, Unix nanoseconds

	account Account
	writes  uint64
}

// now is chain time in seconds, rounded down.
func (e *env) now() Seconds { return Seconds(e.time / 1e9) }

// params returns the params in force.
func (e *env) params() (*Params, error) {
	p, err := readParams(e)
	if err != nil {
		return nil, err
	}
	return &p.Params, nil
}

// source returns the source that signs. ledger-spec 5.0.1
func (e *env) source() (*SourceRecord, error) {
	s, err := sourceOfKey(e, e.by)
	switch {
	case err != nil:
		return nil, err
	case s == nil:
		return nil, refuse(CodeUnknownSource, "the signer is not the present key of a source on this ledger")
	}
	e.account = Account{Kind: AccountSource, ID: s.ID.ID}
	return s, nil
}

// chargeSource takes writes from the allowance of a source.
func (e *env) chargeSource(s *SourceRecord, writes uint64) error {
	e.account, e.writes = Account{Kind: AccountSource, ID: s.ID.ID}, writes
	params, err := e.params()
	if err != nil {
		return err
	}
	stake, err := readStake(e, s.ID)
	if err != nil {
		return err
	}
	s.PaidUntil, err = params.allowanceOfSource(stake.Units).pay(s.PaidUntil, writes, e.time)
	return err
}

// payer returns the payer that signs. ledger-spec 5.0.1
func (e *env) payer(sequence uint64) (*PayerRecord, error) {
	p, err := readPayer(e, keys.Payer{ID: e.by})
	switch {
	case err != nil:
		return nil, err
	case p == nil:
		return nil, refuse(CodeNotPayer, "the signer is not a payer on this ledger")
	case sequence != p.Sequence+1:
		return nil, refuse(CodeWrongSequence, "the payer's next sequence number is %d, not %d", p.Sequence+1, sequence)
	}
	e.account = Account{Kind: AccountPayer, ID: p.ID.ID}
	return p, nil
}

// chargePayer takes the one write that each transaction of a payer costs, and counts the transaction.
func (e *env) chargePayer(p *PayerRecord) error {
	e.account, e.writes = Account{Kind: AccountPayer, ID: p.ID.ID}, 1
	params, err := e.params()
	if err != nil {
		return err
	}
	p.PaidUntil, err = params.allowanceOfPayer().pay(p.PaidUntil, 1, e.time)
	p.Sequence++
	return err
}

// ownedStudy returns the study that an owner's transaction is about. It refuses unless the signer is the present
// owner and signed for the present epoch: so nothing signed can be sent a second time after a transfer or a
// revocation of everything. ledger-spec 5.0.1
func (e *env) ownedStudy(id StudyID, epoch uint64) (*StudyRecord, error) {
	study, err := e.ownedEvenWithdrawn(id, epoch)
	if err == nil && study.Status == Withdrawn {
		return nil, refuse(CodeWithdrawn, "the source has withdrawn the study")
	}
	return study, err
}

// ownedEvenWithdrawn is ownedStudy for what an owner may still do when the study is withdrawn.
func (e *env) ownedEvenWithdrawn(id StudyID, epoch uint64) (*StudyRecord, error) {
	study, err := readStudy(e, id)
	switch {
	case err != nil:
		return nil, err
	case study == nil:
		return nil, refuse(CodeUnknownStudy, "the study is not on the ledger")
	case study.Owner != keys.Owner{ID: e.by}:
		return nil, refuse(CodeNotOwner, "the signer is not the present owner of the study")
	case study.Epoch != epoch:
		return nil, refuse(CodeWrongEpoch, "the study is in epoch %d: what was signed for epoch %d does not count", study.Epoch, epoch)
	}
	e.account = Account{Kind: AccountStudy, ID: id}
	return study, nil
}

// chargeStudy takes writes from the owner's allowance of a study.
func (e *env) chargeStudy(s *StudyRecord, writes uint64) error {
	e.account, e.writes = Account{Kind: AccountStudy, ID: s.ID}, writes
	params, err := e.params()
	if err != nil {
		return err
	}
	s.PaidUntil, err = params.allowanceOfStudy().pay(s.PaidUntil, writes, e.time)
	return err
}

// chargeOthers takes one write from the part of a study's allowance that others than its owner may use.
func (e *env) chargeOthers(s *StudyRecord) error {
	e.account, e.writes = Account{Kind: AccountOthers, ID: s.ID}, 1
	params, err := e.params()
	if err != nil {
		return err
	}
	s.PaidUntil, err = params.allowanceOfOthers().pay(s.PaidUntil, 1, e.time)
	return err
}

// chargeMember takes one write from the allowance of a member of a group, and one from the part of the group's that
// others than its owner may use: so no member can take them all.
func (e *env) chargeMember(group *StudyRecord, who keys.Grantee, m *MemberRecord) error {
	err := e.chargeOthers(group)
	e.account = Account{Kind: AccountMember, ID: group.ID, Member: who.ID}
	if err != nil {
		return err
	}
	params, err := e.params()
	if err != nil {
		return err
	}
	m.PaidUntil, err = params.allowanceOfMember().pay(m.PaidUntil, 1, e.time)
	return err
}

// publishedStudy returns the source that signs and its study, with the revision raised. It refuses unless the source
// published the study and signed for the present revision. ledger-spec 5.0.1
func (e *env) publishedStudy(id StudyID, revision uint64) (*SourceRecord, *StudyRecord, error) {
	source, err := e.source()
	if err != nil {
		return nil, nil, err
	}
	study, err := readStudy(e, id)
	switch {
	case err != nil:
		return nil, nil, err
	case study == nil:
		return nil, nil, refuse(CodeUnknownStudy, "the study is not on the ledger")
	case study.Source != source.ID:
		return nil, nil, refuse(CodeOtherSource, "another source published the study")
	case study.Revision != revision:
		return nil, nil, refuse(CodeWrongRevision, "the study is in revision %d: what was signed for revision %d does not count", study.Revision, revision)
	case study.Status == Withdrawn:
		return nil, nil, refuse(CodeWithdrawn, "the study is withdrawn")
	}
	study.Revision++
	study.RevisedAt = e.height
	return source, study, nil
}
