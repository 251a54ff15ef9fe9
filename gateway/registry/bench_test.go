package registry

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"collimate/xds/metadata"
	"collimate/xds/query"
)

// entriesOfPatient is how many entries a patient has. They are spread over the registry, as the visits of a life are.
const entriesOfPatient = 20

// BenchmarkRegistry asks for and submits entries, with COLLIMATE_ENTRIES of them (10,000) registered, by callers who may not see
// everything, 1 and 16 at the same time. A tenth of the entries has an addendum.
func BenchmarkRegistry(b *testing.B) {
	entries := 10_000
	if s := os.Getenv("COLLIMATE_ENTRIES"); s != "" {
		var err error
		if entries, err = strconv.Atoi(s); err != nil {
			b.Fatal(err)
		}
	}
	for _, engine := range []struct {
		name, size, settle string
		dsn                func(testing.TB) string
	}{
		{"sqlite", "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()", "PRAGMA wal_checkpoint(TRUNCATE)", sqliteDSN},
		{"postgres", "SELECT pg_total_relation_size('registry_object')", "VACUUM ANALYZE registry_object", postgresDSN}, // as autovacuum does
	} {
		b.Run(engine.name, func(b *testing.B) {
			s := openStore(b, engine.dsn(b))
			start := time.Now()
			fill(b, s, entries)
			if _, err := s.writes.Exec(engine.settle); err != nil {
				b.Fatal(err)
			}
			var bytes int
			if err := s.reads.QueryRow(engine.size).Scan(&bytes); err != nil {
				b.Fatal(err)
			}
			b.Logf("%s: %d entries in %s, %d MB, %d bytes each", engine.name, entries, time.Since(start).Round(time.Second), bytes>>20, bytes/entries)
			benchQueries(b, s, entries)
			for _, submitters := range []int{1, 16} {
				b.Run(fmt.Sprintf("Submit/%d", submitters), func(b *testing.B) {
					measure(b, submitters, func() error {
						set := benchSubmission(fmt.Sprintf("9.%d", submitted.Add(1)), rand.IntN(entries), entries)
						return s.Submit(context.Background(), set.Objects, Submission{Now: noon, NewID: randomID})
					})
				})
			}
		})
	}
}

// submitted numbers the submissions of all benchmarks.
var submitted atomic.Int64

func benchQueries(b *testing.B, s *Store, entries int) {
	var ids []string
	for range min(entries, 1000) {
		d, _, err := s.Entry(context.Background(), entryUID(strconv.Itoa(rand.IntN(entries)/10*10)))
		if err != nil {
			b.Fatal(err)
		}
		ids = append(ids, d.ID)
	}
	id := func() []string { return []string{ids[rand.IntN(len(ids))]} }
	uid := func() []string { return []string{entryUID(strconv.Itoa(rand.IntN(entries)))} }
	patient := func() query.Filter {
		return query.Filter{PatientID: patientOf(rand.IntN(entries), entries), Statuses: []metadata.Status{metadata.Approved}}
	}
	narrow := func() query.Filter {
		f := patient()
		f.Codes = []query.CodeCondition{{Attribute: "classCode", AnyOf: []metadata.Code{code("class")}}}
		f.Times = []query.TimeRange{{Attribute: "creationTime", From: "202402", To: "202403"}}
		return f
	}
	for _, test := range []struct {
		name string
		make func() query.Query
		want int // objects at least
	}{
		{"FindDocuments/by patient", func() query.Query {
			return query.Query{Name: query.FindDocuments, Documents: patient()}
		}, entriesOfPatient},
		{"FindDocuments/by patient, class and time", func() query.Query {
			return query.Query{Name: query.FindDocuments, Documents: narrow()}
		}, entriesOfPatient},
		{"FindSubmissionSets", func() query.Query {
			return query.Query{Name: query.FindSubmissionSets, SubmissionSets: patient()}
		}, 1},
		{"GetAll", func() query.Query {
			f := patient()
			return query.Query{Name: query.GetAll, Documents: f, SubmissionSets: f, Folders: f}
		}, 2 * entriesOfPatient},
		{"GetDocuments/by uniqueId", func() query.Query { return query.Query{Name: query.GetDocuments, UniqueIDs: uid()} }, 1},
		{"GetDocuments/by entryUUID", func() query.Query { return query.Query{Name: query.GetDocuments, IDs: id()} }, 1},
		{"GetSubmissionSets", func() query.Query { return query.Query{Name: query.GetSubmissionSets, IDs: id()} }, 2},
		{"GetRelatedDocuments", func() query.Query {
			return query.Query{Name: query.GetRelatedDocuments, IDs: id(), AssociationTypes: []metadata.AssociationType{metadata.Append}}
		}, 3},
	} {
		for _, callers := range []int{1, 16} {
			b.Run(fmt.Sprintf("%s/%d", test.name, callers), func(b *testing.B) {
				measure(b, callers, func() error {
					q := test.make()
					q.Return = query.LeafClass
					got, refused, err := s.Query(context.Background(), &q, func(e Entry) (bool, error) { return e.Study != "", nil })
					if err != nil || refused != nil || got.Len() < test.want {
						return fmt.Errorf("%v, %v, %v", got, refused, err)
					}
					return nil
				})
			})
		}
	}
}

