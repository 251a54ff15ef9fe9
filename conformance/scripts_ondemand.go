package conformance

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
)

// onDemandScripts are toolkit2's tests of on-demand documents: of their registry, and of the source that makes them.
func onDemandScripts() []script {
	od := recipe{name: "15805", documents: []document{{onDemand: true}}}
	snapshot := recipe{name: "15805.snap", documents: []document{{}}, relations: []relation{{kind: "IsSnapshotOf", to: "15805.D0"}}}
	find := func(types string) func(*session) *query {
		return func(s *session) *query {
			return s.findDocuments(thePatient, approvedOnly).with("$XDSDocumentEntryType", types)
		}
	}
	all := func(types string) func(*session) *query {
		return func(s *session) *query {
			return s.getAll(thePatient, approvedOnly).with("$XDSDocumentEntryType", types)
		}
	}
	contentsWith := func(set, types string) func(*session) *query {
		return func(s *session) *query {
			q := s.contentsOf(set)
			if types != "" {
				q.with("$XDSDocumentEntryType", types)
			}
			return q
		}
	}
	odOnly, stableOnly := list(typeOnDemand), list(typeStable)
	barred := func(name, attribute, value string) recipe {
		return recipe{name: name, documents: []document{{onDemand: true}}, edit: func(_ *session, sub *submission) { setSlot(sub.documents[0].element, attribute, value) }}
	}
	stable := oneDocument("61-STABLE")
	return []script{
		{"15805", "Test 15805 - Registry oriented On-Demand DocumentEntry tests.", []step{
			submitOnDemand("Register_OD / Register", "An on-demand document is registered", od, success),
			submit("Register_Snapshot / Register", "A snapshot of it is registered", snapshot, success),
			includes("Query_OD_FindDocuments / FindDocuments", "FindDocuments finds it where on-demand is asked for", find(odOnly), "15805.D0", "15805.snap.D0"),
			includes("Query_OD_GetAll / GetAll", "So does GetAll", all(odOnly), "15805.D0", "15805.snap.D0"),
			ask("Query_OD_GetSSAndContents / GetSubmissionSetAndContents", "And GetSubmissionSetAndContents", contentsWith("15805", odOnly), want{objects: "15805.S 15805.D0", links: "1 HasMember"}),
			includes("Query_Stable_FindDocuments / FindDocuments", "FindDocuments finds the snapshot where stable is asked for", find(stableOnly), "15805.snap.D0", "15805.D0"),
			includes("Query_Stable_GetAll / GetAll", "So does GetAll, where nothing is said", func(s *session) *query { return s.getAll(thePatient, approvedOnly) }, "15805.snap.D0", "15805.D0"),
			ask("Query_Stable_GetSSAndContents / GetSubmissionSetAndContents", "And GetSubmissionSetAndContents", contentsWith("15805.snap", ""), want{objects: "15805.snap.S 15805.snap.D0", links: "1 HasMember"}),
			includes("Query_Both_FindDocuments / FindDocuments", "FindDocuments finds both", find(anyType), "15805.D0 15805.snap.D0", ""),
			includes("Query_Both_GetAll / GetAll", "So does GetAll", all(anyType), "15805.D0 15805.snap.D0", ""),
		}},
		{"15812", "On-Demand Document Registry", []step{
			submitOnDemand("Register_OD / Register", "An on-demand document is registered", recipe{name: "15812", documents: []document{{onDemand: true}}}, success),
			includes("Query_OD / FindDocuments", "FindDocuments finds it", find(odOnly), "15812.D0", ""),
			provide("Register_OD/ContentBundle/Content1 / SubmitStableIsSnapshotOfDocumentEntry", "A snapshot of it is taken by ITI-41",
				recipe{name: "15812.1", documents: []document{{}}, relations: []relation{{kind: "IsSnapshotOf", to: "15812.D0"}}}, success),
			provide("Register_OD/ContentBundle/Content2 / SubmitStableIsSnapshotOfDocumentEntry", "And another that replaces the first",
				recipe{name: "15812.2", documents: []document{{}}, relations: []relation{{"IsSnapshotOf", 0, "15812.D0", false}, {"RPLC", 0, "15812.1.D0", false}}}, success),
			{"Retrieve_OD / Retrieve_1", "An on-demand document of the target is returned under a new id", retrieveOnDemand},
			{"Retrieve_OD / Retrieve_2", "And once more", retrieveOnDemand},
		}},
		{"ITI-61", "ITI TF-2: 3.61.4.1.2, 3.61.4.1.3", []step{
			submitOnDemand("creationTime", "An on-demand document with a creationTime is refused", barred("61-TIME", "creationTime", "20061224"), refusedAs("XDSRegistryMetadataError")),
			submitOnDemand("hash", "An on-demand document with a hash is refused", barred("61-HASH", "hash", hashOf(nil)), refusedAs("XDSRegistryMetadataError")),
			submitOnDemand("size", "An on-demand document with a size is refused", barred("61-SIZE", "size", "1"), refusedAs("XDSRegistryMetadataError")),
			submitOnDemand("stable", "A stable document is refused", stable, failure),
			{"registered", "An on-demand document of the target is registered as one, in its repository", judgeOnDemandEntry},
			submit("on-demand", "An on-demand document is refused by ITI-42", recipe{name: "42-OD", documents: []document{{onDemand: true}}}, failure),
		}},
	}
}

