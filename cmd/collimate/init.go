package main

import (
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"collimate/cmd/collimate/internal/config"
	"collimate/cmd/collimate/internal/org"
	"collimate/keys/keystore"

	"github.com/spf13/cobra"
)

// defaultBasePort is the first port of an organisation that says nothing else.
const defaultBasePort = 8440

func (a *app) initialise() *cobra.Command {
	o := org.Options{Now: time.Now()}
	var kind string
	var settings []string
	c := &cobra.Command{
		Use:   "init DIR",
		Short: "Make an organisation: keys, certificates, and a commented configuration",
		Long: `Make an organisation in DIR: its key and certificate, an authority for its own XDS
consumers with a first client certificate, the keys of its ledger node, and a commented
collimate.yaml. Nothing that exists is overwritten.

It takes four ports from the base port on: source (TCP), consumer (TCP), ledger API
(TCP, loopback), peers (UDP). Then make or join a network: 'collimate genesis create'.`,
		Example: `  collimate init north --roles source,validator
  collimate init south --roles consumer,validator --host south.example --base-port 9440
  collimate init north --set archive.kind=dicomweb --set archive.url=http://127.0.0.1:8042/dicom-web`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) (err error) {
			dir := args[0]
			if o.Name == "" {
				abs, err := filepath.Abs(dir)
				if err != nil {
					return err
				}
				o.Name = filepath.Base(abs)
			}
			for _, r := range o.Roles {
				if !slices.Contains(config.Roles(), r) {
					return usageError{fmt.Errorf("--roles: %q is not one of %s", r, strings.Join(config.Roles(), ", "))}
				}
			}
			if o.Kind, err = keystore.ParseKind(kind); err != nil {
				return usageError{fmt.Errorf("--kind: %w", err)}
			}
			if err := config.Check("organisation.name", o.Name); err != nil {
				return usageError{fmt.Errorf("--name: %w", err)}
			}
			if u, err := url.Parse("https://" + net.JoinHostPort(o.Host, "443")); err != nil || o.Host == "" || u.Hostname() != o.Host {
				return usageError{fmt.Errorf("--host: %q is neither a name nor an address", o.Host)}
			}
			if o.BasePort < 1 || o.BasePort+org.Ports > 65536 {
				return usageError{fmt.Errorf("--base-port %d: want one from 1 to %d", o.BasePort, 65536-org.Ports)}
			}
			if o.Settings, err = config.ParseSettings(settings); err != nil {
				return usageError{fmt.Errorf("--set: %w", err)}
			}
			m, err := org.Create(dir, o)
			if err != nil {
				return err
			}
			fmt.Fprintf(a.stdout, "made %s in %s\n  key id  %s\n  oid     %s\n  config  %s\n", m.Name, dir, m.KeyID, m.KeyID.Alias(), filepath.Join(dir, org.ConfigFile))
			fmt.Fprintf(a.stdout, "next: collimate genesis create --chain-id my-network %s OTHER...\n", dir)
			return nil
		},
	}
	f := c.Flags()
	f.StringVar(&o.Name, "name", "", "what it is called (default: the name of the directory)")
	f.StringSliceVar(&o.Roles, "roles", config.Roles(), "what it does: source, consumer, validator")
	f.StringVar(&o.Host, "host", "127.0.0.1", "name or address under which the others reach this machine")
	f.IntVar(&o.BasePort, "base-port", defaultBasePort, "first of the four ports that it takes")
	f.StringArrayVar(&settings, "set", nil, "a `KEY=VALUE` of the configuration, such as archive.kind=dicomweb; lists with commas; may be given again")
	f.StringVar(&kind, "kind", string(keystore.P256), fmt.Sprintf("kind of the organisation's key, one of %v", keystore.Kinds()))
	return c
}
