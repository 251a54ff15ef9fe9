package config

import (
	"fmt"
	"io"
	"strconv"
	"strings"
)

// The comments over each section of the file that Write makes.
var sectionDocs = map[string]string{
	"organisation": "Who we are.",
	"network":      "The network of nodes that keep the ledger.",
	"ledger":       "This organisation's ledger node.",
	"source":       "The source side of the gateway, beside the archive (role source).",
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
		if f.isList() {
			fmt.Fprintf(&b, "  %s%s: [%s]\n", mark, f.key, strings.ReplaceAll(value, ",", ", "))
		} else {
			fmt.Fprintf(&b, "  %s%s: %s\n", mark, f.key, quote(value))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
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
