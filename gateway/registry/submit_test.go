package registry

import (
	"context"
	"errors"
	"reflect"
	"sync"
	"testing"
	"time"

	"collimate/xds/metadata"
)

// A registry with document 1.3 and its addendum 1.4, which has a transformation 1.5, in folder 1.2.
func filed(t *testing.T, s *Store, o Submission) (ids map[string]string) {
	t.Helper()
	b := submission("1.1", patientA)
	folder, entry, addendum := b.folder("1.2"), b.entry("1.3"), b.entry("1.4")
	b.link(metadata.Append, addendum, entry)
	b.link(metadata.Transform, b.entry("1.5"), addendum)
	b.into(folder, entry)
	ids = submit(t, s, b, o)
	const want = "1.3, 1.4, 1.5, 1.2@20240301120000, 1.1 HasMember 1.2, 1.1 HasMember 1.3, 1.1 HasMember 1.4, 1.4 APND 1.3, " +
		"1.1 HasMember 1.5, 1.5 XFRM 1.4, 1.2 HasMember 1.3, 1.1 HasMember *"
	if got := picture(everything(t, s)); got != want {
		t.Fatalf("got  %s\nwant %s", got, want)
	}
	return ids
}

// What a submission does to what is registered.
func TestEffects(t *testing.T) {
	const before = "1.1 HasMember 1.2, 1.1 HasMember 1.3, 1.1 HasMember 1.4, 1.4 APND 1.3, 1.1 HasMember 1.5, 1.5 XFRM 1.4, 1.2 HasMember 1.3, 1.1 HasMember *, "
	for _, test := range []struct {
		name   string
		make   func(b builder, ids map[string]string)
		want   string
		reason metadata.ErrorCode
	}{
		{name: "replace", make: func(b builder, ids map[string]string) {
			b.link(metadata.Replace, b.entry("2.3"), ids["1.3"])
		}, want: "1.3D, 1.4D, 1.5D, 2.3, 1.2@20240302120000, " + before + "2.1 HasMember 2.3, 2.3 RPLC 1.3, 1.2 HasMember 2.3, 2.1 HasMember *"},
		{name: "replace an addendum", make: func(b builder, ids map[string]string) {
			b.link(metadata.XfrmReplace, b.entry("2.3"), ids["1.4"])
		}, want: "1.3, 1.4D, 1.5D, 2.3, 1.2@20240301120000, " + before + "2.1 HasMember 2.3, 2.3 XFRM_RPLC 1.4"},
		{name: "replace, put into the folder by hand", make: func(b builder, ids map[string]string) {
			entry := b.entry("2.3")
			b.link(metadata.Replace, entry, ids["1.3"])
			b.into(ids["1.2"], entry)
		}, want: "1.3D, 1.4D, 1.5D, 2.3, 1.2@20240302120000, " + before + "2.1 HasMember 2.3, 2.3 RPLC 1.3, 1.2 HasMember 2.3, 2.1 HasMember *"},
		{name: "an addendum to what is replaced at the same time", make: func(b builder, ids map[string]string) {
			b.link(metadata.Replace, b.entry("2.3"), ids["1.3"])
			b.link(metadata.Append, b.entry("2.4"), ids["1.3"])
		}, want: "1.3D, 1.4D, 1.5D, 2.3, 2.4, 1.2@20240302120000, " + before +
			"2.1 HasMember 2.3, 2.3 RPLC 1.3, 2.1 HasMember 2.4, 2.4 APND 1.3, 1.2 HasMember 2.3, 2.1 HasMember *"},
		{name: "append and transform", make: func(b builder, ids map[string]string) {
			b.link(metadata.Append, b.entry("2.3"), ids["1.3"])
			b.link(metadata.Transform, b.entry("2.4"), ids["1.3"])
		}, want: "1.3, 1.4, 1.5, 2.3, 2.4, 1.2@20240301120000, " + before + "2.1 HasMember 2.3, 2.3 APND 1.3, 2.1 HasMember 2.4, 2.4 XFRM 1.3"},
		{name: "into a folder", make: func(b builder, ids map[string]string) {
			b.into(ids["1.2"], ids["1.4"])
		}, want: "1.3, 1.4, 1.5, 1.2@20240302120000, " + before + "1.2 HasMember 1.4, 2.1 HasMember *"},
		{name: "a reference", make: func(b builder, ids map[string]string) {
			b.member(ids["1.3"])
		}, want: "1.3, 1.4, 1.5, 1.2@20240301120000, " + before + "2.1 HasMember 1.3"},
		{name: "the same document again", make: func(b builder, ids map[string]string) {
			b.entry("1.3")
		}, want: "1.3, 1.4, 1.5, 1.3, 1.2@20240301120000, 1.1 HasMember 1.2, 1.1 HasMember *, 1.1 HasMember 1.4, 1.4 APND *, 1.1 HasMember 1.5, 1.5 XFRM 1.4, " +
			"1.2 HasMember *, 1.1 HasMember *, 2.1 HasMember 1.3"},
		{name: "an on-demand document", make: func(b builder, ids map[string]string) {
			b.entry("2.3")
			d := &b.Documents[0]
			d.Type, d.Hash, d.Size, d.CreationTime = metadata.OnDemand, "", "", ""
		}, want: "1.3, 1.4, 1.5, 2.3, 1.2@20240301120000, " + before + "2.1 HasMember 2.3"},

		{name: "another document", make: func(b builder, ids map[string]string) {
			b.entry("1.3")
			b.Documents[0].Size = "37"
		}, reason: metadata.NonIdenticalSize},
		{name: "on-demand with the uniqueId of a stable one", make: func(b builder, ids map[string]string) {
			b.entry("1.3")
			b.Documents[0].Type = metadata.OnDemand
		}, reason: metadata.DuplicateUniqueIDInRegistry},
		{name: "replace what is not there", make: func(b builder, ids map[string]string) {
			b.link(metadata.Replace, b.entry("2.3"), numbers(1<<30)())
		}, reason: metadata.UnresolvedReference},
		{name: "another patient", make: func(b builder, ids map[string]string) {
			b.link(metadata.Replace, b.entry("2.3"), ids["1.3"])
			b.SubmissionSets[0].PatientID, b.Documents[0].PatientID = patientB, patientB
		}, reason: metadata.PatientIDDoesNotMatch},
		{name: "an unknown patient", make: func(b builder, ids map[string]string) {
			b.entry("2.3")
			b.SubmissionSets[0].PatientID, b.Documents[0].PatientID = "C^^^&1.2.3&ISO", "C^^^&1.2.3&ISO"
		}, reason: metadata.UnknownPatientID},
		{name: "no set", make: func(b builder, ids map[string]string) { b.SubmissionSets = nil }, reason: metadata.RegistryMetadata},
	} {
		t.Run(test.name, func(t *testing.T) {
			onEach(t, func(t *testing.T, dsn string) {
				s := openStore(t, dsn)
				o := Submission{Now: noon, NewID: numbers(0), PatientKnown: func(cx string) bool { return cx == patientA || cx == patientB }}
				ids := filed(t, s, o)
				held := everything(t, s).Objects
				b := submission("2.1", patientA)
				test.make(b, ids)
				o.Now = noon.AddDate(0, 0, 1)
				err := s.Submit(context.Background(), b.Objects, o)
				after := everything(t, s)
				if test.reason != "" {
					refused(t, err, test.reason)
					if !reflect.DeepEqual(after.Objects, held) {
						t.Error("what was refused has changed something")
					}
				} else if got := picture(after); err != nil || got != test.want {
					t.Errorf("%v\ngot  %s\nwant %s", err, got, test.want)
				}
			})
		})
	}
}

