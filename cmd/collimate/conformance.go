package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"time"

	"collimate/cmd/collimate/internal/demo"
	"collimate/conformance"
	"collimate/gateway"
	"collimate/ledger"

	"github.com/spf13/cobra"
)

func (a *app) conformance() *cobra.Command {
	var file, schemas string
	var failedOnly bool
	c := &cobra.Command{
		Use:   "conformance",
		Short: "Judge a running demo by the ITI-43 checks, from outside",
		Long: `Judge a running demo by the ITI-43 checks, from outside: with clients of their own, signing
and not, that share no code with the gateway. The exit status is 1 if a check fails.`,
		Example: `  collimate conformance --demo /tmp/collimate-demo/demo.json
  collimate conformance --demo demo.json --schemas schemas/v3 --failed`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			target, err := demoTarget(file)
			if err != nil {
				return err
			}
			target.SchemaDir = schemas
			return a.judge(cmd.Context(), *target, failedOnly)
		},
	}
	f := c.Flags()
	f.StringVar(&file, "demo", "", "the demo.json of a running demo")
	f.StringVar(&schemas, "schemas", "", "`directory` that holds XDS.b_DocumentRepository.xsd and what it imports, to validate answers with xmllint")
	f.BoolVar(&failedOnly, "failed", false, "print failed checks only")
	_ = c.MarkFlagRequired("demo")
	return c
}

// judge runs all checks and prints what comes of each.
func (a *app) judge(ctx context.Context, t conformance.Target, failedOnly bool) error {
	passed, failed, skipped := conformance.Run(ctx, t, func(r conformance.Result) {
		if failedOnly && r.Outcome != conformance.Failed {
			return
		}
		fmt.Fprintf(a.stdout, "%-7s  %-24s  %s (%s)\n", r.Outcome, r.ID, r.Title, r.Citation)
		if r.Detail != "" {
			fmt.Fprintf(a.stdout, "         %s\n", r.Detail)
		}
	})
	fmt.Fprintf(a.stdout, "%d passed, %d failed, %d skipped\n", passed, failed, skipped)
	if failed > 0 {
		return fmt.Errorf("%d of %d checks failed", failed, passed+failed+skipped)
	}
	return ctx.Err()
}

// demoTarget describes a demo to the checks.
func demoTarget(file string) (*conformance.Target, error) {
	d, err := demo.ReadFile(file)
	if err != nil {
		return nil, err
	}
	t := &conformance.Target{Timeout: time.Minute}
	var granted *demo.Study
	for i := range d.Studies {
		s := &d.Studies[i]
		if !s.Granted {
			t.NotGranted = s.Documents[ledger.DocumentStudy]
			continue
		}
		if granted == nil {
			granted = s
		}
		t.Studies = append(t.Studies, s.Documents[ledger.DocumentStudy])
	}
	if granted == nil {
		return nil, errors.New("the demo has no study that is granted: it must have been run without --once")
	}
	source, ok := d.Organisation(granted.Source)
	if !ok {
		return nil, fmt.Errorf("%s does not describe %s", file, granted.Source)
	}
	consumer, ok := d.Organisation(granted.Grantee.Organisation)
	if !ok {
		return nil, fmt.Errorf("%s does not describe %s", file, granted.Grantee.Organisation)
	}
	t.RepositoryUniqueID = granted.RepositoryUniqueID
	t.Manifest = granted.Documents[ledger.DocumentManifest]
	t.SourceURL, t.ConsumerURL = source.SourceURL, consumer.ConsumerURL
	if t.Grantee, err = conformance.LoadIdentity(granted.Grantee.Key, granted.Grantee.Certificate); err != nil {
		return nil, err
	}
	if t.Stranger, err = conformance.LoadIdentity(d.Stranger.Key, d.Stranger.Certificate); err != nil {
		return nil, err
	}
	return t, trust(t, source, consumer, granted.Grantee.Identity, d.Stranger)
}

// trust makes the TLS configurations: the source is pinned to its key, the consumer side has an authority.
func trust(t *conformance.Target, source, consumer *demo.Organisation, grantee, stranger demo.Identity) error {
	pinned := func(who demo.Identity) (*tls.Config, error) {
		own, err := loadIdentity(who.Key, who.Certificate)
		if err != nil {
			return nil, err
		}
		return gateway.PinnedTLS(&own.tls, source.KeyID), nil
	}
	var err error
	if t.SourceTLS, err = pinned(grantee); err != nil {
		return err
	}
	if t.StrangerTLS, err = pinned(stranger); err != nil {
		return err
	}
	local, err := tls.LoadX509KeyPair(consumer.XDSConsumer.Certificate, consumer.XDSConsumer.Key)
	if err != nil {
		return err
	}
	roots, err := authorities(consumer.CA)
	if err != nil {
		return err
	}
	t.ConsumerTLS = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots, Certificates: []tls.Certificate{local}}
	return nil
}
