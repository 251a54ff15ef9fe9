package conformance

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/beevik/etree"
)

// registryScripts are toolkit2's tests of a Document Registry, in its order but for the data, which come first.
func registryScripts() []script {
	all := append(registryData(), findScripts()...)
	all = append(all, getScripts()...)
	all = append(all, registerScripts()...)
	all = append(all, lifecycleScripts()...)
	all = append(all, folderScripts()...)
	return append(all, registerFaults(), queryFaults(), queryService.script(),
		strangers(storedQuery, step{"stranger", "To somebody whom nobody let in, what is there looks like what is not", strangerFindsNothing}),
		strangers(registerDocumentSet, step{"stranger", "Somebody whom nobody let in registers nothing", strangerSubmitsNothing}))
}

// oneDocument is the simplest submission.
func oneDocument(name string) recipe { return recipe{name: name, documents: []document{{}}} }

// contentsAre asks for a SubmissionSet with all it brought.
func contentsAre(name, title, set, objects, links string) step {
	return ask(name, title, func(s *session) *query { return s.contentsOf(set) }, want{objects: objects, links: links})
}

// relatesTo is a document with a relation to an earlier one.
func relatesTo(name, kind, to string) recipe {
	return recipe{name: name, documents: []document{{}}, relations: []relation{{kind: kind, to: to}}}
}

// without is a document that lacks a required attribute.
func without(attribute string) recipe {
	r := oneDocument("11998a." + attribute)
	r.edit = func(_ *session, sub *submission) { remove(sub.documents[0].element, attribute) }
	return r
}

// setPatient puts another patient into an object.
func setPatient(e *etree.Element, patient string) {
	for _, i := range e.SelectElements("rim:ExternalIdentifier") {
		switch i.SelectAttrValue("identificationScheme", "") {
		case schemeEntryPatient, schemeSetPatient, schemeFolderPatient:
			i.CreateAttr("value", patient)
		}
	}
}

// mismatched gives the document another patient than the SubmissionSet.
func mismatched(s *session, sub *submission) {
	setPatient(sub.documents[0].element, s.patient(otherPatient))
}

