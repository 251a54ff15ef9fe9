package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"collimate/cmd/collimate/internal/demo"
	"collimate/conformance"
	"collimate/gateway"
	"collimate/keys"
	"collimate/ledger"
	"collimate/xds/metadata"

	"github.com/spf13/cobra"
)

func (a *app) conformance() *cobra.Command {
	var p peer
	var actors []string
	var file, table string
	var failedOnly bool
	c := &cobra.Command{
		Use:   "conformance",
		Short: "Judge a repository, a registry or an image source by IHE's checks, from outside",
		Long: `Judge a system by the checks of NIST toolkit2, IPF and Gazelle, from outside: with clients of
their own, signing and not, that share no code with the gateway. The exit status is 1 if a
check fails.

  retrieval    ITI-43, both sides of a running demo
  registry     Document Registry: ITI-42, ITI-18
  repository   Document Repository: ITI-41, ITI-43
  on-demand    On-Demand Document Source and its registry: ITI-61, ITI-18, ITI-43
  imaging      Imaging Document Source: RAD-69, and the manifests of RAD-68

The system is a running demo, or any other that --registry, --repository and --imaging name;
then --actor is what they can be. The checks of the last four submit documents, unless told
not to: for patients that they make up under --patient-authority, or for --patient-id.`,
		Example: `  collimate conformance --demo /tmp/collimate-demo/demo.json
  collimate conformance --demo demo.json --actor imaging --schemas schemas/v3 --failed
  collimate conformance --registry https://xds.example/registry --cert me.crt --key me.key \
    --ca xds.crt --codes codes.xml --patient-authority 1.3.6.1.4.1.21367.2005.13.20.1000
  collimate conformance --actor imaging --repository https://pacs.example/repository \
    --imaging https://pacs.example/ids --repository-id 1.2.3 --manifest 1.2.3.4 --cert me.crt --key me.key --ca pacs.crt
  collimate conformance --site north.xml --read-only --patient-id '7^^^&1.2.3&ISO' --cert me.crt --key me.key`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var parsed []conformance.Actor
			for _, name := range actors {
				actor, err := conformance.ParseActor(name)
				if err != nil {
					return usageError{fmt.Errorf("--actor: %w", err)}
				}
				parsed = append(parsed, actor)
			}
			if err := p.check(); err != nil {
				return usageError{err}
			}
			if table != "" { // before the checks, which take a while
				if err := writeTable(table, nil); err != nil {
					return fmt.Errorf("--table: %w", err)
				}
			}
			describe := p.target
			if file != "" {
				describe = func() (*conformance.Target, error) { return demoTarget(file) }
			} else if err := p.readSite(); err != nil {
				return err
			} else if len(parsed) == 0 {
				parsed = p.actors()
			}
			target, err := describe()
			if err != nil {
				return err
			}
			target.SchemaDir = p.schemas
			results, err := a.judge(cmd.Context(), *target, failedOnly, parsed)
			if table == "" {
				return err
			}
			return errors.Join(err, writeTable(table, results))
		},
	}
	f := c.Flags()
	f.StringVar(&file, "demo", "", "the demo.json of a running demo")
	f.StringSliceVar(&actors, "actor", nil, "judge it as this `actor`; may be repeated")
	f.StringVar(&p.registry, "registry", "", "`URL` that takes ITI-18, ITI-42 and ITI-61")
	f.StringVar(&p.repository, "repository", "", "`URL` that takes ITI-41 and ITI-43")
	f.StringVar(&p.imaging, "imaging", "", "`URL` that takes RAD-69")
	f.StringVar(&p.site, "site", "", "a site `file` of toolkit2, for the URLs and the repositoryUniqueId that are not given")
	f.StringVar(&p.certificate, "cert", "", "client certificate, a PEM `file`")
	f.StringVar(&p.key, "key", "", "its key, a PEM `file`")
	f.BoolVar(&p.sign, "sign", false, "sign requests with that key, as WS-Security has it")
	f.StringVar(&p.ca, "ca", "", "`file` with the certificates that the system's own is trusted by; those of this machine if there is none")
	f.StringVar(&p.pin, "pin", "", "trust the system by its `key id` instead, as gateways do with each other")
	f.StringVar(&p.codes, "codes", "", "codes.xml of the affinity domain; the connectathon's codes if there is none")
	f.StringVar(&p.Target.PatientAuthority, "patient-authority", "", "`OID` under which patient ids may be made up")
	f.StringVar(&p.Target.PatientID, "patient-id", "", "patient id as `CX` (id^^^&OID&ISO), if the system has to know it before")
	f.StringVar(&p.Target.OtherPatientID, "other-patient-id", "", "a second one")
	f.BoolVar(&p.Target.ReadOnly, "read-only", false, "submit nothing, and skip what needs it")
	f.StringVar(&p.Target.RepositoryUniqueID, "repository-id", "", "repositoryUniqueId, an `OID`")
	f.StringSliceVar(&p.manifests, "manifest", nil, "documentUniqueId of a manifest whose images may be retrieved; may be repeated: one of several series, one of several kinds of image")
	f.StringVar(&p.Target.OnDemandDocument, "on-demand", "", "documentUniqueId of an on-demand document")
	f.StringVar(&p.schemas, "schemas", "", "`directory` that holds XDS.b_DocumentRepository.xsd and what it imports, to validate answers with xmllint")
	f.BoolVar(&failedOnly, "failed", false, "print failed checks only")
	f.StringVar(&table, "table", "", "write the outcome to this `file` too, as Markdown")
	c.MarkFlagsOneRequired("demo", "registry", "repository", "imaging", "site")
	for _, name := range []string{"registry", "repository", "imaging", "site"} {
		c.MarkFlagsMutuallyExclusive("demo", name)
	}
	c.MarkFlagsRequiredTogether("cert", "key")
	c.MarkFlagsMutuallyExclusive("patient-authority", "patient-id")
	return c
}

