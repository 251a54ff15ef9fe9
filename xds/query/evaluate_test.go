package query

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"collimate/xds/metadata"
)

// object returns what all registry objects have; the id of object n is urn:uuid:...n.
func newObject(n int) metadata.Object {
	return metadata.Object{ID: objectID(n), Status: metadata.Approved}
}

func objectID(n int) string { return fmt.Sprintf("urn:uuid:00000000-0000-4000-8000-%012d", n) }

// example returns a registry: set 1 with documents 11 and 12, folder 21 which has both, and set 2 with document 13,
// which replaces 14 of set 3; of another patient, set 4 with the on-demand document 15.
func example() *metadata.Objects {
	o := &metadata.Objects{}
	set := func(n int, patient, time string) {
		o.SubmissionSets = append(o.SubmissionSets, metadata.SubmissionSet{Object: newObject(n), PatientID: patient, UniqueID: fmt.Sprintf("1.2.%d", n),
			SourceID: "1.2.99", SubmissionTime: time, ContentTypeCode: metadata.Code{Value: "c", Scheme: "1"}, Authors: []metadata.Author{{Person: "^Röntgen"}}})
	}
	document := func(n int, patient, format, conf, created string) {
		o.Documents = append(o.Documents, metadata.DocumentEntry{Object: newObject(n), Type: metadata.Stable, PatientID: patient, UniqueID: fmt.Sprintf("1.2.%d", n),
			FormatCode: metadata.Code{Value: format, Scheme: "1"}, ConfidentialityCodes: []metadata.Code{{Value: conf, Scheme: "1"}, {Value: "N", Scheme: "1"}},
			CreationTime: created, ReferenceIDs: []string{fmt.Sprintf("A%d^^^&1.2&ISO^t", n)}, Authors: []metadata.Author{{}, {Person: fmt.Sprintf("%d^Curie", n)}}})
	}
	n := 100
	link := func(kind metadata.AssociationType, from, to int) int {
		n++
		o.Associations = append(o.Associations, metadata.Association{Object: newObject(n), Type: kind, Source: objectID(from), Target: objectID(to)})
		return n
	}
	const has = metadata.HasMember
	set(1, patientA, "20240101")
	document(11, patientA, "f", "R", "20041224")
	document(12, patientA, "g", "V", "200501010000")
	o.Folders = append(o.Folders, metadata.Folder{Object: newObject(21), PatientID: patientA, UniqueID: "1.2.21", LastUpdateTime: "20240101120000", Codes: []metadata.Code{{Value: "k", Scheme: "1"}, {Value: "l", Scheme: "1"}}})
	link(has, 1, 11)
	link(has, 1, 12)
	link(has, 1, 21)
	link(has, 1, link(has, 21, 11))
	link(has, 1, link(has, 21, 12))
	set(2, patientA, "20240201")
	set(3, patientA, "20230201")
	document(13, patientA, "f", "R", "2006")
	document(14, patientA, "f", "R", "2005")
	o.Documents[3].Status = metadata.Deprecated
	link(has, 2, 13)
	link(has, 3, 14)
	link(metadata.Replace, 13, 14)
	set(4, patientB, "20240301")
	document(15, patientB, "f", "R", "")
	o.Documents[4].Type = metadata.OnDemand
	link(has, 4, 15)
	return o
}

// summary names the objects of a result: sets and documents and folders by number, and how many associations.
func summary(o *metadata.Objects) string {
	var names []string
	add := func(id string) { names = append(names, strings.TrimLeft(id[len(id)-12:], "0")) }
	for i := range o.SubmissionSets {
		add(o.SubmissionSets[i].ID)
	}
	for i := range o.Documents {
		add(o.Documents[i].ID)
	}
	for i := range o.Folders {
		add(o.Folders[i].ID)
	}
	return fmt.Sprintf("%s +%d", strings.Join(names, " "), len(o.Associations))
}