// judgeOnDemandEntry looks up the target's own on-demand document.
func judgeOnDemandEntry(ctx context.Context, t *Target, s *session) error {
	if t.OnDemandDocument == "" {
		return skip("the target has no OnDemandDocument")
	}
	x, err := t.query(ctx, s, get("GetDocuments").with(entryUniqueID, list(t.OnDemandDocument)))
	if err == nil {
		err = success.judge(x)
	}
	if err != nil {
		return err
	}
	found := readContents(x).objects
	if len(found) != 1 {
		return expected("one DocumentEntry", len(found))
	}
	e := found[0]
	if got := e.SelectAttrValue("objectType", ""); got != typeOnDemand {
		return expected("objectType "+typeOnDemand, fmt.Sprintf("%q", got))
	}
	if got := slotOf(e, "repositoryUniqueId"); got != t.RepositoryUniqueID {
		return expected("repositoryUniqueId "+t.RepositoryUniqueID, fmt.Sprintf("%q", got))
	}
	if got := e.SelectAttrValue("status", ""); got != statusApproved {
		return expected("availabilityStatus Approved", fmt.Sprintf("%q", local(got)))
	}
	return nil
}

// includes asks for documents of a patient, of whom more may be there: some must come, some must not.
func includes(name, title string, q func(*session) *query, present, absent string) step {
	return step{name, title, func(ctx context.Context, t *Target, s *session) error {
		x, err := t.query(ctx, s, q(s))
		if err != nil {
			return err
		}
		if err := success.judge(x); err != nil {
			return err
		}
		if !s.has(present + " " + absent) {
			return nil
		}
		c := readContents(x)
		for _, names := range []struct {
			all  string
			want bool
		}{{present, true}, {absent, false}} {
			for _, n := range strings.Fields(names.all) {
				found := false
				for _, e := range c.objects {
					if s.isNamed(e, n) {
						found = true
						if err := s.judgeObject(e, n); err != nil {
							return err
						}
					}
				}
				if found != names.want {
					return expected(fmt.Sprintf("%s in the answer: %v", n, names.want), found)
				}
			}
		}
		return nil
	}}
}

// retrieveOnDemand asks the target for an on-demand document of its own. ITI TF-2: 3.43.4.2.2
func retrieveOnDemand(ctx context.Context, t *Target, s *session) error {
	if t.OnDemandDocument == "" {
		return skip("the target has no OnDemandDocument")
	}
	var b bytes.Buffer
	asked := []DocumentRef{{RepositoryUniqueID: t.RepositoryUniqueID, DocumentUniqueID: t.OnDemandDocument}}
	x, err := t.retrieve(ctx, s, asked, func(Document) io.Writer { return &b })
	if err != nil {
		return err
	}
	if err := success.judge(x); err != nil {
		return err
	}
	if len(x.answer.Documents) != 1 || b.Len() == 0 {
		return expected("the bytes of one document", plural(len(x.answer.Documents), "document"))
	}
	if d := x.answer.Documents[0]; d.NewDocumentUniqueID == "" || d.NewDocumentUniqueID == d.DocumentUniqueID {
		return expected("a NewDocumentUniqueId that differs from DocumentUniqueId", fmt.Sprintf("%q", d.NewDocumentUniqueID))
	}
	return nil
}
