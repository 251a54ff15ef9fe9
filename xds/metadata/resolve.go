package metadata

// Resolve completes a submission that has been checked: symbolic ids, and ids that are missing, become what newID
// returns, which has to be urn:uuid: and a new UUID in lower case; references follow. Each object becomes
// Approved and version 1 of itself, whatever the sender says. ITI TF-2: 3.42.4.1.3.7
func (o *Objects) Resolve(newID func() string) {
	given := map[string]string{}
	for f := range o.all {
		x := f.object
		if !IsUUID(x.ID) {
			id := newID()
			if x.ID != "" {
				given[x.ID] = id
			}
			x.ID = id
		}
		x.LogicalID, x.Version, x.Status = x.ID, "1", Approved
	}
	for i := range o.Associations {
		a := &o.Associations[i]
		for _, end := range []*string{&a.Source, &a.Target} {
			if id, ok := given[*end]; ok {
				*end = id
			}
		}
	}
	o.Refs = nil
}
