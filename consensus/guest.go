package consensus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"collimate/ledger/light"
	"collimate/p2p"
)

// joinPeers joins by the newest snapshot that a peer has.
func joinPeers(ctx context.Context, c Config, log *slog.Logger) error {
	identity, err := loadIdentity(c.Dir)
	if err != nil {
		return err
	}
	hash, err := c.Genesis.Hash()
	if err != nil {
		return err
	}
	host, err := p2p.New(p2p.Config{Key: identity, Listen: c.Listen, Peers: c.Peers, ChainID: c.Genesis.ChainID, Genesis: hash, Guest: true}, log)
	if err != nil {
		return err
	}
	defer host.Close()
	host.Start(nil)
	g := &guest{host: host, log: log, bad: map[peer.ID]bool{}}
	trusted, err := c.Genesis.trusted()
	if err != nil {
		return err
	}
	if c.Trust != nil {
		if trusted, err = g.trust(ctx, *c.Trust, c.Genesis.ChainID); err != nil {
			return err
		}
	}
	o, err := g.choose(ctx, trusted, len(c.Peers))
	if err != nil {
		return err
	}
	began := time.Now()
	log.Info("joining by a snapshot", "height", o.manifest.Height, "chunks", len(o.manifest.Subtrees), "app_hash", fmt.Sprintf("%x", o.manifest.AppHash))
	if err := install(ctx, c, o, log, g.chunks(ctx, o)); err != nil {
		return err
	}
	log.Info("joined by a snapshot", "height", o.manifest.Height, "took", time.Since(began), "bytes", g.bytes)
	return nil
}

// guest asks peers for an archive.
type guest struct {
	host  *p2p.Host
	log   *slog.Logger
	bad   map[peer.ID]bool // which are not asked again
	bytes int64            // of chunks
}

// reject puts a peer away.
func (g *guest) reject(id peer.ID, why error) {
	if !g.bad[id] {
		g.log.Warn("a peer's snapshot does not hold: it is not asked again", "peer", id.String(), "err", why)
	}
	g.bad[id] = true
}

// peers returns those that can be asked, in random order.
func (g *guest) peers() []peer.ID {
	ids := slices.DeleteFunc(g.host.Sessions(), func(id peer.ID) bool { return g.bad[id] })
	rand.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
	return ids
}

func (g *guest) ask(ctx context.Context, id peer.ID, what byte, height int64, chunk int) ([]byte, error) {
	return g.host.Ask(ctx, id, archiveExchange, archiveRequest{what, height, uint32(chunk)}.encode())
}

// trust gets the light block of a header that the operator believes.
func (g *guest) trust(ctx context.Context, h TrustedHeader, chainID string) (light.Trusted, error) {
	for {
		for _, id := range g.peers() {
			b, err := g.ask(ctx, id, askLight, h.Height, 0)
			if err != nil {
				continue
			}
			block, err := light.DecodeBlock(b)
			if err != nil || block.Header.Hash() != h.Hash || block.Header.ChainID != chainID {
				g.reject(id, errors.New("the header that it sent is not the one that is trusted"))
				continue
			}
			return light.TrustBlock(block)
		}
		if err := rest(ctx); err != nil {
			return light.Trusted{}, fmt.Errorf("no peer has the trusted header of height %d: %w", h.Height, err)
		}
	}
}

// rest is the pause between two rounds of questions.
func rest(ctx context.Context) error {
	t := time.NewTimer(askAgain)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// choose returns the newest archive that a peer has and that holds. It waits a while for the peers, until all have
// answered.
func (g *guest) choose(ctx context.Context, trusted light.Trusted, all int) (*offer, error) {
	wait, cancel := context.WithTimeout(ctx, joinPatience)
	defer cancel()
	asked := map[peer.ID]bool{}
	var best *offer
	for len(asked) < all {
		for _, id := range g.peers() {
			if asked[id] {
				continue
			}
			o, err := g.offerOf(ctx, id, trusted, best)
			switch {
			case errors.Is(err, p2p.ErrBusy):
				continue
			case err != nil:
				g.reject(id, err)
			case o != nil:
				best = o
			}
			asked[id] = true
		}
		if best != nil && len(asked) >= min(2, all) { // enough to fetch from; others may be down for long
			break
		}
		if rest(wait) != nil {
			break
		}
	}
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case best == nil:
		return nil, fmt.Errorf("%w: %d of %d asked", ErrNoSnapshot, len(asked), all)
	}
	return best, nil
}

// offerOf returns the newest archive of a peer, nil if it has none that is newer than the best so far.
func (g *guest) offerOf(ctx context.Context, id peer.ID, trusted light.Trusted, best *offer) (*offer, error) {
	heights, err := g.ask(ctx, id, askHeights, 0, 0)
	if err != nil || len(heights) < 8 {
		return nil, ignoreRefusal(err)
	}
	height := int64(0)
	for _, b := range heights[:8] {
		height = height<<8 | int64(b)
	}
	if best != nil && height <= best.manifest.Height {
		return nil, nil
	}
	manifest, err := g.ask(ctx, id, askManifest, height, 0)
	if err != nil {
		return nil, err
	}
	blocks, err := g.ask(ctx, id, askBlocks, height, 0)
	if err != nil {
		return nil, err
	}
	return prove(trusted, manifest, blocks, time.Now())
}

// ignoreRefusal makes nothing of an answer that is none: a peer that is joining itself has no archives.
func ignoreRefusal(err error) error {
	if errors.Is(err, p2p.ErrBusy) {
		return err
	}
	return nil
}

// chunks returns a function for install: a few chunks are always under way, from different peers.
func (g *guest) chunks(ctx context.Context, o *offer) func(context.Context, int) ([]byte, func(error), error) {
	type answer struct {
		from  peer.ID
		bytes []byte
		err   error
	}
	under := map[int]chan answer{}
	fetch := func(i int, id peer.ID) {
		c := make(chan answer, 1)
		under[i] = c
		go func() {
			b, err := g.ask(ctx, id, askChunk, o.manifest.Height, i)
			c <- answer{id, b, err}
		}()
	}
	fails := map[peer.ID]int{}
	return func(ctx context.Context, i int) ([]byte, func(error), error) {
		since := time.Now()
		for {
			ids := g.peers()
			for n := i; n < min(i+fetchAhead, len(o.manifest.Subtrees)) && len(ids) > 0; n++ {
				if under[n] == nil {
					fetch(n, ids[n%len(ids)])
				}
			}
			if c := under[i]; c != nil {
				a := <-c // bounded by the exchange
				delete(under, i)
				if a.err == nil {
					g.bytes += int64(len(a.bytes))
					return a.bytes, func(why error) { g.reject(a.from, why) }, nil
				}
				if ctx.Err() != nil {
					return nil, nil, ctx.Err()
				}
				if fails[a.from]++; fails[a.from] > maxFails && len(ids) > 1 && !errors.Is(a.err, p2p.ErrBusy) {
					g.reject(a.from, a.err)
				}
			}
			if time.Since(since) > joinPatience {
				return nil, nil, fmt.Errorf("no peer gives chunk %d: start again to go on from there", i)
			}
			if err := rest(ctx); err != nil {
				return nil, nil, err
			}
		}
	}
}
