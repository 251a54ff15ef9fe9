package main

import (
	"errors"
	"fmt"
	"net/url"
	"time"

	"collimate/cmd/collimate/internal/ledgercmd"
	"collimate/cmd/collimate/internal/owner"
	"collimate/consensus"
	"collimate/keys/keystore"
	"collimate/ledger"
	"collimate/node/client"

	"github.com/spf13/cobra"
)

// ownerFlags are the flags of commands that an owner signs.
type ownerFlags struct {
	key string
	readerFlags
}

// readerFlags say which node to talk to, and by which genesis to check what it says.
type readerFlags struct {
	node    nodeFlags
	genesis string
}

// nodeFlags say which node to talk to.
type nodeFlags struct{ url, config string }

func (a *app) nodeFlags(c *cobra.Command, n *nodeFlags) {
	a.configFlag(c, &n.config)
	c.Flags().StringVar(&n.url, "node", "", "`URL` of a ledger node's API (default: that of the configuration)")
}

func (a *app) ownerFlags(c *cobra.Command, f *ownerFlags) {
	a.readerFlags(c, &f.readerFlags)
	c.Flags().StringVar(&f.key, "key", "", "the owner's private key, a `file`")
	_ = c.MarkFlagRequired("key")
}

func (a *app) readerFlags(c *cobra.Command, f *readerFlags) {
	a.nodeFlags(c, &f.node)
	c.Flags().StringVar(&f.genesis, "genesis", "", "genesis `file` of the network, by which what the node says is checked (default: that of the configuration)")
}

// client returns a client for the node that the flags name.
func (a *app) client(n nodeFlags) (*client.Client, error) {
	if n.url == "" {
		c, err := a.load(n.config)
		if err != nil {
			return nil, fmt.Errorf("give --node, or a configuration that names one: %w", err)
		}
		n.url = c.NodeURL()
	}
	if !isURL(n.url) {
		return nil, usageError{fmt.Errorf("--node: %q is not a URL such as http://127.0.0.1:8442", n.url)}
	}
	return client.New(n.url), nil
}

// reader returns what reads the ledger for whoever is to sign.
func (a *app) reader(f readerFlags) (r ledgercmd.Reader, err error) {
	if r.Node, err = a.client(f.node); err != nil {
		return r, err
	}
	if f.genesis == "" {
		c, err := a.load(f.node.config)
		if err != nil {
			return r, fmt.Errorf("give --genesis, by which to check what the node says, or a configuration that names one: %w", err)
		}
		f.genesis = c.Network.Genesis
	}
	g, err := consensus.LoadGenesis(f.genesis)
	if err != nil {
		return r, err
	}
	r.Verifier, err = ledgercmd.Verifier(r.Node, g)
	return r, err
}

// owner returns who signs.
func (a *app) owner(f ownerFlags) (*owner.Owner, error) {
	key, err := keystore.Load(f.key)
	if err != nil {
		return nil, err
	}
	r, err := a.reader(f.readerFlags)
	return &owner.Owner{Key: key, Reader: r}, err
}

// isURL reports whether s is the URL of something that speaks HTTP.
func isURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Hostname() != ""
}

// dayFlag adds a flag for a day, kept as YYYY-MM-DD.
func dayFlag(c *cobra.Command, to *string, name, usage string) {
	c.Flags().Func(name, usage, func(s string) error {
		if _, err := time.Parse(time.DateOnly, s); err != nil {
			return errors.New("want a date such as 2026-11-21")
		}
		*to = s
		return nil
	})
}

// studyFlags say which study is meant.
type studyFlags struct{ id, ticket string }

func (f *studyFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.id, "study", "", "the study's `ID` on the ledger")
	c.Flags().StringVar(&f.ticket, "ticket", "", "the study's claim ticket, a `file`, instead of --study")
	c.MarkFlagsMutuallyExclusive("study", "ticket")
}

// study returns the study that was named.
func (f *studyFlags) study() (ledger.StudyID, error) {
	switch {
	case f.ticket != "":
		t, err := readTicket(f.ticket)
		if err != nil {
			return ledger.StudyID{}, err
		}
		return t.StudyID, nil
	case f.id != "":
		id, err := ledger.ParseStudyID(f.id)
		if err != nil {
			err = usageError{fmt.Errorf("--study: %w", err)}
		}
		return id, err
	}
	return ledger.StudyID{}, usageError{errors.New("name the study with --study or --ticket")}
}
