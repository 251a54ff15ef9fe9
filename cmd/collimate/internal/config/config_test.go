package config

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// minimal is the least that is right.
const minimal = `organisation:
  name: north
  roles: [source, validator]
source:
  listen: 127.0.0.1:8443
  url: https://127.0.0.1:8443
`

func write(t *testing.T, content string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "collimate.yaml")
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestFaults(t *testing.T) {
	with := func(more string) string { return minimal + more }
	for _, test := range []struct {
		name, content string
		environ       []string
		want          []string // after the name of the file
	}{
		{"right", minimal, nil, nil},
		{"empty", "", nil, []string{": organisation.name: is missing: give the organisation a name", ": organisation.roles: is missing: name at least one of [source consumer validator]"}},
		{"not yaml", "organisation:\n  name: [\n", nil, []string{":2: not YAML: did not find expected node content"}},
		{"a list on top", "- a\n", nil, []string{":1: want sections with keys, such as 'organisation:' with 'name: north' below it"}},
		{"two documents", minimal + "---\na: b\n", nil, []string{":7: the file holds more than one YAML document"}},
		{"misspelt section", with("sorce:\n  listen: a:1\n"), nil, []string{`:7: sorce: unknown section, did you mean "source"?`}},
		{"misspelt key", with("ledger:\n  lisen: 127.0.0.1:1\n"), nil, []string{`:8: ledger.lisen: unknown key, did you mean "listen"?`}},
		{"far off key", with("ledger:\n  frobnicate: 1\n"), nil, []string{`:8: ledger.frobnicate: unknown key`}},
		{"key twice", with("ledger:\n  listen: 127.0.0.1:1\n  listen: 127.0.0.1:2\n"), nil, []string{":9: ledger.listen: comes twice, first in line 8"}},
		{"section twice", with("source:\n  listen: 127.0.0.1:1\n"), nil, []string{":7: source: comes twice, first in line 4"}},
		{"section of commented keys", with("ledger:\n  # listen: a\n"), nil, nil},
		{"scalar for section", with("ledger: yes\n"), nil, []string{`:7: ledger: want keys below the section, found "yes"`}},
		{"list for scalar", with("ledger:\n  listen: [a]\n"), nil, []string{":8: ledger.listen: want one value, found a list"}},
		{"no value", with("ledger:\n  listen:\n"), nil, []string{":8: ledger.listen: has no value: give one, or remove the line for the default"}},
		{"alias", with("ledger: &x\n  listen: 127.0.0.1:1\nlog: *x\n"), nil, []string{":9: log: want keys below the section, found an alias (*name), which is not supported here"}},
		{"address", with("ledger:\n  listen: localhost\n"), nil, []string{`:8: ledger.listen: "localhost" is not host:port, such as 127.0.0.1:8443`}},
		{"port zero", with("ledger:\n  listen: 127.0.0.1:0\n"), nil, []string{`:8: ledger.listen: port "0" is not a number from 1 to 65535`}},
		{"port highest", with("ledger:\n  listen: 127.0.0.1:65535\n"), nil, nil},
		{"port too high", with("ledger:\n  listen: 127.0.0.1:65536\n"), nil, []string{`:8: ledger.listen: port "65536" is not a number from 1 to 65535`}},
		{"admin abroad", with("admin:\n  listen: 0.0.0.0:1\n"), nil, []string{`:8: admin.listen: "0.0.0.0:1" is not on loopback: whoever reaches this listener runs the archive`}},
		{"heartbeat", with("network:\n  heartbeat: 999ms\n"), nil, []string{":8: network.heartbeat: 999ms is not within 1s and 1m0s"}},
		{"not a duration", with("network:\n  heartbeat: often\n"), nil, []string{`:8: network.heartbeat: "often" is not a duration such as 10s or 2m`}},
		{"staleness of two heartbeats", with("network:\n  heartbeat: 41s\n"), nil, []string{": source.staleness: 2m0s is less than 3 heartbeats of 41s: one slow block would stop the source"}},
		{"staleness of three heartbeats", with("network:\n  heartbeat: 40s\n"), nil, nil},
		{"same address", with("ledger:\n  listen: 127.0.0.1:8443\n"), nil, []string{":5: source.listen: 127.0.0.1:8443 is the address of ledger.listen too"}},
		{"level", with("log:\n  level: wran\n"), nil, []string{`:8: log.level: "wran" is not one of debug, info, warn, error, did you mean "warn"?`}},
		{"issuer", with("requesters:\n  issuers: [idp.crt]\n  audiences: [urn:a]\n"), nil, []string{`:8: requesters.issuers: "idp.crt" is not NAME=FILE, such as urn:example:idp=keys/idp.crt`}},
		{"issuer without audience", with("requesters:\n  issuers: [urn:x=idp.crt]\n"), nil, []string{": requesters.audiences: is missing: assertions must be meant for somebody, name who that is"}},
		{"audience", with("requesters:\n  audiences: [somebody]\n"), nil, []string{`:8: requesters.audiences: "somebody" is not a URI such as urn:example:domain`}},
		{"tier", with("requesters:\n  min_tier: D\n"), nil, []string{`:8: requesters.min_tier: "D" is not one of A, B, C`}},
		{"code", with("requesters:\n  roles: [HCP]\n"), nil, []string{`:8: requesters.roles: "HCP" is not CODE^^SYSTEM, such as HCP^^2.16.756.5.30.1.127.3.10.6`}},
		{"answers over http", minimal + "  reply_to: [http://a/]\n", nil, []string{`:7: source.reply_to: "http://a/" does not begin with https://: answers hold images`}},
		{"answers to no URL", minimal + "  reply_to: [south.crt]\n", nil, []string{`:7: source.reply_to: "south.crt" is not a URL such as https://south.example:8444/answers/`}},
		{"answers to a file without URL", minimal + "  reply_to: [=south.crt]\n", nil, []string{`:7: source.reply_to: "" is not a URL such as https://south.example:8444/answers/`}},
		{"answers to a host alone", minimal + "  reply_to: ['https:///in']\n", nil, []string{`:7: source.reply_to: "https:///in" is not a URL such as https://south.example:8444/answers/`}},
		{"answers pinned to nothing", minimal + "  reply_to: [https://a/=]\n", nil, []string{`:7: source.reply_to: "https://a/=": the certificate is empty, want a path`}},
		{"answers twice", minimal + "  reply_to: [https://a/, https://a/=a.crt]\n", nil, []string{`:7: source.reply_to: "https://a/" comes twice`}},
		{"answers with a query", minimal + "  reply_to: ['https://a/?x']\n", nil, []string{`:7: source.reply_to: "https://a/?x" has more than scheme, host, port and path`}},
		{"answers with a user", minimal + "  reply_to: ['https://u@a/']\n", nil, []string{`:7: source.reply_to: "https://u@a/" has more than scheme, host, port and path`}},
		{"answers by a way up", minimal + "  reply_to: [https://a/x/../]\n", nil, []string{`:7: source.reply_to: "https://a/x/../" has dot segments in its path`}},
		{"answers by an encoded way up", minimal + "  reply_to: [https://a/x/%2e%2e/]\n", nil, []string{`:7: source.reply_to: "https://a/x/%2e%2e/" has dot segments in its path`}},
		{"sync", with("network:\n  sync: slow\n"), nil, []string{`:8: network.sync: "slow" is not one of auto, snapshot, replay`}},
		{"trust", with("network:\n  trust: 7:ab\n"), nil, []string{`:8: network.trust: "7:ab" is not HEIGHT:HASH, the hash being 64 hexadecimal digits`}},
		{"snapshots", with("network:\n  snapshot_every: often\n"), nil, []string{`:8: network.snapshot_every: "often" is not a whole number`}},
		{"too few blocks", with("network:\n  retain_blocks: 5\n"), nil, []string{":8: network.retain_blocks: 5 is too few for a peer that restarts, want 0 for all or at least 100"}},
		{"rate", with("ledger:\n  rate: 0\n"), nil, []string{":8: ledger.rate: 0 is not within 1 and 1000000"}},
		{"origin", with("ledger:\n  origins: [https://wallet.example/]\n"), nil, []string{`:8: ledger.origins: "https://wallet.example/" is not an origin such as https://wallet.example`}},
		{"proxy", with("ledger:\n  proxies: [proxy]\n"), nil, []string{`:8: ledger.proxies: "proxy" is neither an address nor a network such as 10.0.0.0/8`}},
		{"source id", minimal + "  id: abc\n", nil, []string{":7: source.id: key id has 3 characters, want 64 hexadecimal digits"}},
		{"key id", with("requesters:\n  allow_der: [ABC]\n"), nil, []string{":8: requesters.allow_der: key id has 3 characters, want 64 hexadecimal digits"}},
		{"all at once, once each", "organisation:\n  roles: [soure, consumer]\nsource:\n  url: http://a\n  oids: [1.2.3, 1.02]\nconsumer:\n  listen: x\n", nil, []string{
			": organisation.name: is missing: give the organisation a name",
			`:2: organisation.roles: "soure" is not one of source, consumer, validator, did you mean "source"?`,
			`:4: source.url: "http://a" does not begin with https://`,
			`:5: source.oids: "1.02" is not an OID such as 1.3.6.1.4.1.21367.2009.1`,
			`:7: consumer.listen: "x" is not host:port, such as 127.0.0.1:8443`,
		}},
		{"environment", minimal, []string{"HOME=/", "COLLIMATE_CONFIG=x", "COLLIMATE_SOURCE_LISTEN=nowhere", "COLLIMATE_LEDGR_LISTEN=a:1"}, []string{
			`: COLLIMATE_SOURCE_LISTEN: "nowhere" is not host:port, such as 127.0.0.1:8443`,
			`: COLLIMATE_LEDGR_LISTEN: unknown environment variable, did you mean "COLLIMATE_LEDGER_LISTEN"?`,
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			file := write(t, test.content)
			_, err := Load(file, test.environ)
			var got []string
			if err != nil {
				var faults Faults
				if !errors.As(err, &faults) {
					t.Fatalf("got %v, want Faults", err)
				}
				for line := range strings.SplitSeq(err.Error(), "\n") {
					got = append(got, strings.TrimPrefix(line, file))
				}
			}
			if g, w := strings.Join(got, "\n"), strings.Join(test.want, "\n"); g != w {
				t.Errorf("got\n%s\nwant\n%s", g, w)
			}
		})
	}
}

