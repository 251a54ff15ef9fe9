package ledger

import (
	"time"

	"collimate/keys"
)

// day in nanoseconds.
const day = 86400 * 1_000_000_000

// allowance is how fast writes come back, and how many can be saved up. There are no fees: what keeps one party from
// filling the ledger is its allowance. ledger-spec 5.0.2
type allowance struct {
	interval int64 // nanoseconds in which one write comes back; 0: never, so there are none
	depth    int64 // nanoseconds by which paid until may be ahead of chain time
}

// pay returns paid until after some more writes at chain time now, all in Unix nanoseconds. The numbers of a request
// are small (MaxStudiesPerTx), those of an allowance below 28 years: nothing overflows.
func (a allowance) pay(paid Nanoseconds, writes uint64, now int64) (Nanoseconds, error) {
	if writes == 0 {
		return paid, nil
	}
	if room := a.room(paid, now); writes > room {
		if a.interval == 0 {
			return 0, refuse(CodeNoAllowance, "nothing is bonded for the source")
		}
		return 0, refuse(CodeNoAllowance, "this costs %d writes and there are %d left: one comes back every %v",
			writes, room, time.Duration(a.interval))
	}
	return Nanoseconds(max(now, int64(paid)) + int64(writes)*a.interval), nil
}

// room returns how many writes are left at chain time now.
func (a allowance) room(paid Nanoseconds, now int64) uint64 {
	if a.interval == 0 {
		return 0
	}
	return uint64(max(0, now+a.depth-max(now, int64(paid))) / a.interval)
}

// allowanceOfSource is that of a source with some units bonded for it. It saves up no more than comes back while units are
// unbonded: else units that go from one source to the next would give more writes than those that stay.
func (p *Params) allowanceOfSource(units uint64) allowance {
	a := allowance{depth: min(int64(p.SavedDays)*day, int64(p.UnbondingTime)*1e9)}
	switch {
	case units == 0:
	case units > day/p.WritesPerUnit: // the product might not fit
		a.interval = 1
	default:
		a.interval = int64(day / (units * p.WritesPerUnit))
	}
	return a
}

func (p *Params) allowanceOfStudy() allowance {
	interval := int64(day / p.WritesPerStudy)
	return allowance{interval, int64(p.SavedWrites) * interval}
}

// allowanceOfOthers is the part of a study's allowance that guardians, and members of a group, may use: the rest is its
// owner's.
func (p *Params) allowanceOfOthers() allowance {
	a := p.allowanceOfStudy()
	a.depth /= 2
	return a
}

func (p *Params) allowanceOfPayer() allowance {
	interval := int64(day / p.WritesPerPayer)
	return allowance{interval, int64(p.WritesPerPayer) * interval}
}

func (p *Params) allowanceOfMember() allowance {
	interval := int64(day / p.EmergenciesPerMember)
	return allowance{interval, int64(p.EmergenciesPerMember) * interval}
}

// Account names an allowance.
type Account struct {
	Kind   AccountKind
	ID     [32]byte // of the source, the study or the payer
	Member keys.ID  // of the study, which is a group; zero otherwise
}

// AccountKind is whose allowance an Account is.
type AccountKind uint8

// The kinds of accounts. A zero Account has none: nobody pays.
const (
	AccountSource AccountKind = 1
	AccountStudy  AccountKind = 2
	AccountOthers AccountKind = 3 // the part of a study's that others than its owner may use
	AccountPayer  AccountKind = 4
	AccountMember AccountKind = 5 // a member's of a group, which draws on AccountOthers of the group too
)

// Cost returns whose allowance a transaction draws on at a Context and how many writes it costs. The error is that of
// Check; with CodeNoAllowance account and writes are right all the same. What costs nothing has an account too, so
// that a pool can bound how much of it waits.
func Cost(r Reader, tx *Transaction, at Context) (account Account, writes uint64, err error) {
	e, _, err := effect(r, tx, at)
	if e == nil {
		return Account{}, 0, err
	}
	return e.account, e.writes, err
}

// Room returns how many writes an account has left at a Context: none if it does not exist.
func Room(r Reader, account Account, at Context) (writes uint64, err error) {
	p, err := readParams(r)
	if err != nil {
		return 0, err
	}
	a, paid, err := account.read(r, &p.Params)
	if err != nil {
		return 0, err
	}
	writes = a.room(paid, at.Time.UnixNano())
	if account.Kind == AccountMember {
		others, err := Room(r, Account{Kind: AccountOthers, ID: account.ID}, at)
		return min(writes, others), err
	}
	return writes, nil
}

// read returns the state of an account.
func (c Account) read(r Reader, p *Params) (a allowance, paid Nanoseconds, err error) {
	switch c.Kind {
	case AccountSource:
		source, err := readSource(r, keys.Source{ID: c.ID})
		if source == nil || err != nil {
			return a, 0, err
		}
		stake, err := readStake(r, source.ID)
		return p.allowanceOfSource(stake.Units), source.PaidUntil, err
	case AccountStudy, AccountOthers:
		study, err := readStudy(r, c.ID)
		if study == nil || err != nil {
			return a, 0, err
		}
		if c.Kind == AccountOthers {
			return p.allowanceOfOthers(), study.PaidUntil, nil
		}
		return p.allowanceOfStudy(), study.PaidUntil, nil
	case AccountPayer:
		payer, err := readPayer(r, keys.Payer{ID: c.ID})
		if payer == nil || err != nil {
			return a, 0, err
		}
		return p.allowanceOfPayer(), payer.PaidUntil, nil
	case AccountMember:
		member, err := readMember(r, c.ID, keys.Grantee{ID: c.Member})
		return p.allowanceOfMember(), member.PaidUntil, err
	}
	return a, 0, nil
}
