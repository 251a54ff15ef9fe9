package registry

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"collimate/xds/metadata"
	"collimate/xds/query"
)

// entriesOfPatient is how many entries a patient has.
const entriesOfPatient = 20

// BenchmarkRegistry asks for and submits entries, with COLLIMATE_ENTRIES of them (10,000) registered, by callers who may not see
// everything.
func BenchmarkRegistry(b *testing.B) {
	entries := 10_000
	if s := os.Getenv("COLLIMATE_ENTRIES"); s != "" {
		var err error
		if entries, err = strconv.Atoi(s); err != nil {
			b.Fatal(err)
		}
	}
	for name, dsn := range map[string]func(testing.TB) string{"sqlite": sqliteDSN, "postgres": postgresDSN} {
		b.Run(name, func(b *testing.B) {
			s := openStore(b, dsn(b))
			start := time.Now()
			fill(b, s, entries)
			size := "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
			if name == "postgres" {
				size = "SELECT pg_total_relation_size('registry_object')"
			}
			var bytes int64
			if err := s.reads.QueryRow(size).Scan(&bytes); err != nil {
				b.Fatal(err)
			}
			b.Logf("%s: %d entries in %s, %d MB", name, entries, time.Since(start).Round(time.Second), bytes>>20)
			b.Run("FindDocuments", func(b *testing.B) {
				measure(b, "queries/s", func(int64) { s.find(b, query.FindDocuments, patientOf(rand.IntN(entries)), entriesOfPatient) })
			})
			b.Run("GetAll", func(b *testing.B) {
				measure(b, "queries/s", func(int64) { s.find(b, query.GetAll, patientOf(rand.IntN(entries)), 3*entriesOfPatient) })
			})
			b.Run("Submit", func(b *testing.B) {
				measure(b, "submissions/s", func(i int64) {
					set := benchSubmission(fmt.Sprintf("9.%d.%d", b.N, i), rand.IntN(entries))
					if err := s.Submit(context.Background(), set.Objects, Submission{Now: noon, NewID: randomID}); err != nil {
						b.Error(err)
					}
				})
			})
		})
	}
}

func patientOf(entry int) string {
	return fmt.Sprintf("P%d^^^&1.2.840.113619.6.197&ISO", entry/entriesOfPatient)
}

func benchSubmission(uid string, entry int) builder {
	b := submission("1.2.840.113619.6.197.1."+uid, patientOf(entry))
	b.entry("1.2.840.113619.6.197.2." + uid)
	d := &b.Documents[0]
	d.ReferenceIDs = []string{"A" + uid + "^^^&1.2.840.6&ISO^urn:ihe:iti:xds:2013:accession", "1.2.840.113619.6.197.3." + uid + "^^^^urn:ihe:iti:xds:2016:studyInstanceUID"}
	d.EventCodes, d.SourcePatientInfo = []metadata.Code{code("CT"), code("T-D3000")}, []string{"PID-5|Doe^Jane", "PID-8|F"}
	d.Hash = fmt.Sprintf("%040x", rand.Uint64())
	return b
}

// fill registers entries without the wait for each.
func fill(b *testing.B, s *Store, entries int) {
	for i := 0; i < entries; {
		err := s.write(context.Background(), func(w writer) error {
			for end := min(entries, i+10_000); i < end; i++ {
				set := benchSubmission("1."+strconv.Itoa(i), i)
				set.Resolve(randomID)
				if err := w.insert(set.Objects, nil, Submission{Studies: map[string]string{set.Documents[0].UniqueID: strconv.Itoa(i)}}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

func (s *Store) find(b *testing.B, name query.Name, patient string, atLeast int) {
	f := query.Filter{PatientID: patient, Statuses: []metadata.Status{metadata.Approved}}
	q := &query.Query{Name: name, Return: query.LeafClass, Documents: f, SubmissionSets: f, Folders: f}
	got, refused, err := s.Query(context.Background(), q, func(e Entry) (bool, error) { return e.Study != "", nil })
	if err != nil || refused != nil || got.Len() < atLeast {
		b.Errorf("%v, %v, %v", got, refused, err)
	}
}

// measure runs f side by side, and reports how many there are in a second and how long one takes.
func measure(b *testing.B, unit string, f func(i int64)) {
	var lock sync.Mutex
	var times []time.Duration
	var count atomic.Int64
	b.RunParallel(func(pb *testing.PB) {
		var mine []time.Duration
		for pb.Next() {
			start := time.Now()
			f(count.Add(1))
			mine = append(mine, time.Since(start))
		}
		lock.Lock()
		times = append(times, mine...)
		lock.Unlock()
	})
	slices.Sort(times)
	b.ReportMetric(float64(len(times))/b.Elapsed().Seconds(), unit)
	b.ReportMetric(float64(times[len(times)*99/100].Microseconds())/1000, "p99-ms")
	b.ReportMetric(float64(times[len(times)/2].Microseconds())/1000, "p50-ms")
}