// registerScripts are the tests of plain registration. ITI TF-2: 3.42.4.1.3
func registerScripts() []script {
	one, two := oneDocument("11990"), recipe{name: "11991", documents: []document{{}, {}}}
	one.symbolic, two.symbolic = true, true
	unknown, mismatch := oneDocument("11996"), oneDocument("11997")
	unknown.patient, mismatch.edit = unknownPatient, mismatched
	same, differs := recipe{name: "12004.2", documents: []document{{again: "12004.D0"}}}, recipe{name: "12004.3", documents: []document{{again: "12004.D0"}}}
	differs.edit = func(_ *session, sub *submission) {
		setSlot(sub.documents[0].element, "hash", hashOf([]byte("another")))
	}
	partly := recipe{name: "12084", documents: []document{{}, {}}}
	partly.edit = func(_ *session, sub *submission) { remove(sub.documents[1].element, "typeCode") }
	again := recipe{name: "15806.again", documents: []document{{title: "Another"}}, again: "15806.S"}
	original := func(s *session) *query { return s.contentsOf("15806") }
	missing := script{"11998a", "Attribute missing rejection", nil}
	for _, attribute := range []string{"classCode", "confidentialityCode", "creationTime", "formatCode", "healthcareFacilityTypeCode", "languageCode",
		"practiceSettingCode", "sourcePatientId", "typeCode"} {
		missing.steps = append(missing.steps, submit(attribute+" / submit", "A document without "+attribute+" is refused", without(attribute), failure))
	}
	return []script{
		{"11990", "Register single DocumentEntry", []step{
			submit("submit / submit", "A document with symbolic ids is registered", one, success),
			contentsAre("eval / by_uid", "The set holds it, with UUIDs", "11990", "11990.S 11990.D0", "1 HasMember"),
			contentsAre("eval / verify_availabilityStatus", "It is Approved", "11990", "11990.S 11990.D0", "1 HasMember"),
		}},
		{"11991", "Register two DocumentEntries", []step{
			submit("submit / submit", "Two documents are registered", two, success),
			contentsAre("eval / by_uid", "The set holds both", "11991", "11991.S 11991.D0 11991.D1", "2 HasMember"),
		}},
		{"12051", "R.b Register One Document from Integrated Src/Rep", []step{
			submit("submit / submit", "A document is registered", oneDocument("12051"), success),
		}},
		{"11996", "Reject Submission with Invalid Patient ID", []step{
			submit("submit / submit", "A patient of another domain is refused", unknown, saying("XDSUnknownPatientId")),
		}},
		{"11997", "Patient ID on SubmissionSet does not match DocumentEntry", []step{
			submit("submit / submit", "Two patients in one submission are refused", mismatch, saying("XDSPatientIdDoesNotMatch")),
			ask("eval / eval", "Nothing of it is registered", func(s *session) *query {
				return get("GetDocuments").asRefs().with(entryUniqueID, s.uniqueIDs("11997.D0"))
			}, want{refs: true}),
		}},
		missing,
		{"12004", "R.b Document Resubmission", []step{
			submit("submit / submit", "A document is registered", oneDocument("12004"), success),
			submit("submit / resubmit_doc", "The same uniqueId with the same hash is accepted", same, success),
			submit("submit / resubmit_doc_diff_hash", "The same uniqueId with another hash is refused", differs, saying("XDSNonIdenticalHash")),
			ask("eval / submit_eval", "The first two are there, the third is not", func(s *session) *query {
				return get("GetDocuments").asRefs().with(entryUniqueID, s.uniqueIDs("12004.D0"))
			}, want{objects: "12004.D0 12004.2.D0", refs: true}),
		}},
		{"12084", "R.b Submission Stored - All or Nothing", []step{
			submit("submit / submit", "Two documents, one of them bad, are refused", partly, failure),
			contentsAre("eval / by_uid", "Nothing of it is registered", "12084", "", ""),
		}},
		{"12370", "R.b Accept association documentation classification", []step{
			submit("not_configured / submit", "A documentation that is no code of the domain is refused", recipe{name: "12370.not", documents: []document{{}}, edit: func(_ *session, sub *submission) {
				addCode(sub.associations[0], "associationDocumentation", Code{"not-configured", "1.2.3.4", ""})
			}}, failure),
			submit("submit / submit", "A document is registered", oneDocument("12370"), success),
			submit("rplc / rplc", "Its replacement says why", recipe{name: "12370.rplc", documents: []document{{}}, relations: []relation{{kind: "RPLC", to: "12370.D0", documentation: true}}, edit: func(s *session, _ *submission) {
				s.coded("associationDocumentation", 0)
			}}, success),
			ask("query / validate", "The reason is kept", func(s *session) *query { return get("GetAssociations").with("$uuid", s.ids("12370.rplc.D0")) },
				want{links: "1 HasMember 1 RPLC", check: func(s *session, c contents) error {
					n := 0
					for _, a := range c.associations {
						n += codesIn(a, "associationDocumentation")
					}
					if n != 1 {
						return expected("one associationDocumentation", n)
					}
					return nil
				}}),
		}},
		{"12379", "Extra Metadata", []step{
			submit("support / support", "Slots with names of their own are no error", recipe{name: "12379", documents: []document{{}}, edit: func(_ *session, sub *submission) {
				setSlot(sub.documents[0].element, "urn:nist:extraDESlot", "here")
				setSlot(sub.set.element, "urn:nist:extraSSSlot", "here")
				setSlot(sub.associations[0], "urn:nist:extraAssocSlot", "here")
			}}, success),
			ask("support / verify_by_query", "They are kept", func(s *session) *query { return s.contentsOf("12379") }, want{objects: "12379.S 12379.D0", links: "1 HasMember", check: func(_ *session, c contents) error {
				if got := slotOf(c.associations[0], "urn:nist:extraAssocSlot"); got != "here" {
					return expected("urn:nist:extraAssocSlot on the Association", fmt.Sprintf("%q", got))
				}
				return nil
			}}),
		}},
		{"15806", "Reject resubmission", []step{
			submit("submit / submit", "A document is registered", oneDocument("15806"), success),
			ask("query / by_uid", "It is there", original, want{objects: "15806.S 15806.D0", links: "1 HasMember"}),
			submit("resubmit / submit", "Another SubmissionSet with the same uniqueId is refused", again, failure),
			ask("verify / by_uid", "The first is there still", original, want{objects: "15806.S 15806.D0", links: "1 HasMember"}),
			ask("verify / verify_original", "With its own title", original, want{objects: "15806.S 15806.D0", links: "1 HasMember"}),
		}},
	}
}

