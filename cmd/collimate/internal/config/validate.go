package config

import (
	"fmt"
	"maps"
	"slices"

	"collimate/consensus"
)

// variables lists the names of the environment variables.
func variables(known map[string]field) []string { return slices.Sorted(maps.Keys(known)) }

// checker collects faults about keys, one for each key at the most.
type checker struct {
	config *Config
	before Faults // of reading
	faults Faults
}

// fault reports something about a key, at the line or the variable where it was set.
func (k *checker) fault(key, format string, args ...any) {
	if k.before.about(key) || k.faults.about(key) {
		return
	}
	f := Fault{Key: key, Message: fmt.Sprintf(format, args...)}
	if p := k.config.where[key]; p.variable != "" {
		f.Key, f.Field = p.variable, key
	} else {
		f.Line = p.line
	}
	k.faults = append(k.faults, f)
}

// require reports a key that is empty.
func (k *checker) require(key, value, why string) {
	if value == "" {
		k.fault(key, "is missing: %s", why)
	}
}

// validate checks what belongs together. before holds the faults that reading found.
func (c *Config) validate(before Faults) Faults {
	if len(before) == 1 && before[0].Key == "" {
		return nil // not even YAML: whatever else we said would be noise
	}
	k := &checker{config: c, before: before}
	k.require("organisation.name", c.Organisation.Name, "give the organisation a name")
	if len(c.Organisation.Name) > maxNameLength {
		k.fault("organisation.name", "has more than %d bytes", maxNameLength)
	}
	if len(c.Organisation.Roles) == 0 {
		k.fault("organisation.roles", "is missing: name at least one of %v", Roles())
	}
	if c.Has(RoleSource) {
		k.require("source.listen", c.Source.Listen, "the role source needs it")
		k.require("source.url", c.Source.URL, "the role source needs it")
		k.sourceSide()
	}
	if c.Has(RoleConsumer) {
		k.require("consumer.listen", c.Consumer.Listen, "the role consumer needs it")
		k.require("consumer.url", c.Consumer.URL, "the role consumer needs it")
	}
	if len(c.Requesters.Issuers) > 0 && len(c.Requesters.Audiences) == 0 {
		k.fault("requesters.audiences", "is missing: assertions must be meant for somebody, name who that is")
	}
	if n := c.Network.RetainBlocks; n != 0 && n < consensus.MinRetainBlocks {
		k.fault("network.retain_blocks", "%d is too few for a peer that restarts, want 0 for all or at least %d", n, consensus.MinRetainBlocks)
	}
	k.addresses()
	if least := heartbeatsPerStaleness * c.Network.Heartbeat; c.Source.Staleness < least {
		k.fault("source.staleness", "%s is less than %d heartbeats of %s: one slow block would stop the source",
			c.Source.Staleness, heartbeatsPerStaleness, c.Network.Heartbeat)
	}
	return k.faults
}

// addresses reports listeners that would take each other's port.
func (k *checker) addresses() {
	c := k.config
	taken := map[string]string{}
	for _, l := range []struct {
		key, address string
		used         bool
	}{
		{"ledger.listen", c.Ledger.Listen, true},
		{"source.listen", c.Source.Listen, c.Has(RoleSource)},
		{"consumer.listen", c.Consumer.Listen, c.Has(RoleConsumer)},
		{"receiver.listen", c.Receiver.Listen, c.Has(RoleSource)},
		{"admin.listen", c.Admin.Listen, true},
	} {
		if !l.used || l.address == "" {
			continue
		}
		if other, twice := taken[l.address]; twice {
			k.fault(l.key, "%s is the address of %s too", l.address, other)
			continue
		}
		taken[l.address] = l.key
	}
}
