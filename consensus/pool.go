package consensus

import (
	"container/list"
	"errors"
	"fmt"
	"sync"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/cometbft/cometbft/mempool"
	cmtp2p "github.com/cometbft/cometbft/p2p"
	"github.com/cometbft/cometbft/types"

	"collimate/keys"
	"collimate/ledger"
	"collimate/ledger/store"
)

// pool holds the transactions that wait for a block, in the engine's place for a mempool. What is in it was valid when
// it came, and within the allowance that it draws on together with all that came before it (ledger-spec 5.0.2). No key
// can crowd out another: each has a bounded share of the pool, and of each block; and what is more than its share of a
// block is sent to nobody before a block has made room for it.
//
// After each block the oldest are judged anew, and what is proposed is tried out first (app.PrepareProposal), so that
// what others have made impossible leaves the pool without ever standing in a block.
type pool struct {
	state   *store.Store
	seen    func(*ledger.Transaction)            // before a transaction is offered to anybody; see Config.OnSeen
	settle  func(ledger.TxID, outcome)           // tells those who wait for one that leaves otherwise than by a block
	send    func(*ledger.Transaction, cmtp2p.ID) // spreads one, except to the peer that it is from
	offered chan struct{}                        // TxsAvailable: one token at most, once for each block

	mu       sync.Mutex
	height   int64                     // of the last block
	notified bool                      // a token was given since
	order    *list.List                // of *pending, by arrival
	by       map[ledger.TxID]*pending  // the same
	keys     map[keys.ID]share         // by signer
	writes   map[ledger.Account]uint64 // that they will cost
	bytes    int                       // of all
	held     int                       // that are ready, and not sent on yet
}

// pending is a transaction that waits.
type pending struct {
	tx      *ledger.Transaction
	account ledger.Account
	writes  uint64
	place   *list.Element
	ready   bool      // seen has returned
	sent    time.Time // to peers; zero for not yet
}

// share is what one key has in the pool, or in a block.
type share struct{ count, bytes int }

func (s share) plus(tx *ledger.Transaction) share { return share{s.count + 1, s.bytes + len(tx.Raw)} }

func (s share) within(most share) bool { return s.count <= most.count && s.bytes <= most.bytes }

// ofBlock is the share of one key in a block, of which one transaction may be larger.
var ofBlock = share{maxBlockOfKey, maxBlockOfKeyBytes}

func newPool(state *store.Store, height int64, settle func(ledger.TxID, outcome)) *pool {
	return &pool{
		state: state, settle: settle, seen: func(*ledger.Transaction) {}, send: func(*ledger.Transaction, cmtp2p.ID) {},
		offered: make(chan struct{}, 1), height: height,
		order: list.New(), by: map[ledger.TxID]*pending{}, keys: map[keys.ID]share{}, writes: map[ledger.Account]uint64{},
	}
}

// judged is a transaction that the state after a block would take.
type judged struct {
	*pending
	room   uint64 // that is left to the account, what waits not counted
	height int64
}

// add judges a transaction and lets it wait; see offer.
func (p *pool) add(tx *ledger.Transaction, from cmtp2p.ID) error {
	x, err := p.judge(tx)
	if err != nil {
		return err
	}
	return p.offer(x, from)
}

// offer lets a transaction wait for a block, and spreads it; from is the peer that sent it, if one did. One that waits
// already is none the worse for it. The error is a *ledger.Error if the state refuses it, and otherwise wraps ErrBusy.
func (p *pool) offer(x judged, from cmtp2p.ID) error {
	switch err := p.insert(x); {
	case errors.Is(err, errOvertaken):
		return p.add(x.tx, from)
	case errors.Is(err, errWaiting):
		return nil
	case err != nil:
		return err
	}
	p.seen(x.tx)
	if p.release(x.pending) {
		p.send(x.tx, from)
	}
	return nil
}

var (
	errOvertaken = errors.New("another block came")
	errWaiting   = errors.New("it waits already")
)

// judge asks the state after the last block.
func (p *pool) judge(tx *ledger.Transaction) (x judged, err error) {
	snap := p.state.Snapshot()
	defer snap.Close()
	at := snap.Next()
	x = judged{pending: &pending{tx: tx}, height: snap.Height()}
	if x.account, x.writes, err = ledger.Cost(snap, tx, at); err == nil && x.writes > 0 {
		x.room, err = ledger.Room(snap, x.account, at)
	}
	return x, err
}

