package node

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"collimate/keys"
	"collimate/ledger"
	"collimate/node/client"
)

func TestAddress(t *testing.T) {
	g := newGate(0, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")})
	for _, test := range []struct{ remote, forwarded, want string }{
		{"192.0.2.1:1", "", "192.0.2.1/32"},
		{"192.0.2.1:1", "198.51.100.1", "192.0.2.1/32"}, // no proxy of ours
		{"10.1.2.3:1", "198.51.100.1", "198.51.100.1/32"},
		{"10.1.2.3:1", "203.0.113.9, 198.51.100.1, 10.9.9.9", "198.51.100.1/32"},
		{"10.1.2.3:1", "203.0.113.9, what", "10.1.2.3/32"},
		{"10.1.2.3:1", "", "10.1.2.3/32"},
		{"[::1]:1", "2001:db8:1:2:3::4", "2001:db8:1:2::/64"},
		{"[2001:db8::1]:1", "", "2001:db8::/64"},
		{"[::ffff:192.0.2.1]:1", "", "192.0.2.1/32"},
		{"nowhere", "", "invalid Prefix"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = test.remote
		if test.forwarded != "" {
			r.Header.Set("X-Forwarded-For", test.forwarded)
		}
		if got := g.address(r); got.String() != test.want {
			t.Errorf("%s, %q: got %v, want %s", test.remote, test.forwarded, got, test.want)
		}
	}
}

func TestRate(t *testing.T) {
	g := newGate(10, nil)
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	a, b := netip.MustParsePrefix("192.0.2.1/32"), netip.MustParsePrefix("192.0.2.2/32")
	take := func(from netip.Prefix, n int, at time.Duration) bool {
		_, ok := g.take(from, n, now.Add(at))
		return ok
	}
	for i := range 10 * burstSeconds {
		if !take(a, 1, 0) {
			t.Fatalf("refused after %d", i)
		}
	}
	if wait, ok := g.take(a, 1, now); ok || wait != 100*time.Millisecond {
		t.Errorf("beyond the burst: got %v, %t", wait, ok)
	}
	if !take(b, 1, 0) {
		t.Error("another address is refused")
	}
	if !take(a, 1, 100*time.Millisecond) || take(a, 1, 100*time.Millisecond) {
		t.Error("one request a tenth of a second")
	}
	if take(a, 6, 600*time.Millisecond) || !take(a, 5, 600*time.Millisecond) {
		t.Error("a request that counts more")
	}

	// No address is remembered for longer than it must be, and there is an end of them.
	for i := range maxAddresses {
		take(prefix(i), 1, time.Second)
	}
	if len(g.spent) > maxAddresses+1 {
		t.Errorf("%d addresses", len(g.spent))
	}
	if !take(netip.MustParsePrefix("198.51.100.1/32"), 40, time.Second) || take(netip.MustParsePrefix("198.51.100.2/32"), 40, time.Second) {
		t.Error("beyond the bound, all addresses should share one rate")
	}
	take(netip.MustParsePrefix("198.51.100.1/32"), 1, time.Hour)
	if len(g.spent) != 1 {
		t.Errorf("after an hour %d addresses are remembered", len(g.spent))
	}
}

func prefix(i int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{203, byte(i >> 16), byte(i >> 8), byte(i)}), 32)
}

// TestGuard sends more requests than are allowed.
func TestGuard(t *testing.T) {
	g := newGate(1, nil)
	ask := func(h http.HandlerFunc, path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		h(w, httptest.NewRequest("GET", path, nil))
		return w
	}
	ok := func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, 1) }
	for i := range burstSeconds {
		if w := ask(g.guard(false, ok), "/"); w.Code != 200 {
			t.Fatalf("request %d: %d", i, w.Code)
		}
	}
	w := ask(g.guard(false, ok), "/")
	if w.Code != 429 || w.Header().Get("Retry-After") != "1" || !strings.Contains(w.Body.String(), client.CodeTooMany) {
		t.Errorf("got %d %v %s", w.Code, w.Header(), w.Body)
	}
	g = newGate(1, nil)
	if ask(g.guard(false, ok), "/v1/params?prove=1").Code != 200 || ask(g.guard(false, ok), pathProve).Code != 429 {
		t.Error("proofs count like other requests")
	}

	g = newGate(1000, nil)
	here := g.address(httptest.NewRequest("GET", "/", nil))
	if !g.requests.take(here) {
		t.Fatal("the first request is refused")
	}
	for i := range maxRequests - 1 {
		if !g.requests.take(prefix(i)) {
			t.Fatalf("request %d of %d is refused", i+2, maxRequests)
		}
	}
	if w := ask(g.guard(false, ok), "/"); w.Code != 503 || w.Header().Get("Retry-After") == "" {
		t.Errorf("too many requests: got %d", w.Code)
	}
	if w := ask(g.guard(true, ok), "/"); w.Code != 200 {
		t.Errorf("a long request does not count: got %d", w.Code)
	}
	for i := range maxRequests - 1 {
		g.requests.leave(prefix(i))
	}
	for range maxRequestsEach - 1 {
		g.requests.take(here)
	}
	if w := ask(g.guard(false, ok), "/"); w.Code != 503 {
		t.Errorf("too many requests of one address: got %d", w.Code)
	}
	if !g.requests.take(prefix(1)) {
		t.Error("one address takes the place of others")
	}
	g.requests.leave(prefix(1))
	g.requests.leave(here)
	for range 2 {
		if w := ask(g.guard(false, ok), "/"); w.Code != 200 {
			t.Errorf("a place: got %d", w.Code)
		}
	}
	for range maxRequestsEach - 1 {
		g.requests.leave(here)
	}
	if g.requests.taken != 0 || len(g.requests.by) != 0 {
		t.Errorf("%d requests are left", g.requests.taken)
	}
}