// lifecycleScripts are the tests of relations between documents. ITI TF-2: 3.42.4.1.3.4
func lifecycleScripts() []script {
	otherReplaces := relatesTo("11998.rplc", "RPLC", "11998.D0")
	otherReplaces.patient = otherPatient
	tree := recipe{name: "12022", documents: []document{{}, {}}, folders: []folder{{holds: []int{1}}}}
	children := recipe{name: "12022.xfrm", documents: []document{{}, {}}, relations: []relation{{"XFRM", 0, "12022.D0", false}, {"APND", 1, "12022.D0", false}}}
	grandchildren := recipe{name: "12022.apnd", documents: []document{{}, {}}, relations: []relation{{"APND", 0, "12022.xfrm.D0", false}, {"XFRM", 1, "12022.xfrm.D0", false}}}
	return []script{
		{"11992", "Document Replace", []step{
			submit("submit / submit", "A document is registered", oneDocument("11992"), success),
			submit("rplc / rplc", "It is replaced", relatesTo("11992.rplc", "RPLC", "11992.D0"), success),
			contentsAre("eval / validate_deprecate", "The original is Deprecated", "11992", "11992.S 11992.D0!", "1 HasMember"),
			contentsAre("eval / validate_new", "The replacement is Approved", "11992.rplc", "11992.rplc.S 11992.rplc.D0", "1 HasMember"),
		}},
		addendum("11993", "Document Replace and Addendum", "APND", "apnd"),
		addendum("11994", "Document Replace and Transformation", "XFRM", "xfrm"),
		{"11995", "Document Replace with Transformation (XFRM_RPLC)", []step{
			submit("submit / submit", "A document is registered", oneDocument("11995"), success),
			submit("rplc / rplc", "It is transformed and replaced", relatesTo("11995.rplc", "XFRM_RPLC", "11995.D0"), success),
			contentsAre("eval / validate_deprecate", "The original is Deprecated", "11995", "11995.S 11995.D0!", "1 HasMember"),
			ask("eval / validate_xfrm_rplc", "The association is there", func(s *session) *query { return get("GetAssociations").with("$uuid", s.ids("11995.rplc.D0")) }, want{links: "1 HasMember 1 XFRM_RPLC"}),
			contentsAre("eval / validate_new", "The replacement is Approved", "11995.rplc", "11995.rplc.S 11995.rplc.D0", "1 HasMember"),
		}},
		{"11998", "R.b Reject Submission, Patient ID on Replacement Document does not match Original", []step{
			submit("submit / submit", "A document is registered", oneDocument("11998"), success),
			submit("rplc / rplc", "A replacement of another patient is refused", otherReplaces, failure),
			contentsAre("eval / validate", "The original is Approved still", "11998", "11998.S 11998.D0", "1 HasMember"),
		}},
		{"12022", "R.b Accept document replace, addendum or transformation present", []step{
			submit("submit / submit", "Two documents are registered, one in a folder", tree, success),
			submit("xfrmapnd / xfrm_apnd", "A transformation and an addendum follow", children, success),
			submit("apnd / submit", "And a generation more", grandchildren, success),
			submit("rplc / rplc", "The original is replaced", relatesTo("12022.rplc", "RPLC", "12022.D0"), success),
			contentsAre("eval / original_deprecated", "The original is Deprecated, its neighbour is not", "12022", "12022.S 12022.D0! 12022.D1 12022.F0", "5 HasMember"),
			contentsAre("eval / apnd_xfrm_deprecated", "Its transformation and its addendum are Deprecated", "12022.xfrm", "12022.xfrm.S 12022.xfrm.D0! 12022.xfrm.D1!", "2 HasMember"),
			contentsAre("eval / replacement_approved", "The replacement is Approved", "12022.rplc", "12022.rplc.S 12022.rplc.D0", "1 HasMember"),
		}},
	}
}

