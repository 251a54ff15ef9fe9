package conformance

import (
	"go/build"
	"strings"
	"testing"
)

// TestImportsNothingOfTheProject: the judge must not share code with what it judges, tests included.
func TestImportsNothingOfTheProject(t *testing.T) {
	p, err := build.ImportDir(".", 0)
	if err != nil {
		t.Fatal(err)
	}
	allowed := map[string]bool{"github.com/beevik/etree": true, "github.com/russellhaering/goxmldsig": true}
	seen := map[string]bool{}
	for _, path := range append(append(p.Imports, p.TestImports...), p.XTestImports...) {
		first, _, _ := strings.Cut(path, "/")
		if first == "collimate" || strings.Contains(first, ".") && !allowed[path] {
			t.Errorf("conformance imports %s", path)
		}
		seen[path] = true
	}
	for path := range allowed {
		if !seen[path] {
			t.Errorf("conformance does not import %s any more; was the listing read?", path)
		}
	}
}