func TestEvaluate(t *testing.T) {
	uuid := func(numbers ...int) string {
		var quoted []string
		for _, n := range numbers {
			quoted = append(quoted, quote(objectID(n)))
		}
		return strings.Join(quoted, ",")
	}
	both := "XDSDocumentEntryStatus=('" + string(metadata.Approved) + "','" + string(metadata.Deprecated) + "')"
	find := func(parameters ...string) string {
		return ask(FindDocuments, append([]string{ofA, both}, parameters...)...)
	}
	sets := func(parameters ...string) string {
		return ask(FindSubmissionSets, append([]string{"XDSSubmissionSetPatientId='" + patientA + "'", "XDSSubmissionSetStatus=('" + string(metadata.Approved) + "')"}, parameters...)...)
	}
	folders := func(parameters ...string) string {
		return ask(FindFolders, append([]string{"XDSFolderPatientId='" + patientA + "'", "XDSFolderStatus=('" + string(metadata.Approved) + "')"}, parameters...)...)
	}
	related := "AssociationTypes=('" + string(metadata.HasMember) + "','" + string(metadata.Replace) + "')"
	types := "XDSDocumentEntryType=('" + string(metadata.Stable) + "','" + string(metadata.OnDemand) + "')"
	all := func(patient string, more ...string) string {
		return ask(GetAll, append([]string{"patientId='" + patient + "'", both, "XDSSubmissionSetStatus=('" + string(metadata.Approved) + "')", "XDSFolderStatus=('" + string(metadata.Approved) + "')"}, more...)...)
	}
	for _, test := range []struct{ name, request, want string }{
		{"all of a patient", find(), "11 12 13 14 +0"},
		{"Approved only", ask(FindDocuments, ofA, approved), "11 12 13 +0"},
		{"format", find("XDSDocumentEntryFormatCode=('g^^1')"), "12 +0"},
		{"format of another scheme", find("XDSDocumentEntryFormatCode=('g^^2')"), " +0"},
		{"or", find("XDSDocumentEntryConfidentialityCode=('V^^1','N^^1')"), "11 12 13 14 +0"},
		{"and", find("XDSDocumentEntryConfidentialityCode=('V^^1')", "XDSDocumentEntryConfidentialityCode=('N^^1')"), "12 +0"},
		{"and of what is never together", find("XDSDocumentEntryConfidentialityCode=('V^^1')", "XDSDocumentEntryConfidentialityCode=('R^^1')"), " +0"},
		{"from, left edge", find("XDSDocumentEntryCreationTimeFrom=20041224", "XDSDocumentEntryCreationTimeTo=20050101"), "11 +0"},
		{"to, right edge", find("XDSDocumentEntryCreationTimeFrom=20041124", "XDSDocumentEntryCreationTimeTo=20041224"), " +0"},
		{"of other precision", find("XDSDocumentEntryCreationTimeFrom=2005", "XDSDocumentEntryCreationTimeTo=20060101"), "12 14 +0"},
		{"no service time", find("XDSDocumentEntryServiceStartTimeFrom=2004"), "11 12 13 14 +0"},
		{"on-demand", ask(FindDocuments, "XDSDocumentEntryPatientId='"+patientB+"'", approved), " +0"},
		{"on-demand asked", ask(FindDocuments, "XDSDocumentEntryPatientId='"+patientB+"'", approved, types, "XDSDocumentEntryCreationTimeFrom=2004"), "15 +0"},
		{"author", find("XDSDocumentEntryAuthorPerson=('%13^C_rie')"), "13 +0"},
		{"author in part", find("XDSDocumentEntryAuthorPerson=('Curie')"), " +0"},
		{"reference", ask(FindDocumentsByReferenceID, ofA, both, "XDSDocumentEntryReferenceIdList=('A11^^^&1.2&ISO^t','A12%')"), "11 12 +0"},
		{"excluded", ask(FindDocumentsExclude, ofA, both, "XDSDocumentEntryFormatCodeExclude=('f^^1')"), "12 +0"},
		{"excluded type", ask(FindDocumentsExclude, ofA, both, "XDSDocumentEntryTypeExclude=('"+string(metadata.Stable)+"')"), " +0"},
		{"excluded author", ask(FindDocumentsExclude, ofA, both, "XDSDocumentEntryAuthorPersonExclude=('1_^Cur%')"), " +0"},

		{"sets", sets(), "1 2 3 +0"},
		{"sets of a source", sets("XDSSubmissionSetSourceId=('1.2.98')"), " +0"},
		{"sets in a time", sets("XDSSubmissionSetSubmissionTimeFrom=2024", "XDSSubmissionSetSubmissionTimeTo=202402"), "1 +0"},
		{"sets by author", sets("XDSSubmissionSetAuthorPerson='%nt%'", "XDSSubmissionSetContentType=('c^^1')"), "1 2 3 +0"},
		{"sets of no author", sets("XDSSubmissionSetAuthorPerson='%Smith%'"), " +0"},
		{"folders", folders("XDSFolderCodeList=('k^^1')", "XDSFolderCodeList=('l^^1')", "XDSFolderLastUpdateTimeFrom=2023"), "21 +0"},
		{"folders before", folders("XDSFolderLastUpdateTimeTo=2023"), " +0"},
		{"everything", all(patientA), "1 2 3 11 12 13 14 21 +10"},
		{"everything of a format", all(patientA, "XDSDocumentEntryFormatCode=('g^^1')"), "1 2 3 12 21 +9"},
		{"everything of another", all(patientB, types), "4 15 +1"},

		{"documents", ask(GetDocuments, "XDSDocumentEntryEntryUUID=("+uuid(11, 13, 77)+")"), "11 13 +0"},
		{"on-demand document", ask(GetDocuments, "XDSDocumentEntryUniqueId=('1.2.15')"), "15 +0"},
		{"folder by uniqueId", ask(GetFolders, "XDSFolderUniqueId=('1.2.21')"), "21 +0"},
		{"associations of a document", ask(GetAssociations, "uuid=("+uuid(13)+")"), " +2"},
		{"associations of a set", ask(GetAssociations, "uuid=("+uuid(1)+")"), " +5"},
		{"document and associations", ask(GetDocumentsAndAssociations, "XDSDocumentEntryUniqueId=('1.2.11')"), "11 +2"},
		{"sets of documents", ask(GetSubmissionSets, "uuid=("+uuid(11, 12, 13)+")"), "1 2 +3"},
		{"sets of a folder", ask(GetSubmissionSets, "uuid=("+uuid(21)+")"), "1 +1"},
		{"contents of a set", ask(GetSubmissionSetAndContents, "XDSSubmissionSetUniqueId='1.2.1'"), "1 11 12 21 +7"},
		{"contents of a format", ask(GetSubmissionSetAndContents, "XDSSubmissionSetEntryUUID="+uuid(1), "XDSDocumentEntryFormatCode=('f^^1')"), "1 11 21 +4"},
		{"contents of a replacement", ask(GetSubmissionSetAndContents, "XDSSubmissionSetUniqueId='1.2.2'"), "2 13 +1"},
		{"on-demand contents", ask(GetSubmissionSetAndContents, "XDSSubmissionSetUniqueId='1.2.4'"), "4 +0"},
		{"contents of a folder", ask(GetFolderAndContents, "XDSFolderUniqueId='1.2.21'"), "11 12 21 +2"},
		{"confidential contents", ask(GetFolderAndContents, "XDSFolderUniqueId='1.2.21'", "XDSDocumentEntryConfidentialityCode=('R^^1')"), "11 21 +1"},
		{"folders for a document", ask(GetFoldersForDocument, "XDSDocumentEntryUniqueId='1.2.12'"), "21 +0"},
		{"folders for none", ask(GetFoldersForDocument, "XDSDocumentEntryUniqueId='1.2.13'"), " +0"},
		{"related", ask(GetRelatedDocuments, "XDSDocumentEntryUniqueId='1.2.14'", related), "13 14 +1"},
		{"near a folder", ask(GetRelatedDocuments, "XDSDocumentEntryUniqueId='1.2.11'", related), " +0"},
		{"of another kind", ask(GetRelatedDocuments, "XDSDocumentEntryUniqueId='1.2.14'", "AssociationTypes=('"+string(metadata.Append)+"')"), " +0"},
	} {
		q, errs, err := ParseRequest(parse(t, test.request))
		if err != nil || errs != nil {
			t.Fatalf("%s: %v, %v", test.name, err, errs)
		}
		got, e := Evaluate(q, example())
		if e != nil {
			t.Errorf("%s: %v", test.name, e)
		} else if summary(got) != test.want {
			t.Errorf("%s: got %q, want %q", test.name, summary(got), test.want)
		}
	}
}

