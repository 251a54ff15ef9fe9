package consensus

import (
	"bytes"
	"context"
	"log/slog"
	"testing"
	"time"

	cmtp2p "github.com/cometbft/cometbft/p2p"
	"github.com/cometbft/cometbft/p2p/mock"
	protomem "github.com/cometbft/cometbft/proto/tendermint/mempool"

	"collimate/ledger"
)

// TestDeafness: who sends what is no transaction is not listened to for a while, and others are.
func TestDeafness(t *testing.T) {
	taken := make(chan string, 10)
	g := newGossip(func(_ context.Context, raw []byte, _ cmtp2p.ID) error {
		taken <- string(raw)
		if string(raw) == "garbage" {
			return &ledger.SyntaxError{Code: ledger.CodeMalformed}
		}
		return &ledger.Error{Code: ledger.CodeJailed} // what the state refuses is nobody's fault
	}, func() []*ledger.Transaction { return nil }, true, false, slog.New(slog.DiscardHandler))
	good, bad := mock.NewPeer(nil), mock.NewPeer(nil)
	g.AddPeer(good)
	g.AddPeer(bad)
	defer g.wait()
	send := func(from cmtp2p.Peer, raws ...string) {
		m := &protomem.Txs{}
		for _, raw := range raws {
			m.Txs = append(m.Txs, []byte(raw))
		}
		g.Receive(cmtp2p.Envelope{Src: from, Message: m})
	}
	want := func(raw string) {
		t.Helper()
		select {
		case got := <-taken:
			if got != raw {
				t.Errorf("got %q, want %q", got, raw)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("%q was not taken", raw)
		}
	}
	send(bad, "one", "garbage", "two")
	want("one")
	want("garbage")
	send(bad, "three")
	send(good, "four")
	want("four")
	send(good, "five")
	want("five")
	if len(taken) > 0 {
		t.Errorf("%q was taken from a peer that is not listened to", <-taken)
	}
	g.RemovePeer(good, nil)
	send(good, "six")
	if len(taken) > 0 {
		t.Errorf("%q was taken from a peer that has gone", <-taken)
	}
}

// TestGather fills messages to their bounds.
func TestGather(t *testing.T) {
	queue := func(n, size int) chan *ledger.Transaction {
		c := make(chan *ledger.Transaction, n)
		for range n {
			c <- &ledger.Transaction{Raw: make([]byte, size)}
		}
		return c
	}
	for _, test := range []struct{ n, size, want int }{
		{0, 300, 1},
		{5, 300, 6},
		{2 * maxGossipCount, 1, maxGossipCount},
		{10, ledger.MaxTxBytes, 2},
		{1000, 300, 1 + (maxGossipBytes-ledger.MaxTxBytes)/300},
	} {
		got := gather(&ledger.Transaction{Raw: make([]byte, test.size)}, queue(test.n, test.size))
		if len(got) != test.want {
			t.Errorf("%d more of %d bytes: %d in a message, want %d", test.n, test.size, len(got), test.want)
		}
		if size := (&protomem.Message{Sum: &protomem.Message_Txs{Txs: &protomem.Txs{Txs: got}}}).Size(); size > (&gossip{}).GetChannels()[0].RecvMessageCapacity {
			t.Errorf("%d more of %d bytes: a message of %d bytes, more than a peer takes", test.n, test.size, size)
		}
	}
}

func FuzzDecodeBlocks(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{0, 0, 0, 1, 0x80, 0, 0, 0, 1, 0x80})
	f.Fuzz(func(t *testing.T, b []byte) {
		this, next, err := decodeBlocks(b)
		if err != nil {
			return
		}
		if got, err := encodeBlocks(this, next); err != nil || !bytes.Equal(got, b) {
			t.Errorf("decoded and encoded: got %x, %v, want %x", got, err, b)
		}
	})
}
