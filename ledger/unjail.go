package ledger

// KindUnjail is the kind of Unjail.
const KindUnjail Kind = "unjail"

// Unjail lets a source out of jail when its time is over. The source signs it. ledger-spec 5.7
type Unjail struct {
	Jailing uint64 `cbor:"1,keyasint"` // StakeRecord.Jailings, so that it cannot be sent again
}

// Kind returns KindUnjail.
func (u Unjail) Kind() Kind { return KindUnjail }

func (u Unjail) canonical() Body { return u }

func (u Unjail) validate() error { return nil }

func (u Unjail) rule(e *env) ([]write, error) {
	source, err := e.source()
	if err != nil {
		return nil, err
	}
	stake, err := readStake(e, source.ID)
	switch {
	case err != nil:
		return nil, err
	case !stake.Jailed() || u.Jailing != stake.Jailings:
		return nil, refuse(CodeNotJailed, "the source is not in jail, or not for the %dth time", u.Jailing)
	case stake.Expelled:
		return nil, refuse(CodeExpelled, "the source is expelled for good")
	case e.now() < stake.JailedUntil:
		return nil, refuse(CodeStillJailed, "the source is in jail for another %d seconds of chain time", stake.JailedUntil-e.now())
	}
	stake.JailedUntil = 0
	return []write{set(KeyStake(source.ID), stake)}, nil
}