// Whole objects of two patients are refused, their ids are not.
func TestSinglePatient(t *testing.T) {
	for name, parameter := range map[Name]string{
		GetDocuments: "XDSDocumentEntryUniqueId=('1.2.11','1.2.15')", GetDocumentsAndAssociations: "XDSDocumentEntryUniqueId=('1.2.11','1.2.15')",
		GetSubmissionSets: "uuid=('" + objectID(11) + "','" + objectID(15) + "')",
	} {
		q, _, _ := ParseRequest(parse(t, ask(name, parameter)))
		if _, e := Evaluate(q, example()); e == nil || e.Code != metadata.ResultNotSinglePatient {
			t.Errorf("%s: %v", name, e)
		}
		q.Return = ObjectRef
		if o, e := Evaluate(q, example()); e != nil || o.Len() < 2 {
			t.Errorf("%s: %v", name, e)
		}
	}
}

func TestLike(t *testing.T) {
	for _, test := range []struct {
		pattern, text string
		want          bool
	}{
		{"", "", true}, {"", "a", false}, {"%", "", true}, {"a", "A", false}, {"a%", "abc", true}, {"%c", "abc", true}, {"%b%", "abc", true},
		{"_", "é", true}, {"__", "é", false}, {"a_c", "abc", true}, {"%a%b%", "xaxbx", true}, {"%a%b", "xbxa", false}, {"a%%c", "ac", true},
		{`\%`, "%", false}, {"%aab", "aaab", true}, {strings.Repeat("%a", 100), strings.Repeat("a", 99), false},
	} {
		if got := newText(test.text).like(test.pattern); got != test.want {
			t.Errorf("%q like %q: %t", test.text, test.pattern, got)
		}
	}
}

