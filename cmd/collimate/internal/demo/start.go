package demo

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"collimate/cmd/collimate/internal/admin"
	"collimate/cmd/collimate/internal/config"
	"collimate/cmd/collimate/internal/org"
	"collimate/gateway"
	"collimate/keys/keystore"
	"collimate/node/client"
)

// startPatience is how long the network may take to make its first block.
const startPatience = 60 * time.Second

// startAll is step 1: the organisations are made, the network is made, and every server is started.
func (d *demo) startAll(ctx context.Context) error {
	var members []*org.Member
	var dirs []string
	for i, name := range names()[:d.Nodes] {
		dir := d.path(name)
		m, err := org.Create(dir, org.Options{
			Name: name, Roles: config.Roles(), Host: host, BasePort: d.ports + i*org.Ports, Kind: keystore.P256, Now: d.file.Started,
		})
		if err != nil {
			return fmt.Errorf("making %s: %w", name, err)
		}
		members, dirs = append(members, m), append(dirs, dir)
	}
	if _, err := org.CreateNetwork(d.file.ChainID, members, nil, d.file.Started, append(dirs, d.Dir)...); err != nil {
		return err
	}
	d.file.Genesis, d.file.Members = d.path(org.GenesisFile), d.path(org.MembersFile)
	if err := d.makeStranger(); err != nil {
		return err
	}
	for i, m := range members {
		if err := d.startOne(m, dirs[i]); err != nil {
			return err
		}
	}
	d.source, d.grantee = &d.file.Organisations[0], &d.file.Organisations[1]
	nodes := make([]*client.Client, len(members))
	for i, o := range d.file.Organisations {
		nodes[i] = client.New(o.LedgerURL)
	}
	together := func(ctx context.Context) error { return d.together(ctx, nodes) }
	if err := until(ctx, startPatience, d.children, together); err != nil {
		return fmt.Errorf("waiting for the network: %w", err)
	}
	d.out.say("the ledger %s is kept by all of them", d.file.ChainID)
	for _, o := range d.file.Organisations {
		d.out.say("%-9s  source %s  consumer %s  ledger %s", o.Name, base(o.SourceURL), base(o.ConsumerURL), o.LedgerURL)
	}
	d.out.hand(
		"collimate ledger status --config north/collimate.yaml",
		"curl -sS "+d.source.LedgerURL+"/v1/status",
	)
	return nil
}

// startOne starts an organisation's server and describes it.
func (d *demo) startOne(m *org.Member, dir string) error {
	c, err := config.Load(filepath.Join(dir, org.ConfigFile), nil)
	if err != nil {
		return err
	}
	log := filepath.Join(dir, "log")
	child, err := start(d.Collimate, m.Name, c.File, log)
	if err != nil {
		return err
	}
	d.children = append(d.children, child)
	in := func(file string) string { return filepath.Join(dir, filepath.FromSlash(file)) }
	d.file.Organisations = append(d.file.Organisations, Organisation{
		Name: m.Name, Roles: c.Organisation.Roles, KeyID: m.KeyID, RepositoryUniqueID: m.KeyID.Alias(),
		SourceURL:   c.Source.URL + gateway.PathRepository,
		OpeningsURL: c.Source.URL + gateway.PathOpenings,
		ConsumerURL: c.Consumer.URL + gateway.PathRepository,
		LedgerURL:   c.NodeURL(),
		Certificate: in(org.CertificateFile), Key: in(org.KeyFile), CA: in(org.CAFile),
		XDSConsumer: Identity{Certificate: in(org.ClientCertFile), Key: in(org.ClientKeyFile)},
		Config:      c.File, Data: c.Organisation.Data, Log: log, PID: child.cmd.Process.Pid,
		Command: []string{d.Collimate, "serve", "--config", c.File},
	})
	return nil
}

// together returns nil when every server answers and every node sees all the others and a block.
func (d *demo) together(ctx context.Context, nodes []*client.Client) error {
	for i, o := range d.file.Organisations {
		if _, err := admin.Open(o.Data); err != nil {
			return fmt.Errorf("%s: %w", o.Name, err)
		}
		s, err := nodes[i].Status(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", o.Name, err)
		}
		if s.Height < 1 || s.Peers < d.Nodes-1 {
			return fmt.Errorf("%s is at height %d and sees %d peers (log: %s)", o.Name, s.Height, s.Peers, o.Log)
		}
	}
	return nil
}

// base is a gateway's URL without the path.
func base(url string) string { return strings.TrimSuffix(url, gateway.PathRepository) }

// makeStranger makes a key that nobody lets in.
func (d *demo) makeStranger() error {
	dir := d.path("stranger")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	d.file.Stranger = Identity{Certificate: filepath.Join(dir, "stranger.crt"), Key: filepath.Join(dir, "stranger.key")}
	key, err := keystore.Generate(keystore.P256)
	if err != nil {
		return err
	}
	if err := keystore.Save(d.file.Stranger.Key, key); err != nil {
		return err
	}
	cert, err := keystore.SelfSigned(key, "stranger", nil, d.file.Started.Add(-time.Hour), d.file.Started.AddDate(1, 0, 0))
	if err != nil {
		return err
	}
	return keystore.SaveCertificate(d.file.Stranger.Certificate, cert)
}
