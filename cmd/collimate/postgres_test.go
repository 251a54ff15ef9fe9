//go:build unix

package main

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"collimate/dicom/phantom"
	"collimate/gateway"
	"collimate/internal/postgrestest"
	"collimate/keys"
	"collimate/keys/keystore"
	"collimate/ledger"
	"collimate/soap"
	"collimate/xds"
	"collimate/xds/query"
)

// A centre whose registry is in PostgreSQL: it says why it does not start without it, has all that was published after
// its own end and that of PostgreSQL, says so while PostgreSQL is away, and goes on by itself when it is back.
func TestPostgres(t *testing.T) {
	var database *postgrestest.Server
	c := newCentre(t, func(base int) []string {
		var err error
		database, err = postgrestest.New(base + 4)
		if errors.Is(err, postgrestest.ErrMissing) {
			t.Skip(err)
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { database.Close() })
		return []string{"registry.store=" + database.TCP(), "registry.password_file=keys/registry.password",
			"registry.submitters=keys/xds-consumer.crt"}
	})
	c.password(postgrestest.Password + "s")
	said := c.refused("registry.store: PostgreSQL does not let us in: check", "serve")
	c.password(postgrestest.Password)
	if err := database.Stop(); err != nil {
		t.Fatal(err)
	}
	said += c.refused("registry.store: PostgreSQL is not running there: ", "serve")
	start(t, database)
	c.serve()
	c.run("source", "define")

	first := c.publishPhantom("first")
	c.finds(first)
	if err := c.server.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-c.server.ended
	c.serve()
	c.finds(first)

	all := []*gateway.Ticket{first}
	for n, end := range []func() error{database.Stop, database.Kill} {
		name := fmt.Sprint("later", n)
		if err := end(); err != nil {
			t.Fatal(err)
		}
		if _, err := c.find(first); err == nil || strings.Contains(err.Error(), "127.0.0.1") {
			t.Errorf("%s: PostgreSQL is away, and who asks is told %v", name, err)
		}
		c.phantom(name)
		said += c.refused("the study could not be registered", "study", "publish", name)
		start(t, database)
		all = append(all, c.publishPhantom(name)) // what was interrupted goes on
		for _, claim := range all {
			c.finds(claim)
		}
	}
	said += c.log.String()
	for _, password := range []string{postgrestest.Password, url.PathEscape(postgrestest.Password), url.QueryEscape(postgrestest.Password)} {
		if strings.Contains(said, password) {
			t.Errorf("the password of PostgreSQL is told:\n%s", said)
		}
	}
	if t.Failed() {
		t.Logf("the log:\n%s", c.log.String())
	}
}

func start(t *testing.T, s *postgrestest.Server) {
	t.Helper()
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
}

// password writes the file with the password for PostgreSQL.
func (c *centre) password(password string) {
	c.t.Helper()
	if err := os.WriteFile(filepath.Join(c.dir, "north", "keys", "registry.password"), []byte(password+"\n"), 0o600); err != nil {
		c.t.Fatal(err)
	}
}

// phantom makes the images of a study in a folder of that name; another name makes another study.
func (c *centre) phantom(name string) {
	c.t.Helper()
	if _, err := phantom.Generate(filepath.Join(c.dir, name), phantom.Options{Series: 1, Slices: 2, Seed: uint64(len(name)) + uint64(name[len(name)-1])}); err != nil {
		c.t.Fatal(err)
	}
}

// publishPhantom publishes such a study.
func (c *centre) publishPhantom(name string) *gateway.Ticket {
	c.t.Helper()
	c.phantom(name)
	c.run("study", "publish", name, "--tickets", "tickets-"+name)
	claim, _ := c.claimTicket("tickets-" + name)
	return claim
}

// find asks the registry for the documents of a study, as one of the organisation's own systems.
func (c *centre) find(claim *gateway.Ticket) (*query.Response, error) {
	c.t.Helper()
	file := func(name string) string { return filepath.Join(c.dir, "north", "keys", name) }
	own, err := loadIdentity(file("xds-consumer.key"), file("xds-consumer.crt"))
	if err != nil {
		c.t.Fatal(err)
	}
	source, err := keystore.LoadCertificate(file("organisation.crt"))
	if err != nil {
		c.t.Fatal(err)
	}
	id, err := keys.IDOfCertificate(source)
	if err != nil {
		c.t.Fatal(err)
	}
	pinned := gateway.PinnedClient(&own.tls, id)
	defer pinned.CloseIdleConnections()
	client := &xds.Client{SOAP: &soap.Client{HTTP: pinned}}
	r, err := client.Query(c.t.Context(), fmt.Sprintf("https://127.0.0.1:%d%s", c.base, gateway.PathRegistry), &query.Query{
		Name: query.GetDocuments, Return: query.ObjectRef,
		UniqueIDs: []string{claim.Documents[ledger.DocumentStudy], claim.Documents[ledger.DocumentManifest]},
	})
	if err == nil && r.Objects == nil {
		err = r.Errors
	}
	return r, err
}

// finds waits until the registry has both documents of a study.
func (c *centre) finds(claim *gateway.Ticket) {
	c.t.Helper()
	wait(c.t, "the registry", func() error {
		r, err := c.find(claim)
		if err == nil && len(r.Objects.Refs) != 2 {
			err = fmt.Errorf("%d documents of the study", len(r.Objects.Refs))
		}
		return err
	})
}