// addendum is the script of 11993 and 11994, which differ in the kind of relation only.
func addendum(id, title, kind, word string) script {
	return script{id, title, []step{
		submit("submit / submit", "A document is registered", oneDocument(id), success),
		submit("submit / submit_copy", "And another", oneDocument(id+".copy"), success),
		submit("rplc / rplc", "The second is replaced", relatesTo(id+".rplc", "RPLC", id+".copy.D0"), success),
		submit(word+" / "+word, "The first gets one of kind "+kind, relatesTo(id+".more", kind, id+".D0"), success),
		submit(word+" / "+word+"_rplc", "The replaced one must not", relatesTo(id+".not", kind, id+".copy.D0"), failure),
		contentsAre("eval / validate_original", "The first is Approved", id, id+".S "+id+".D0", "1 HasMember"),
		contentsAre("eval / validate_"+word, "So is what it got", id+".more", id+".more.S "+id+".more.D0", "1 HasMember"),
		contentsAre("eval / no_validate_rplc_"+word, "Of the refused one nothing is there", id+".not", "", ""),
	}}
}

// folderScripts are the tests of folders. ITI TF-2: 3.42.4.1.3.5, 3.42.4.1.3.6
func folderScripts() []script {
	otherMember := recipe{name: "12002.add", patient: otherPatient, documents: []document{{}}, members: []member{{"12002.F0", "D0"}}}
	withFolder := func(name string) recipe {
		return recipe{name: name, documents: []document{{}}, folders: []folder{{holds: []int{0}}}}
	}
	symbolic := withFolder("12000")
	symbolic.symbolic = true
	emptyFolder := func(name string) recipe { return recipe{name: name, folders: []folder{{}}} }
	folderHolds := func(name, title, folder, objects, links string) step {
		return ask(name, title, func(s *session) *query { return s.folderContents(folder) }, want{objects: objects, links: links})
	}
	getByID := func(name string) func(*session) *query {
		return func(s *session) *query { return get("GetDocuments").with(entryUUID, s.ids(name)) }
	}
	return []script{
		{"11999", "R.b Accept Create Folder", []step{
			submit("submit / submit_fol", "An empty folder is registered", emptyFolder("11999"), success),
			contentsAre("eval / eval", "It is there", "11999", "11999.S 11999.F0", "1 HasMember"),
		}},
		{"12000", "R.b Accept Create Folder with Initial Document", []step{
			submit("submit / submit_doc_w_fol", "A folder with a document is registered", symbolic, success),
			contentsAre("eval_folder / eval_folder", "Both are there", "12000", "12000.S 12000.D0 12000.F0", "4 HasMember"),
			folderHolds("eval_assoc / eval_assoc", "The folder holds the document", "12000.F0", "12000.F0 12000.D0", "1 HasMember"),
		}},
		{"12000.1a", "R.b Accept Create Folder with Initial Document and Test GetDocuments Stored Query", []step{
			submit("submit / submit_doc_w_fol", "A folder with a document is registered", withFolder("12000.1a"), success),
			ask("getDocumentsSq / testForDEUsingSsUuid", "A SubmissionSet is no document", getByID("12000.1a.S"), want{}),
			ask("getDocumentsSq / testForDEUsingFolUuid", "Nor is a folder", getByID("12000.1a.F0"), want{}),
			ask("getDocumentsSq / testForDEUsingDEUuid", "A document is", getByID("12000.1a.D0"), want{objects: "12000.1a.D0"}),
		}},
		{"12001", "R.b Add new document to existing folder", []step{
			submit("create_folder / submit_fol", "An empty folder is registered", emptyFolder("12001"), success),
			submit("add_to_folder / add", "A new document is put into it", recipe{name: "12001.add", documents: []document{{}}, members: []member{{"12001.F0", "D0"}}}, success),
			folderHolds("eval / folder_and_contents", "The folder holds it", "12001.F0", "12001.F0 12001.add.D0", "1 HasMember"),
		}},
		{"12002", "R.b Reject Add Document to Folder - Patient ID does not match", []step{
			submit("create_folder / submit_fol", "An empty folder is registered", emptyFolder("12002"), success),
			submit("add_to_folder / add", "A document of another patient is refused", otherMember, saying("XDSPatientIdDoesNotMatch")),
			folderHolds("eval / folder_and_contents", "The folder is empty still", "12002.F0", "12002.F0", ""),
		}},
		updateTimes(),
		{"12326", "R.b Add Existing document to existing folder", []step{
			submit("create_folder / submit_fol", "A folder and a document beside it are registered", recipe{name: "12326", documents: []document{{}}, folders: []folder{{}}}, success),
			submit("add_to_folder / add", "The document is put into the folder", recipe{name: "12326.add", members: []member{{"12326.F0", "12326.D0"}}}, success),
			folderHolds("eval / folder_and_contents", "The folder holds it", "12326.F0", "12326.F0 12326.D0", "1 HasMember"),
		}},
		{"12327", "R.b Accept Document Replace, Document in Folder", []step{
			submit("submit_doc_w_fol / submit_doc_w_fol", "A folder with a document is registered", withFolder("12327"), success),
			contentsAre("verify_submission / verify_submission", "Both are there", "12327", "12327.S 12327.D0 12327.F0", "4 HasMember"),
			submit("rplc / rplc", "The document is replaced", relatesTo("12327.rplc", "RPLC", "12327.D0"), success),
			folderHolds("verify_folder_contents / verify_folder_contents", "The folder holds the replacement too", "12327.F0", "12327.F0 12327.D0! 12327.rplc.D0", "2 HasMember"),
		}},
	}
}

