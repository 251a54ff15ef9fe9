package metadata

import (
	"fmt"
	"strings"
)

const (
	samplePatient = "P-1^^^&1.2.840.1&ISO"
	sampleHash    = "da39a3ee5e6b4b0d3255bfef95601890afd80709"
)

func code(value string) Code {
	return Code{Value: value, Scheme: "1.2.840.2", Display: "Display of " + value}
}

// sample returns a submission that has everything: a set, two stable documents one of which is an addendum to a
// registered document, a folder with one of them, and the associations between them.
func sample() *Objects {
	author := func() Author {
		return Author{
			Person: "77^Röntgen^Wilhelm^^^Prof.^^^&1.2.840.3&ISO", Institutions: []string{"North <& South>^^^^^&1.2.840.4&ISO^^^^9", "South"},
			Roles: []string{"Author", "Reader"}, Specialties: []string{"Radiology"}, Telecommunications: []string{"^^Internet^r@north.example"},
		}
	}
	document := func(n string) DocumentEntry {
		return DocumentEntry{
			Object: Object{ID: "Document0" + n, Title: Text{"Chest \"X-ray\" " + n, "en-US"}, Comments: Text{Value: "none"},
				Extra: []Slot{{"urn:north.example:extra", []string{"a", "b"}}}},
			Type: Stable, MimeType: "application/dicom", Authors: []Author{author(), {Person: "^Second"}},
			ClassCode: code("class"), ConfidentialityCodes: []Code{code("N"), code("R")}, EventCodes: []Code{code("CT"), code("T-D3000")},
			FormatCode: code("format"), HealthcareFacilityTypeCode: code("facility"), PracticeSettingCode: code("practice"), TypeCode: code("type"),
			PatientID: samplePatient, UniqueID: "1.2.840.5." + n, CreationTime: "20240229", Hash: sampleHash, LanguageCode: "en-US",
			LegalAuthenticator: "^Curie^Marie", ReferenceIDs: []string{"A1^^^&1.2.840.6&ISO^urn:ihe:iti:xds:2013:accession", "1.2.3^^^^urn:ihe:iti:xds:2016:studyInstanceUID"},
			RepositoryUniqueID: "1.2.840.7", ServiceStartTime: "202402290800", ServiceStopTime: "20240229083000", Size: "36",
			SourcePatientID: "S-1^^^&1.2.840.8&ISO", SourcePatientInfo: []string{"PID-3|S-1^^^&1.2.840.8&ISO", "PID-5|Doe^Jane", "PID-8|F"},
			URI: "http://north.example/a?b=1&c=2", DocumentAvailability: "Online",
		}
	}
	return &Objects{
		SubmissionSets: []SubmissionSet{{
			Object: Object{ID: "SubmissionSet01", Title: Text{Value: "Study"}}, Authors: []Author{author()}, ContentTypeCode: code("content"),
			PatientID: samplePatient, SourceID: "1.2.840.9", UniqueID: "1.2.840.10", SubmissionTime: "20240301120000",
			IntendedRecipients: []string{"North|77^Röntgen|^^Internet^r@north.example", "|^Curie"},
		}},
		Documents: []DocumentEntry{document("1"), document("2")},
		Folders:   []Folder{{Object: Object{ID: "Folder01", Title: Text{Value: "Chest"}}, Codes: []Code{code("folder")}, PatientID: samplePatient, UniqueID: "1.2.840.11"}},
		Associations: []Association{
			{Object: Object{ID: "A1"}, Type: HasMember, Source: "SubmissionSet01", Target: "Document01", SubmissionSetStatus: Original},
			{Object: Object{ID: "A2"}, Type: HasMember, Source: "SubmissionSet01", Target: "Document02", SubmissionSetStatus: Original},
			{Object: Object{ID: "A3"}, Type: HasMember, Source: "SubmissionSet01", Target: "Folder01"},
			{Object: Object{ID: "A4"}, Type: HasMember, Source: "Folder01", Target: "Document01"},
			{Object: Object{ID: "A5"}, Type: HasMember, Source: "SubmissionSet01", Target: "A4"},
			{Object: Object{ID: "A6"}, Type: Append, Source: "Document02", Target: registered, Documentation: code("why")},
		},
	}
}

// onDemandSample returns a submission of an on-demand document.
func onDemandSample() *Objects {
	o := sample()
	o.Documents, o.Folders, o.Associations = o.Documents[:1], nil, o.Associations[:1]
	d := &o.Documents[0]
	d.Type, d.CreationTime, d.Hash, d.Size = OnDemand, "", "", ""
	return o
}

// resolved returns the sample as it is once registered.
func resolved() *Objects {
	o := sample()
	n := 0
	o.Resolve(func() string { n++; return fmt.Sprintf("urn:uuid:00000000-0000-4000-8000-%012d", n) })
	o.Folders[0].LastUpdateTime = "20240301120001"
	return o
}

// text returns the sample as a message, with replacements.
func text(replace ...string) string {
	return strings.NewReplacer(replace...).Replace(string(AppendSubmission(nil, sample())))
}