func refused(t *testing.T, err error, code metadata.ErrorCode) {
	t.Helper()
	var errs metadata.Errors
	if !errors.As(err, &errs) || !errs.Has(code) {
		t.Errorf("got %v, want %s", err, code)
	}
}

// A document that has been replaced cannot be the target of anything.
func TestDeprecatedTarget(t *testing.T) {
	s := openStore(t, sqliteDSN(t))
	o := Submission{Now: noon, NewID: numbers(0)}
	ids := filed(t, s, o)
	for i, kind := range []metadata.AssociationType{metadata.Replace, metadata.Replace, metadata.XfrmReplace, metadata.Append, metadata.Transform} {
		b := submission("2."+string(rune('1'+i)), patientA)
		b.link(kind, b.entry("3."+string(rune('1'+i))), ids["1.3"])
		err := s.Submit(context.Background(), b.Objects, o)
		if i == 0 {
			if err != nil {
				t.Fatal(err)
			}
		} else {
			refused(t, err, metadata.RegistryDeprecatedDocument)
		}
	}
}

// The same message again is a success that changes nothing, whatever it calls its objects; another one with the uniqueId of its
// SubmissionSet is refused.
func TestResubmission(t *testing.T) {
	onEach(t, func(t *testing.T, dsn string) {
		s := openStore(t, dsn)
		o := Submission{Now: noon, NewID: numbers(0)}
		make := func() builder {
			b := submission("1.1", patientA)
			b.into(b.folder("1.2"), b.entry("1.3"))
			return b
		}
		submit(t, s, make(), o)
		held := everything(t, s).Objects
		renamed := make()
		renamed.SubmissionSets[0].ID = "other"
		for i := range renamed.Associations {
			if a := &renamed.Associations[i]; a.Source == "set" {
				a.Source = "other"
			}
		}
		o.PatientKnown, o.Now = func(string) bool { return false }, noon.AddDate(1, 0, 0)
		for _, again := range []builder{make(), renamed} {
			if err := s.Submit(context.Background(), again.Objects, o); err != nil {
				t.Error(err)
			}
		}
		o.PatientKnown = nil
		for name, change := range map[string]func(b builder){
			"title":      func(b builder) { b.Documents[0].Title.Value = "Head" },
			"hash":       func(b builder) { b.Documents[0].Hash = b.Documents[0].Hash[1:] + "1" },
			"extra slot": func(b builder) { b.Documents[0].Extra[0].Values[1] = "c" },
			"one more":   func(b builder) { b.entry("1.4") },
			"own id":     func(b builder) { b.Documents[0].ID = numbers(77)() },
		} {
			b := make()
			change(b)
			t.Run(name, func(t *testing.T) {
				refused(t, s.Submit(context.Background(), b.Objects, o), metadata.DuplicateUniqueIDInRegistry)
			})
		}
		if got := everything(t, s).Objects; !reflect.DeepEqual(got, held) {
			t.Errorf("got %+v, want %+v", got, held)
		}
	})
}

