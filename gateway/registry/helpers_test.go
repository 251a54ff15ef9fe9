package registry

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"collimate/internal/postgrestest"
	"collimate/xds/metadata"
)

func TestMain(m *testing.M) {
	if os.Getenv(crashEnv) != "" {
		crashChild()
	}
	code := m.Run()
	stopPostgres()
	os.Exit(code)
}

// onEach runs a test on each database, with the address of one that is empty.
func onEach(t *testing.T, f func(t *testing.T, dsn string)) {
	t.Run("sqlite", func(t *testing.T) { f(t, sqliteDSN(t)) })
	t.Run("postgres", func(t *testing.T) { f(t, postgresDSN(t)) })
}

func sqliteDSN(t testing.TB) string { return "sqlite:" + filepath.Join(t.TempDir(), "registry.db") }

var schemas atomic.Int64

// cluster is the PostgreSQL of the tests, started for the first that needs one.
var cluster struct {
	once   sync.Once
	server *postgrestest.Server
	err    error
}

// startPostgres returns the URL of the cluster, or skips the test if PostgreSQL is not installed.
func startPostgres(t testing.TB) string {
	t.Helper()
	cluster.once.Do(func() { cluster.server, cluster.err = postgrestest.New(0) })
	if errors.Is(cluster.err, postgrestest.ErrMissing) {
		t.Skip(cluster.err)
	}
	if cluster.err != nil {
		t.Fatal(cluster.err)
	}
	return cluster.server.Socket()
}

// stopPostgres ends the cluster, if there is one.
func stopPostgres() {
	if cluster.server != nil {
		cluster.server.Close()
	}
}

// postgresDSN makes a schema in the one cluster of the tests.
func postgresDSN(t testing.TB) string {
	t.Helper()
	dsn := startPostgres(t)
	schema := fmt.Sprintf("r%d", schemas.Add(1))
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("CREATE SCHEMA " + schema); err != nil {
		t.Fatal(err)
	}
	return dsn + "&search_path=" + url.QueryEscape(schema)
}

