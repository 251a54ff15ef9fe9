// Package registry is a Document Registry in SQL: it keeps registry objects, takes submissions and answers stored
// queries. ITI TF-2: 3.18 (ITI-18), 3.42 (ITI-42), 3.61 (ITI-61)
//
//	Submit:  Objects, valid --Admit, Resolve, effects--> rows     one transaction; all of it or nothing
//	Query:   Query --neighbourhood, by index--> Objects --query.Evaluate--> Objects, one snapshot
//
// The databases are SQLite, in a file, and PostgreSQL; what is written here is the same on both. There is one table,
// of objects: the columns are what rows are looked up by, and the body has all the rest.
//
//	n         order of registration         patient, unique_id  of all but associations
//	id        entryUUID                     source, target      of associations
//	kind      set, entry, folder or         added               of memberships of folders: when
//	          association                   study, mime_type,
//	          deprecated                    hash                of entries
//	body      JSON of what is not in        digest              of sets: of the submission as it came
//	          columns and not empty
//
// A query does not become SQL. It starts from a patient, ids, uniqueIds or the ends of associations, each of which is
// an index, reads what lies there in pages, and leaves the meaning to query.Evaluate; so there is one meaning. The work
// grows with what one patient has, not with the registry.
//
// What a caller may see is decided once for entries that are alike: of a study, and of a media type. These are columns, so
// what is hidden is not decoded, and of a patient whose entries are all hidden an index is all that is read. What hangs on
// entries shows as much as they do: an association if its ends do, a SubmissionSet or a Folder if one of its members does,
// or if it has none and the caller sees such; the lastUpdateTime of a Folder is when the newest member was added that is
// seen. What is hidden is as if it were not there.
//
// One transaction writes at a time, for all submissions that wait; queries do not wait for it. What Submit has
// acknowledged is on disk.
//
// A Store may be used concurrently. Its errors have no values of the metadata in them.
package registry