// peer is a system as the flags describe it.
type peer struct {
	conformance.Target
	registry, repository, imaging string
	certificate, key, ca, pin     string
	sign                          bool
	codes, schemas, site          string
	manifests                     []string
}

// check checks what can be seen in the flags alone.
func (p *peer) check() error {
	for _, f := range []struct {
		name, value, want string
		right             func(string) bool
	}{
		{"registry", p.registry, "a URL such as https://xds.example/registry", isURL},
		{"repository", p.repository, "a URL such as https://xds.example/repository", isURL},
		{"imaging", p.imaging, "a URL such as https://pacs.example/ids", isURL},
		{"patient-id", p.PatientID, "a patient id as CX, such as 7^^^&1.2.3&ISO", metadata.IsCX},
		{"other-patient-id", p.OtherPatientID, "a patient id as CX, such as 8^^^&1.2.3&ISO", metadata.IsCX},
		{"patient-authority", p.PatientAuthority, "an OID such as " + connectathonPatients, metadata.IsOID},
		{"repository-id", p.RepositoryUniqueID, "an OID such as 1.2.3", metadata.IsOID},
	} {
		if f.value != "" && !f.right(f.value) {
			return fmt.Errorf("--%s: %q is not %s", f.name, f.value, f.want)
		}
	}
	if p.schemas != "" {
		if _, err := os.Stat(filepath.Join(p.schemas, "XDS.b_DocumentRepository.xsd")); err != nil {
			return fmt.Errorf("--schemas: %w", err)
		}
	}
	if p.sign && p.key == "" {
		return errors.New("--sign needs --cert and --key")
	}
	if p.pin != "" {
		if _, err := keys.ParseID(p.pin); err != nil {
			return fmt.Errorf("--pin: %w", err)
		}
		if p.key == "" {
			return errors.New("--pin needs --cert and --key: a gateway asks for them")
		}
	}
	return nil
}

// readSite takes from the site file what other flags do not say.
func (p *peer) readSite() error {
	if p.site == "" {
		return nil
	}
	f, err := os.Open(p.site)
	if err != nil {
		return fmt.Errorf("--site: %w", err)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxSiteBytes+1))
	if err != nil {
		return fmt.Errorf("--site: %w", err)
	}
	if len(raw) > maxSiteBytes {
		return fmt.Errorf("--site: %s has more than %d bytes", p.site, maxSiteBytes)
	}
	site, err := metadata.ParseSite(raw)
	if err != nil {
		return fmt.Errorf("--site: %w", err)
	}
	registry, _ := site.URL("ITI-18")
	repository, id := site.URL("ITI-43")
	imaging, _ := site.URL("RAD-69")
	p.registry, p.repository, p.imaging = cmp.Or(p.registry, registry), cmp.Or(p.repository, repository), cmp.Or(p.imaging, imaging)
	p.RepositoryUniqueID = cmp.Or(p.RepositoryUniqueID, id)
	if len(p.actors()) == 0 {
		return fmt.Errorf("--site: %s has no URL for ITI-18, ITI-43 or RAD-69", p.site)
	}
	return nil
}

// maxSiteBytes bounds a site file, which has some kilobytes.
const maxSiteBytes = 1 << 20

