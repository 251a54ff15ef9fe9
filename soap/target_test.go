package soap

import (
	"bytes"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
)

// Which addresses may be answered to.
func TestTargets(t *testing.T) {
	listed, err := newTargets([]Inbox{{URL: "https://Hospital.example/replies"}, {URL: "http://10.0.0.5:8080/in/"}}, false)
	if err != nil {
		t.Fatal(err)
	}
	open, err := newTargets([]Inbox{{URL: "http://10.0.0.5:8080/in/"}}, true)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		address      string
		listed, open bool
	}{
		{"https://hospital.example/replies", true, true},
		{"https://HOSPITAL.example:443/replies", true, true},
		{"https://hospital.example/replies/x", false, true},
		{"https://hospital.example/other", false, true},
		{"https://hospital.example:8443/replies", false, true},
		{"http://hospital.example/replies", false, false},
		{"http://10.0.0.5:8080/in/", true, true},
		{"http://10.0.0.5:8080/in/7f3a", true, true},
		{"http://10.0.0.5:8080/in", false, false},
		{"http://10.0.0.5:8080/in/../admin", false, false},
		{"http://10.0.0.5:8080/in/%2e%2e/admin", false, false},
		{"http://10.0.0.5:8080/in/..", false, false},
		{`http://10.0.0.5:8080/in/..\admin`, false, false},
		{"http://10.0.0.5/in/", false, false},
		{"http://user@10.0.0.5:8080/in/", false, false},
		{"http://10.0.0.5:8080@evil.example/in/", false, false},
		{"http://10.0.0.5:8080/in/#x", false, false},
		{"http://10.0.0.5:8080/in/?q", false, false},
		{"ftp://10.0.0.5:8080/in/", false, false},
		{"file:///etc/passwd", false, false},
		{"https:hospital.example", false, false},
		{"//hospital.example/replies", false, false},
		{"https://", false, false},
		{"urn:uuid:1", false, false},
		{"", false, false},
		{"http://10.0.0.5:8080/in/\r\nX: y", false, false},
	}
	for _, test := range tests {
		if _, _, err := listed.find(test.address); (err == nil) != test.listed {
			t.Errorf("%q, listed only: %v", test.address, err)
		}
		if _, _, err := open.find(test.address); (err == nil) != test.open {
			t.Errorf("%q, public too: %v", test.address, err)
		}
	}
	for _, bad := range [][]Inbox{nil, {{URL: "hospital.example"}}, {{URL: "http://x/"}, {URL: "gopher://x"}}} {
		if _, err := newTargets(bad, false); err == nil {
			t.Errorf("%v can be listed", bad)
		}
	}
}

func TestPublic(t *testing.T) {
	tests := map[string]bool{
		"8.8.8.8": true, "1.1.1.1": true, "2606:4700::1111": true, "::ffff:8.8.8.8": true,
		"127.0.0.1": false, "::1": false, "10.1.2.3": false, "172.16.0.1": false, "192.168.1.1": false, "169.254.169.254": false,
		"0.0.0.0": false, "::": false, "100.64.0.1": false, "224.0.0.1": false, "255.255.255.255": false, "240.0.0.1": false,
		"198.18.0.1": false, "192.0.2.1": false, "203.0.113.9": false, "fe80::1": false, "fc00::1": false, "ff02::1": false,
		"::ffff:127.0.0.1": false, "64:ff9b::7f00:1": false, "2002:7f00:1::": false, "2001::1": false, "2001:db8::1": false, "fec0::1": false,
	}
	for s, want := range tests {
		if got := public(netip.MustParseAddr(s)); got != want {
			t.Errorf("%s: public %t, want %t", s, got, want)
		}
	}
}

// An address that is https by its looks and leads to ourselves is not connected to, whatever its name, and
// although a listed address is on the same host.
func TestPublicDoesNotReachIn(t *testing.T) {
	var connections atomic.Int32
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			connections.Add(1)
			c.Close()
		}
	}()
	var log bytes.Buffer
	_, port, _ := net.SplitHostPort(l.Addr().String())
	a := newAsync(t, AsyncConfig{Public: true, Listed: []Inbox{{URL: "https://localhost:" + port + "/listed"}}, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	s := &Server{Operations: knowing(nil), Async: a}
	for _, host := range []string{"127.0.0.1", "localhost"} {
		if w := raw(s, typeSimple, envelopeWith(simpleAction+to("ReplyTo", "https://"+host+":"+port+"/x"), ask)); w.Code != http.StatusAccepted {
			t.Errorf("%s: HTTP %d %s", host, w.Code, w.Body)
		}
	}
	if err := a.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := connections.Load(); n > 0 || strings.Count(log.String(), "not one of the public internet") != 2 {
		t.Errorf("%d connections, log %s", n, log.String())
	}
}
