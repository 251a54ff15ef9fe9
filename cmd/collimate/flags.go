package main

import (
	"errors"
	"fmt"

	"collimate/cmd/collimate/internal/owner"
	"collimate/keys/keystore"
	"collimate/ledger"
	"collimate/node/client"

	"github.com/spf13/cobra"
)

// ownerFlags are the flags of commands that an owner signs.
type ownerFlags struct {
	key  string
	node nodeFlags
}

// nodeFlags say which node to talk to.
type nodeFlags struct{ url, config string }

func (a *app) nodeFlags(c *cobra.Command, n *nodeFlags) {
	a.configFlag(c, &n.config)
	c.Flags().StringVar(&n.url, "node", "", "`URL` of a ledger node's API (default: that of the configuration)")
}

func (a *app) ownerFlags(c *cobra.Command, f *ownerFlags) {
	a.nodeFlags(c, &f.node)
	c.Flags().StringVar(&f.key, "key", "", "the owner's private key, a `file`")
	_ = c.MarkFlagRequired("key")
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
	return client.New(n.url), nil
}

// owner returns who signs.
func (a *app) owner(f ownerFlags) (*owner.Owner, error) {
	key, err := keystore.Load(f.key)
	if err != nil {
		return nil, err
	}
	node, err := a.client(f.node)
	if err != nil {
		return nil, err
	}
	return &owner.Owner{Key: key, Node: node}, nil
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
		return ledger.ParseStudyID(f.id)
	}
	return ledger.StudyID{}, usageError{errors.New("name the study with --study or --ticket")}
}
