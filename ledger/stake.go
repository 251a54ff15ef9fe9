package ledger

import "collimate/keys"

// PayerRecord is what the ledger holds of a payer, who puts up bonds for sources. ledger-spec 4.4
type PayerRecord struct {
	ID        keys.Payer  `cbor:"-" json:"id"`
	Units     uint64      `cbor:"1,keyasint" json:"units"`      // that it may have in bonds
	Bonded    uint64      `cbor:"2,keyasint" json:"bonded"`     // that it has in bonds, those being unbonded included
	Forfeited uint64      `cbor:"3,keyasint" json:"forfeited"`  // so far
	Sequence  uint64      `cbor:"4,keyasint" json:"sequence"`   // transactions so far
	PaidUntil Nanoseconds `cbor:"5,keyasint" json:"paid_until"` // its allowance, ledger-spec 5.0.2
}

// BondRecord is what one payer has put up for one source. ledger-spec 4.4
type BondRecord struct {
	Source    keys.Source `cbor:"-" json:"source"`
	Payer     keys.Payer  `cbor:"-" json:"payer"`
	Units     uint64      `cbor:"1,keyasint" json:"units"`
	Unbonding uint64      `cbor:"2,keyasint" json:"unbonding"` // units being unbonded
	FreeAt    Seconds     `cbor:"3,keyasint" json:"free_at"`   // when they are free
}

// StakeRecord is what all payers have put up for a source, and what it has lost. ledger-spec 4.4
type StakeRecord struct {
	Source      keys.Source `cbor:"-" json:"source"`
	Units       uint64      `cbor:"1,keyasint" json:"units"` // those being unbonded not included
	Forfeited   uint64      `cbor:"2,keyasint" json:"forfeited"`
	JailedUntil Seconds     `cbor:"3,keyasint" json:"jailed_until"`
	Jailings    uint64      `cbor:"4,keyasint" json:"jailings"`
	Expelled    bool        `cbor:"5,keyasint" json:"expelled"` // for good
}

// Jailed reports whether the source is in jail. It stays there until it asks to be let out.
func (s StakeRecord) Jailed() bool { return s.JailedUntil != 0 }

func readPayer(r Reader, id keys.Payer) (*PayerRecord, error) {
	return read(r, KeyPayer(id), PayerRecord{ID: id})
}

// visitPayers calls visit for each payer, at most MaxPayers, in the order of keys.
func visitPayers(r Reader, visit func(PayerRecord) error) error {
	return visitRecords(r, []byte{prefixPayer}, func(rest []byte, p PayerRecord) error {
		p.ID = keys.Payer{ID: keys.ID(rest)}
		return visit(p)
	})
}

// readBond returns a bond, of no units if there is none.
func readBond(r Reader, source keys.Source, payer keys.Payer) (*BondRecord, error) {
	b := BondRecord{Source: source, Payer: payer}
	_, err := get(r, KeyBond(source, payer), &b)
	return &b, err
}

// write is the bond as it is to stand; one of nothing is deleted.
func (b *BondRecord) write() write {
	if b.Units == 0 && b.Unbonding == 0 {
		return write{key: KeyBond(b.Source, b.Payer)}
	}
	return set(KeyBond(b.Source, b.Payer), b)
}

// visitBonds calls visit for each bond of a source, at most MaxPayers, in the order of payers' keys.
func visitBonds(r Reader, source keys.Source, visit func(BondRecord) error) error {
	return visitRecords(r, key(prefixBond, source.ID[:]), func(rest []byte, b BondRecord) error {
		b.Source, b.Payer = source, keys.Payer{ID: keys.ID(rest)}
		return visit(b)
	})
}

// readStake returns the stake of a source, of no units if nobody has bonded for it.
func readStake(r Reader, source keys.Source) (*StakeRecord, error) {
	s := StakeRecord{Source: source}
	_, err := get(r, KeyStake(source), &s)
	return &s, err
}