func openStore(t testing.TB, dsn string) *Store {
	t.Helper()
	s, err := Open(context.Background(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// everyone may see every entry.
func everyone(Entry) (bool, error) { return true, nil }

// everything returns what everyone sees of all that a registry holds, in the order of registration.
func everything(t testing.TB, s *Store) *found {
	t.Helper()
	f := newFound(0)
	err := s.read(context.Background(), func(r reader) error {
		v := newView(r, everyone)
		if _, _, err := v.rows(f, "n > 0 ORDER BY n"); err != nil {
			return err
		}
		return v.hide(f)
	})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

const (
	patientA = "A^^^&1.2.3&ISO"
	patientB = "B^^^&1.2.3&ISO"
)

var noon = time.Date(2024, 3, 1, 12, 0, 0, 0, time.UTC)

// numbers returns a source of ids, the same each time.
func numbers(first int) func() string {
	return func() string { first++; return fmt.Sprintf("urn:uuid:00000000-0000-4000-8000-%012d", first) }
}

func code(value string) metadata.Code {
	return metadata.Code{Value: value, Scheme: "1.2", Display: "Display"}
}

// builder makes submissions. Its methods return the ids of what they add.
type builder struct{ *metadata.Objects }

// submission begins a submission of a patient.
func submission(uniqueID, patient string) builder {
	return builder{&metadata.Objects{SubmissionSets: []metadata.SubmissionSet{{
		Object: metadata.Object{ID: "set"}, Authors: []metadata.Author{{Person: "^Röntgen"}}, ContentTypeCode: code("content"),
		PatientID: patient, SourceID: "1.2.9", UniqueID: uniqueID, SubmissionTime: "20240301",
	}}}}
}

func (b builder) link(kind metadata.AssociationType, source, target string) string {
	id := fmt.Sprintf("association%d", len(b.Associations))
	b.Associations = append(b.Associations, metadata.Association{Object: metadata.Object{ID: id}, Type: kind, Source: source, Target: target})
	return id
}

// member makes something a member of the set.
func (b builder) member(id string) string { return b.link(metadata.HasMember, "set", id) }

// into puts an entry into a folder.
func (b builder) into(folder, entry string) { b.member(b.link(metadata.HasMember, folder, entry)) }

func (b builder) entry(uniqueID string) string {
	id := "entry" + uniqueID
	b.Documents = append(b.Documents, metadata.DocumentEntry{
		Object: metadata.Object{ID: id, Title: metadata.Text{Value: "Chest", Lang: "en"}, Extra: []metadata.Slot{{Name: "urn:x:y", Values: []string{"a", "b"}}}},
		Type:   metadata.Stable, MimeType: "application/dicom", Authors: []metadata.Author{{Person: "1^Curie", Institutions: []string{"North"}}},
		ClassCode: code("class"), ConfidentialityCodes: []metadata.Code{code("N")}, FormatCode: code("format"), HealthcareFacilityTypeCode: code("facility"),
		PracticeSettingCode: code("practice"), TypeCode: code("type"), PatientID: b.SubmissionSets[0].PatientID, UniqueID: uniqueID, CreationTime: "20240229",
		Hash: fmt.Sprintf("%040X", len(uniqueID)), Size: "36", LanguageCode: "en", RepositoryUniqueID: "1.2.7", SourcePatientID: "S^^^&1.2.8&ISO",
	})
	b.link(metadata.HasMember, "set", id)
	b.Associations[len(b.Associations)-1].SubmissionSetStatus = metadata.Original
	return id
}

func (b builder) folder(uniqueID string) string {
	id := "folder" + uniqueID
	b.Folders = append(b.Folders, metadata.Folder{
		Object: metadata.Object{ID: id, Title: metadata.Text{Value: "Chest"}}, Codes: []metadata.Code{code("folder")},
		PatientID: b.SubmissionSets[0].PatientID, UniqueID: uniqueID,
	})
	b.member(id)
	return id
}

// submit registers and returns the id of the object with each uniqueId.
func submit(t testing.TB, s *Store, b builder, o Submission) map[string]string {
	t.Helper()
	if errs := b.Validate(metadata.Rules{}); len(errs) > 0 {
		t.Fatalf("the test makes an invalid submission: %v", errs)
	}
	if err := s.Submit(context.Background(), b.Objects, o); err != nil {
		t.Fatal(err)
	}
	return idsOf(everything(t, s))
}

// idsOf returns the id of the newest object with each uniqueId.
func idsOf(f *found) map[string]string {
	ids := map[string]string{}
	for i := range f.SubmissionSets {
		ids[f.SubmissionSets[i].UniqueID] = f.SubmissionSets[i].ID
	}
	for i := range f.Documents {
		ids[f.Documents[i].UniqueID] = f.Documents[i].ID
	}
	for i := range f.Folders {
		ids[f.Folders[i].UniqueID] = f.Folders[i].ID
	}
	return ids
}

// picture writes down what a registry holds: sets, entries with D if deprecated, folders with the time, and all but the memberships
// of sets as source>target.
func picture(f *found) string {
	name := map[string]string{}
	for uniqueID, id := range idsOf(f) {
		name[id] = uniqueID
	}
	var words []string
	for i := range f.Documents {
		d := &f.Documents[i]
		word := d.UniqueID
		if d.Status == metadata.Deprecated {
			word += "D"
		}
		words = append(words, word)
	}
	for i := range f.Folders {
		word := f.Folders[i].UniqueID + "@" + f.Folders[i].LastUpdateTime
		if f.Folders[i].Status == metadata.Deprecated {
			word += "D"
		}
		words = append(words, word)
	}
	for i := range f.Associations {
		a := &f.Associations[i]
		kind := string(a.Type)[strings.LastIndexByte(string(a.Type), ':')+1:]
		source, target := name[a.Source], name[a.Target]
		if target == "" {
			target = "*"
		}
		words = append(words, source+" "+kind+" "+target)
	}
	return strings.Join(words, ", ")
}
