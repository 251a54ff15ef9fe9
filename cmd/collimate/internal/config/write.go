package config

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// The comments over each section of the file that Write makes.
var sectionDocs = map[string]string{
	"organisation": "Who we are.",
	"network":      "The network of nodes that keep the ledger.",
	"ledger":       "This organisation's ledger node.",
	"source":       "The source side of the gateway, beside the archive (role source).",
	"archive":      "Where the images are (role source). 'collimate archive check' tries the connection.",
	"receiver":     "The way in for images by DICOM (role source): into the archive of kind fs, or for C-MOVE.",
	"registry":     "The XDS registry and repository of this organisation (role source).",
	"publishing":   "Publishing by itself (role source). 'collimate study publish' publishes by hand.",
	"requesters":   "Whose requests the source accepts (role source). What they may have, the ledger says.",
	"consumer":     "The consumer side of the gateway, before our own XDS consumers (role consumer).",
	"admin":        "The door for the operator's commands.",
	"log":          "The log, on standard error. The audit trail is another thing: DATA/audit.",
}

// Write writes a commented configuration. set holds the keys, by section.key, that differ from the default;
// the others are written as comments, so that the file is also the reference. Lists are given with commas.
func Write(w io.Writer, set map[string]string) error {
	var b strings.Builder
	b.WriteString("# The configuration of Collimate. 'collimate config check' reports all that is wrong with it.\n" +
		"# Relative paths are meant from this file. COLLIMATE_<SECTION>_<KEY> in the environment overrides a key.\n")
	var c Config
	last := ""
	for _, f := range c.fields() {
		if f.section != last {
			fmt.Fprintf(&b, "\n# %s\n%s:\n", sectionDocs[f.section], f.section)
			last = f.section
		}
		for line := range strings.SplitSeq(f.doc, "\n") {
			fmt.Fprintf(&b, "  # %s\n", line)
		}
		value, given := set[f.name()]
		mark := ""
		if !given {
			value, mark = f.value, "# "
		}
		if _, plain := f.into.(flag); f.isList() {
			value = quoteList(value)
		} else if !plain {
			value = quote(value)
		}
		fmt.Fprintf(&b, "  %s%s: %s\n", mark, f.key, value)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// ParseSettings reads settings for Write, each SECTION.KEY=VALUE, and checks that there are such keys, and that each may
// have its value. What belongs together is for Load to check.
func ParseSettings(texts []string) (map[string]string, error) {
	set := map[string]string{}
	for _, text := range texts {
		name, value, ok := strings.Cut(text, "=")
		if !ok {
			return nil, fmt.Errorf("%q is not KEY=VALUE, such as archive.kind=dicomweb", text)
		}
		if err := Check(name, value); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if _, twice := set[name]; twice {
			return nil, fmt.Errorf("%s: comes twice, want it once; lists have commas", name)
		}
		set[name] = value
	}
	return set, nil
}

// Check checks that there is a key of that name, section.key, and that it may have a value, given as for Write.
func Check(name, value string) error {
	var c Config
	fields := c.fields()
	i := slices.IndexFunc(fields, func(f field) bool { return f.name() == name })
	if i < 0 {
		names := make([]string, len(fields))
		for i, f := range fields {
			names[i] = f.name()
		}
		return fmt.Errorf("unknown key%s", suggest(name, names))
	}
	return fields[i].into.set(&c, strings.Split(value, ","))
}

// quoteList writes a list that is given with commas.
func quoteList(s string) string {
	if s == "" {
		return "[]"
	}
	words := strings.Split(s, ",")
	for i, w := range words {
		words[i] = quote(strings.TrimSpace(w))
	}
	return "[" + strings.Join(words, ", ") + "]"
}

// quote writes a scalar plainly where YAML would read it back as the same word, and else in double quotes.
func quote(s string) string {
	if s == "" {
		return `""`
	}
	plain := strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:") == "" &&
		!strings.HasSuffix(s, ":") && !strings.ContainsAny(s[:1], "-:")
	switch strings.ToLower(s) {
	case "true", "false", "yes", "no", "on", "off", "null", "y", "n":
		plain = false
	}
	if plain {
		return s
	}
	return strconv.Quote(s)
}
