package registry

import (
	"slices"

	"collimate/xds/metadata"
)

// Entry is what a caller's permission to see a DocumentEntry depends on: columns, so that what is hidden is never
// decoded. The zero Entry stands for none: it is asked about for a SubmissionSet or a Folder that has no member.
type Entry struct {
	Study    string // as Submission.Studies has it, "" for none
	MimeType string
}

// view is what one caller sees of a registry.
type view struct {
	reader
	visible func(Entry) (bool, error)
	entries map[Entry]bool    // what visible has said
	judged  map[string]bool   // by id: whether it is seen
	updated map[string]string // by id of a folder: when the newest member that is seen was added
}

func newView(r reader, visible func(Entry) (bool, error)) view {
	v := view{reader: r, visible: visible, entries: map[Entry]bool{}, judged: map[string]bool{}, updated: map[string]string{}}
	v.see = func(r *row) (bool, error) {
		if r.kind != document {
			return true, nil // a matter of others
		}
		ok, err := v.sees(Entry{r.study, r.mimeType})
		v.judged[formatID(r.id)] = ok
		return ok, err
	}
	return v
}

// sees asks visible once about all entries that are alike.
func (v *view) sees(e Entry) (bool, error) {
	ok, asked := v.entries[e]
	if asked {
		return ok, nil
	}
	ok, err := v.visible(e)
	v.entries[e] = ok && err == nil
	return ok, err
}

// seenStatement is answered by an index alone.
var seenStatement = "SELECT DISTINCT study, mime_type FROM registry_object WHERE patient = ?" + ofKind(document) + " ORDER BY study"

// seenOf returns the studies of a patient that have entries which are seen, or all if there are no others. A patient of
// whom no entry is seen has no packages that are either, unless the caller sees those without a member.
func (v *view) seenOf(patient string) (studies []any, all bool, err error) {
	rows, err := v.query(seenStatement, patient)
	if err != nil {
		return nil, false, err
	}
	defer rows.Close()
	all = true
	for rows.Next() {
		var e Entry
		if err := rows.Scan(&e.Study, &e.MimeType); err != nil {
			return nil, false, err
		}
		switch seen, err := v.sees(e); {
		case err != nil:
			return nil, false, err
		case !seen:
			all = false
		case len(studies) == 0 || studies[len(studies)-1] != e.Study:
			studies = append(studies, e.Study)
		}
	}
	return studies, all, rows.Err()
}

// hide takes out of f what is not seen, and traces of it in what is.
func (v *view) hide(f *found) error {
	if err := v.judge(f); err != nil {
		return err
	}
	f.filter(func(id string) bool { return v.judged[id] })
	for i := range f.Folders {
		d := &f.Folders[i]
		d.LastUpdateTime = max(d.LastUpdateTime, v.updated[d.ID])
	}
	return nil
}

// judge finds out of each object whether it is seen; of entries, who has read them knows.
func (v *view) judge(f *found) error {
	var folders, sets []string
	for i := range f.Folders {
		folders = append(folders, f.Folders[i].ID)
	}
	for i := range f.SubmissionSets {
		sets = append(sets, f.SubmissionSets[i].ID)
	}
	if err := v.judgePackages(folders); err != nil { // before the sets that have them as members
		return err
	}
	if err := v.judgePackages(sets); err != nil {
		return err
	}
	return v.judgeAssociations(f.Associations)
}

// judgePackages: a SubmissionSet or a Folder is seen if a member is, or if it has none and the caller sees such.
func (v *view) judgePackages(ids []string) error {
	ids = slices.DeleteFunc(ids, func(id string) bool { _, done := v.judged[id]; return done })
	for _, id := range ids {
		v.judged[id] = false
	}
	filled := map[string]bool{}
	newest := map[string]int64{} // of the members that are seen
	err := v.batches("source", idKeys(ids), "", func(members *found) (more bool, err error) {
		if err := v.judgeAssociations(members.Associations); err != nil {
			return false, err
		}
		more = true
		for i := range members.Associations {
			a := &members.Associations[i]
			if a.Type != metadata.HasMember {
				continue
			}
			filled[a.Source] = true
			if v.judged[a.Target] {
				v.judged[a.Source], more = true, false // pages begin with the newest
				if n := members.order[a.ID]; n > newest[a.Source] {
					newest[a.Source], v.updated[a.Source] = n, members.added[a.ID]
				}
			}
		}
		return more, nil
	})
	for _, id := range ids {
		if err == nil && !filled[id] {
			v.judged[id], err = v.sees(Entry{})
		}
	}
	return err
}

// judgeAssociations: an association is seen if both ends are; the source of a HasMember is if the target is. An end may
// be an association again, and associations that have only each other are not seen.
func (v *view) judgeAssociations(associations []metadata.Association) error {
	undecoded := v.reader
	undecoded.see = func(r *row) (bool, error) {
		seen, err := v.see(r)
		return seen && r.kind != document, err
	}
	for chunk := range slices.Chunk(associations, pageSize) {
		var open []metadata.Association
		reached := map[string]bool{}
		for next := chunk; len(next) > 0; {
			var ends []string
			first := len(open)
			for _, a := range next {
				if _, done := v.judged[a.ID]; !done {
					reached[a.ID] = true
					open = append(open, a)
				}
			}
			for i := range open[first:] {
				for _, end := range endsOf(&open[first+i]) {
					if _, done := v.judged[end]; !done && !reached[end] {
						reached[end] = true
						ends = append(ends, end)
					}
				}
			}
			f := newFound(0)
			if err := undecoded.byID(f, ends, ""); err != nil {
				return err
			}
			next, f.Associations = f.Associations, nil
			if err := v.judge(f); err != nil {
				return err
			}
		}
		v.settle(open)
	}
	return nil
}

// settle judges associations all of whose ends are judged, or among them.
func (v *view) settle(open []metadata.Association) {
	for i := range open {
		v.judged[open[i].ID] = false
	}
	for changed := true; changed; {
		changed = false
		for i := range slices.Backward(open) { // ends come after what they are ends of
			a := &open[i]
			if !v.judged[a.ID] && !slices.ContainsFunc(endsOf(a), func(end string) bool { return !v.judged[end] }) {
				v.judged[a.ID], changed = true, true
			}
		}
	}
}

// ends returns the ends that an association is judged by.
func endsOf(a *metadata.Association) []string {
	if a.Type == metadata.HasMember {
		return []string{a.Target}
	}
	return []string{a.Source, a.Target}
}
