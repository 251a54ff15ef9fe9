package ledger_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"collimate/ledger"
)

// TestSpec holds code and specification together: every section that the code cites exists, and every error code,
// reason, kind and limit of the code is in the specification.
func TestSpec(t *testing.T) {
	spec := readSpec(t)
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	cited := regexp.MustCompile(`ledger-spec (\d+(?:\.\d+)*)`)
	citations, names := 0, 0
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range cited.FindAllStringSubmatch(string(src), -1) {
			citations++
			if !regexp.MustCompile(`(?m)^##+ ` + regexp.QuoteMeta(m[1]) + `\.? `).MatchString(spec) {
				t.Errorf("%s cites section %s, which does not exist", file, m[1])
			}
		}
		for name, value := range constants(t, file, src) {
			switch {
			case strings.HasPrefix(name, "Code"), strings.HasPrefix(name, "Reason"):
				names++
				if !strings.Contains(spec, "`"+value+"`") {
					t.Errorf("the specification does not have %s, %q", name, value)
				}
			case strings.HasPrefix(name, "Kind"):
				names++
				if !strings.Contains(spec, strconv.Quote(value)) {
					t.Errorf("the specification does not have %s, %q", name, value)
				}
			case strings.HasPrefix(name, "Max"):
				names++
				if !strings.Contains(spec, "`"+name+"`") {
					t.Errorf("the specification does not have %s", name)
				}
			}
		}
	}
	if citations < 20 || names < 40 {
		t.Errorf("found %d citations and %d names: the test has lost its way", citations, names)
	}
}

func readSpec(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "docs", "ledger-spec.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// constants returns the constants of a file; those that are strings with their value.
func constants(t *testing.T, name string, src []byte) map[string]string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), name, src, 0)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, d := range f.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.CONST {
			continue
		}
		for _, s := range g.Specs {
			v := s.(*ast.ValueSpec)
			for i, n := range v.Names {
				all[n.Name] = ""
				if i < len(v.Values) {
					if lit, ok := v.Values[i].(*ast.BasicLit); ok && lit.Kind == token.STRING {
						all[n.Name], _ = strconv.Unquote(lit.Value)
					}
				}
			}
		}
	}
	return all
}

// TestEveryCode: there is a vector for every code of the specification. What has no vector is named here with the test
// that shows it.
func TestEveryCode(t *testing.T) {
	elsewhere := map[ledger.ErrorCode]string{
		ledger.CodeOtherChain: "TestMadeByHand",
		ledger.CodeNoGenesis:  "TestBeforeGenesis",
	}
	shown := map[ledger.ErrorCode]bool{}
	for _, v := range vectors(t, "invalid.json", func() []invalidVector { return invalidVectors(t) }) {
		shown[v.Code] = true
	}
	for _, s := range readScenarios(t) {
		for _, step := range s.Steps {
			if step.Genesis != nil {
				shown[ledger.ErrorCode(step.Genesis.Result)] = true
			}
			if step.Block != nil {
				for _, result := range step.Block.Results {
					shown[ledger.ErrorCode(result)] = true
				}
			}
		}
	}
	_, section, _ := strings.Cut(readSpec(t), "\n## 9. Errors\n")
	section, _, _ = strings.Cut(section, "\n## 10.")
	codes := 0
	for _, row := range regexp.MustCompile(`(?m)^\|.*\|$`).FindAllString(section, -1) {
		for _, m := range regexp.MustCompile("`([a-z-]+)`").FindAllStringSubmatch(row, -1) {
			codes++
			if c := ledger.ErrorCode(m[1]); !shown[c] && elsewhere[c] == "" {
				t.Errorf("no vector shows %s", c)
			}
		}
	}
	if codes < 50 {
		t.Errorf("found %d codes in the specification: the test has lost its way", codes)
	}
}
