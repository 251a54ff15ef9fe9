// Package config reads collimate.yaml, the one file by which an organisation runs Collimate.
//
// The file has sections, and each section has keys:
//
//	organisation:
//	  name: north
//	  roles: [source, validator]
//	source:
//	  listen: 127.0.0.1:8440
//
// An environment variable named COLLIMATE_SECTION_KEY, if not empty, overrides a key (COLLIMATE_SOURCE_LISTEN);
// lists are written there with commas. Relative paths are meant from the directory of the file, also those that come
// from the environment.
//
// Reading never stops at the first fault: Load returns all of them at once as Faults, each with its line. What
// can be seen in the file alone is checked by Load; what needs a look at the disk (keys, certificates, the
// genesis) by CheckFiles. The keys and their documentation are one table, in fields.go, from which `collimate
// init` writes the commented file.
package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"collimate/consensus"

	"go.yaml.in/yaml/v3"
)

// Config is a collimate.yaml with the environment applied. The documentation of each key is in fields.go.
type Config struct {
	File string // the path of the file, absolute

	Organisation struct {
		Name        string
		Roles       []string // of Roles
		Data        string   // directory
		Key         string   // path
		Certificate string   // path
	}
	Network struct {
		Genesis   string // path
		Members   string // path
		Listen    string // host:port, UDP
		Heartbeat time.Duration

		Sync          string // of Syncs
		Trust         string // HEIGHT:HASH, empty for the genesis
		SnapshotEvery int64  // blocks
		RetainBlocks  int64  // 0 for all
	}
	Ledger struct {
		Listen  string   // host:port
		Origins []string // https://host[:port], or *
		Proxies []string // addresses or networks
		Rate    int64    // requests a second of one address
	}
	Source struct {
		Listen          string // host:port
		URL             string // https://host[:port]
		ID              string // KeyID, hexadecimal; empty unless the key was rotated
		OIDs            []string
		EmergencyGroups []string    // StudyIDs of groups, hexadecimal
		ReplyTo         []NamedFile // https URLs, each with the path of a certificate or none
		Staleness       time.Duration
		Institution     string
		RetrieveAETitle string
		Manifest        string // ManifestKOS or ManifestMADO
	}
	Archive    Archive
	Receiver   Receiver
	Registry   Registry
	Publishing Publishing
	Requesters struct {
		MinTier      string // of Tiers
		Issuers      []NamedFile
		Audiences    []string
		Roles        []string // CODE^^SYSTEM
		Purposes     []string // CODE^^SYSTEM
		Certificates []string // paths
		AllowDER     []string // KeyIDs, hexadecimal
		AllowSHA1    []string // KeyIDs, hexadecimal
	}
	Consumer struct {
		Listen      string      // host:port
		URL         string      // https://host[:port]
		Key         string      // path
		Certificate string      // path
		ClientCA    string      // path
		ReplyTo     []NamedFile // as those of the source
	}
	Admin struct {
		Listen string // host:port, loopback
	}
	Log struct {
		Format string // of LogFormats
		Level  string // of LogLevels
	}

	where map[string]place // of each key that was set
}

// The roles that an organisation can play.
const (
	RoleSource    = "source"    // publishes studies and answers ITI-43
	RoleConsumer  = "consumer"  // is the repository of its own XDS consumers
	RoleValidator = "validator" // takes part in making blocks
)

// Roles are the values of organisation.roles.
func Roles() []string { return []string{RoleSource, RoleConsumer, RoleValidator} }

// Tiers are the values of requesters.min_tier, the strongest evidence first.
func Tiers() []string { return []string{"A", "B", "C"} }

// NamedFile is a name with a file, written NAME=FILE, or a URL that may do without the file.
type NamedFile struct{ Name, File string }

// Syncs are the values of network.sync.
func Syncs() []string {
	return []string{syncAuto, string(consensus.SyncSnapshot), string(consensus.SyncReplay)}
}

// syncAuto is the value of network.sync for consensus.SyncAuto, which has no name.
const syncAuto = "auto"

// SyncMode returns what network.sync says.
func (c *Config) SyncMode() consensus.Sync {
	if c.Network.Sync == syncAuto {
		return consensus.SyncAuto
	}
	return consensus.Sync(c.Network.Sync)
}