func TestLoad(t *testing.T) {
	file := write(t, minimal+"  oids: [1.2.3, 1.2.4]\n  reply_to: [https://south.example:8444/in/=keys/south.crt, https://east.example/in]\nnetwork:\n  heartbeat: 1s\nrequesters:\n  issuers: [urn:a=b=keys/idp.crt]\n  audiences: [urn:c]\n  certificates: [x.crt, /y.crt]\n")
	c, err := Load(file, []string{"COLLIMATE_ORGANISATION_NAME=Nord, Sued & Co", "COLLIMATE_ORGANISATION_ROLES=source,consumer", "COLLIMATE_CONSUMER_LISTEN=[::1]:1", "COLLIMATE_CONSUMER_URL=https://a/"})
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Dir(file)
	for _, check := range []struct{ what, got, want string }{
		{"name from the environment", c.Organisation.Name, "Nord, Sued & Co"},
		{"roles from the environment", strings.Join(c.Organisation.Roles, " "), "source consumer"},
		{"oids", strings.Join(c.Source.OIDs, " "), "1.2.3 1.2.4"},
		{"relative default path", c.Organisation.Key, filepath.Join(dir, "keys", "organisation.key")},
		{"data path", c.Path("a", "b"), filepath.Join(dir, "data", "a", "b")},
		{"heartbeat", c.Network.Heartbeat.String(), time.Second.String()},
		{"issuer", fmt.Sprint(c.Requesters.Issuers), fmt.Sprint([]NamedFile{{"urn:a=b", filepath.Join(dir, "keys", "idp.crt")}})},
		{"inboxes", fmt.Sprint(c.Source.ReplyTo), fmt.Sprint([]NamedFile{{"https://south.example:8444/in/", filepath.Join(dir, "keys", "south.crt")}, {Name: "https://east.example/in"}})},
		{"sync by default", string(c.SyncMode()), ""},
		{"certificates", strings.Join(c.Requesters.Certificates, " "), filepath.Join(dir, "x.crt") + " /y.crt"},
		{"tier by default", c.Requesters.MinTier, "A"},
		{"url without slash", c.Consumer.URL, "https://a"},
		{"node", c.NodeURL(), "http://127.0.0.1:8442"},
	} {
		if check.got != check.want {
			t.Errorf("%s: got %q, want %q", check.what, check.got, check.want)
		}
	}
}

