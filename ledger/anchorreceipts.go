package ledger

// KindAnchorReceipts is the kind of AnchorReceipts.
const KindAnchorReceipts Kind = "anchor-receipts"

// AnchorReceipts commits to the receipts that a source has collected in a period, so that none can be made up or left
// out later. The source signs it. ledger-spec 5.8
type AnchorReceipts struct {
	From  int64      `cbor:"1,keyasint"` // Unix seconds, at or after SourceRecord.ReceiptsUntil
	To    int64      `cbor:"2,keyasint"` // Unix seconds, not in the future
	Count uint64     `cbor:"3,keyasint"`
	Root  MerkleRoot `cbor:"4,keyasint"`
}

// Kind returns KindAnchorReceipts.
func (a AnchorReceipts) Kind() Kind { return KindAnchorReceipts }

func (a AnchorReceipts) canonical() Body { return a }

func (a AnchorReceipts) validate() error {
	if a.From <= 0 || a.To <= a.From {
		return outOfBounds("the period has no length, or begins before 1970")
	}
	return nil
}

func (a AnchorReceipts) rule(e *env) ([]write, error) {
	source, err := e.source()
	if err != nil {
		return nil, err
	}
	from, to := Seconds(a.From), Seconds(a.To)
	if from < source.ReceiptsUntil || to > e.now() {
		return nil, refuse(CodeBadPeriod, "the period begins before the end of the last one, or ends after chain time")
	}
	if err := e.chargeSource(source, 1); err != nil {
		return nil, err
	}
	source.ReceiptsUntil = to
	return []write{
		set(KeySource(source.ID), source),
		set(KeyReceipts(source.ID, to), ReceiptsRecord{From: from, Count: a.Count, Root: a.Root, Height: e.height}),
	}, nil
}