// LogFormats are the values of log.format.
func LogFormats() []string { return []string{"text", "json"} }

// LogLevels are the values of log.level.
func LogLevels() []string { return []string{"debug", "info", "warn", "error"} }

// Has reports whether the organisation plays a role.
func (c *Config) Has(role string) bool { return slices.Contains(c.Organisation.Roles, role) }

// Path joins elements below the data directory.
func (c *Config) Path(elem ...string) string {
	return filepath.Join(append([]string{c.Organisation.Data}, elem...)...)
}

// NodeURL is the base URL of the organisation's ledger API as reached from this machine.
func (c *Config) NodeURL() string { return "http://" + c.Ledger.Listen }

// Load reads a file and applies the environment, given as os.Environ returns it. The error is Faults when the
// file could be read but is not right; the Config is returned all the same, as far as it was understood.
func Load(path string, environ []string) (*Config, error) {
	raw, err := readFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	c := &Config{File: abs, where: map[string]place{}}
	faults := c.defaults()
	faults = append(faults, c.parse(raw)...)
	faults = append(faults, c.override(environ)...)
	faults = append(faults, c.validate(faults)...)
	return c, faults.inFile(path)
}

// readFile reads a configuration of at most maxFileBytes.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%w: make one with 'collimate init', or name one with --config", err)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err != nil {
		return nil, err
	}
	if len(raw) > maxFileBytes {
		return nil, fmt.Errorf("%s has more than %d bytes", path, maxFileBytes)
	}
	return raw, nil
}

// defaults sets every key that has a default.
func (c *Config) defaults() (faults Faults) {
	for _, f := range c.fields() {
		if f.value == "" {
			continue
		}
		if err := f.into.set(c, strings.Split(f.value, ",")); err != nil {
			faults = append(faults, Fault{Key: f.name(), Message: "the built-in default: " + err.Error()})
		}
	}
	return faults
}

// parse applies the file.
func (c *Config) parse(raw []byte) Faults {
	var doc yaml.Node
	d := yaml.NewDecoder(bytes.NewReader(raw))
	if err := d.Decode(&doc); errors.Is(err, io.EOF) {
		return nil // an empty file: what is missing is said by validate
	} else if err != nil {
		return Faults{syntaxFault(err)}
	}
	var second yaml.Node
	if err := d.Decode(&second); !errors.Is(err, io.EOF) {
		return Faults{{Line: second.Line, Message: "the file holds more than one YAML document"}}
	}
	if len(doc.Content) != 1 || doc.Content[0].Kind != yaml.MappingNode {
		return Faults{{Line: doc.Line, Message: "want sections with keys, such as 'organisation:' with 'name: north' below it"}}
	}
	r := reader{config: c, sections: sections(c.fields())}
	r.sectionsOf(doc.Content[0])
	return r.faults
}

// override applies the environment.
func (c *Config) override(environ []string) (faults Faults) {
	known := map[string]field{}
	for _, f := range c.fields() {
		known[f.variable()] = f
	}
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, variablePrefix) || name == PathVariable || value == "" {
			continue
		}
		f, ok := known[name]
		if !ok {
			faults = append(faults, Fault{Key: name, Message: "unknown environment variable" + suggest(name, variables(known))})
			continue
		}
		c.where[f.name()] = place{variable: name}
		if err := f.into.set(c, strings.Split(value, ",")); err != nil {
			faults = append(faults, Fault{Key: name, Field: f.name(), Message: err.Error()})
		}
	}
	return faults
}

// The directories and files below the data directory.
const (
	LedgerDir  = "ledger"  // the node: blocks, state, its own keys
	CatalogDir = "catalog" // salts, documents, openings
	ArchiveDir = "archive" // images
	AuditDir   = "audit"   // the audit trail
	RecodedDir = "recoded" // images in another transfer syntax, while they are sent; emptied at the start

	RegistryFile = "registry.db" // the registry, with sqlite
	DocumentsDir = "documents"   // documents that were submitted
	MeasuredDir  = "measured"    // what is remembered of a PACS: may be deleted
)