func TestLoadRefuses(t *testing.T) {
	if _, err := Load(filepath.Join(t.TempDir(), "none.yaml"), nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("absent file: got %v, want os.ErrNotExist", err)
	}
	for _, test := range []struct {
		size int
		want bool
	}{{maxFileBytes, true}, {maxFileBytes + 1, false}} {
		file := write(t, minimal+strings.Repeat("#", test.size-len(minimal)))
		if _, err := Load(file, nil); (err == nil) != test.want {
			t.Errorf("%d bytes: got %v, want accepted %v", test.size, err, test.want)
		}
	}
}

// What Write writes, Load reads; and every key that it documents is read back as it was given.
func TestWrite(t *testing.T) {
	set := map[string]string{}
	for name, value := range map[string]string{
		"organisation.name": "yes", "organisation.roles": "source,consumer,validator", "network.heartbeat": "2s",
		"source.listen": "127.0.0.1:1", "source.url": "https://127.0.0.1:1", "source.institution": `A "B": #c`,
		"consumer.listen": "127.0.0.1:2", "consumer.url": "https://127.0.0.1:2",
	} {
		set[name] = value
	}
	var b bytes.Buffer
	if err := Write(&b, set); err != nil {
		t.Fatal(err)
	}
	c, err := Load(write(t, b.String()), nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.Organisation.Name != "yes" || c.Source.Institution != `A "B": #c` || len(c.Organisation.Roles) != 3 || c.Network.Heartbeat != 2*time.Second {
		t.Errorf("got %+v", c)
	}
	for _, f := range c.fields() {
		if !strings.Contains(b.String(), f.key+":") || f.doc == "" {
			t.Errorf("%s is not documented", f.name())
		}
	}
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte(minimal))
	f.Add([]byte("organisation: &a\n  name: *a\n"))
	f.Add([]byte("? [a]\n: b\n"))
	f.Add([]byte("a: !!binary x\n--- \n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		c := &Config{File: "/x/collimate.yaml", where: map[string]place{}}
		faults := append(c.defaults(), c.parse(raw)...)
		faults = append(faults, c.validate(faults)...)
		if err := faults.inFile("f"); err != nil && err.Error() == "" {
			t.Error("faults without a word")
		}
	})
}
