package registry

import (
	"slices"

	"collimate/xds/metadata"
)

// dtm is the layout of a DTM to the second.
const dtm = "20060102150405"

// effects are what a submission does to objects that are registered, and gets from them. It looks at what was there
// before: an object of the submission is always Approved. ITI TF-2: 3.42.4.1.3.5 to 3.42.4.1.3.7
type effects struct {
	writer
	objects *metadata.Objects // resolved; memberships are added
	Submission
}

func (e *effects) run() error {
	var replaced []string
	for i := range e.objects.Associations {
		if a := &e.objects.Associations[i]; a.Type.Replaces() {
			replaced = append(replaced, a.Target)
		}
	}
	if len(replaced) > 0 {
		if err := e.inherit(replaced); err != nil {
			return err
		}
		if err := e.deprecate(replaced); err != nil {
			return err
		}
	}
	for i := range e.objects.Folders {
		e.objects.Folders[i].LastUpdateTime = e.Now.UTC().Format(dtm) // of those that have a member, it follows from these
	}
	return nil
}

// deprecate makes documents Deprecated, and with them their transformations and addenda, and those of these.
func (e *effects) deprecate(ids []string) error {
	f := newFound(0)
	done := map[string]bool{}
	for len(ids) > 0 {
		for _, id := range ids {
			done[id] = true
		}
		if err := e.set("deprecated = 1", ids); err != nil {
			return err
		}
		f.Associations = nil
		if err := e.to(f, ids); err != nil {
			return err
		}
		ids = nil
		for i := range f.Associations {
			a := &f.Associations[i]
			if (a.Type == metadata.Append || a.Type == metadata.Transform) && !done[a.Source] {
				ids = append(ids, a.Source)
			}
		}
	}
	return nil
}

// inherit puts replacements into the folders that what they replace is in, by memberships of folder and document and
// of SubmissionSet and these.
func (e *effects) inherit(replaced []string) error {
	memberships := newFound(0)
	if err := e.to(memberships, replaced); err != nil {
		return err
	}
	folders := newFound(0)
	var sources []string
	for i := range memberships.Associations {
		if a := &memberships.Associations[i]; a.Type == metadata.HasMember {
			sources = append(sources, a.Source)
		}
	}
	if err := e.byID(folders, sources, ofKind(folder)); err != nil {
		return err
	}
	folders.sort()
	type membership struct{ folder, document string }
	member := map[membership]bool{} // of what is registered, and of the submission
	for _, list := range [][]metadata.Association{memberships.Associations, e.objects.Associations} {
		for i := range list {
			if a := &list[i]; a.Type == metadata.HasMember {
				member[membership{a.Source, a.Target}] = true
			}
		}
	}
	for _, a := range slices.Clone(e.objects.Associations) {
		if !a.Type.Replaces() {
			continue
		}
		for i := range folders.Folders {
			in := folders.Folders[i].ID
			if !member[membership{in, a.Target}] || member[membership{in, a.Source}] {
				continue
			}
			member[membership{in, a.Source}] = true
			e.add(e.objects.SubmissionSets[0].ID, e.add(in, a.Source))
		}
	}
	return nil
}

// add adds a membership to the submission and returns its id.
func (e *effects) add(source, target string) string {
	id := e.NewID()
	e.objects.Associations = append(e.objects.Associations, metadata.Association{
		Object: metadata.Object{ID: id, LogicalID: id, Version: "1", Status: metadata.Approved},
		Type:   metadata.HasMember, Source: source, Target: target,
	})
	return id
}
