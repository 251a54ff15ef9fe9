package consensus

import (
	"sync/atomic"
	"testing"
	"time"

	cs "github.com/cometbft/cometbft/consensus"
	cmtp2p "github.com/cometbft/cometbft/p2p"
	"github.com/cometbft/cometbft/privval"
	cmtcons "github.com/cometbft/cometbft/proto/tendermint/consensus"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	"github.com/cometbft/cometbft/types"

	"collimate/keys"
	"collimate/ledger"
)

// twice is a validator that votes for a block and, once, for nothing at the same height, and tells everybody.
type twice struct {
	types.PrivValidator
	key  interface{ Sign([]byte) ([]byte, error) }
	tell func(*cmtproto.Vote)
	from atomic.Int64 // height at which to begin; 0 for never
}

func (v *twice) SignVote(chain string, vote *cmtproto.Vote) error {
	if err := v.PrivValidator.SignVote(chain, vote); err != nil {
		return err
	}
	from := v.from.Load()
	if from == 0 || vote.Height < from || vote.Type != cmtproto.PrevoteType || len(vote.BlockID.Hash) == 0 || !v.from.CompareAndSwap(from, 0) {
		return nil
	}
	first, second := *vote, *vote
	second.BlockID = cmtproto.BlockID{}
	var err error
	if second.Signature, err = v.key.Sign(types.VoteSignBytes(chain, &second)); err != nil {
		return err
	}
	go func() { v.tell(&first); v.tell(&second) }() // peers drop votes that they think they have: both
	return nil
}

// cheat makes node i, which is not running, a validator that will vote twice.
func (w *network) cheat(i int) *twice {
	v := &twice{}
	w.members[i].config.voter = func(e *Engine, pv *privval.FilePV) types.PrivValidator {
		v.PrivValidator, v.key = pv, pv.Key.PrivKey
		v.tell = func(vote *cmtproto.Vote) {
			e.sw.BroadcastAsync(cmtp2p.Envelope{ChannelID: cs.VoteChannel, Message: &cmtcons.Vote{Vote: vote}})
		}
		return v
	}
	return v
}

// TestEquivocation: whoever votes twice loses its bond and is expelled, on every node alike, and so on a node that makes
// the block again.
func TestEquivocation(t *testing.T) {
	w := newNetwork(t, 4)
	v := w.cheat(3)
	w.start(0, 1, 2, 3)
	w.ready(3, 0, 1, 2, 3)
	w.define(0)
	w.defineWith(3, 100)
	cheat := keys.Source{ID: idOf(t, w.members[3].key)}
	stake := func(i int) *ledger.StakeRecord {
		snap := w.members[i].store.Snapshot()
		defer snap.Close()
		s, err := snap.Stake(cheat)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	if s := stake(0); s.Expelled || s.Units != 100 {
		t.Fatalf("before: %+v", s)
	}
	began := time.Now()
	v.from.Store(w.members[0].engine.Status().Height + 2)
	eventually(t, 30*time.Second, "the cheat is expelled", func() bool {
		w.filler++
		_, raw := w.study(0, 1_000_000+w.filler)
		w.must(0, raw)
		return stake(0).Expelled
	})
	t.Logf("expelled %v after it voted twice", time.Since(began).Round(time.Millisecond))
	if s := stake(0); s.Units != 0 || s.Forfeited != 100 {
		t.Errorf("after: %+v, want all of its 100 units forfeited", s)
	}
	_, raw := w.study(3, 1)
	if _, err := w.submit(0, raw); ledger.CodeOf(err) != ledger.CodeNoAllowance {
		t.Errorf("a study of the expelled: got %v, want %s, as it has no bond", err, ledger.CodeNoAllowance)
	}
	w.agree(0, 0, 1, 2, 3)
	w.stop(0, 1, 2, 3)
	if _, err := VerifyChain(t.Context(), w.members[1].dir, w.genesis, nil, testLog(1)); err != nil {
		t.Error(err)
	}
}

// TestAbsence: a validator that is away is counted, one that is there is not, and both alike on every node.
func TestAbsence(t *testing.T) {
	t.Parallel() // it waits more than it works
	w := newNetwork(t, 4)
	params := ledger.DefaultParams()
	params.AbsenceTime, params.AbsencesTolerated = 1, 2
	w.genesis.Params = &params
	w.start(0, 1, 2, 3)
	w.ready(3, 0, 1, 2, 3)
	w.define(0)
	w.defineWith(3, 1000)
	away := keys.Source{ID: idOf(t, w.members[3].key)}
	jailed := func(i int, source keys.Source) uint64 {
		snap := w.members[i].store.Snapshot()
		defer snap.Close()
		s, err := snap.Stake(source)
		if err != nil {
			t.Fatal(err)
		}
		return s.Jailings
	}
	w.stop(3)
	eventually(t, 40*time.Second, "the absent one is in jail", func() bool {
		w.filler++
		_, raw := w.study(0, 1_000_000+w.filler)
		w.must(0, raw)
		return jailed(0, away) > 0
	})
	if n := jailed(0, keys.Source{ID: idOf(t, w.members[0].key)}); n > 0 {
		t.Errorf("one that was there has been in jail %d times", n)
	}
	w.start(3)
	w.ready(3, 3)
	w.agree(0, 0, 1, 2, 3)
}
