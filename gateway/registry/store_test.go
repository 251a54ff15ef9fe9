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

// A registry of the version before is completed, and what is in it stays.
func TestOlderVersion(t *testing.T) {
	onEach(t, func(t *testing.T, dsn string) {
		s := openStore(t, dsn)
		ids := filed(t, s, Submission{Now: noon, NewID: numbers(0)})
		for _, statement := range []string{"ALTER TABLE registry_object DROP COLUMN added", "DELETE FROM registry_version WHERE version = 2"} {
			if _, err := s.writes.Exec(statement); err != nil {
				t.Fatal(err)
			}
		}
		s.Close()
		s = openStore(t, dsn)
		if got := everything(t, s).Folders[0].LastUpdateTime; got != "20240301120000" {
			t.Errorf("the folder was updated %s", got)
		}
		b := submission("2.1", patientA)
		b.into(ids["1.2"], b.entry("2.3"))
		submit(t, s, b, Submission{Now: noon.AddDate(0, 0, 1), NewID: numbers(1 << 20)})
		if got := everything(t, s).Folders[0].LastUpdateTime; got != "20240302120000" {
			t.Errorf("the folder was updated %s", got)
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

// Rows are read by an index, whatever they are looked up by.
func TestPlans(t *testing.T) {
	onEach(t, func(t *testing.T, dsn string) {
		s := openStore(t, dsn)
		fill(t, s, 2000)
		explain := "EXPLAIN QUERY PLAN "
		if s.engine == postgres {
			explain = "EXPLAIN "
			if _, err := s.writes.Exec("ANALYZE registry_object"); err != nil {
				t.Fatal(err)
			}
		}
		key, n := make([]byte, 16), 7
		rows := "SELECT " + columns + " FROM registry_object WHERE "
		for _, test := range []struct {
			statement string
			args      []any
		}{
			{rows + "id IN (?,?)" + ofKind(document), []any{key, key}},
			{rows + "unique_id IN (?,?)" + ofKind(document), []any{"1", "2"}},
			{rows + "source IN (?,?)", []any{key, key}},
			{rows + "target IN (?,?)", []any{key, key}},
			{rows + "source = ? AND n < ? ORDER BY n DESC LIMIT 256", []any{key, n}},
			{rows + "patient = ?" + ofKind(document) + " AND n < ? ORDER BY n DESC LIMIT 256", []any{"1", n}},
			{rows + "patient = ?" + ofKind(document) + " AND deprecated = 0 AND study IN (?,?) AND n < ? ORDER BY n DESC LIMIT 256", []any{"1", "2", "3", n}},
			{rows + "study = ? AND study <> '' ORDER BY n", []any{"1"}},
			{seenStatement, []any{"1"}},
			{"SELECT EXISTS (SELECT 1 FROM registry_object WHERE hash = ?)", []any{key}},
			{"SELECT EXISTS (SELECT 1 FROM registry_object WHERE source = ?)", []any{key}},
			{"SELECT digest FROM registry_object WHERE unique_id = ?" + ofKind(submissionSet), []any{"1"}},
			{"SELECT COALESCE(MAX(n), 0) FROM registry_object", nil},
		} {
			plan := ""
			err := s.read(context.Background(), func(r reader) error {
				rows, err := r.query(explain+test.statement, test.args...)
				if err != nil {
					return err
				}
				defer rows.Close()
				columns, err := rows.Columns()
				if err != nil {
					return err
				}
				for rows.Next() {
					values := make([]any, len(columns)) // the last one is the line
					for i := range values {
						values[i] = new(string)
					}
					if err := rows.Scan(values...); err != nil {
						return err
					}
					plan += *values[len(values)-1].(*string) + "\n"
				}
				return rows.Err()
			})
			if err != nil {
				t.Fatal(test.statement, err)
			}
			if !strings.Contains(plan, "SEARCH registry_object") && !strings.Contains(plan, "Index Cond:") || strings.Contains(plan, "Seq Scan") {
				t.Errorf("%s:\n%s", test.statement, plan)
			}
		}
	})
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
			{query.FindDocuments, query.Query{Documents: find}, everyone, 4},
			{query.FindDocuments, query.Query{Documents: find}, odd, 2},
			{query.GetAll, query.Query{Documents: find, SubmissionSets: sets, Folders: sets}, everyone, 49},
			{query.GetAll, query.Query{Documents: find, SubmissionSets: sets, Folders: sets}, odd, 5},
			{query.GetDocuments, query.Query{UniqueIDs: []string{"1.2", "1.3", "1.4"}}, everyone, 3},
			{query.GetAssociations, query.Query{IDs: []string{set}}, everyone, 44},
			{query.GetAssociations, query.Query{IDs: []string{set}}, odd, 2},
			{query.GetSubmissionSetAndContents, query.Query{IDs: []string{set}, Documents: query.Filter{Codes: format}}, everyone, 9},
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