// A text of any length is matched as a simple matcher does.
func TestLikeIsThatOfSQL(t *testing.T) {
	var simple func(p, s []rune) bool
	simple = func(p, s []rune) bool {
		switch {
		case len(p) == 0:
			return len(s) == 0
		case p[0] == '%':
			return simple(p[1:], s) || len(s) > 0 && simple(p, s[1:])
		}
		return len(s) > 0 && (p[0] == '_' || p[0] == s[0]) && simple(p[1:], s[1:])
	}
	r := rand.New(rand.NewPCG(20240229, 2))
	random := func(n int, from string) string {
		s := make([]rune, n)
		for i := range s {
			s[i] = []rune(from)[r.IntN(len([]rune(from)))]
		}
		return string(s)
	}
	matched := 0
	for range 20_000 {
		before := strings.Repeat("é", r.IntN(2)*(55+r.IntN(80))) // over the ends of words
		pattern, s := before+random(r.IntN(8), "ab_%"), before+random(r.IntN(8), "aab")
		want := simple([]rune(pattern), []rune(s))
		if got := newText(s).like(pattern); got != want {
			t.Fatalf("%q like %q: %t", s, pattern, got)
		}
		if want {
			matched++
		}
	}
	if matched < 1000 {
		t.Errorf("%d have matched", matched)
	}
}

// The worst patterns take no longer than any.
func TestLikeIsQuick(t *testing.T) {
	s := strings.Repeat("a", maxText)
	l := Like{AnyOf: slices.Repeat([]string{"%" + strings.Repeat("_", maxText/2) + "a!"}, maxPatterns)}
	start := time.Now()
	for range 1000 {
		if likes([]Like{l}, []string{s}) {
			t.Fatal("matched")
		}
	}
	if took := time.Since(start); took > 2*time.Second { // one by one, 256 x 128 x 128,000 steps
		t.Errorf("1,000 values took %v", took)
	}
}

