package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// What does not belong together on the source side is told, all of it at once.
func TestSourceFaults(t *testing.T) {
	web := "archive:\n  kind: dicomweb\n  url: https://pacs.example/dicom-web\n"
	dimse := "archive:\n  kind: dimse\n  address: pacs:104\n  ae_title: PACS\n"
	for _, test := range []struct {
		name, more string
		want       []string
	}{
		{"files", "archive:\n  kind: fs\n", nil},
		{"dicomweb", web, nil},
		{"dimse", dimse, nil},
		{"plain manifests", "  manifest: kos\n", nil},
		{"manifests of nobody", "  manifest: mado\n", []string{
			": source.institution: is missing: manifests of MADO name it",
			": registry.accession_authority: is missing: the OID of who assigns accession numbers, which manifests of MADO name"}},
		{"manifests", "  manifest: mado\n  institution: North\nregistry:\n  accession_authority: 1.2.3\n", nil},
		{"kind of manifest", "  manifest: fhir\n", []string{`:7: source.manifest: "fhir" is not one of kos, mado`}},
		{"kind", "archive:\n  kind: dicom\n", []string{`:8: archive.kind: "dicom" is not one of fs, dicomweb, dimse, did you mean "dicomweb"?`}},
		{"dicomweb without URL", "archive:\n  kind: dicomweb\n", []string{": archive.url: is missing: where the DICOMweb services of the PACS begin, such as https://pacs.example/dicom-web"}},
		{"no URL", "archive:\n  url: pacs.example\n", []string{":8: archive.url: is not a URL such as https://pacs.example/dicom-web"}},
		{"password in the URL", "archive:\n  url: https://u:secret@pacs.example/\n", []string{":8: archive.url: holds a user or password: give archive.user and archive.password_file"}},
		{"http abroad", "archive:\n  kind: dicomweb\n  url: http://pacs.example/dicom-web\n", []string{":9: archive.url: is http to another machine, where names and images travel for all to read: use https, or say archive.plain: yes"}},
		{"http abroad allowed", "archive:\n  kind: dicomweb\n  plain: yes\n  url: http://pacs.example/dicom-web\n", nil},
		{"http at home", "archive:\n  kind: dicomweb\n  url: http://127.0.0.1:8042/dicom-web\n", nil},
		{"perhaps", "archive:\n  plain: perhaps\n", []string{`:8: archive.plain: "perhaps" is neither yes nor no`}},
		{"user without password", web + "  user: u\n", []string{": archive.password_file: is missing: the password of archive.user, in a file"}},
		{"password without user", web + "  password_file: p\n", []string{": archive.user: is missing: whose password is in archive.password_file"}},
		{"user and token", web + "  user: u\n  password_file: p\n  token_file: t\n", []string{":12: archive.token_file: comes beside archive.user: name one of them"}},
		{"certificate without key", web + "  certificate: c\n", []string{": archive.key: is missing: archive.certificate needs it"}},
		{"key without certificate", web + "  key: c\n", []string{": archive.certificate: is missing: archive.key needs it"}},
		{"dimse of nobody", "archive:\n  kind: dimse\n", []string{": archive.address: is missing: host:port of the PACS", ": archive.ae_title: is missing: the AE title of the PACS"}},
		{"AE title", dimse + "  our_ae_title: SEVENTEENLETTERS_\n", []string{`:11: archive.our_ae_title: "SEVENTEENLETTERS_" is not an AE title: want 1 to 16 ASCII characters without backslash`}},
		{"C-MOVE to nowhere", dimse + "  retrieve: move\n", []string{": receiver.listen: is missing: C-MOVE sends to it"}},
		{"C-MOVE to another", dimse + "  retrieve: move\nreceiver:\n  listen: 127.0.0.1:1\n  ae_title: OTHER\n  peers: [PACS=10.0.0.0/8]\n", []string{":14: receiver.ae_title: is OTHER, and C-MOVE sends to archive.our_ae_title, which is COLLIMATE: give both the same"}},
		{"C-MOVE", dimse + "  retrieve: move\nreceiver:\n  listen: 127.0.0.1:1\n  peers: [PACS=10.0.0.0/8]\n", nil},
		{"receiver into a PACS", web + "receiver:\n  listen: 127.0.0.1:1\n  peers: [CT=10.0.0.0/8]\n", []string{":11: receiver.listen: has nowhere to put images: the archive is a PACS, send them to that; or set archive.kind: fs"}},
		{"receiver for nobody", "receiver:\n  listen: 127.0.0.1:1\n", []string{": receiver.peers: is missing: name who may send, such as CT1=10.1.0.0/16"}},
		{"receiver on a port that is taken", "receiver:\n  listen: 127.0.0.1:8443\n  peers: [CT=10.0.0.0/8]\n", []string{":8: receiver.listen: 127.0.0.1:8443 is the address of source.listen too"}},
		{"peer without network", "receiver:\n  peers: [CT]\n", []string{`:8: receiver.peers: "CT" is not AE=NETWORK, such as CT1=10.1.0.0/16`}},
		{"peer of no network", "receiver:\n  peers: [CT=ward]\n", []string{`:8: receiver.peers: "ward" is neither an address nor a network such as 10.0.0.0/8`}},
		{"receiver with half of TLS", "receiver:\n  certificate: c\n", []string{": receiver.key: is missing: receiver.certificate needs it", ": receiver.client_ca: is missing: receiver.certificate needs it"}},
		{"transcoder of nothing", "archive:\n  transcoder: [/bin/x, '{in}', '{in}']\n", []string{": archive.transcoder_syntaxes: is missing: archive.transcoder needs it"}},
		{"store", "registry:\n  store: mysql://x\n", []string{":8: registry.store: is neither sqlite nor a URL such as postgres://user@host:5432/database"}},
		{"store with password", "registry:\n  store: postgres://u:secret@h/d\n", []string{":8: registry.store: holds a password: put that into a file and name it in registry.password_file"}},
		{"store with password apart", "registry:\n  store: postgres://h/d?password=secret\n", []string{":8: registry.store: holds a password: put that into a file and name it in registry.password_file"}},
		{"store", "registry:\n  store: postgres://u@h/d?sslmode=verify-full\n", nil},
		{"store here", "registry:\n  store: postgres://u@127.0.0.1/d\n", nil},
		{"store by a socket", "registry:\n  store: postgres:///d?host=/run/postgresql\n", nil},
		{"store without TLS", "registry:\n  store: postgres://u@h/d\n", []string{":8: registry.store: is on another machine: add sslmode=verify-full, and sslrootcert=FILE if its authority is your own"}},
		{"store with TLS to anybody", "registry:\n  store: postgres://u@localhost/d?host=h&sslmode=require\n", []string{":8: registry.store: is on another machine: add sslmode=verify-full, and sslrootcert=FILE if its authority is your own"}},
		{"password for SQLite", "registry:\n  password_file: p\n", []string{":8: registry.password_file: is of no use: registry.store is sqlite, which has no password"}},
		{"code", "registry:\n  class_code: IMAGES^^1.2\n", []string{`:8: registry.class_code: "IMAGES^^1.2" is not CODE^DISPLAY^SYSTEM, such as 18748-4^Diagnostic imaging study^2.16.840.1.113883.6.1`}},
		{"time zone", "registry:\n  time_zone: Europe/Atlantis\n", []string{`:8: registry.time_zone: "Europe/Atlantis" is not a time zone such as Europe/Berlin`}},
		{"watching from when", "publishing:\n  watch: yes\n", []string{": publishing.from: is missing: say from which day on studies are published, such as 2026-11-21, or all"}},
		{"watching", "publishing:\n  watch: yes\n  from: 2026-11-21\n", nil},
		{"no day", "publishing:\n  from: 21.11.2026\n", []string{`:8: publishing.from: "21.11.2026" is neither a date such as 2026-11-21 nor all`}},
		{"interval", "publishing:\n  interval: 999ms\n", []string{":8: publishing.interval: 999ms is not within 1s and 168h0m0s"}},
		{"all at once", "archive:\n  kind: dicomweb\n  user: u\npublishing:\n  watch: yes\nregistry:\n  language: \"a\\tb\"\n", []string{
			": archive.url: is missing: where the DICOMweb services of the PACS begin, such as https://pacs.example/dicom-web",
			": archive.password_file: is missing: the password of archive.user, in a file",
			": publishing.from: is missing: say from which day on studies are published, such as 2026-11-21, or all",
			":13: registry.language: holds control characters"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			file := write(t, minimal+test.more)
			_, err := Load(file, nil)
			var got []string
			if err != nil {
				for line := range strings.SplitSeq(err.Error(), "\n") {
					got = append(got, strings.TrimPrefix(line, file))
				}
			}
			if g, w := strings.Join(got, "\n"), strings.Join(test.want, "\n"); g != w {
				t.Errorf("got\n%s\nwant\n%s", g, w)
			}
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Error("the fault repeats a password")
			}
		})
	}
}

