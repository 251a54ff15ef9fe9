package conformance

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var toolkitStep = regexp.MustCompile(`^\| ([^*|][^|]* / [^|]* / [^|]*?)(?: †)? \|`)

// TestEveryStepIsAccountedFor: each step that toolkit2 has for these actors is run, or it is said why not.
func TestEveryStepIsAccountedFor(t *testing.T) {
	dir := schemaDir()
	if dir == "" {
		t.Skip("the list of toolkit2's steps is not beside the module")
	}
	b, err := os.ReadFile(filepath.Join(dir, "..", "..", "..", "assertions.md"))
	if err != nil {
		t.Skip(err)
	}
	run := map[string]bool{}
	for _, a := range Actors {
		for _, c := range a.Checks() {
			run[c.ID] = true
		}
	}
	counts, section, all := map[string]int{}, "", "\n"
	for _, line := range strings.Split(string(b), "\n") {
		if name, ok := strings.CutPrefix(line, "### "); ok {
			section, _, _ = strings.Cut(name, ".")
		}
		m := toolkitStep.FindStringSubmatch(line)
		if m == nil || !strings.Contains(" A B E E2 I J ", " "+section+" ") || m[1] == "test / section / step" {
			continue
		}
		how := coverage(m[1], run)
		if how == "" {
			t.Errorf("section %s: %s is neither run nor explained", section, m[1])
		}
		counts[how]++
		all += m[1] + "\n"
		delete(run, m[1])
	}
	if counts["run"] < 200 {
		t.Errorf("%v: was the list read?", counts)
	}
	for _, n := range notApplicable {
		if n.reason != noStep && n.reason != onlyText && !strings.Contains(all, "\n"+n.id) {
			t.Errorf("%s is explained and is no step of toolkit2", n.id)
		}
	}
	for _, s := range sameAs {
		if !strings.Contains(all, "\n"+strings.Split(s.older, ", ")[0]) {
			t.Errorf("%s is no step of toolkit2", s.older)
		}
	}
	for id := range run { // ours beside toolkit2's
		if strings.HasPrefix(id, "1") && !strings.HasPrefix(id, "15816") && strings.Count(id, " / ") == 2 {
			t.Errorf("%s is no step of toolkit2", id)
		}
	}
}

// TestWriteTable: the table has each outcome under its actor, and says why the rest is not there.
func TestWriteTable(t *testing.T) {
	var b strings.Builder
	err := WriteTable(&b, "# Here", []Result{
		{Actor: Registry, ID: "11990 / submit / submit", Title: "a|b", Outcome: Passed},
		{Actor: Registry, ID: "registry / ITI-42 ENG-02", Title: "rule", Citation: "who", Outcome: Failed, Detail: "expected 1, got 2"},
		{Actor: Registry, ID: "registry / ITI-42 " + schemaRule, Outcome: Skipped},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"# Here\n", "## Document Registry", "| 11990 / submit / submit | a\\|b | passed |", "| ITI-42 ENG-02 | rule | who | failed |",
		"| ids_4805 | RAD-55", "1 passed, 1 failed, 0 skipped."} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the table has no %q", want)
		}
	}
	for _, unwanted := range []string{schemaRule, "got 2", "Imaging"} {
		if strings.Contains(b.String(), unwanted) {
			t.Errorf("the table has %q", unwanted)
		}
	}
}
