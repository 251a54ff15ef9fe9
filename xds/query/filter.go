package query

import (
	"slices"

	"collimate/xds/metadata"
)

// document reports whether a DocumentEntry fulfils the filter.
func (f *Filter) document(d *metadata.DocumentEntry) bool {
	created := d.CreationTime
	if d.Type == metadata.OnDemand {
		created = "" // ITI TF-2: 3.18.4.1.2.3.3
	}
	return f.common(d.PatientID, d.Status) &&
		(len(f.Types) == 0 || slices.Contains(f.Types, d.Type)) && !slices.Contains(f.NotTypes, d.Type) &&
		(len(f.Codes) == 0 || f.codes(map[string][]metadata.Code{
			"classCode": {d.ClassCode}, "typeCode": {d.TypeCode}, "formatCode": {d.FormatCode},
			"practiceSettingCode": {d.PracticeSettingCode}, "healthcareFacilityTypeCode": {d.HealthcareFacilityTypeCode},
			"eventCodeList": d.EventCodes, "confidentialityCode": d.ConfidentialityCodes,
		})) &&
		likes(f.Authors, persons(d.Authors)) && likes(f.References, d.ReferenceIDs) &&
		(len(f.Times) == 0 || f.times(map[string]string{
			"creationTime": created, "serviceStartTime": d.ServiceStartTime, "serviceStopTime": d.ServiceStopTime,
		}))
}

// submissionSet reports whether a SubmissionSet fulfils the filter.
func (f *Filter) submissionSet(s *metadata.SubmissionSet) bool {
	return f.common(s.PatientID, s.Status) &&
		(len(f.SourceIDs) == 0 || slices.Contains(f.SourceIDs, s.SourceID)) &&
		f.codes(map[string][]metadata.Code{"contentTypeCode": {s.ContentTypeCode}}) &&
		likes(f.Authors, persons(s.Authors)) && f.times(map[string]string{"submissionTime": s.SubmissionTime})
}

// folder reports whether a Folder fulfils the filter.
func (f *Filter) folder(d *metadata.Folder) bool {
	return f.common(d.PatientID, d.Status) && f.codes(map[string][]metadata.Code{"codeList": d.Codes}) &&
		f.times(map[string]string{"lastUpdateTime": d.LastUpdateTime})
}

func (f *Filter) common(patient string, status metadata.Status) bool {
	return (f.PatientID == "" || f.PatientID == patient) && (len(f.Statuses) == 0 || slices.Contains(f.Statuses, status))
}

func (f *Filter) codes(of map[string][]metadata.Code) bool {
	for _, c := range f.Codes {
		found := slices.ContainsFunc(of[c.Attribute], func(has metadata.Code) bool {
			return slices.ContainsFunc(c.AnyOf, has.Is)
		})
		if found == c.Not {
			return false
		}
	}
	return true
}

func (f *Filter) times(of map[string]string) bool {
	for _, r := range f.Times {
		t := of[r.Attribute]
		if t == "" {
			continue
		}
		t = metadata.PadDTM(t)
		if r.From != "" && t < metadata.PadDTM(r.From) || r.To != "" && t >= metadata.PadDTM(r.To) {
			return false
		}
	}
	return true
}

// persons returns the authorPerson of each author that has one.
func persons(authors []metadata.Author) []string {
	var out []string
	for i := range authors {
		if authors[i].Person != "" {
			out = append(out, authors[i].Person)
		}
	}
	return out
}