// conn is a connection from somewhere.
type conn struct {
	net.Conn
	from   string
	closed bool
}

func (c *conn) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(c.from)) }
func (c *conn) Close() error         { c.closed = true; return nil }

func TestConnections(t *testing.T) {
	g := newGate(0, []netip.Prefix{netip.MustParsePrefix("10.0.0.1/32")})
	open := func(from string) *conn {
		c := &conn{from: from}
		g.connection(c, http.StateNew)
		return c
	}
	var all []*conn
	for i := range maxConnectionsEach + 1 {
		c := open("192.0.2.1:1")
		all = append(all, c)
		if c.closed != (i == maxConnectionsEach) {
			t.Fatalf("connection %d of one address: closed %t", i, c.closed)
		}
	}
	for i := len(all); i <= maxConnections; i++ {
		c := open("10.0.0.1:1")
		all = append(all, c)
		if c.closed != (i == maxConnections) {
			t.Fatalf("connection %d, through a proxy: closed %t", i, c.closed)
		}
	}
	for _, c := range all {
		g.connection(c, http.StateActive)
		g.connection(c, http.StateClosed)
	}
	if g.connected != 0 || len(g.connections) != 0 || open("192.0.2.1:1").closed {
		t.Errorf("%d connections are left", g.connected)
	}
}

