package p2p

import (
	"crypto/ed25519"
	"fmt"
	"strings"
	"testing"
)

func testKey(i int) ed25519.PrivateKey {
	seed := make([]byte, ed25519.SeedSize)
	copy(seed, fmt.Sprintf("peer %d", i))
	return ed25519.NewKeyFromSeed(seed)
}

func testID(t testing.TB, i int) string {
	t.Helper()
	id, err := IDOf(testKey(i).Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// TestIDOf is frozen: ids stand in everybody's configuration.
func TestIDOf(t *testing.T) {
	const want = "12D3KooWCLyVRvhcPjYdg7rHmkhe5QnPrg166DaYDvLQC5mRXdrL"
	if got := testID(t, 1); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if _, err := IDOf(ed25519.PublicKey{1}); err == nil {
		t.Error("a key of one byte was accepted")
	}
}

func TestParsePeer(t *testing.T) {
	id := testID(t, 1)
	for _, test := range []struct {
		in   string
		want string // in the error; empty for none
	}{
		{id + "@127.0.0.1:26656", ""},
		{id + "@node.example.org:26656", ""},
		{id + "@127.0.0.1:65535", ""},
		{id + "@127.0.0.1:65536", "port"},
		{id + "@127.0.0.1:http", "port"},
		{id + "@127.0.0.1:+1", "port"},
		{id + "@[::1]:26656", "IPv6"},
		{id + "@[::ffff:1.2.3.4]:26656", "IPv6"},
		{id + "@:26656", "no host"},
		{id + "@a/tcp/1:26656", "no host"},
		{id + "@127.0.0.1", "host:port"},
		{id, "id@host:port"},
		{"x@127.0.0.1:26656", "peer id"},
		{"", "id@host:port"},
	} {
		p, err := ParsePeer(test.in)
		if test.want == "" {
			if err != nil || p.String() != test.in {
				t.Errorf("%q: got %v, %v", test.in, p, err)
			}
		} else if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: got %v, want an error with %q", test.in, err, test.want)
		}
	}
}

func TestConfigValidate(t *testing.T) {
	peers := func(n int) []Peer {
		var ps []Peer
		for i := range n {
			ps = append(ps, Peer{ID: testID(t, i), Addr: "127.0.0.1:1"})
		}
		return ps
	}
	good := Config{Key: testKey(1), Listen: "127.0.0.1:0", ChainID: "c"}
	for _, test := range []struct {
		name   string
		change func(*Config)
		ok     bool
	}{
		{"good", func(*Config) {}, true},
		{"most peers", func(c *Config) { c.Peers = peers(MaxPeers) }, true},
		{"one peer more", func(c *Config) { c.Peers = peers(MaxPeers + 1) }, false},
		{"longest chain id", func(c *Config) { c.ChainID = strings.Repeat("x", maxChainID) }, true},
		{"longer chain id", func(c *Config) { c.ChainID = strings.Repeat("x", maxChainID+1) }, false},
		{"no key", func(c *Config) { c.Key = nil }, false},
		{"bad listen", func(c *Config) { c.Listen = "here" }, false},
		{"bad peer", func(c *Config) { c.Peers = []Peer{{}} }, false},
	} {
		c := good
		test.change(&c)
		if err := c.Validate(); (err == nil) != test.ok {
			t.Errorf("%s: got %v, want ok %t", test.name, err, test.ok)
		}
	}
	err := Config{}.Validate()
	for _, want := range []string{"key", "chain id", "listen"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("all faults at once: %q is missing in %v", want, err)
		}
	}
}