func patientOf(entry, entries int) string {
	return fmt.Sprintf("P%d^^^&1.2.840.113619.6.197&ISO", entry/2%(max(entries/entriesOfPatient, 1)))
}

func entryUID(uid string) string { return "1.2.840.113619.6.197.2." + uid }

// benchSubmission returns a submission of one entry.
func benchSubmission(uid string, entry, entries int) builder {
	b := submission("1.2.840.113619.6.197.1."+uid, patientOf(entry, entries))
	b.benchEntry(uid)
	return b
}

func (b builder) benchEntry(uid string) (id string) {
	id = b.entry(entryUID(uid))
	d := &b.Documents[len(b.Documents)-1]
	d.ReferenceIDs = []string{
		"A" + uid + "^^^&1.2.840.6&ISO^urn:ihe:iti:xds:2013:accession",
		"1.2.840.113619.6.197.3." + uid + "^^^^urn:ihe:iti:xds:2016:studyInstanceUID",
	}
	d.EventCodes, d.SourcePatientInfo = []metadata.Code{code("CT"), code("T-D3000")}, []string{"PID-5|Doe^Jane", "PID-8|F"}
	d.Hash = fmt.Sprintf("%040x", rand.Uint64())
	return id
}

// fill registers entries as whoever moves in from another registry would: many in a transaction, the indexes made at the end.
func fill(b testing.TB, s *Store, entries int) {
	var indexes []string
	files, _ := fs.Glob(migrations, "migrations/*.sql")
	for _, name := range files {
		statements, err := migrations.ReadFile(name)
		if err != nil {
			b.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`CREATE (?:UNIQUE )?INDEX (\w+)[^;]*`).FindAllStringSubmatch(string(statements), -1) {
			indexes = append(indexes, m[0])
			if _, err := s.writes.Exec("DROP INDEX " + m[1]); err != nil {
				b.Fatal(err)
			}
		}
	}
	for i := 0; i < entries; {
		err := s.write(context.Background(), func(w writer) error {
			var rows []*row
			for end := i + 10_000; i < min(entries, end); i++ {
				set := benchSubmission(strconv.Itoa(i), i, entries)
				if i%10 == 0 {
					i++
					set.link(metadata.Append, set.benchEntry(strconv.Itoa(i)), set.Documents[0].ID)
				}
				studies := map[string]string{}
				for j := range set.Documents {
					studies[set.Documents[j].UniqueID] = set.Documents[j].ReferenceIDs[1]
				}
				set.Resolve(randomID)
				digest := sha256.Sum256([]byte(set.SubmissionSets[0].ID))
				more, err := rowsOf(set.Objects, digest[:], Submission{Studies: studies})
				if err != nil {
					return err
				}
				rows = append(rows, more...)
			}
			return w.insert(rows)
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	for _, statement := range indexes {
		if _, err := s.writes.Exec(statement); err != nil {
			b.Fatal(err)
		}
	}
}

// measure runs f, so many side by side, and reports how many there are in a second and how long one takes.
func measure(b *testing.B, workers int, f func() error) {
	times := make([]time.Duration, b.N)
	var next atomic.Int64
	var running sync.WaitGroup
	for range workers {
		running.Go(func() {
			for i := next.Add(1) - 1; i < int64(b.N); i = next.Add(1) - 1 {
				start := time.Now()
				if err := f(); err != nil {
					b.Error(err)
				}
				times[i] = time.Since(start)
			}
		})
	}
	running.Wait()
	slices.Sort(times)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "/s")
	b.ReportMetric(float64(times[b.N*99/100].Microseconds())/1000, "p99-ms")
	b.ReportMetric(float64(times[b.N/2].Microseconds())/1000, "p50-ms")
}