// insert puts a transaction last.
func (p *pool) insert(x judged) error {
	p.mu.Lock()
	evicted, err := p.admit(x)
	if err == nil {
		x.place = p.order.PushBack(x.pending)
		p.by[x.tx.ID] = x.pending
		p.count(x.pending, +1)
	}
	p.mu.Unlock()
	if evicted != nil {
		p.settle(evicted.tx.ID, outcome{err: ErrBusy})
	}
	return err
}

// admit says whether there is room for a transaction, and may make some.
func (p *pool) admit(x judged) (evicted *pending, err error) {
	mine := p.keys[x.tx.Signer].plus(x.tx)
	waiting := p.writes[x.account]
	switch {
	case p.by[x.tx.ID] != nil:
		return nil, errWaiting
	case x.height < p.height: // it may have become final meanwhile
		return nil, errOvertaken
	case x.writes > 0 && waiting+x.writes > x.room:
		return nil, &ledger.Error{Code: ledger.CodeNoAllowance, Detail: fmt.Sprintf(
			"this costs %d writes; there are %d left, and %d of them wait for a block", x.writes, x.room, waiting)}
	case !mine.within(share{maxPendingOfKey, maxPendingOfKeyBytes}):
		return nil, fmt.Errorf("%w: %d transactions of this key wait already", ErrBusy, mine.count-1)
	}
	if len(p.by) < maxPending && p.bytes+len(x.tx.Raw) <= maxPendingBytes {
		return nil, nil
	}
	if evicted = p.last(p.largest(), mine.count); evicted == nil || len(evicted.tx.Raw) < len(x.tx.Raw) {
		return nil, ErrBusy
	}
	p.remove(evicted)
	return evicted, nil
}

// largest returns the key that has most in the pool, of a few taken at random.
func (p *pool) largest() (key keys.ID) {
	most, n := 0, 0
	for k, s := range p.keys {
		if s.count > most {
			key, most = k, s.count
		}
		if n++; n == 64 {
			break
		}
	}
	return key
}

// last returns the last transaction of a key that has more than some, nil if it has not.
func (p *pool) last(key keys.ID, than int) *pending {
	if p.keys[key].count <= than {
		return nil
	}
	for e := p.order.Back(); e != nil; e = e.Prev() {
		if x := e.Value.(*pending); x.tx.Signer == key && x.ready {
			return x
		}
	}
	return nil
}

// release makes a transaction ready for a block, if it is still there, and says whether to send it on now.
func (p *pool) release(x *pending) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.by[x.tx.ID] != x {
		return false
	}
	x.ready = true
	p.notify()
	if mine := p.keys[x.tx.Signer]; mine.count > 1 && !mine.within(ofBlock) {
		p.held++
		return false
	}
	x.sent = time.Now()
	return true
}

// due returns what is to be sent on because a block has made room for it, and marks it as sent.
func (p *pool) due() (out []*ledger.Transaction) {
	p.mu.Lock()
	defer p.mu.Unlock()
	of := make(map[keys.ID]share)
	now := time.Now()
	for e := p.order.Front(); e != nil && p.held > 0; e = e.Next() {
		x := e.Value.(*pending)
		mine := of[x.tx.Signer].plus(x.tx)
		of[x.tx.Signer] = mine
		if x.ready && x.sent.IsZero() && (mine.count == 1 || mine.within(ofBlock)) {
			x.sent = now
			p.held--
			out = append(out, x.tx)
		}
	}
	return out
}

func (p *pool) notify() {
	if p.notified {
		return
	}
	p.notified = true
	select {
	case p.offered <- struct{}{}:
	default:
	}
}

func (p *pool) remove(x *pending) {
	p.order.Remove(x.place)
	delete(p.by, x.tx.ID)
	p.count(x, -1)
	if x.ready && x.sent.IsZero() {
		p.held--
	}
}

// count adds a transaction to the sums, or takes it away.
func (p *pool) count(x *pending, sign int) {
	p.bytes += sign * len(x.tx.Raw)
	mine := p.keys[x.tx.Signer]
	mine.count += sign
	mine.bytes += sign * len(x.tx.Raw)
	if p.keys[x.tx.Signer] = mine; mine.count == 0 {
		delete(p.keys, x.tx.Signer)
	}
	if x.writes == 0 {
		return
	}
	if p.writes[x.account] += uint64(sign) * x.writes; p.writes[x.account] == 0 {
		delete(p.writes, x.account)
	}
}

// get returns a transaction that waits, nil if it does not.
func (p *pool) get(id ledger.TxID) *ledger.Transaction {
	p.mu.Lock()
	defer p.mu.Unlock()
	if x := p.by[id]; x != nil {
		return x.tx
	}
	return nil
}