// actors returns what a system can be by the URLs that it has.
func (p *peer) actors() []conformance.Actor {
	var all []conformance.Actor
	if p.registry != "" {
		all = append(all, conformance.Registry)
	}
	if p.repository != "" {
		all = append(all, conformance.Repository)
	}
	if p.registry != "" && p.repository != "" {
		all = append(all, conformance.OnDemand)
	}
	if p.imaging != "" {
		all = append(all, conformance.Imaging)
	}
	return all
}

// target describes the system to the checks.
func (p *peer) target() (*conformance.Target, error) {
	t := p.Target
	t.RegistryURL, t.RepositoryURL, t.ImagingURL, t.Timeout = p.registry, p.repository, p.imaging, time.Minute
	t.Manifests = p.manifests
	t.ActorTLS = &tls.Config{MinVersion: tls.VersionTLS12}
	var own *tls.Certificate
	if p.key != "" {
		pair, err := tls.LoadX509KeyPair(p.certificate, p.key) // of any kind, with its chain
		if err != nil {
			return nil, fmt.Errorf("--cert and --key: %w", err)
		}
		own, t.ActorTLS.Certificates = &pair, []tls.Certificate{pair}
	}
	switch {
	case p.pin != "":
		id, err := keys.ParseID(p.pin)
		if err != nil {
			return nil, fmt.Errorf("--pin: %w", err)
		}
		t.ActorTLS = gateway.PinnedTLS(own, id)
	case p.ca != "":
		b, err := os.ReadFile(p.ca)
		if err != nil {
			return nil, fmt.Errorf("--ca: %w", err)
		}
		t.ActorTLS.RootCAs = x509.NewCertPool()
		if !t.ActorTLS.RootCAs.AppendCertsFromPEM(b) {
			return nil, fmt.Errorf("--ca: %s holds no certificate in PEM", p.ca)
		}
	}
	var err error
	if p.sign {
		if t.Submitter, err = conformance.LoadIdentity(p.key, p.certificate); err != nil {
			return nil, err
		}
	}
	if p.codes != "" {
		if t.Codes, err = conformance.LoadCodes(p.codes); err != nil {
			return nil, err
		}
	}
	if t.PatientAuthority == "" && t.PatientID == "" {
		t.PatientAuthority = connectathonPatients
	}
	return &t, nil
}

// connectathonPatients is the authority of patient ids at connectathons, which toolkit2 uses as well.
const connectathonPatients = "1.3.6.1.4.1.21367.2005.13.20.1000"

// writeTable writes the outcome of a run as Markdown.
func writeTable(file string, results []conformance.Result) error {
	var b bytes.Buffer
	if err := conformance.WriteTable(&b, "# Conformance", results); err != nil {
		return err
	}
	return os.WriteFile(file, b.Bytes(), 0o644)
}

// judge runs the checks of actors and prints what comes of each.
func (a *app) judge(ctx context.Context, t conformance.Target, failedOnly bool, actors []conformance.Actor) ([]conformance.Result, error) {
	var results []conformance.Result
	passed, failed, skipped := conformance.Run(ctx, t, func(r conformance.Result) {
		results = append(results, r)
		if failedOnly && r.Outcome != conformance.Failed {
			return
		}
		fmt.Fprintf(a.stdout, "%-7s  %-24s  %s (%s)\n", r.Outcome, r.ID, r.Title, r.Citation)
		if r.Detail != "" {
			fmt.Fprintf(a.stdout, "         %s\n", r.Detail)
		}
	}, actors...)
	fmt.Fprintf(a.stdout, "%d passed, %d failed, %d skipped\n", passed, failed, skipped)
	if failed > 0 {
		return results, fmt.Errorf("%d of %d checks failed", failed, passed+failed+skipped)
	}
	return results, ctx.Err()
}

// demoTarget describes a demo to the checks.
func demoTarget(file string) (*conformance.Target, error) {
	d, err := demo.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("--demo: %w", err)
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
	// The grantee asks as an Imaging Document Consumer too; it may not submit.
	t.Submitter, t.ReadOnly, t.PatientAuthority = t.Grantee, true, source.RepositoryUniqueID
	t.OnDemandDocument = granted.Documents[ledger.DocumentStudy]
	if base, ok := strings.CutSuffix(source.SourceURL, gateway.PathRepository); ok {
		t.RegistryURL, t.RepositoryURL, t.ImagingURL = base+gateway.PathRegistry, source.SourceURL, base+gateway.PathImaging
	}
	if err := trust(t, source, consumer, granted.Grantee.Identity, d.Stranger); err != nil {
		return nil, err
	}
	t.ActorTLS = t.SourceTLS
	return t, nil
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
