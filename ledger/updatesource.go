package ledger

// KindUpdateSource is the kind of UpdateSource.
const KindUpdateSource Kind = "update-source"

// UpdateSource changes where a source is found and whom it admits in emergencies. The source signs it. What it
// replaces stays good for a while. ledger-spec 5.2
type UpdateSource struct {
	Version         uint64    `cbor:"1,keyasint"` // one more than SourceRecord.Version
	Endpoints       Endpoints `cbor:"2,keyasint"`
	Peer            string    `cbor:"3,keyasint"`
	EmergencyGroups []StudyID `cbor:"4,keyasint"`
}

// Kind returns KindUpdateSource.
func (u UpdateSource) Kind() Kind { return KindUpdateSource }

func (u UpdateSource) canonical() Body {
	u.EmergencyGroups = sortedGroups(u.EmergencyGroups)
	return u
}

func (u UpdateSource) validate() error {
	if err := u.Endpoints.validate(); err != nil {
		return err
	}
	if err := checkPeer(u.Peer); err != nil {
		return err
	}
	return checkGroups(u.EmergencyGroups)
}

func (u UpdateSource) rule(e *env) ([]write, error) {
	source, err := e.source()
	if err != nil {
		return nil, err
	}
	if err := source.nextVersion(e, u.Version); err != nil {
		return nil, err
	}
	if err := e.chargeSource(source, 1); err != nil {
		return nil, err
	}
	source.Endpoints, source.Peer, source.EmergencyGroups = u.Endpoints, u.Peer, u.EmergencyGroups
	return []write{set(KeySource(source.ID), source)}, nil
}

// nextVersion begins a version of a source, and makes what endpoints and key are the earlier ones.
func (s *SourceRecord) nextVersion(e *env, version uint64) error {
	if version != s.Version+1 {
		return refuse(CodeWrongVersion, "the version on the ledger is %d: the next is one more, not %d", s.Version, version)
	}
	params, err := e.params()
	if err != nil {
		return err
	}
	s.Version = version
	s.EarlierEndpoints, s.EarlierKey = s.Endpoints, s.Key
	s.EarlierUntil = e.now() + Seconds(params.EarlierTime)
	s.ChangedAt = e.height
	return nil
}
