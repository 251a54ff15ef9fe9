package registry

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"collimate/xds/metadata"
	"collimate/xds/query"
)

// A registry of another version is left alone.
func TestNewerVersion(t *testing.T) {
	onEach(t, func(t *testing.T, dsn string) {
		s := openStore(t, dsn)
		openStore(t, dsn) // twice at the same time is fine, and makes nothing twice
		if _, err := s.writes.Exec("INSERT INTO registry_version VALUES (99)"); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(context.Background(), dsn); err == nil || !strings.Contains(err.Error(), "version 99") {
			t.Errorf("got %v", err)
		}
	})
}

func TestOpenErrors(t *testing.T) {
	for _, dsn := range []string{
		"", "sqlite:", "sqlite:" + filepath.Join(t.TempDir(), "no", "registry.db"), "sqlite:" + t.TempDir(), "mysql://secret@host", "/secret/registry.db",
		"postgres://user:secret@127.0.0.1:1/x", "postgres://user:secret@127.0.0.1:port/x", "postgres://user:secret@%zz/",
	} {
		if s, err := Open(context.Background(), dsn); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v, %v", dsn, s, err)
		}
	}
	path := filepath.Join(t.TempDir(), "registry.db")
	os.WriteFile(path, []byte(strings.Repeat("not a database ", 1000)), 0o600)
	if _, err := Open(context.Background(), "sqlite:"+path); err == nil {
		t.Error("a file that is no database was opened")
	}
}

// The files have patients in them: only their owner may read them, whatever their name.
func TestFiles(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, "sqlite:"+filepath.Join(dir, "a registry?#%20.db"))
	filed(t, s, Submission{Now: noon, NewID: numbers(0)})
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 3 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, f := range files {
		info, _ := f.Info()
		if !strings.HasPrefix(f.Name(), "a registry?#%20.db") || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v", f.Name(), info.Mode())
		}
	}
}

// A damaged row is an error, and the error has nothing of it.
func TestDamaged(t *testing.T) {
	s := openStore(t, sqliteDSN(t))
	filed(t, s, Submission{Now: noon, NewID: numbers(0)})
	if _, err := s.writes.Exec(`UPDATE registry_object SET body = '{"Title":"secret"}' WHERE kind = 2`); err != nil {
		t.Fatal(err)
	}
	_, _, err := s.Entry(context.Background(), "1.3")
	if err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("got %v", err)
	}
}

// Rows are read by an index, each column that is looked up by.
func TestPlans(t *testing.T) {
	s := openStore(t, sqliteDSN(t))
	for _, condition := range []string{
		"id IN ($1,$2)" + ofKind(document), "unique_id IN ($1,$2)" + ofKind(document), "source IN ($1,$2)", "target IN ($1,$2)",
		"source = $1 AND n > $2 ORDER BY n LIMIT 256", "patient = $1" + ofKind(document) + " AND n > $2 ORDER BY n LIMIT 256",
		"patient = $1" + ofKind(document) + " AND study IN ($2) AND n > $3 ORDER BY n LIMIT 256", "study = $1 AND study <> '' ORDER BY n", "hash = $1",
	} {
		rows, err := s.reads.Query("EXPLAIN QUERY PLAN SELECT "+columns+" FROM registry_object WHERE "+condition, "1", "2", "3")
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			var id, parent, unused int
			var detail string
			if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(detail, "SEARCH registry_object USING INDEX") {
				t.Errorf("%s: %s", condition, detail)
			}
		}
	}
}

// An answer with more objects than the limit is refused, and nothing is answered; the limit is for what the caller sees.
func TestTooMany(t *testing.T) {
	onEach(t, func(t *testing.T, dsn string) {
		s := openStore(t, dsn)
		b := submission("1.1", patientA)
		for _, uid := range []string{"1.2", "1.3", "1.4", "1.5"} {
			b.entry(uid)
		}
		for i := range 40 {
			b.entry("2." + strconv.Itoa(i))
			b.Documents[len(b.Documents)-1].FormatCode = code("other")
		}
		set := submit(t, s, b, Submission{Now: noon, NewID: numbers(0), Studies: map[string]string{"1.3": "S", "1.5": "S"}})["1.1"]
		format := []query.CodeCondition{{Attribute: "formatCode", AnyOf: []metadata.Code{code("format")}}}
		find := query.Filter{PatientID: patientA, Codes: format}
		sets := query.Filter{PatientID: patientA}
		odd := func(e Entry) (bool, error) { return e.Study == "S", nil }
		for _, test := range []struct {
			name    query.Name
			q       query.Query
			visible func(Entry) (bool, error)
			want    int
		}{
			{query.FindDocuments, query.Query{Documents: find}, nil, 4},
			{query.FindDocuments, query.Query{Documents: find}, odd, 2},
			{query.GetAll, query.Query{Documents: find, SubmissionSets: sets, Folders: sets}, nil, 49},
			{query.GetAll, query.Query{Documents: find, SubmissionSets: sets, Folders: sets}, odd, 5},
			{query.GetDocuments, query.Query{UniqueIDs: []string{"1.2", "1.3", "1.4"}}, nil, 3},
			{query.GetAssociations, query.Query{IDs: []string{set}}, nil, 44},
			{query.GetAssociations, query.Query{IDs: []string{set}}, odd, 2},
			{query.GetSubmissionSetAndContents, query.Query{IDs: []string{set}, Documents: query.Filter{Codes: format}}, nil, 9},
		} {
			for _, as := range []query.ReturnType{query.LeafClass, query.ObjectRef} {
				for limit := test.want - 1; limit <= test.want; limit++ {
					s.objects, s.ids = 1000, 1000
					if as == query.LeafClass {
						s.objects = limit
					} else {
						s.ids = limit
					}
					test.q.Name, test.q.Return = test.name, as
					got, refused, err := s.Query(context.Background(), &test.q, test.visible)
					switch {
					case err != nil:
						t.Fatal(err)
					case limit == test.want && (refused != nil || got.Len() != test.want):
						t.Errorf("%s, %s, limit %d: %v, %v", test.name, as, limit, got, refused)
					case limit < test.want && (got != nil || refused == nil || refused.Code != metadata.TooManyResults):
						t.Errorf("%s, %s, limit %d: %v, %v", test.name, as, limit, got, refused)
					}
				}
			}
		}
	})
}