func TestOrigins(t *testing.T) {
	const wallet, other = "https://wallet.example", "https://other.example"
	for _, test := range []struct {
		origins        origins
		method, origin string
		want           string
	}{
		{nil, "GET", wallet, ""},
		{origins{wallet}, "GET", wallet, wallet},
		{origins{wallet}, "POST", wallet, wallet},
		{origins{wallet}, "DELETE", wallet, ""},
		{origins{wallet}, "GET", other, ""},
		{origins{wallet}, "GET", "", ""},
		{origins{"*"}, "GET", other, "*"},
		{origins{"*"}, "POST", other, ""},
		{origins{"*"}, "POST", "*", ""},
		{origins{"*", wallet}, "GET", wallet, wallet},
		{origins{"*", wallet}, "POST", wallet, wallet},
		{origins{"*", wallet}, "POST", other, ""},
	} {
		name := fmt.Sprint(test)
		asked := 0
		h := test.origins.wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked++ }))
		for _, preflight := range []bool{false, true} {
			r := httptest.NewRequest(test.method, "/v1/transactions", nil)
			if preflight {
				r = httptest.NewRequest(http.MethodOptions, "/v1/transactions", nil)
				r.Header.Set("Access-Control-Request-Method", test.method)
			}
			if test.origin != "" {
				r.Header.Set("Origin", test.origin)
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if got := w.Header().Get("Access-Control-Allow-Origin"); got != test.want {
				t.Errorf("%s, preflight %t: allowed %q, want %q", name, preflight, got, test.want)
			}
			if w.Header().Get("Access-Control-Allow-Credentials") != "" || preflight && w.Code != http.StatusNoContent {
				t.Errorf("%s, preflight %t: got %d %v", name, preflight, w.Code, w.Header())
			}
		}
		if asked != 1 {
			t.Errorf("%s: the handler was asked %d times, want once, not for the preflight", name, asked)
		}
	}
	for _, bad := range []string{"", "wallet.example", "https://wallet.example/", "https://a/b", "ftp://wallet.example", "https://", "https://*", "https://*.example", "null"} {
		if err := (origins{bad}).validate(); err == nil {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if err := (origins{"*", wallet, "http://localhost:8080"}).validate(); err != nil {
		t.Error(err)
	}
}

// TestSlowBodies sends from one address as many requests as it may have connections, each of which takes its time.
func TestSlowBodies(t *testing.T) {
	w := newWorld(t, 1)
	n, _ := w.start(0)
	w.ready(w.client(0), 0)
	for range 2 * maxRequestsEach {
		c, err := net.Dial("tcp", n.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		fmt.Fprintf(c, "POST /v1/studies/%064x/history HTTP/1.1\r\nHost: node\r\nContent-Type: application/cbor\r\nContent-Length: 100\r\n\r\n", 1)
	}
	eventually(t, "one address has all that it may", func() bool {
		n.gate.requests.mu.Lock()
		defer n.gate.requests.mu.Unlock()
		return n.gate.requests.taken == maxRequestsEach
	})
	if !n.gate.requests.take(netip.MustParsePrefix("192.0.2.1/32")) {
		t.Error("another address is refused")
	}
}

// TestWaits lets one address wait for finality as often as it may.
func TestWaits(t *testing.T) {
	w := newWorld(t, 1)
	n, _ := w.start(0)
	c := w.client(0)
	w.ready(c, 0)
	here, raw := netip.MustParsePrefix("127.0.0.1/32"), w.sign(ledger.Bond{Source: keys.Source{ID: idOf(t, w.source)}, Units: 1, Sequence: 1}, w.payer)
	for range maxWaitsEach {
		if !n.gate.waits.take(here) {
			t.Fatal("it may not")
		}
	}
	for _, path := range []string{"", "?wait=false"} {
		a := request(t, http.MethodPost, c.URL()+"/v1/transactions"+path, "Content-Type: "+client.MediaTypeTransaction, bytes.NewReader(raw))
		if a.status != 503 || !strings.Contains(a.body, client.CodeBusy) || a.header.Get("Retry-After") == "" {
			t.Errorf("one more: got %d %s", a.status, a.body)
		}
	}
	if !n.gate.waits.take(netip.MustParsePrefix("192.0.2.1/32")) {
		t.Error("another address is refused")
	}
	n.gate.waits.leave(here)
	w.must(c, raw)
	if n.gate.waits.by[here] != maxWaitsEach-1 {
		t.Error("a wait has not ended")
	}
}

// TestCosts asks for what is dear to answer.
func TestCosts(t *testing.T) {
	w := newWorld(t, 1)
	w.configs[0].Rate = 10
	n, _ := w.start(0)
	w.ready(w.client(0), 0)
	eventually(t, "there are two blocks", func() bool { return n.Status().Height > 2 })
	ask := func(path string) int {
		t.Helper()
		n.gate.mu.Lock()
		clear(n.gate.spent)
		n.gate.mu.Unlock()
		r, err := http.Get("http://" + n.Addr().String() + path)
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		if r.StatusCode != 200 && r.StatusCode != 404 {
			t.Fatalf("%s: %d", path, r.StatusCode)
		}
		n.gate.mu.Lock()
		defer n.gate.mu.Unlock()
		for _, spent := range n.gate.spent {
			return int((time.Until(spent) + n.gate.interval - 1) / n.gate.interval)
		}
		return 0
	}
	for _, test := range []struct {
		path  string
		least int
	}{
		{"/v1/status", 1},
		{"/v1/params?prove=1", proofCost},
		{"/v1/light-blocks?from=1&to=2", 2},
		{"/v1/light-blocks?from=1&to=40", 40},
	} {
		if got := ask(test.path); got > test.least || got < test.least-1 { // a little comes back meanwhile
			t.Errorf("%s costs %d, want %d", test.path, got, test.least)
		}
	}

	for count, want := range map[int]int{1: 0, maxProvedKeys: 0, 3 * maxProvedKeys: 2 * proofCost} { // besides what guard takes
		n.gate = newGate(10, nil)
		snap, err := n.snapshot(true)
		if err != nil {
			t.Fatal(err)
		}
		var all [][]byte
		for i := range count {
			all = append(all, []byte{5, byte(i)})
		}
		answered := httptest.NewRecorder()
		n.prove(answered, httptest.NewRequest("GET", "/", nil), snap, all, true, nil)
		got := n.gate.spent[netip.MustParsePrefix("192.0.2.1/32")]
		if least := time.Until(got); answered.Code != 200 || least > time.Duration(want)*n.gate.interval || want > 0 && least < time.Duration(want-2)*n.gate.interval {
			t.Errorf("proofs of %d keys: %d, used %v, want %d requests", count, answered.Code, least, want)
		}
		if err := snap.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