// drop takes out a transaction that the state refuses.
func (p *pool) drop(id ledger.TxID, why error) {
	p.mu.Lock()
	x := p.by[id]
	if x != nil {
		p.remove(x)
	}
	p.mu.Unlock()
	if x != nil {
		p.settle(id, outcome{err: why})
	}
}

// overdue returns up to n transactions that were sent some time ago, and marks them as sent now.
func (p *pool) overdue(wait time.Duration, n int) []*ledger.Transaction {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []*ledger.Transaction
	now := time.Now()
	for e := p.order.Front(); e != nil && len(out) < n; e = e.Next() {
		if x := e.Value.(*pending); !x.sent.IsZero() && now.Sub(x.sent) >= wait {
			x.sent = now
			out = append(out, x.tx)
		}
	}
	return out
}

// oldest returns the first transactions, until they cost some writes together.
func (p *pool) oldest(writes uint64) []*ledger.Transaction {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []*ledger.Transaction
	cost := uint64(0)
	for e := p.order.Front(); e != nil && cost < writes; e = e.Next() {
		if x := e.Value.(*pending); x.ready {
			out = append(out, x.tx)
			cost += max(1, x.writes)
		}
	}
	return out
}

// ReapMaxBytesMaxGas returns what to propose, of at most some bytes: first the oldest of each key, then more of each,
// up to the share of a key in a block.
func (p *pool) ReapMaxBytesMaxGas(most, _ int64) types.Txs {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out types.Txs
	taken := make(map[ledger.TxID]bool)
	of := make(map[keys.ID]share)
	for _, n := range []int{1, 4, maxBlockOfKey} {
		limit, left := share{n, maxBlockOfKeyBytes}, false
		for e := p.order.Front(); e != nil; e = e.Next() {
			x := e.Value.(*pending)
			if !x.ready || taken[x.tx.ID] {
				continue
			}
			mine := of[x.tx.Signer].plus(x.tx)
			if !mine.within(limit) && mine.count > 1 {
				left = true
				continue
			}
			if most -= txSize(x.tx.Raw); most < 0 {
				return out
			}
			out = append(out, x.tx.Raw)
			taken[x.tx.ID], of[x.tx.Signer] = true, mine
		}
		if !left {
			break
		}
	}
	return out
}

// commit takes out what a block has that is on disk, so that nothing is counted twice.
func (p *pool) commit(b Block) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.height, p.notified = b.Height, false
	for _, r := range b.Results {
		if x := p.by[r.Tx.ID]; x != nil {
			p.remove(x)
		}
	}
}

// Update judges the oldest anew after a block, and sends on more of the keys that had too many.
func (p *pool) Update(int64, types.Txs, []*abci.ExecTxResult, mempool.PreCheckFunc, mempool.PostCheckFunc) error {
	for _, tx := range p.oldest(maxRecheck) {
		if _, err := p.judge(tx); ledger.CodeOf(err) != "" {
			p.drop(tx.ID, err)
		}
	}
	for _, tx := range p.due() {
		p.send(tx, "")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.by) > 0 {
		p.notify()
	}
	return nil
}

// TxsAvailable gets a token when there is something to propose, at most once for each block.
func (p *pool) TxsAvailable() <-chan struct{} { return p.offered }

// EnableTxsAvailable does nothing: they are.
func (p *pool) EnableTxsAvailable() {}

// Lock and Unlock do nothing: the engine calls them around Commit and Update, and a transaction that is judged meanwhile
// is judged again if it was too early.
func (p *pool) Lock()   {}
func (p *pool) Unlock() {}

// FlushAppConn does nothing: the pool asks the state itself.
func (p *pool) FlushAppConn() error { return nil }

// Size returns the number of transactions that wait.
func (p *pool) Size() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.by)
}

// SizeBytes returns their size.
func (p *pool) SizeBytes() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return int64(p.bytes)
}

// errNotOurs is the answer of what only the engine's RPC server calls, which is left out.
var errNotOurs = errors.New("transactions come through Submit and from peers")

func (p *pool) CheckTx(types.Tx, func(*abci.ResponseCheckTx), mempool.TxInfo) error {
	return errNotOurs
}
func (p *pool) RemoveTxByKey(types.TxKey) error { return errNotOurs }
func (p *pool) ReapMaxTxs(int) types.Txs        { return nil }
func (p *pool) Flush()                          {}

var _ mempool.Mempool = (*pool)(nil)
