package demo

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"collimate/keys"
	"collimate/ledger"
)

// FileName is the name of the description that a demo leaves in its directory for other programs.
const FileName = "demo.json"

// File is demo.json: all that another program needs to use, test or disturb a running demo. It is written when
// everything in it is true, so its existence says that the demo is ready. All paths are absolute.
type File struct {
	// Started is when the demo began.
	Started time.Time `json:"started"`
	// Directory holds everything else; removed at the end unless it was chosen with --dir.
	Directory string `json:"directory"`
	// Collimate is the program that runs the organisations.
	Collimate string `json:"collimate"`
	// PID of the demo itself. The organisations end when it does.
	PID int `json:"pid"`
	// ChainID of the network, and its two files, which every organisation has a copy of.
	ChainID string `json:"chain_id"`
	Genesis string `json:"genesis"`
	Members string `json:"members"`
	// Organisations in the order north, south, east, west, ...
	Organisations []Organisation `json:"organisations"`
	// Studies that were published. Without --once: the study of the demo, granted; a small one, granted too;
	// and one that has been claimed and that nobody is let in to. With --once the first alone, its grant
	// revoked.
	Studies []Study `json:"studies"`
	// Stranger is a key that nobody has let in anywhere.
	Stranger Identity `json:"stranger"`
}

// Organisation is one of the network.
type Organisation struct {
	Name  string   `json:"name"`
	Roles []string `json:"roles"` // of source, consumer, validator
	// KeyID is the organisation's key, under which it is source and grantee; RepositoryUniqueID is the OID
	// that stands for it in IHE messages.
	KeyID              keys.ID `json:"key_id"`
	RepositoryUniqueID string  `json:"repository_unique_id"`
	// SourceURL answers ITI-43 signed with WS-Security, over TLS with the organisation's own key: pin it, or
	// trust Certificate. A client certificate must be shown and may be of anyone.
	SourceURL string `json:"source_url"`
	// OpeningsURL takes the openings of grants.
	OpeningsURL string `json:"openings_url"`
	// ConsumerURL answers plain ITI-43, over TLS with a certificate of CA, to client certificates of CA.
	ConsumerURL string `json:"consumer_url"`
	// LedgerURL is the base of the HTTP API of the organisation's node; /healthz is there too.
	LedgerURL string `json:"ledger_url"`
	// Certificate and Key are the organisation's (files, PEM).
	Certificate string `json:"certificate"`
	Key         string `json:"key"`
	// CA is the authority behind ConsumerURL; XDSConsumer holds a certificate that it issued.
	CA          string   `json:"ca"`
	XDSConsumer Identity `json:"xds_consumer"`
	// Config, Data and Log are the configuration file, the data directory, and the log file.
	Config string `json:"config"`
	Data   string `json:"data"`
	Log    string `json:"log"`
	// PID of the organisation's process, and the command that starts it again after it was killed. The
	// process that such a command starts belongs to whoever started it.
	PID     int      `json:"pid"`
	Command []string `json:"command"`
}

// Identity is a certificate and its key (files, PEM).
type Identity struct {
	Certificate string `json:"certificate"`
	Key         string `json:"key"`
}

// Study is a published study.
type Study struct {
	// Source is the name of the organisation that published it.
	Source             string         `json:"source"`
	RepositoryUniqueID string         `json:"repository_unique_id"`
	StudyInstanceUID   string         `json:"study_instance_uid"`
	StudyID            ledger.StudyID `json:"study_id"`
	// Documents are the documentUniqueIds by kind: "study" (application/zip), "manifest" (application/dicom).
	Documents map[ledger.DocumentKind]string `json:"documents"`
	// Instances and Bytes count the DICOM files of the archive.
	Instances int   `json:"instances"`
	Bytes     int64 `json:"bytes"`
	// Ticket is the claim ticket (file, JSON).
	Ticket string `json:"ticket"`
	// OwnerKeyID owns the study; OwnerKey is its private key (file, PEM).
	OwnerKeyID keys.ID `json:"owner_key_id"`
	OwnerKey   string  `json:"owner_key"`
	// Granted says whether Grantee is let in at the time of writing; Opening is the file that says how the
	// ledger names that grant, empty if there never was one.
	Granted bool    `json:"granted"`
	Grantee Grantee `json:"grantee"`
	Opening string  `json:"opening"`
}

// Grantee is who is let in to a study, or would be.
type Grantee struct {
	Organisation string  `json:"organisation"`
	KeyID        keys.ID `json:"key_id"`
	Identity
	// ConsumerURL is where a plain consumer of the grantee asks.
	ConsumerURL string `json:"consumer_url"`
}

// ReadFile reads a demo.json.
func ReadFile(path string) (*File, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var f File
	if err := json.Unmarshal(raw, &f); err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	if len(f.Organisations) == 0 {
		return nil, fmt.Errorf("%s describes no demo", path)
	}
	return &f, nil
}

// write replaces demo.json in one step: a reader never sees half of it.
func (f *File) write() error {
	raw, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return err
	}
	path := filepath.Join(f.Directory, FileName)
	if err := os.WriteFile(path+".new", append(raw, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// Organisation returns an organisation by its name.
func (f *File) Organisation(name string) (*Organisation, bool) {
	for i := range f.Organisations {
		if f.Organisations[i].Name == name {
			return &f.Organisations[i], true
		}
	}
	return nil, false
}