func TestRoundTrip(t *testing.T) {
	onEach(t, func(t *testing.T, dsn string) {
		s := openStore(t, dsn)
		b := submission("1.1", patientA)
		b.entry("1.3")
		d := &b.Documents[0]
		d.Comments, d.LegalAuthenticator, d.URI = metadata.Text{Value: "\u00e9 'quoted' \"twice\" \\ <&>", Lang: "fr"}, "^Curie", "http://north.example/?a=1&b=2"
		d.SourcePatientInfo, d.HomeCommunityID = []string{"PID-5|D\u00f6e^Jane", "PID-8|F"}, "urn:oid:1.2.3"
		b.Associations[0].Documentation = code("why")
		want := copyOf(b.Objects)
		if err := s.Submit(context.Background(), b.Objects, Submission{Now: noon, NewID: numbers(0)}); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(b.Objects, want) {
			t.Error("Submit changed its argument")
		}
		want.Resolve(numbers(0))
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if got := everything(t, openStore(t, dsn)).Objects; !reflect.DeepEqual(&got, want) {
			t.Errorf("got %+v, want %+v", &got, want)
		}
	})
}

// Equal submissions at the same time, of which each may be a repetition of another, are registered once; of two with the same uniqueId
// and different contents, one is.
func TestConcurrentSubmissions(t *testing.T) {
	onEach(t, func(t *testing.T, dsn string) {
		stores := []*Store{openStore(t, dsn), openStore(t, dsn)} // as two processes
		var next sync.Mutex
		number := numbers(0)
		o := Submission{Now: noon, NewID: func() string { next.Lock(); defer next.Unlock(); return number() }}
		const senders = 8
		title := func(sender int) string { return []string{"Chest", "Head", "Chest", "Chest"}[sender%4] }
		for round := range 5 {
			uid := string(rune('1' + round))
			errs := make([]error, senders)
			var wait sync.WaitGroup
			for i := range senders {
				wait.Go(func() {
					b := submission("1."+uid, patientA)
					b.into(b.folder("2."+uid), b.entry("3."+uid))
					b.Documents[0].Title.Value = title(i)
					errs[i] = stores[i%2].Submit(context.Background(), b.Objects, o)
				})
			}
			wait.Wait()
			f := everything(t, stores[0])
			if f.Len() != 7*(round+1) {
				t.Fatalf("round %d: %v, %d objects", round, errs, f.Len())
			}
			for i, err := range errs {
				switch won := f.Documents[round].Title.Value == title(i); {
				case won && err != nil:
					t.Error(err)
				case !won:
					refused(t, err, metadata.DuplicateUniqueIDInRegistry)
				}
			}
		}
	})
}