// A role that the organisation does not have needs none of it.
func TestSourceSideOfOthers(t *testing.T) {
	if _, err := Load(write(t, "organisation:\n  name: east\n  roles: [validator]\narchive:\n  kind: dicomweb\n"), nil); err != nil {
		t.Error(err)
	}
}

func TestSecret(t *testing.T) {
	dir := t.TempDir()
	file := func(name, content string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, test := range []struct{ name, file, want, fault string }{
		{"with a line feed", file("a", "pass word\n", 0o600), "pass word", ""},
		{"without", file("b", "pass:word", 0o400), "pass:word", ""},
		{"from Windows", file("c", "password\r\n", 0o600), "password", ""},
		{"for all to read", file("d", "secret", 0o644), "", "has mode 0644: a secret must be readable by its owner alone"},
		{"for the group", file("e", "secret", 0o640), "", "has mode 0640"},
		{"empty", file("f", "\n", 0o600), "", "does not hold one line"},
		{"two lines", file("g", "secret\nsecret\n", 0o600), "", "does not hold one line"},
		{"as long as may be", file("h", strings.Repeat("x", maxSecretBytes), 0o600), strings.Repeat("x", maxSecretBytes), ""},
		{"longer", file("i", strings.Repeat("x", maxSecretBytes+1), 0o600), "", "has more than"},
		{"absent", filepath.Join(dir, "none"), "", "no such file"},
	} {
		got, err := Secret(test.file)
		if got != test.want || (err == nil) != (test.fault == "") || err != nil && !strings.Contains(err.Error(), test.fault) {
			t.Errorf("%s: got %.20q, %v", test.name, got, err)
		}
		if err != nil && strings.Contains(err.Error(), "secret\n") {
			t.Errorf("%s: the error repeats the secret", test.name)
		}
	}
}

// What is wrong with the files of the source side is found before anything starts.
func TestSourceFiles(t *testing.T) {
	c, err := Load(write(t, minimal+"archive:\n  kind: dicomweb\n  url: https://a/\n  user: u\n  password_file: none\n  ca: none.ca\n"+
		"receiver:\n  certificate: r.crt\n  key: r.key\n  client_ca: r.ca\nregistry:\n  submitters: [s.crt]\n  codes: codes.xml\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	var faults Faults
	if !errors.As(c.CheckFiles(), &faults) {
		t.Fatal("no faults")
	}
	for _, key := range []string{"archive.password_file", "archive.certificate", "receiver.certificate", "registry.submitters", "registry.codes"} {
		if !faults.about(key) {
			t.Errorf("%s: no fault in %v", key, faults)
		}
	}
}

func TestDataSource(t *testing.T) {
	c, err := Load(write(t, minimal), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := c.DataSource(); err != nil || got != "sqlite:"+c.Path("registry.db") {
		t.Errorf("got %q, %v", got, err)
	}
	password := filepath.Join(t.TempDir(), "p")
	if err := os.WriteFile(password, []byte("p@ss/w:rd\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err = Load(write(t, minimal+"registry:\n  store: postgres://u@h:5432/d?sslmode=verify-full\n  password_file: "+password+"\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := c.DataSource(); err != nil || got != "postgres://u:p%40ss%2Fw%3Ard@h:5432/d?connect_timeout=10&sslmode=verify-full" {
		t.Errorf("got %q, %v", got, err)
	}
	c.Registry.Store, c.Registry.PasswordFile = "postgres:///d?connect_timeout=3&host=%2Frun%2Fp", ""
	if got, err := c.DataSource(); err != nil || got != c.Registry.Store {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestFromDay(t *testing.T) {
	for text, want := range map[string]time.Time{"all": {}, "": {}, "2026-11-21": time.Date(2026, 11, 21, 0, 0, 0, 0, time.Local)} {
		c := &Config{Publishing: Publishing{From: text}}
		if got, err := c.FromDay(); err != nil || !got.Equal(want) {
			t.Errorf("%q: got %v, %v", text, got, err)
		}
	}
}

func TestParseSettings(t *testing.T) {
	got, err := ParseSettings([]string{"archive.kind=dimse", "receiver.peers=A=1.2.3.4,B=::1"})
	if err != nil || len(got) != 2 || got["receiver.peers"] != "A=1.2.3.4,B=::1" {
		t.Errorf("got %v, %v", got, err)
	}
	for bad, want := range map[string]string{"archive.kind": "is not KEY=VALUE", "archive.knd=fs": `did you mean "archive.kind"?`,
		"archive.kind=floppy": `archive.kind: "floppy" is not one of fs, dicomweb, dimse`, "publishing.stable=1": "is not a duration",
		"receiver.peers=CT1": "is not AE=NETWORK"} {
		if _, err := ParseSettings([]string{bad}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v", bad, err)
		}
	}
}
