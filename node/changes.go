package node

import (
	"collimate/keys"
	"collimate/ledger"
	"collimate/node/client"
)

// eventOf returns what a transaction does to a study, and whether it does anything that its history is to say. That a
// study was defined is in its record.
func eventOf(tx *ledger.Transaction) (client.Event, bool) {
	e := client.Event{Kind: tx.Body.Kind(), TxID: tx.ID, Signer: tx.Signer}
	switch b := tx.Body.(type) {
	case ledger.AmendStudy:
		e.Study, e.Revision = b.Study, b.Revision
	case ledger.HoldStudy:
		e.Study, e.Revision, e.Held = b.Study, b.Revision, b.Held
	case ledger.WithdrawStudy:
		e.Study, e.Revision = b.Study, b.Revision
	case ledger.TransferStudy:
		e.Study, e.Epoch, e.Owner = b.Study, b.Epoch, b.NewOwner
	case ledger.AllowAccess:
		e.Study, e.Epoch, e.Commitment = b.Study, b.Epoch, b.Commitment
		e.NotAfter, e.Scope, e.Tier = ledger.Seconds(b.NotAfter), b.Scope, b.Tier
	case ledger.RevokeAccess:
		e.Study, e.Epoch, e.Commitment, e.All = b.Study, b.Epoch, b.Commitment, b.All
	case ledger.SetGuardians:
		e.Study, e.Epoch, e.Guardians, e.Threshold, e.Delay = b.Study, b.Epoch, len(b.Guardians), b.Threshold, b.Delay
	case ledger.Recover:
		e.Study, e.Owner = b.Study, b.NewOwner
	case ledger.CancelRecovery:
		e.Study, e.Epoch = b.Study, b.Epoch
	case ledger.EmergencyAccess:
		e.Study, e.Group, e.NotAfter = b.Study, b.Group, ledger.Seconds(b.NotAfter)
		e.Commitment = ledger.NewCommitment(b.Blind, keys.Grantee{ID: tx.Signer}, b.Group)
	default:
		return client.Event{}, false
	}
	return e, true
}

// recovered returns the studies that a block gives to the owners whom guardians have named. What a block does before
// its transactions writes the records of no other studies. ledger-spec 5.0.3
func recovered(before *ledger.Snapshot, at ledger.Context) ([]client.Event, error) {
	after := ledger.NewOverlay(before)
	if err := ledger.BeginBlock(after, at, ledger.Observed{}); err != nil {
		return nil, err
	}
	prefix := ledger.KeyStudy(ledger.StudyID{})[0]
	var events []client.Event
	for key := range after.Writes() {
		if key[0] != prefix {
			continue
		}
		study, err := before.On(after).Study(ledger.StudyID(key[1:]))
		if err != nil {
			return nil, err
		}
		events = append(events, client.Event{Study: study.ID, Kind: client.KindRecovered, Owner: study.Owner, Epoch: study.Epoch})
	}
	return events, nil
}
