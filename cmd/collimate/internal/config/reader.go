package config

import (
	"fmt"
	"maps"
	"slices"

	"go.yaml.in/yaml/v3"
)

// place is where a key was set.
type place struct {
	line     int    // in the file
	variable string // or in the environment
}

// reader walks the YAML tree and sets what it finds.
type reader struct {
	config   *Config
	sections map[string]section
	faults   Faults
}

func (r *reader) fault(line int, key, format string, args ...any) {
	r.faults = append(r.faults, Fault{Line: line, Key: key, Message: fmt.Sprintf(format, args...)})
}

// sectionsOf reads the top of the file.
func (r *reader) sectionsOf(top *yaml.Node) {
	names := slices.Sorted(maps.Keys(r.sections))
	r.pairs(top, "", func(name, content *yaml.Node) {
		s, ok := r.sections[name.Value]
		switch {
		case !ok:
			r.fault(name.Line, name.Value, "unknown section%s", suggest(name.Value, names))
		case isNull(content):
			// A section whose keys are all commented out.
		case content.Kind != yaml.MappingNode:
			r.fault(content.Line, name.Value, "want keys below the section, found %s", describe(content))
		default:
			r.keysOf(name.Value, s, content)
		}
	})
}

// keysOf reads one section.
func (r *reader) keysOf(name string, s section, content *yaml.Node) {
	r.pairs(content, name+".", func(key, content *yaml.Node) {
		full := name + "." + key.Value
		f, ok := s.keys[key.Value]
		if !ok {
			r.fault(key.Line, full, "unknown key%s", suggest(key.Value, s.names))
			return
		}
		values, ok := r.values(full, f, content)
		if !ok {
			return
		}
		r.config.where[full] = place{line: key.Line}
		if err := f.into.set(r.config, values); err != nil {
			r.fault(content.Line, full, "%v", err)
		}
	})
}

// pairs calls f with each key and value of a mapping, and refuses a key that comes twice.
func (r *reader) pairs(mapping *yaml.Node, prefix string, f func(key, content *yaml.Node)) {
	seen := map[string]int{}
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		key, content := mapping.Content[i], mapping.Content[i+1]
		if key.Kind != yaml.ScalarNode {
			r.fault(key.Line, "", "want a key, found %s", describe(key))
			continue
		}
		if line, twice := seen[key.Value]; twice {
			r.fault(key.Line, prefix+key.Value, "comes twice, first in line %d", line)
			continue
		}
		seen[key.Value] = key.Line
		f(key, content)
	}
}

// values returns the strings of a scalar or, for a list, of a sequence.
func (r *reader) values(name string, f field, content *yaml.Node) ([]string, bool) {
	isList := f.isList()
	switch {
	case isNull(content):
		r.fault(content.Line, name, "has no value: give one, or remove the line for the default")
	case content.Kind == yaml.ScalarNode && !isList:
		return []string{content.Value}, true
	case content.Kind == yaml.SequenceNode && isList:
		var values []string
		for _, e := range content.Content {
			if e.Kind != yaml.ScalarNode || isNull(e) {
				r.fault(e.Line, name, "want a list of words, found %s in it", describe(e))
				return nil, false
			}
			values = append(values, e.Value)
		}
		return values, true
	case isList:
		r.fault(content.Line, name, "want a list such as [a, b], found %s", describe(content))
	default:
		r.fault(content.Line, name, "want one value, found %s", describe(content))
	}
	return nil, false
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

// describe names the kind of a node for a person.
func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "keys"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "an alias (*name), which is not supported here"
	case yaml.ScalarNode:
		if isNull(n) {
			return "nothing"
		}
		return fmt.Sprintf("%q", n.Value)
	}
	return "something else"
}