// Laws that hold for whatever is in a registry.
func TestLaws(t *testing.T) {
	seed := uint64(20240229)
	r := rand.New(rand.NewPCG(seed, 1))
	pick := func(s ...string) string { return s[r.IntN(len(s))] }
	code := func() metadata.Code { return metadata.Code{Value: pick("a", "b", "c"), Scheme: pick("1", "2")} }
	dtm := func() string { return pick("", "2004", "200401", "20040102", "200406", "2005", "20050615120000") }
	for round := range 200 {
		all := &metadata.Objects{}
		for i := range 30 {
			all.Documents = append(all.Documents, metadata.DocumentEntry{
				Object: metadata.Object{ID: objectID(i), Status: metadata.Status(pick(string(metadata.Approved), string(metadata.Deprecated)))},
				Type:   metadata.ObjectType(pick(string(metadata.Stable), string(metadata.OnDemand))), PatientID: pick(patientA, patientB),
				ClassCode: code(), EventCodes: []metadata.Code{code(), code()}[:r.IntN(3)], ServiceStartTime: dtm(), CreationTime: dtm(),
				Authors: []metadata.Author{{Person: pick("", "x^Ford", "y^Curie")}},
			})
		}
		condition := func() CodeCondition {
			return CodeCondition{Attribute: pick("classCode", "eventCodeList"), AnyOf: []metadata.Code{code(), code()}[:1+r.IntN(2)]}
		}
		base := Filter{PatientID: pick("", patientA), Types: []metadata.ObjectType{metadata.Stable, metadata.OnDemand}[:1+r.IntN(2)]}
		run := func(f Filter) []string {
			q := &Query{Name: FindDocuments, Return: LeafClass, Documents: f}
			out, e := Evaluate(q, all)
			if e != nil {
				t.Fatal(e)
			}
			q.Return = ObjectRef
			refs, _ := Evaluate(q, all)
			var ids, again []string
			for i := range out.Documents {
				ids = append(ids, out.Documents[i].ID)
			}
			for i := range refs.Documents {
				again = append(again, refs.Documents[i].ID)
			}
			if !slices.Equal(ids, again) || !slices.IsSorted(ids) {
				t.Fatalf("round %d: order or return type change the result", round)
			}
			return ids
		}
		with := func(c ...CodeCondition) []string { f := base; f.Codes = c; return run(f) }
		timed := func(from, to string) []string {
			f := base
			f.Times = []TimeRange{{"serviceStartTime", from, to}}
			return run(f)
		}
		everything, one, two := run(base), condition(), condition()
		check := func(law string, got, want []string) {
			t.Helper()
			if !slices.Equal(got, want) {
				t.Fatalf("seed %d, round %d: %s: got %v, want %v", seed, round, law, got, want)
			}
		}
		check("two conditions are the intersection", with(one, two), intersect(with(one), with(two)))
		not := one
		not.Not = true
		check("not is the complement", union(with(one), with(not)), everything)
		check("not is disjoint", intersect(with(one), with(not)), nil)
		if len(one.AnyOf) == 2 {
			first, second := one, one
			first.AnyOf, second.AnyOf = one.AnyOf[:1], one.AnyOf[1:]
			check("alternatives are the union", with(one), union(with(first), with(second)))
		}
		always := timed("9999", "9999") // those without the attribute
		check("ranges meet", union(timed("2004", "200402"), timed("200402", "2006")), timed("2004", "2006"))
		check("ranges do not overlap", intersect(timed("2004", "200402"), timed("200402", "2006")), always)
		check("no range", union(timed("", "200402"), timed("200402", "")), everything)
		both := base
		both.Statuses = []metadata.Status{metadata.Approved, metadata.Deprecated}
		check("both statuses are all", run(both), everything)
		liked, unliked := base, base
		liked.Authors, unliked.Authors = []Like{{AnyOf: []string{"%^Ford"}}}, []Like{{AnyOf: []string{"%^Ford"}, Not: true}}
		check("like and not like", union(run(liked), run(unliked)), everything)
		check("like or not like", intersect(run(liked), run(unliked)), nil)
	}
}

// intersect and union are of sorted lists.
func intersect(a, b []string) []string {
	var out []string
	for _, s := range a {
		if slices.Contains(b, s) {
			out = append(out, s)
		}
	}
	return out
}

func union(a, b []string) []string {
	out := slices.Concat(a, b)
	slices.Sort(out)
	if out = slices.Compact(out); len(out) == 0 {
		return nil
	}
	return out
}
