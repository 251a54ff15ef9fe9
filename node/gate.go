package node

import (
	"cmp"
	"math"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"collimate/node/client"
)

// gate bounds what strangers can ask of a node. Its zero prefix stands for all addresses that are not remembered.
type gate struct {
	interval time.Duration // refills one request of an address
	depth    time.Duration // refills all that it can save up
	proxies  []netip.Prefix

	mu          sync.Mutex
	connections map[netip.Prefix]int
	connected   int
	spent       map[netip.Prefix]time.Time // until when an address has used up its requests

	requests *seats // that are being answered
	waits    *seats // that wait for finality
}

// seats bound how many of something there are at a time, in all and of one address.
type seats struct {
	most, each int

	mu    sync.Mutex
	taken int
	by    map[netip.Prefix]int
}

func newSeats(most, each int) *seats {
	return &seats{most: most, each: each, by: map[netip.Prefix]int{}}
}

// take takes a seat until leave, or says that there is none.
func (s *seats) take(from netip.Prefix) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.taken >= s.most || s.by[from] >= s.each {
		return false
	}
	s.taken++
	s.by[from]++
	return true
}

func (s *seats) leave(from netip.Prefix) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken--
	if s.by[from]--; s.by[from] == 0 {
		delete(s.by, from)
	}
}

func newGate(rate int, proxies []netip.Prefix) *gate {
	interval := time.Second / time.Duration(cmp.Or(rate, defaultRate))
	return &gate{
		interval: interval, depth: burstSeconds * time.Second, proxies: proxies,
		connections: map[netip.Prefix]int{}, spent: map[netip.Prefix]time.Time{},
		requests: newSeats(maxRequests, maxRequestsEach), waits: newSeats(maxWaits, maxWaitsEach),
	}
}

// address returns whom a request counts for: the client, or the last one that is not a proxy of ours, by the /64 for
// IPv6.
func (g *gate) address(r *http.Request) netip.Prefix {
	from := addressOf(r.RemoteAddr)
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && g.isProxy(from); i-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		from = hop.Unmap()
	}
	return network(from)
}

func (g *gate) isProxy(a netip.Addr) bool {
	for _, p := range g.proxies {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

func addressOf(hostPort string) netip.Addr {
	a, _ := netip.ParseAddrPort(hostPort)
	return a.Addr().Unmap().WithZone("")
}

func network(a netip.Addr) netip.Prefix {
	if a.Is6() {
		return netip.PrefixFrom(a, 64).Masked()
	}
	p, _ := a.Prefix(a.BitLen()) // of an unknown address, the zero prefix
	return p
}

// take takes n requests of an address, or all that it can save up if that is less. If it has too few left, it returns
// after how long it has enough.
func (g *gate) take(from netip.Prefix, n int, now time.Time) (wait time.Duration, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, known := g.spent[from]; !known && len(g.spent) >= maxAddresses {
		g.forget(now)
		if len(g.spent) >= maxAddresses {
			from = netip.Prefix{}
		}
	}
	spent := g.spent[from]
	if spent.Before(now) {
		spent = now
	}
	spent = spent.Add(min(time.Duration(n)*g.interval, g.depth))
	if wait = spent.Sub(now) - g.depth; wait > 0 {
		return wait, false
	}
	g.spent[from] = spent
	return 0, true
}

// forget drops the addresses that have all their requests again.
func (g *gate) forget(now time.Time) {
	for from, spent := range g.spent {
		if !spent.After(now) {
			delete(g.spent, from)
		}
	}
}

// connection counts connections, and closes one that is too many. It is an http.Server's ConnState.
func (g *gate) connection(c net.Conn, state http.ConnState) {
	from := network(addressOf(c.RemoteAddr().String()))
	each := maxConnectionsEach
	if g.isProxy(from.Addr()) {
		each = maxConnections
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	switch state {
	case http.StateNew:
		g.connected++
		g.connections[from]++
		if g.connected > maxConnections || g.connections[from] > each {
			_ = c.Close() // the server finds out, and says so with StateClosed
		}
	case http.StateClosed, http.StateHijacked:
		g.connected--
		if g.connections[from]--; g.connections[from] <= 0 {
			delete(g.connections, from)
		}
	}
}

// charge takes n requests of the address that a request comes from, or refuses it.
func (g *gate) charge(w http.ResponseWriter, r *http.Request, n int) bool {
	wait, ok := g.take(g.address(r), n, time.Now())
	if !ok {
		w.Header().Del("ETag")
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
		refuse(w, http.StatusTooManyRequests, client.CodeTooMany, "too many requests from this address: wait as Retry-After says, and ask less often")
	}
	return ok
}

// guard lets a request through to h, or refuses it. A long one is not counted: it has a bound of its own.
func (g *gate) guard(long bool, h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		cost := 1
		if r.URL.Query().Has("prove") || r.URL.Path == pathProve {
			cost = proofCost
		}
		if !g.charge(w, r, cost) {
			return
		}
		if !long {
			from := g.address(r)
			if !g.requests.take(from) {
				busy(w, "this node answers too many requests at the moment, in all or of this address: try again in a second, or another node")
				return
			}
			defer g.requests.leave(from)
		}
		h(w, r)
	}
}

// busy refuses for now.
func busy(w http.ResponseWriter, detail string) {
	w.Header().Set("Retry-After", "1")
	refuse(w, http.StatusServiceUnavailable, client.CodeBusy, detail)
}
