package serve

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"collimate/cmd/collimate/internal/config"
	"collimate/cmd/collimate/internal/org"
	"collimate/consensus"
	"collimate/gateway"
	"collimate/ledger"
	"collimate/node"
)

const (
	// finalityPatience is how long a transaction of ours may take to become final.
	finalityPatience = 90 * time.Second
	// retryPause is between two attempts: less than a block takes.
	retryPause = 200 * time.Millisecond
)

// startNode starts the ledger node.
func (o *organisation) startNode(ctx context.Context) error {
	c := o.config
	genesis, err := consensus.LoadGenesis(c.Network.Genesis)
	if err != nil {
		return err
	}
	o.chainID = genesis.ChainID
	peers, err := o.peers()
	if err != nil {
		return err
	}
	var trust *consensus.TrustedHeader
	if c.Network.Trust != "" {
		if trust, err = config.ParseTrust(c.Network.Trust); err != nil {
			return err
		}
	}
	var proxies []netip.Prefix
	for _, text := range c.Ledger.Proxies {
		p, err := config.ParsePrefix(text)
		if err != nil {
			return err
		}
		proxies = append(proxies, p)
	}
	o.node, err = node.New(ctx, node.Config{
		Origins: c.Ledger.Origins,
		Proxies: proxies,
		Rate:    int(c.Ledger.Rate),

		Sync:          c.SyncMode(),
		Trust:         trust,
		SnapshotEvery: c.Network.SnapshotEvery,
		RetainBlocks:  c.Network.RetainBlocks,

		Dir:       c.Path(config.LedgerDir),
		API:       c.Ledger.Listen,
		Moniker:   c.Organisation.Name,
		Genesis:   genesis,
		Listen:    c.Network.Listen,
		Peers:     peers,
		Heartbeat: c.Network.Heartbeat,
	}, o.logger.With("part", "node"))
	if err != nil {
		return err
	}
	// The node outlives ctx: what still runs after the signal to stop needs it. It is stopped by close.
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	o.nodeEnded = make(chan struct{})
	go func() {
		o.nodeErr = o.node.Run(run)
		close(o.nodeEnded)
	}()
	o.onClose(func() error {
		stop()
		<-o.nodeEnded
		return o.nodeErr
	})
	return nil
}

// watchNode returns when ctx is done, or with an error when the node has ended before.
func (o *organisation) watchNode(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-o.nodeEnded:
		return errors.New("the ledger node has ended") // why is the error of close
	}
}

// peers are the other members of the network.
func (o *organisation) peers() ([]consensus.Peer, error) {
	members, err := org.ReadMembers(o.config.Network.Members)
	if err != nil {
		return nil, fmt.Errorf("reading the members of the network: %w", err)
	}
	own, err := consensus.LoadKeys(o.config.Path(config.LedgerDir))
	if err != nil {
		return nil, err
	}
	var peers []consensus.Peer
	for _, m := range members {
		if m.PeerID == own.PeerID {
			o.peer = m.PeerID + "@" + m.Address
		} else {
			peers = append(peers, consensus.Peer{ID: m.PeerID, Addr: m.Address})
		}
	}
	return peers, nil
}

// nodeLedger is a node as a gateway sees it.
type nodeLedger struct{ *node.Node }

var _ gateway.Ledger = nodeLedger{}

// View calls f with a snapshot of the last final block.
func (l nodeLedger) View(f func(*ledger.Snapshot) error) error {
	s := l.Snapshot()
	return errors.Join(f(s.Snapshot), s.Close())
}

// Submit returns when the transaction is final. A node that was started a moment ago first catches up.
func (l nodeLedger) Submit(ctx context.Context, transaction []byte) error {
	ctx, cancel := context.WithTimeout(ctx, finalityPatience)
	defer cancel()
	for {
		_, err := l.Node.Submit(ctx, transaction)
		if !errors.Is(err, consensus.ErrCatchingUp) && !errors.Is(err, consensus.ErrBusy) {
			return err
		}
		select {
		case <-time.After(retryPause):
		case <-ctx.Done():
			return err
		}
	}
}