// updateTimes is 12323, whose steps compare the lastUpdateTime of folders.
func updateTimes() script {
	const none, old = "12323.none", "12323.old"
	folderOf := func(name string) func(*session) *query {
		return func(s *session) *query { return get("GetFolders").with("$XDSFolderEntryUUID", s.ids(name+".F0")) }
	}
	// noted remembers the time of the folder under a name, and judges it.
	noted := func(as string, ok func(s *session, t string) error) func(*session, contents) error {
		return func(s *session, c contents) error {
			for _, e := range c.objects {
				if isLabelled(e, nodeFolder) {
					s.times[as] = slotOf(e, "lastUpdateTime")
				}
			}
			return ok(s, s.times[as])
		}
	}
	today := func(_ *session, t string) error {
		now := time.Now().UTC()
		for _, day := range []time.Time{now, now.AddDate(0, 0, -1)} { // the day may have changed since
			if strings.HasPrefix(t, day.Format("20060102")) {
				return nil
			}
		}
		return expected("today's date as lastUpdateTime", fmt.Sprintf("%q", t))
	}
	laterThan := func(before string) func(*session, string) error {
		return func(s *session, t string) error {
			if s.times[before] == "" {
				s.lacks("an earlier step did not see the folder's time")
			}
			if t <= s.times[before] {
				return expected(fmt.Sprintf("a lastUpdateTime later than %s", s.times[before]), fmt.Sprintf("%q", t))
			}
			return nil
		}
	}
	// after waits for the next second, then runs the step.
	after := func(p step) step {
		run := p.run
		p.run = func(ctx context.Context, t *Target, s *session) error {
			if err := s.pause(ctx, 1100*time.Millisecond); err != nil {
				return err
			}
			return run(ctx, t, s)
		}
		return p
	}
	filled := func(s *session) *query { return s.folderContents(none + ".F0") }
	contents := func(check func(*session, contents) error) want {
		return want{objects: none + ".F0 " + none + ".add.D0", links: "1 HasMember", check: check}
	}
	return script{"12323", "R.b Folder lastUpdateTime", []step{
		submit("no_time / no_time", "A folder without a time is registered", recipe{name: none, folders: []folder{{}}}, success),
		ask("verify_no_submission_time / getFolder", "It is there", folderOf(none), want{objects: none + ".F0"}),
		ask("verify_no_submission_time / verify_has_todays_date", "With a time of today", folderOf(none), want{objects: none + ".F0", check: noted("created", today)}),
		submit("has_time / has_time", "A folder with an old time is registered", recipe{name: old, folders: []folder{{updated: "20040101120000"}}}, success),
		ask("verify_has_submission_time / verify_has_time_submission", "The registry's time takes its place", folderOf(old), want{objects: old + ".F0", check: noted("old", today)}),
		after(submit("add_to_folder / add_to_folder", "A document is put into the first", recipe{name: none + ".add", documents: []document{{}}, members: []member{{none + ".F0", "D0"}}}, success)),
		ask("verify_time_updated / verify_time_updated", "It is there", filled, contents(nil)),
		ask("verify_time_updated / validation", "The folder's time is later", filled, contents(noted("added", laterThan("created")))),
		after(submit("rplc / rplc", "The document is replaced", relatesTo(none+".rplc", "RPLC", none+".add.D0"), success)),
		ask("verify_time_updated_by_rplc / getFolder", "The folder is there", folderOf(none), want{objects: none + ".F0"}),
		ask("verify_time_updated_by_rplc / verify_time_updated_by_rplc", "Its time is later again", folderOf(none), want{objects: none + ".F0", check: noted("replaced", laterThan("added"))}),
	}}
}