// A submission that takes its time does not hold up a query, and the query sees what was there before.
func TestReadersDoNotWait(t *testing.T) {
	onEach(t, func(t *testing.T, dsn string) {
		s := openStore(t, dsn)
		filed(t, s, Submission{Now: noon, NewID: numbers(0)})
		count := everything(t, s).Len()
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		within, release, done := make(chan bool), make(chan bool), make(chan error)
		number, once := numbers(100), sync.Once{}
		go func() {
			b := submission("2.1", patientA)
			b.link(metadata.Replace, b.entry("2.3"), idsOf(everything(t, s))["1.3"])
			done <- s.Submit(ctx, b.Objects, Submission{Now: noon, NewID: func() string { once.Do(func() { within <- true; <-release }); return number() }})
		}()
		<-within // the submission has the lock
		if got := everything(t, s).Len(); got != count {
			t.Errorf("%d objects, want %d", got, count)
		}
		close(release)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	})
}

// As many submissions as have a place wait; one more is told to come again.
func TestBusy(t *testing.T) {
	s := openStore(t, sqliteDSN(t))
	s.turn <- struct{}{} // as if someone wrote
	waits := &change{ctx: context.Background(), f: func(writer) error { return nil }, done: make(chan error, maxWaiting)}
	for range maxWaiting {
		s.waiting <- waits
	}
	b := submission("1.1", patientA)
	b.entry("1.2")
	refused(t, s.Submit(context.Background(), b.Objects, Submission{Now: noon, NewID: numbers(0)}), metadata.RegistryBusy)
	s.group()
	submit(t, s, b, Submission{Now: noon, NewID: numbers(0)})
}

// A submission that is given up leaves nothing.
func TestCancelled(t *testing.T) {
	onEach(t, func(t *testing.T, dsn string) {
		s := openStore(t, dsn)
		ctx, cancel := context.WithCancel(context.Background())
		number := numbers(0)
		b := submission("1.1", patientA)
		b.entry("1.2")
		err := s.Submit(ctx, b.Objects, Submission{Now: noon, NewID: func() string { cancel(); return number() }})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		if n := everything(t, s).Len(); n != 0 {
			t.Errorf("%d objects", n)
		}
		submit(t, s, b, Submission{Now: noon, NewID: numbers(0)})
	})
}
