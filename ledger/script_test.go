package ledger_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"collimate/keys"
	"collimate/ledger"
)

// show returns a record as JSON, without what is zero; names of parties and studies in place of hashes.
func show(record any, err error) string {
	if err != nil {
		return err.Error()
	}
	b, err := json.Marshal(record)
	if err != nil {
		return err.Error()
	}
	var v any
	d := json.NewDecoder(strings.NewReader(string(b)))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return err.Error()
	}
	if list, ok := v.([]any); ok {
		var lines []string
		for _, e := range list {
			lines = append(lines, plain(e))
		}
		if lines == nil {
			return "none"
		}
		return strings.Join(lines, "\n")
	}
	return plain(v)
}

// plain writes a JSON value on one line, for people.
func plain(v any) string {
	switch v := v.(type) {
	case map[string]any:
		var fields []string
		for _, name := range slices.Sorted(maps.Keys(v)) {
			if text := plain(v[name]); text != "" && text != "0" && text != "false" && text != "{}" && text != "[]" {
				fields = append(fields, name+"="+text)
			}
		}
		return "{" + strings.Join(fields, " ") + "}"
	case []any:
		var all []string
		for _, e := range v {
			all = append(all, plain(e))
		}
		return "[" + strings.Join(all, " ") + "]"
	case string:
		if v == strings.Repeat("0", 64) {
			return ""
		}
		if name, ok := nameOf(v); ok {
			return name
		}
		if at, err := time.Parse(time.RFC3339Nano, v); err == nil {
			return "T+" + strconv.FormatFloat(at.Sub(testTime).Seconds(), 'f', -1, 64)
		}
		return v
	}
	return fmt.Sprint(v)
}

// validatorKeys are those of some names.
func validatorKeys(names []string) (all []ledger.ValidatorKey) {
	for _, n := range names {
		all = append(all, validatorKeyOf(n))
	}
	return all
}

func studies(names []string) (all []ledger.StudyID) {
	for _, n := range names {
		all = append(all, studyOf(n))
	}
	return all
}

// resolve turns alias-of-NAME into an OID, and leaves any other word.
func resolve(word string) string {
	if name, ok := strings.CutPrefix(word, "alias-of-"); ok {
		return idOf(name).Alias()
	}
	return word
}

// outcome is "ok" or a code; an error without one is a defect, and shown in full.
func outcome(err error) string {
	if err == nil {
		return "ok"
	}
	if code := ledger.CodeOf(err); code != "" {
		return string(code)
	}
	return "BROKEN: " + err.Error()
}

// word returns a word of the command.
func (c *command) word(i int) string {
	c.t.Helper()
	if i >= len(c.words) {
		c.Fatalf(c.t, "%s needs more words", c.Cmd)
	}
	return c.words[i]
}

// option returns the value of NAME=VALUE.
func (c *command) option(name, otherwise string) string {
	if a, ok := c.Arg(name); ok && len(a.Vals) == 1 {
		return a.Vals[0]
	}
	return otherwise
}

// options returns the values of NAME=(VALUE,...).
func (c *command) options(name string) []string {
	a, _ := c.Arg(name)
	return a.Vals
}

// count returns the value of NAME=N.
func (c *command) count(name string, otherwise uint64) uint64 {
	c.t.Helper()
	text := c.option(name, "")
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		c.Fatalf(c.t, "%s: %q is no number", name, text)
	}
	return n
}

// time returns the value of NAME=T in Unix seconds.
func (c *command) time(name string) ledger.Seconds {
	c.t.Helper()
	return ledger.Seconds(testTime.Unix() + c.number(c.option(name, "0")))
}

// seconds returns a number of seconds, which may have a fraction.
func (c *command) seconds(text string) time.Duration {
	c.t.Helper()
	d, err := time.ParseDuration(text + "s")
	if err != nil {
		c.Fatalf(c.t, "%q is no number of seconds", text)
	}
	return d
}

func (c *command) number(text string) int64 {
	c.t.Helper()
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		c.Fatalf(c.t, "%q is no number", text)
	}
	return n
}

// payers returns the value of payers=(NAME:UNITS,...). N*NAME stands for NAME1 to NAMEN.
func (c *command) payers() (all []ledger.PayerUnits) {
	for _, p := range c.options("payers") {
		name, units, _ := strings.Cut(p, ":")
		names := []string{name}
		if n, each, ok := strings.Cut(name, "*"); ok {
			names = nil
			for i := range c.number(n) {
				names = append(names, each+strconv.FormatInt(i+1, 10))
			}
		}
		for _, name := range names {
			who := payer(name)
			if name == "nobody" {
				who = keys.Payer{}
			}
			all = append(all, ledger.PayerUnits{Payer: who, Units: uint64(c.number(units))})
		}
	}
	return all
}

// params returns what params=(NAME:N,...) makes of some params.
func (c *command) params(p ledger.Params) ledger.Params {
	changes := map[string]int64{}
	for _, o := range c.options("params") {
		name, n, _ := strings.Cut(o, ":")
		changes[name] = c.number(n)
	}
	b, err := json.Marshal(changes)
	if err != nil {
		c.t.Fatal(err)
	}
	d := json.NewDecoder(strings.NewReader(string(b)))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		c.Fatalf(c.t, "params: %v", err)
	}
	return p
}
