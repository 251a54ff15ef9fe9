package conformance

import "time"

// findScripts are toolkit2's tests of the queries that search for a patient. ITI TF-2: 3.18.4.1.2.3.7.1 to .3
func findScripts() []script {
	approved := func(s *session) *query { return s.findDocuments(thePatient, approvedOnly) }
	// by asks for ObjectRefs by one more parameter.
	by := func(name string, values func(*session) []string) func(*session) *query {
		return func(s *session) *query { return approved(s).asRefs().with(name, values(s)...) }
	}
	codes := func(attribute string, indices ...int) func(*session) []string {
		return func(s *session) []string { return s.coded(attribute, indices...) }
	}
	between := func(attribute, from, to string) func(*session) *query {
		return func(s *session) *query {
			return approved(s).asRefs().with("$XDSDocumentEntry"+attribute+"From", from).with("$XDSDocumentEntry"+attribute+"To", to)
		}
	}
	bothEvents := func(s *session) *query {
		return approved(s).asRefs().with("$XDSDocumentEntryEventCodeList", s.coded("eventCodeList", 2)...).
			with("$XDSDocumentEntryEventCodeList", s.coded("eventCodeList", 0)...)
	}
	refs := func(objects string) want { return want{objects: objects, refs: true} }
	const allApproved = "single.D0 fol.D0 two.D0 two.D1 rplc.D0"
	documents := script{"11897", "FindDocuments Stored Query", []step{
		ask("approved / leafclass", "Approved documents of a patient", approved, want{objects: allApproved}),
		ask("leafclass / leafclass", "Documents of any status", func(s *session) *query { return s.findDocuments(thePatient, anyStatus) }, want{objects: allApproved + " orig.D0!"}),
		ask("objectref / object_refs", "The same as ObjectRefs", func(s *session) *query { return s.findDocuments(thePatient, anyStatus).asRefs() }, refs(allApproved+" orig.D0!")),
		ask("classcode_one / classcode_one", "By one classCode", by("$XDSDocumentEntryClassCode", codes("classCode", 1)), refs("fol.D0")),
		ask("classcode_two / classcode_two", "By one of two classCodes, any status", func(s *session) *query {
			return s.findDocuments(thePatient, anyStatus).asRefs().with("$XDSDocumentEntryClassCode", s.coded("classCode", 1, 0)...)
		}, refs("fol.D0 single.D0 rplc.D0")),
		ask("classcode_scheme_2 / classcode_scheme_2", "By one of two other classCodes", by("$XDSDocumentEntryClassCode", codes("classCode", 2, 3)), refs("two.D0 two.D1")),
		askBadly("classcode_scheme_mismatch / classcode_scheme_mismatch", "A code without its scheme is refused", func(s *session) *query {
			return approved(s).with("$XDSDocumentEntryClassCode", list("DEMO-Lab^^1.3.6.1.4.1.21367.100.1", "a^^"))
		}, failure),
		ask("practicesetting / practicesetting", "By one of two practiceSettingCodes", by("$XDSDocumentEntryPracticeSettingCode", codes("practiceSettingCode", 1, 0)), refs("single.D0 fol.D0 two.D1")),
		ask("practicesetting_scheme / practicesetting_scheme", "A parameter that no standard knows does no harm", func(s *session) *query {
			return approved(s).asRefs().with("$XDSDocumentEntryPracticeSettingCode", s.coded("practiceSettingCode", 1)...).
				with("$XDSDocumentEntryPracticeSettingCodeScheme", list("Connect-a-thon practiceSettingCodes"))
		}, refs("fol.D0 two.D1")),
		ask("classcode_practicesetting / classcode_practicesetting", "By classCode and practiceSettingCode", func(s *session) *query {
			return approved(s).asRefs().with("$XDSDocumentEntryPracticeSettingCode", s.coded("practiceSettingCode", 2)...).
				with("$XDSDocumentEntryClassCode", s.coded("classCode", 2)...)
		}, refs("two.D0")),
		ask("creationtime_between / creationtime_between", "By creationTime", between("CreationTime", "20040101", "20050101"), refs("fol.D0")),
		ask("creationtime_between_long / creationtime_between", "By creationTime to the minute", between("CreationTime", "200401010934", "200501010856"), refs("fol.D0")),
		ask("creationtime_left_edge / creationtime_left_edge", "From is inclusive", between("CreationTime", "20041224", "20050101"), refs("fol.D0")),
		ask("creationtime_right_edge / creationtime_right_edge", "To is exclusive", between("CreationTime", "20041124", "20041224"), refs("")),
		ask("creationtime_practicesetting / creationtime_practicesetting", "By creationTime and practiceSettingCode", func(s *session) *query {
			return between("CreationTime", "20020101", "20060101")(s).with("$XDSDocumentEntryPracticeSettingCode", s.coded("practiceSettingCode", 1)...)
		}, refs("fol.D0")),
		ask("servicestarttime / servicestarttime", "By serviceStartTime", between("ServiceStartTime", "2005", "2006"), refs("two.D0 two.D1")),
		ask("servicestoptime / servicestoptime", "By serviceStopTime (toolkit2 asks for the start here too)", between("ServiceStopTime", "2005", "2006"), refs("two.D0 two.D1")),
		ask("hcftc / hcftc", "By one of two healthcareFacilityTypeCodes", by("$XDSDocumentEntryHealthcareFacilityTypeCode", codes("healthcareFacilityTypeCode", 0, 1)), refs("single.D0 fol.D0 two.D1")),
		ask("hcftc_scheme / hcftc_scheme", "By one healthcareFacilityTypeCode", by("$XDSDocumentEntryHealthcareFacilityTypeCode", codes("healthcareFacilityTypeCode", 0)), refs("single.D0 two.D1")),
		ask("eventcode / eventcode", "By an eventCode", by("$XDSDocumentEntryEventCodeList", codes("eventCodeList", 1)), refs("fol.D0")),
		ask("eventcode_multi_select / eventcode_multi_select", "By two eventCodes that a document must both have", bothEvents, refs("two.D0")),
		ask("confcode / confcode", "By one of two confidentialityCodes", by("$XDSDocumentEntryConfidentialityCode", codes("confidentialityCode", 2, 1)), refs("fol.D0 two.D0")),
		ask("formatcode / formatcode", "By formatCode", by("$XDSDocumentEntryFormatCode", codes("formatCode", 0)), refs("single.D0 fol.D0 two.D0 rplc.D0")),
		ask("typecode / typecode", "By typeCode", by("$XDSDocumentEntryTypeCode", codes("typeCode", 0)), refs(allApproved)),
		ask("deprecated / deprecated", "RPLC has deprecated the original", func(s *session) *query { return s.findDocuments(thePatient, list(statusDeprecated)).asRefs() }, refs("orig.D0!")),
		ask("author / author", "By a pattern of the author's name", by("$XDSDocumentEntryAuthorPerson", func(*session) []string { return []string{list("%Ford%")} }), refs("single.D0")),
		ask("and / and", "Repeated parameters mean and", bothEvents, refs("two.D0")),
		askBadly("old_scheme / old_scheme", "A code that is not in CE form is refused", func(s *session) *query {
			return approved(s).with("$XDSDocumentEntryPracticeSettingCode", list("Dialysis")).
				with("$XDSDocumentEntryPracticeSettingCodeScheme", list("Connect-a-thon practiceSettingCodes"))
		}, failure),
		ask("refid / refid", "FindDocumentsByReferenceId", func(s *session) *query {
			return get("FindDocumentsByReferenceId").asRefs().with("$XDSDocumentEntryPatientId", quoted(s.patient(thePatient))).
				with("$XDSDocumentEntryStatus", approvedOnly).with("$XDSDocumentEntryReferenceIdList", list(reference))
		}, refs("two.D1")),
	}}

	find := func(slots ...string) func(*session) *query {
		return func(s *session) *query {
			q := get("FindSubmissionSets").with("$XDSSubmissionSetPatientId", quoted(s.patient(thePatient))).with("$XDSSubmissionSetStatus", approvedOnly)
			for i := 0; i < len(slots); i += 2 {
				q.with("$XDSSubmissionSet"+slots[i], slots[i+1])
			}
			return q
		}
	}
	byContent := func(i int) func(*session) *query {
		return func(s *session) *query {
			return find()(s).with("$XDSSubmissionSetContentType", s.coded("contentTypeCode", i)...)
		}
	}
	allSets := want{objects: "single.S fol.S two.S orig.S rplc.S"}
	sets := script{"11898", "SQ.b FindSubmissionSets Stored Query", []step{
		ask("simple / simple", "SubmissionSets of a patient", find(), allSets),
		ask("other_sourceid / other_sourceid", "None of another sourceId", find("SourceId", list("1.2.669847365.352.1")), want{}),
		ask("submissiontime_in / submissiontime_in", "By submissionTime", find("SubmissionTimeFrom", "200412", "SubmissionTimeTo", "200501"), allSets),
		ask("submissiontime_out / submissiontime_out", "None of another submissionTime", find("SubmissionTimeFrom", "200312", "SubmissionTimeTo", "200401"), want{}),
		ask("submissiontime_no_start / submissiontime_no_start", "Without a beginning", find("SubmissionTimeTo", "200501"), allSets),
		ask("submissiontime_no_end / submissiontime_no_end", "Without an end", find("SubmissionTimeFrom", "200412"), allSets),
		ask("author_all / author_all", "By a pattern of the author's name", find("AuthorPerson", quoted("%Dopplemeyer%")), allSets),
		ask("author_none / author_none", "None of another author", find("AuthorPerson", quoted("%Smith%")), want{}),
		ask("contenttype_all / contenttype_all", "By contentTypeCode", byContent(0), allSets),
		ask("contenttype_none / contenttype_none", "None of another contentTypeCode", byContent(1), want{}),
	}}

	folders := func(slots ...string) func(*session) *query {
		return func(s *session) *query {
			q := get("FindFolders").with("$XDSFolderPatientId", quoted(s.patient(thePatient))).with("$XDSFolderStatus", approvedOnly)
			for i := 0; i < len(slots); i += 2 {
				q.with("$XDSFolder"+slots[i], slots[i+1])
			}
			return q
		}
	}
	now := time.Now().UTC()
	bothFolders := want{objects: "fol.F0 two.F0"}
	return []script{documents, sets, {"11899", "SQ.b FindFolders Stored Query", []step{
		ask("basic / basic", "Folders of a patient", folders(), bothFolders),
		ask("in_updatetime / in_updatetime", "By lastUpdateTime", folders("LastUpdateTimeFrom", now.AddDate(-1, 0, 0).Format("20060102150405"),
			"LastUpdateTimeTo", now.AddDate(0, 0, 2).Format("20060102150405")), bothFolders),
		ask("out_updatetime / out_updatetime", "None of another lastUpdateTime", folders("LastUpdateTimeFrom", "2001", "LastUpdateTimeTo", "2003"), want{}),
		ask("codelist / codelist", "By code", func(s *session) *query {
			return folders()(s).with("$XDSFolderCodeList", s.coded("folderCodeList", 0)...)
		}, bothFolders),
	}}}
}
